/**
 * What is known of a server from before: what it said of itself, and its lists. A host is answered with it while the server
 * starts, is down, or waits for a sign-in.
 */
import type { Introduction } from "@mcp-lifeline/protocol"
import { isList, type ListMethod, lists } from "@mcp-lifeline/protocol/listMethods"
import { isDeepStrictEqual } from "node:util"
import { type CachedServer, introductionOf } from "../known/ServerCache.js"

/** A result as it came. */
export type Result = Readonly<Record<string, unknown>>

/** The list without entries. */
export const emptyList = (method: ListMethod): Result => ({ [lists[method]]: [] })

/** More than so many pages of one list are not put together. */
export const maxPages = 100

const entriesOf = (method: ListMethod, result: Result): ReadonlyArray<unknown> => {
  const entries = result[lists[method]]
  return Array.isArray(entries) ? entries : []
}

/** What is known of one server, kept up to date with what it says. */
export class KnownServer {
  introduction: Introduction | undefined
  readonly #lists = new Map<ListMethod, Result>()
  /** The pages of a list that a host reads one by one. */
  readonly #begun = new Map<ListMethod, ReadonlyArray<Result>>()
  readonly #save: (kept: CachedServer) => void

  /** `save`: called with everything whenever it has changed. */
  constructor(kept: CachedServer | undefined, save: (kept: CachedServer) => void) {
    this.#save = save
    this.introduction = kept?.introduction as Introduction | undefined
    for (const [method, result] of Object.entries(kept?.lists ?? {})) {
      if (isList(method)) this.#lists.set(method, result)
    }
  }

  /** The whole list as one page. */
  list(method: ListMethod): Result | undefined {
    return this.#lists.get(method)
  }

  /** A new connection has said what the server is. */
  introduced(introduction: Introduction): void {
    const { sessionId: _, ...said } = introduction
    if (isDeepStrictEqual(this.introduction, said)) return
    this.introduction = said as Introduction
    this.#changed()
  }

  /** A page of a list was read; `cursor`: what it was asked for with. */
  read(method: ListMethod, cursor: unknown, page: Result): void {
    const before = cursor === undefined ? [] : this.#begun.get(method)
    // A page in the middle of what nobody has begun.
    if (before === undefined || before.length >= maxPages) return
    const pages = [...before, page]
    if (page["nextCursor"] !== undefined) return void this.#begun.set(method, pages)
    this.#begun.delete(method)
    this.know(method, pages)
  }

  /** All pages of a list were read. Says whether it differs from what was known. */
  know(method: ListMethod, pages: ReadonlyArray<Result>): boolean {
    const { nextCursor: _, ...last } = pages.at(-1) ?? {}
    const whole = { ...last, [lists[method]]: pages.flatMap((page) => entriesOf(method, page)) }
    const before = this.#lists.get(method)
    if (before !== undefined && isDeepStrictEqual(before[lists[method]], whole[lists[method]])) return false
    this.#lists.set(method, whole)
    this.#changed()
    return before !== undefined
  }

  #changed(): void {
    if (this.introduction === undefined) return
    this.#save({ introduction: introductionOf(this.introduction), lists: Object.fromEntries(this.#lists) })
  }
}
