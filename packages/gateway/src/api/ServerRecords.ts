/**
 * The calls and the history of each server, measured as telemetry: from before anything happens to it. Of a server that each client
 * has for itself there may be many at once; what is known of them is one record.
 */
import type { CallError, Method, Params, Status, Telemetry } from "@mcp-lifeline/core"
import { Effect } from "effect"
import { CallCounts } from "./CallCounts.js"
import { History } from "./History.js"

/** What is known of one server. */
export interface ServerRecord {
  readonly calls: CallCounts
  readonly history: History
}

/** A record with the states of the backends that it is about. */
interface Kept extends ServerRecord {
  readonly states: Map<Telemetry.Observed, Status["state"]>
}

/** The state of all together: that of the one that serves, where one does. */
const together = (states: Kept["states"]): Status["state"] => {
  const all = [...states.values()]
  return all.includes("Connected") ? "Connected" : all.at(-1) ?? "Idle"
}

/** The records of all servers by name. Hands on what it measures. */
export class ServerRecords implements Telemetry.Telemetry {
  readonly #records = new Map<string, Kept>()
  readonly #next: Telemetry.Telemetry | undefined

  constructor(next: Telemetry.Telemetry | undefined) {
    this.#next = next
  }

  of(server: string): ServerRecord | undefined {
    return this.#records.get(server)
  }

  /** Forgets all servers but these. */
  keep(servers: ReadonlySet<string>): void {
    for (const name of this.#records.keys()) if (!servers.has(name)) this.#records.delete(name)
  }

  observe(backend: Telemetry.Observed): Telemetry.Observer {
    const { clock, id, state } = backend
    const record = this.#records.get(id) ?? { calls: new CallCounts(), history: new History(), states: new Map() }
    this.#records.set(id, record)
    const { calls, history, states } = record
    states.set(backend, state)
    history.enter(together(states), clock.unsafeCurrentTimeMillis())
    const next = this.#next?.observe(backend)
    return {
      event: (event) => {
        if (event._tag === "StateChanged") {
          if (event.to === "Closed") states.delete(backend)
          else states.set(backend, event.to)
          history.enter(together(states), event.at)
        } else history.take(event)
        next?.event(event)
      },
      beat: (sent, failure, millis) => next?.beat(sent, failure, millis),
      breakerOpened: (method, reason) => next?.breakerOpened(method, reason),
      call: <M extends Method, A>(
        method: M,
        params: Params<M>,
        run: (call: Telemetry.CallObserver<M>) => Effect.Effect<A, CallError>
      ) =>
        Effect.suspend(() => {
          const began = performance.now()
          calls.begin()
          return Effect.onExit(
            next === undefined ? run({ attempt: (_, send) => send(params) }) : next.call(method, params, run),
            (exit) => Effect.sync(() => calls.end(exit, performance.now() - began))
          )
        })
    }
  }
}
