/**
 * The interface through which telemetry measures a backend. Without telemetry, a call costs two additional comparisons and nothing else.
 */
import { type Clock, Context, type Effect } from "effect"
import type { CallError, RequestError } from "../Errors.js"
import type { StateName } from "../lifecycle/States.js"
import type { Connection } from "../port/Connection.js"
import type { Method, Params } from "../port/Method.js"
import type { Event } from "./Event.js"

/** Measures backends. */
export interface Telemetry {
  /** Called once for each backend, when it is made, before anything else happens to it. */
  readonly observe: (backend: Observed) => Observer
}

/** The backend that is measured. */
export interface Observed {
  readonly id: string
  /** The kind of transport, as its connector names it. */
  readonly transport: string
  /** The state in which it was made. */
  readonly state: StateName
  readonly clock: Clock.Clock
  /** The connection that is installed now. */
  readonly connection: () => Connection | undefined
}

/** Measures one backend. If it throws, Lifeline logs and ignores this. */
export interface Observer {
  /** Called synchronously for each event, in order. */
  readonly event: (event: Event) => void
  /** Called when a heartbeat has ended, with its kind, why it failed (or `undefined`), and its milliseconds. */
  readonly beat: (sent: string, failure: string | undefined, millis: number) => void
  /** Called when keepalive switches itself off; `method` is the kind of heartbeat. */
  readonly breakerOpened: (method: string, reason: string) => void
  /** Runs one call. It must run `run` once, and return its exit. */
  readonly call: <M extends Method, A>(
    method: M,
    params: Params<M>,
    run: (call: CallObserver<M>) => Effect.Effect<A, CallError>
  ) => Effect.Effect<A, CallError>
}

/** Measures one call, which may use several connections. */
export interface CallObserver<M extends Method> {
  /** Sends one request of the call; may add to `_meta` of its parameters. */
  readonly attempt: <A>(
    on: { readonly connection: Connection; readonly generation: number },
    send: (params: Params<M>) => Effect.Effect<A, RequestError>
  ) => Effect.Effect<A, RequestError>
}

/** The telemetry of the backends and fleets to which it is provided. Default none. */
export class Current extends Context.Reference<Current>()("@mcp-lifeline/core/Telemetry", {
  defaultValue: (): Telemetry | undefined => undefined
}) {}
