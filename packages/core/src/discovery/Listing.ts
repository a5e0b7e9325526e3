/** A list read page by page, until a limit or a cursor that comes again. */
import { Effect, Predicate } from "effect"
import { keys, type Kind, largestList } from "../catalog/Kind.js"
import * as JsonValue from "../internal/JsonValue.js"

export type Page = Readonly<Record<string, unknown>>

/** Characters kept to recognize texts. Further texts count as new. */
const mostKept = 1024 * 1024

interface Seen {
  readonly texts: Set<string>
  kept: number
}

const add = (seen: Seen, text: string): void => {
  if (seen.texts.has(text) || seen.kept + text.length > mostKept) return
  seen.kept += text.length
  seen.texts.add(text)
}

export interface Listing {
  readonly kind: Kind
  readonly cursors: Seen
  readonly keys: Seen
  /** `undefined` before the first page and after the last. */
  next: string | undefined
  repeats: boolean
}

export const begin = (kind: Kind, cursor?: string): Listing => {
  const cursors: Seen = { texts: new Set(), kept: 0 }
  if (cursor !== undefined) add(cursors, cursor)
  return { kind, cursors, keys: { texts: new Set(), kept: 0 }, next: undefined, repeats: false }
}

/** Returns the page; if its cursor was used, without it and the entries of earlier pages. */
export const take = (listing: Listing, page: Page): Page => {
  const { cursors, keys: seen, kind } = listing
  const { nextCursor, ...rest } = page
  listing.next = undefined
  if (typeof nextCursor !== "string") return page
  const entries: ReadonlyArray<unknown> = Array.isArray(page[kind]) ? page[kind] : []
  const keyOf = (entry: unknown): string => Predicate.isRecord(entry) ? String(entry[keys[kind]]) : ""
  listing.repeats = cursors.texts.has(nextCursor)
  if (listing.repeats) return { ...rest, [kind]: entries.filter((entry) => !seen.texts.has(keyOf(entry))) }
  add(cursors, nextCursor)
  for (const entry of entries) add(seen, keyOf(entry))
  listing.next = nextCursor
  return page
}

/** `large`: over `largestList` together. `enough`: `onPage` wanted no more. */
export type Ending = "whole" | "repeated" | "pages" | "large" | "enough"

/** `onPage` returns whether the reading goes on. */
export const readPages = <E, R>(
  kind: Kind,
  maxPages: number,
  ask: (cursor: string | undefined) => Effect.Effect<Page, E, R>,
  onPage: (page: Page) => boolean
): Effect.Effect<Ending, E, R> =>
  Effect.gen(function*() {
    const listing = begin(kind)
    let size = 0
    for (let pages = 0; pages < maxPages; pages++) {
      const page = take(listing, yield* ask(listing.next))
      const goesOn = onPage(page)
      if (listing.repeats) return "repeated"
      if (!goesOn) return "enough"
      size += JsonValue.sizeOf(page)
      if (size > largestList) return "large"
      if (listing.next === undefined) return "whole"
    }
    return "pages"
  })
