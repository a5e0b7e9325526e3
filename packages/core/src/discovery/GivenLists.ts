/** What callers get of a list: the whole as one page, in the order of before, because a server may divide it otherwise each time. (P13) */
import { Duration, Effect, Exit, Option, Predicate } from "effect"
import { empty } from "../catalog/Catalog.js"
import { kinds } from "../catalog/Kind.js"
import * as Order from "../catalog/Order.js"
import type { RequestError } from "../Errors.js"
import type { BackendState } from "../state/BackendState.js"
import { methods } from "./Discovery.js"
import * as Listing from "./Listing.js"

const byMethod = new Map<string, typeof kinds[number]>(kinds.map((kind) => [methods[kind], kind]))

/** Milliseconds for all pages but the first. */
const longest = Duration.toMillis("2.5 seconds")

type Ask = (cursor: string) => Effect.Effect<unknown, RequestError>

/**
 * Nothing for a request that is no reading from the beginning, or whose list is too long, too slow or broken: that passes page by page, as it
 * comes. Fails if the connection is lost. An Exit needs no fiber.
 */
export const make = ({ policy: { discovery: { maxEntries, maxPages } }, remembered }: BackendState) => {
  const last = new Map<string, Order.Page>(kinds.map((kind) => [kind, { [kind]: (remembered ?? empty)[kind] }]))
  const endless = new Set<string>()
  return (
    method: string,
    params: unknown,
    first: unknown,
    ask: Ask
  ): Effect.Effect<Order.Page | undefined, RequestError> => {
    const kind = byMethod.get(method)
    const isBeginning = !Predicate.hasProperty(params, "cursor") || params.cursor === undefined
    if (kind === undefined || !isBeginning || !Predicate.isRecord(first) || !Array.isArray(first[kind])) return nothing
    const given = (page: Order.Page) => {
      const steady = Order.page(kind, last.get(kind)!, page)
      last.set(kind, steady)
      return Exit.succeed(Order.copy(steady))
    }
    if (typeof first["nextCursor"] !== "string") return given(first)
    if (endless.has(kind)) return nothing
    const all: Array<unknown> = []
    const next = (cursor: string | undefined) => cursor === undefined ? Exit.succeed(first) : ask(cursor)
    const add = (page: Listing.Page): boolean => {
      if (Array.isArray(page[kind])) all.push(...page[kind])
      return all.length <= maxEntries
    }
    const read = Listing.readPages(
      kind,
      maxPages,
      next as (cursor?: string) => Effect.Effect<Listing.Page, RequestError>,
      add
    )
    return Effect.timeoutOption(read, longest).pipe(
      Effect.flatMap(Option.match({
        onNone: () => nothing,
        onSome: (ending) => {
          if (ending === "whole") {
            const { nextCursor: _, ...rest } = first
            return given({ ...rest, [kind]: all })
          }
          endless.add(kind)
          return nothing
        }
      })),
      Effect.catchIf(({ fate }) => fate === "answered", () => nothing)
    )
  }
}

const nothing = Exit.succeed(undefined)
