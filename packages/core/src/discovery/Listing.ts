/**
 * One reading of a list, page by page. A server may name a cursor again, by a mistake, and its list would have no end: that cursor ends the list.
 */
import { Effect, Predicate } from "effect"
import { largestList } from "../catalog/Bounds.js"
import * as EntrySize from "../catalog/EntrySize.js"
import { keys, type Kind } from "../catalog/Kind.js"

/** A page as a server gives it. */
export type Page = Readonly<Record<string, unknown>>

/** How many characters of texts are kept, to recognize them. What comes after more than that is taken for new. */
const mostKept = 1024 * 1024

/** Recognizes texts. */
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
  /** The cursor of the next page; undefined before the first page, and after the last one. */
  next: string | undefined
  /** Whether the server has named a cursor again. */
  repeats = false

  /** `cursor`: of the page at which this begins. */
  constructor(kind: Kind, cursor?: string) {
    this.#kind = kind
    if (cursor !== undefined) this.#cursors.add(cursor)
  }

  /** Takes the next page. Returns the same, unless its cursor has been used: then without it, and without the entries of earlier pages. */
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

/**
 * Why the reading of a list has ended: at its end, at a cursor that was used, after the most pages, when the pages are too large together
 * (`largestList`), or because `take` wanted no more.
 */
export type Ending = "whole" | "repeated" | "pages" | "large" | "enough"

/** Reads a list. `ask` gets a page, at the cursor if there is one; `take` takes what is new of it, and returns whether the reading goes on. */
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
