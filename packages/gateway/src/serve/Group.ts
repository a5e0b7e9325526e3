/**
 * A fleet, and what its clients have asked of it that outlives their requests.
 */
import { Fleet } from "@mcp-lifeline/core"
import type { Introduction } from "@mcp-lifeline/protocol"
import type { Scope } from "effect"
import { Effect, Runtime, Stream } from "effect"
import { Levels } from "./Levels.js"
import { type Changing, Lists } from "./Lists.js"
import * as Outages from "./Outages.js"
import { Subscriptions } from "./Subscriptions.js"

/** A fleet with its clients' levels and subscriptions. */
export interface Group {
  readonly fleet: Fleet.Fleet
  readonly levels: Levels
  readonly subscriptions: Subscriptions
  /** Since when servers are down. */
  readonly outages: Outages.Outages
  /** As they are now. */
  readonly lists: () => Lists
}

/** What it needs to know, and whom it tells. */
export interface Options {
  readonly fleet: Fleet.Fleet
  readonly introduction: (server: string) => Introduction | undefined
  /** Called when lists differ as clients see them. Must not throw. */
  readonly listsChanged: (kinds: ReadonlyArray<Changing>) => void
}

/** Follows the fleet as long as the scope is open. */
export const make = ({ fleet, introduction, listsChanged }: Options): Effect.Effect<Group, never, Scope.Scope> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const fork = (effect: Effect.Effect<void>): void => void Runtime.runFork(runtime)(effect)
    const levels = new Levels({
      fork,
      all: fleet.backends,
      hasLogging: (server) => introduction(server)?.capabilities.logging !== undefined
    })
    const subscriptions = new Subscriptions(fork)
    const outages = new Outages.Outages()
    let lists = new Lists(Effect.runSync(fleet.catalog))
    const listsOf = (catalog: Fleet.FleetCatalog): Lists => {
      if (catalog !== lists.catalog) lists = new Lists(catalog)
      return lists
    }
    const connected = (server: string): Effect.Effect<void> =>
      Effect.match(fleet.backend(server), {
        onFailure: () => undefined,
        onSuccess: (backend) => {
          levels.connected(backend)
          subscriptions.connected(backend)
        }
      })
    yield* fleet.events.pipe(
      Stream.tap((event) => Effect.sync(() => outages.note(event))),
      Stream.runForEach((event) => event._tag === "Installed" ? connected(event.backend) : Effect.void),
      Effect.interruptible,
      Effect.forkScoped
    )
    yield* fleet.catalog.changes.pipe(
      Stream.mapAccum(lists, (before, catalog) => {
        const after = listsOf(catalog)
        return [after, after === before ? [] : after.changedSince(before)] as const
      }),
      Stream.runForEach((differing) => Effect.sync(() => differing.length === 0 ? undefined : listsChanged(differing))),
      Effect.interruptible,
      Effect.forkScoped
    )
    return {
      fleet,
      levels,
      subscriptions,
      outages,
      lists: () => listsOf(Effect.runSync(fleet.catalog))
    }
  })
