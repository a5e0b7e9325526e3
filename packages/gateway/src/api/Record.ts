/**
 * What has happened to the servers of a gateway: bounded, whatever they do and however long it runs.
 */
import { type Event, type Fleet, type Status, Telemetry } from "@mcp-lifeline/core"
import type { Scope } from "effect"
import { Effect, Option, Stream } from "effect"
import * as Lines from "../serve/Lines.js"
import * as Offer from "../serve/Offer.js"
import * as EventLog from "./EventLog.js"
import * as OwnLines from "./OwnLines.js"
import { mostUrgent, serving } from "./Runtime.js"
import { ServerRecords } from "./ServerRecords.js"

/** What has happened so far. */
export interface Record {
  /** To be provided as telemetry where the fleet of the servers is made that all clients share. */
  readonly servers: ServerRecords
  /** To be provided as telemetry where each client gets its own servers. */
  readonly own: ServerRecords
  readonly log: EventLog.EventLog
  /** The catalogue as it was last. */
  readonly catalog: () => Fleet.FleetCatalog | undefined
  /** Records what happens to a fleet, as long as the scope is open. To be called right after the fleet was made. */
  readonly follow: (fleet: Fleet.Fleet) => Effect.Effect<void, never, Scope.Scope>
}

/** An empty record, which hands on what it measures to the telemetry that is provided, and each line about a server to `onLine`. */
export const make = (
  onLine: (entry: EventLog.Entry) => Effect.Effect<void> = () => Effect.void
): Effect.Effect<Record, never, Scope.Scope> =>
  Effect.gen(function*() {
    const telemetry = yield* Telemetry.Current
    const log = yield* EventLog.make
    const write = (entry: EventLog.Entry) =>
      Effect.suspend(() => {
        log.add(entry)
        return onLine(entry)
      })
    const ownLines = yield* OwnLines.make(write)
    let lastCatalog: Fleet.FleetCatalog | undefined
    let told: Lines.Told = new Map()

    const take = (event: Event.Event, status: Status | undefined): EventLog.Entry | undefined => {
      const [next, text] = Lines.step(told, event, status)
      told = next
      if (text === undefined) return undefined
      return { at: event.at, server: event.backend, level: Lines.levelOf(event), text }
    }

    return {
      servers: new ServerRecords(telemetry, serving),
      own: new ServerRecords(telemetry, mostUrgent, ownLines),
      log,
      catalog: () => lastCatalog,
      follow: (fleet) => {
        const lines = fleet.events.pipe(
          Stream.mapEffect((event) =>
            Effect.map(
              Effect.option(Effect.flatMap(fleet.backend(event.backend), Offer.counted)),
              (status) => take(event, Option.getOrUndefined(status))
            )
          ),
          Stream.runForEach((entry) => entry === undefined ? Effect.void : write(entry))
        )
        const catalogs = Stream.runForEach(fleet.catalog.changes, (catalog) =>
          Effect.sync(() => {
            lastCatalog = catalog
          }))
        return Effect.forEach([lines, catalogs], (work) =>
          work.pipe(
            Effect.catchAllCause((cause) =>
              Effect.logError("what happens to the servers is not recorded any more; the gateway goes on", cause)
            ),
            Effect.interruptible,
            Effect.forkScoped
          ), { discard: true })
      }
    }
  })
