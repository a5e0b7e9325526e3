/**
 * What has happened to the servers of a gateway. Its size is limited, whatever they do and however long it runs.
 */
import { type Event, type Fleet, Telemetry } from "@mcp-lifeline/core"
import type { Scope } from "effect"
import { Effect, HashMap, Option, Stream } from "effect"
import * as EventLog from "../log/EventLog.js"
import * as Lines from "../log/Lines.js"
import * as RepeatedLines from "../log/RepeatedLines.js"
import type { ClientGroup } from "../pool/ClientGroup.js"
import { type OnEvent, ServerRecords } from "./ServerRecords.js"

export interface Record {
  readonly servers: ServerRecords
  readonly log: EventLog.EventLog
  readonly telemetry: (sessions: ClientGroup["sessions"]) => Telemetry.Telemetry
  /** Until the scope closes. Call it right after making the fleet, so that it misses no event. */
  readonly follow: (fleet: Fleet.Fleet) => Effect.Effect<void, never, Scope.Scope>
}

/** Passes measurements on to the telemetry in the context, and lines about servers to `onLine`. */
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
    /** Combines repeated lines, so that many clients cause few. */
    const ofClient: OnEvent = (event, { number, state }, { connection, transport }) => {
      const text = Lines.ofRuntime(event, { state, transport, peer: connection()?.peer })
      if (text === undefined) return
      const entry = entryOf(event, `runtime ${number}  ${text}`)
      repeated([event.backend, event._tag, entry.level, event._tag === "StateChanged" ? event.to : ""].join(" "), entry)
    }

    let logged: Lines.LoggedToolCounts = HashMap.empty()
    const follow = (fleet: Fleet.Fleet) =>
      fleet.events.pipe(
        Stream.runForEach((event) =>
          Effect.flatMap(
            Effect.option(Effect.flatMap(fleet.backend(event.backend), ({ status }) => status)),
            (status) => {
              const [next, text] = Lines.step(logged, event, Option.getOrUndefined(status))
              logged = next
              if (text === undefined) return Effect.void
              const { message, publicMessage } = text
              const forAll = publicMessage === "" ? {} : { publicText: publicMessage }
              return write({ ...entryOf(event, message), ...forAll })
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
