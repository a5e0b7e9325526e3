/**
 * What has happened to the servers of a gateway: bounded, whatever they do and however long it runs.
 */
import { type Event, type Fleet, Telemetry } from "@mcp-lifeline/core"
import type { Scope } from "effect"
import { Effect, Option, Stream } from "effect"
import * as Lines from "../serve/Lines.js"
import * as OfferedTools from "../serve/OfferedTools.js"
import type { ClientGroup } from "../serve/pool/ClientGroup.js"
import * as EventLog from "./EventLog.js"
import * as RepeatedLines from "./RepeatedLines.js"
import { type OnEvent, ServerRecords } from "./ServerRecords.js"

/** What has happened so far. */
export interface Record {
  readonly servers: ServerRecords
  readonly log: EventLog.EventLog
  /** Makes what measures the servers of one group. */
  readonly telemetry: (sessions: ClientGroup["sessions"]) => Telemetry.Telemetry
  /** Writes lines about the servers that all clients share, as long as the scope is open. To be called right after their fleet was made. */
  readonly follow: (fleet: Fleet.Fleet) => Effect.Effect<void, never, Scope.Scope>
}

/** An empty record, which hands on what it measures to the telemetry that is provided, and each line about a server to `onLine`. */
export const make = (
  onLine: (entry: EventLog.Entry) => Effect.Effect<void> = () => Effect.void
): Effect.Effect<Record, never, Scope.Scope> =>
  Effect.gen(function*() {
    const log = yield* EventLog.make
    const servers = new ServerRecords(yield* Telemetry.Current)
    const write = (entry: EventLog.Entry) =>
      Effect.suspend(() => {
        log.add(entry)
        return onLine(entry)
      })
    const entryOf = (event: Event.Event, text: string): EventLog.Entry => ({
      at: event.at,
      server: event.backend,
      level: Lines.levelOf(event),
      text
    })

    const repeated = yield* RepeatedLines.make(write)
    /** What happens to a server of one client: of many clients, few lines. */
    const ofClient: OnEvent = (event, { number, state }, { connection, transport }) => {
      const text = Lines.ofRuntime(event, { state, transport, peer: connection()?.peer })
      if (text === undefined) return
      const entry = entryOf(event, `runtime ${number}  ${text}`)
      repeated([event.backend, event._tag, entry.level, event._tag === "StateChanged" ? event.to : ""].join(" "), entry)
    }

    let logged: Lines.LoggedToolCounts = new Map()
    const follow = (fleet: Fleet.Fleet) =>
      fleet.events.pipe(
        Stream.runForEach((event) =>
          Effect.flatMap(
            Effect.option(Effect.flatMap(fleet.backend(event.backend), OfferedTools.counted)),
            (status) => {
              const [next, text] = Lines.step(logged, event, Option.getOrUndefined(status))
              logged = next
              return text === undefined ? Effect.void : write(entryOf(event, text))
            }
          )
        ),
        Effect.catchAllCause((cause) =>
          Effect.logError("what happens to the servers is not recorded any more; the gateway goes on", cause)
        ),
        Effect.interruptible,
        Effect.forkScoped,
        Effect.asVoid
      )

    return {
      servers,
      log,
      telemetry: (sessions) => servers.ofGroup(sessions === "per-client" ? ofClient : undefined),
      follow
    }
  })
