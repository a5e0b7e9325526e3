/** How much of a list was read, and its digest: is it the same list again, however divided into pages? Pure. */
import { JsonValue } from "@mcp-lifeline/core/text"
import { createHash } from "node:crypto"

export interface ReadList {
  readonly count: number
  readonly digest: string
  /** The cursor of the next page, if there is one. */
  readonly next: string | undefined
  readonly isWhole: boolean
}

export const none: ReadList = { count: 0, digest: "", next: undefined, isWhole: false }

const textOf = (entry: unknown): string => {
  try {
    return JsonValue.canonical(entry)
  } catch {
    // It is nested too deeply, or no JSON.
    return ""
  }
}

/** `most`: of the entries of all pages together. */
export const and = (
  read: ReadList,
  entries: ReadonlyArray<unknown>,
  nextCursor: unknown,
  most = Number.POSITIVE_INFINITY
): ReadList => {
  const taken = entries.slice(0, most - read.count)
  const digest = taken.reduce<string>(
    (before, entry) => createHash("sha256").update(before).update(textOf(entry)).digest("hex"),
    read.digest
  )
  const next = typeof nextCursor === "string" ? nextCursor : undefined
  return {
    count: read.count + taken.length,
    digest,
    next,
    isWhole: next === undefined && taken.length === entries.length
  }
}

export const isSame = (one: ReadList, other: ReadList): boolean =>
  one.count === other.count && one.digest === other.digest && one.isWhole === other.isWhole
