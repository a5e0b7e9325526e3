/** Callers get a list as one page in its first order: a server may divide it otherwise each time. (P13) */
import { Duration, Effect, Exit, Option, Predicate } from "effect"
import { kinds } from "../catalog/Kind.js"
import * as Order from "../catalog/Order.js"
import type { RequestError } from "../Errors.js"
import type { BackendState } from "../state/BackendState.js"
import { methods } from "./Discovery.js"
import * as Listing from "./Listing.js"

/** Milliseconds for all pages but the first. */
const longest = Duration.toMillis("2.5 seconds")

const nothing = Exit.succeed(undefined)

/**
 * Nothing for what is no beginning of a list, and for one that is too long, too slow or broken: its pages pass as they come. An Exit needs no
 * fiber. `isRead`: whether the backend reads lists itself.
 */
export const make = (backend: BackendState, isRead: () => boolean) => {
  const { maxEntries, maxPages } = backend.policy.discovery
  const endless = new Set<string>()
  return (
    method: string,
    params: unknown,
    first: Listing.Page,
    ask: (cursor: string) => Effect.Effect<Listing.Page, RequestError>
  ): Effect.Effect<Order.Page | undefined, RequestError> => {
    const kind = kinds.find((kind) => methods[kind] === method)
    const isBeginning = !Predicate.isRecord(params) || params["cursor"] === undefined
    if (kind === undefined || !isBeginning || !Predicate.isRecord(first) || !Array.isArray(first[kind])) return nothing
    const given = (list: ReadonlyArray<unknown>) => {
      const before = backend.lists[kind]
      const entries = Order.entries(kind, before, list)
      if (before.length === 0 || !isRead()) backend.lists = { ...backend.lists, [kind]: entries }
      return Exit.succeed(Order.page(kind, entries, first))
    }
    if (typeof first["nextCursor"] !== "string") return first[kind].length > maxEntries ? nothing : given(first[kind])
    if (endless.has(kind)) return nothing
    const all: Array<unknown> = []
    const next = (cursor: string | undefined) => cursor === undefined ? Exit.succeed(first) : ask(cursor)
    const add = ({ [kind]: entries }: Listing.Page): boolean => {
      if (Array.isArray(entries)) all.push(...entries)
      return all.length <= maxEntries
    }
    const ended = (ending: Listing.Ending) => {
      if (ending === "whole") return given(all)
      endless.add(kind)
      return nothing
    }
    return Effect.timeoutOption(Listing.readPages(kind, maxPages, next, add), longest).pipe(
      Effect.flatMap(Option.match({ onNone: () => nothing, onSome: ended })),
      Effect.catchIf(({ fate }) => fate === "answered", () => nothing)
    )
  }
}
