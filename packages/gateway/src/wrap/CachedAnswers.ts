/** What a server answered earlier, for while it starts, is down, or waits for a sign-in. In memory; `cache/ServerCache` keeps it on disk. */
import type { Extension } from "@mcp-lifeline/core"
import { Kind } from "@mcp-lifeline/core/internal"
import { JsonValue } from "@mcp-lifeline/core/text"
import { type Introduction, ListWatch } from "@mcp-lifeline/protocol"
import { isList, type ListMethod, lists } from "@mcp-lifeline/protocol/listMethods"
import { isDeepStrictEqual } from "node:util"
import { type CachedServer, introductionOf } from "../cache/ServerCache.js"

/** As the server sent it. */
export type Result = Readonly<Record<string, unknown>>

export const emptyList = (method: ListMethod): Result => ({ [lists[method]]: [] })

const entriesOf = (method: ListMethod, result: Result): ReadonlyArray<unknown> => {
  const entries = result[lists[method]]
  return Array.isArray(entries) ? entries : []
}

export class CachedAnswers {
  introduction: Introduction | undefined
  readonly #lists = new Map<ListMethod, Result>()
  /** The first pages of lists that are not read to the end. */
  readonly #partial = new Map<ListMethod, { readonly pages: ReadonlyArray<Result>; readonly size: number }>()
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
    this.introduction = cached?.introduction as Introduction | undefined
    for (const [method, result] of Object.entries(cached?.lists ?? {})) {
      if (isList(method)) this.#lists.set(method, offered(method, result))
    }
  }

  /** The whole list as one page. */
  get(method: ListMethod): Result | undefined {
    return this.#lists.get(method)
  }

  updateIntroduction(introduction: Introduction): void {
    const { sessionId: _, ...lasting } = introduction
    if (isDeepStrictEqual(this.introduction, lasting)) return
    this.introduction = lasting as Introduction
    this.#changed()
  }

  /** `cursor`: that of the request. */
  addPage(method: ListMethod, cursor: unknown, page: Result): void {
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

  update(method: ListMethod, pages: ReadonlyArray<Result>): void {
    const { nextCursor: _, ...last } = pages.at(-1) ?? {}
    const whole = { ...last, [lists[method]]: pages.flatMap((page) => entriesOf(method, page)) }
    const before = this.#lists.get(method)
    if (JsonValue.sizeOf(whole) > Kind.largestList) return
    if (before !== undefined && isDeepStrictEqual(before[lists[method]], whole[lists[method]])) return
    this.#lists.set(method, whole)
    this.#changed()
  }

  #changed(): void {
    if (this.introduction === undefined) return
    this.#save({ introduction: introductionOf(this.introduction), lists: Object.fromEntries(this.#lists) })
  }
}
