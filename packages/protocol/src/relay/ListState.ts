/** What is known of a list: the same for the same entries, however divided into pages. */
import { Freshness, type Kind } from "@mcp-lifeline/core/internal"
import { JsonValue } from "@mcp-lifeline/core/text"
import { createHash } from "node:crypto"

export type Page = Readonly<Record<string, unknown>>

export interface ListState {
  readonly count: number
  readonly digest: string
  /** The cursor of the next page, if there is one. */
  readonly next: string | undefined
  readonly isWhole: boolean
  /** In milliseconds. */
  readonly timeToLive: number | undefined
  /** It could not be read. */
  readonly isDoubtful: boolean
}

export const none: ListState = {
  count: 0,
  digest: "",
  next: undefined,
  isWhole: false,
  timeToLive: undefined,
  isDoubtful: false
}

export const entriesOf = (kind: Kind.Kind, page: Page): ReadonlyArray<unknown> => {
  const entries = page[kind]
  return Array.isArray(entries) ? entries : []
}

const textOf = (entry: unknown): string => {
  try {
    return JsonValue.canonical(entry)
  } catch {
    // It is nested too deeply, or no JSON.
    return ""
  }
}

/** `most`: of the entries of all pages together. */
export const and = (before: ListState, kind: Kind.Kind, page: Page, most = Number.POSITIVE_INFINITY): ListState => {
  const entries = entriesOf(kind, page)
  const taken = entries.slice(0, most - before.count)
  const next = typeof page["nextCursor"] === "string" ? page["nextCursor"] : undefined
  return {
    count: before.count + taken.length,
    digest: taken.reduce<string>(
      (digest, entry) => createHash("sha256").update(digest).update(textOf(entry)).digest("hex"),
      before.digest
    ),
    next,
    isWhole: next === undefined && taken.length === entries.length,
    timeToLive: Freshness.shorter(before.timeToLive, Freshness.timeToLive(page["ttlMs"])),
    isDoubtful: false
  }
}

export const differs = (one: ListState, other: ListState): boolean =>
  one.isDoubtful !== other.isDoubtful || one.count !== other.count || one.digest !== other.digest ||
  one.isWhole !== other.isWhole
