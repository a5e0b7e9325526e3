/** A list read page by page, until a limit or a cursor that comes again. */
import { Effect, Predicate } from "effect"
import { largestList } from "../catalog/Bounds.js"
import * as EntrySize from "../catalog/EntrySize.js"
import { keys, type Kind } from "../catalog/Kind.js"

export type Page = Readonly<Record<string, unknown>>

/** Characters kept to recognize texts. Further texts count as new. */
const mostKept = 1024 * 1024

class Seen {
  readonly #texts = new Set<string>()
  #kept = 0

  has(text: string): boolean {
    return this.#texts.has(text)
  }

  add(text: string): void {
    if (this.#texts.has(text) || this.#kept + text.length > mostKept) return
    this.#kept += text.length
    this.#texts.add(text)
  }
}

export class Listing {
  readonly #kind: Kind
  readonly #cursors = new Seen()
  readonly #keys = new Seen()
  /** `undefined` before the first page and after the last. */
  next: string | undefined
  repeats = false

  /** `cursor`: of the first page. */
  constructor(kind: Kind, cursor?: string) {
    this.#kind = kind
    if (cursor !== undefined) this.#cursors.add(cursor)
  }

  /** Returns the page; if its cursor was used, without it and the entries of earlier pages. */
  take(page: Page): Page {
    const { nextCursor, ...rest } = page
    this.next = undefined
    if (typeof nextCursor !== "string") return page
    const listed = page[this.#kind]
    const entries = Array.isArray(listed) ? listed as ReadonlyArray<unknown> : []
    this.repeats = this.#cursors.has(nextCursor)
    if (this.repeats) return { ...rest, [this.#kind]: entries.filter((entry) => !this.#keys.has(this.#keyOf(entry))) }
    this.#cursors.add(nextCursor)
    for (const entry of entries) this.#keys.add(this.#keyOf(entry))
    this.next = nextCursor
    return page
  }

  #keyOf(entry: unknown): string {
    return Predicate.isRecord(entry) ? String(entry[keys[this.#kind]]) : ""
  }
}

/** `large`: over `largestList` together. `enough`: `take` wanted no more. */
export type Ending = "whole" | "repeated" | "pages" | "large" | "enough"

/** `take` returns whether the reading goes on. */
export const readPages = <E, R>(
  kind: Kind,
  maxPages: number,
  ask: (cursor: string | undefined) => Effect.Effect<Page, E, R>,
  take: (page: Page) => boolean
): Effect.Effect<Ending, E, R> =>
  Effect.gen(function*() {
    const listing = new Listing(kind)
    let size = 0
    for (let pages = 0; pages < maxPages; pages++) {
      const page = listing.take(yield* ask(listing.next))
      const goesOn = take(page)
      if (listing.repeats) return "repeated"
      if (!goesOn) return "enough"
      size += EntrySize.of(page)
      if (size > largestList) return "large"
      if (listing.next === undefined) return "whole"
    }
    return "pages"
  })
