/** What a server answered earlier, for while it starts, is down, or waits for a sign-in. In memory; `cache/ServerCache` keeps it on disk. */
import type { Extension } from "@mcp-lifeline/core"
import { Kind } from "@mcp-lifeline/core/internal"
import { JsonValue } from "@mcp-lifeline/core/text"
import { type Introduction, ListState, ListWatch } from "@mcp-lifeline/protocol"
import { isList, type ListMethod, lists } from "@mcp-lifeline/protocol/listMethods"
import { isDeepStrictEqual } from "node:util"
import { type CachedServer, introductionOf } from "../cache/ServerCache.js"

export const emptyList = (method: ListMethod): ListState.Page => ({ [lists[method]]: [] })

type Cached = Partial<CachedServer> & Pick<CachedServer, "lists">

export class CachedAnswers {
  cached: Cached
  /** The first pages of lists that are not read to the end. */
  readonly #partial = new Map<ListMethod, { readonly pages: ReadonlyArray<ListState.Page>; readonly size: number }>()
  readonly #save: (cached: CachedServer) => void

  /**
   * `save` gets all that is cached, after each change. `offered`: what the host gets now, of lists from a time when it may have got more.
   */
  constructor(
    cached: CachedServer | undefined,
    save: (cached: CachedServer) => void,
    offered: Extension.Offering["result"]
  ) {
    this.#save = save
    const lists = Object.entries(cached?.lists ?? {}).filter(([method]) => isList(method))
    this.cached = {
      ...cached,
      lists: Object.fromEntries(lists.map(([method, list]) => [method, offered(method, list)]))
    }
  }

  get introduction(): Introduction | undefined {
    return this.cached.introduction as Introduction | undefined
  }

  /** The whole list as one page. */
  get(method: ListMethod): ListState.Page | undefined {
    return this.cached.lists[method]
  }

  updateIntroduction(introduction: Introduction): void {
    const lasting = introductionOf(introduction)
    if (!isDeepStrictEqual(this.cached.introduction, lasting)) this.#keep({ ...this.cached, introduction: lasting })
  }

  addPage(method: ListMethod, cursor: unknown, page: ListState.Page): void {
    const before = cursor === undefined ? { pages: [], size: 0 } : this.#partial.get(method)
    // Earlier pages are missing, or are of another reading.
    if (before === undefined || before.pages.at(-1)?.["nextCursor"] !== cursor) return
    this.#partial.delete(method)
    const size = before.size + JsonValue.sizeOf(page)
    if (before.pages.length >= ListWatch.maxPages || size > Kind.largestList) return
    const pages = [...before.pages, page]
    if (page["nextCursor"] !== undefined) this.#partial.set(method, { pages, size })
    else this.update(method, pages)
  }

  update(method: ListMethod, pages: ReadonlyArray<ListState.Page>): void {
    const { nextCursor: _, ...last } = pages.at(-1) ?? {}
    const kind = lists[method]
    const whole = { ...last, [kind]: pages.flatMap((page) => ListState.entriesOf(kind, page)) }
    const before = this.get(method)
    if (JsonValue.sizeOf(whole) > Kind.largestList) return
    if (before !== undefined && isDeepStrictEqual(before[kind], whole[kind])) return
    this.#keep({ ...this.cached, lists: { ...this.cached.lists, [method]: whole } })
  }

  #keep(cached: Cached): void {
    this.cached = cached
    if (cached.introduction !== undefined) this.#save({ introduction: cached.introduction, lists: cached.lists })
  }
}
