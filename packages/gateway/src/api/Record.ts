/**
 * What has happened to the servers of a gateway: bounded, whatever they do and however long it runs.
 */
import { type Event, type Fleet, Log, type Status, Telemetry } from "@mcp-lifeline/core"
import type { Scope } from "effect"
import { Effect, LogLevel, Option, Stream } from "effect"
import * as Lines from "../serve/Lines.js"
import * as EventLog from "./EventLog.js"
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
  /** Records what happens to a fleet, as long as the scope is open, and hands each line on. To be called right after the fleet was made. */
  readonly follow: (
    fleet: Fleet.Fleet,
    onLine?: (entry: EventLog.Entry) => Effect.Effect<void>
  ) => Effect.Effect<void, never, Scope.Scope>
}

const levelOf = (event: Event.Event): EventLog.Entry["level"] => {
  const { level } = Log.entryOf(event)
  if (LogLevel.greaterThanEqual(level, LogLevel.Error)) return "error"
  return LogLevel.greaterThanEqual(level, LogLevel.Warning) ? "warning" : "info"
}

/** An empty record, which hands what it measures on to the telemetry that is provided. */
export const make: Effect.Effect<Record> = Effect.gen(function*() {
  const telemetry = yield* Telemetry.Current
  const log = yield* EventLog.make
  let lastCatalog: Fleet.FleetCatalog | undefined
  let told: Lines.Told = new Map()

  const take = (event: Event.Event, status: Status | undefined): EventLog.Entry | undefined => {
    const [next, text] = Lines.step(told, event, status)
    told = next
    if (text === undefined) return undefined
    const entry: EventLog.Entry = { at: event.at, server: event.backend, level: levelOf(event), text }
    log.add(entry)
    return entry
  }

  return {
    servers: new ServerRecords(telemetry, serving),
    own: new ServerRecords(telemetry, mostUrgent),
    log,
    catalog: () => lastCatalog,
    follow: (fleet, onLine = () => Effect.void) => {
      const lines = fleet.events.pipe(
        Stream.mapEffect((event) =>
          Effect.map(
            Effect.option(Effect.flatMap(fleet.backend(event.backend), (backend) => backend.status)),
            (status) => take(event, Option.getOrUndefined(status))
          )
        ),
        Stream.runForEach((entry) => entry === undefined ? Effect.void : onLine(entry))
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
