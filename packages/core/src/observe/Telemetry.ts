/** The interface through which telemetry measures a backend. Without telemetry, a call costs two comparisons more. */
import { type Clock, Context, type Exit, type Tracer } from "effect"
import type { CallError, RequestError } from "../Errors.js"
import type { StateName } from "../lifecycle/States.js"
import type { Connection } from "../port/Connection.js"
import type { Method, Params } from "../port/Method.js"
import type { ResourceUsage } from "../port/ResourceUsage.js"
import type { Event } from "./Event.js"

export interface Telemetry {
  /** Called once for each backend, when it is made, before anything else happens to it. */
  readonly observe: (backend: Observed) => Observer
}

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
  /** Called when keepalive switches itself off. `method`: the kind of heartbeat. */
  readonly breakerOpened: (method: string, reason: string) => void
  /** Called when the health score has changed; before that it is 1. Default: ignored. */
  readonly health?: ((score: number) => void) | undefined
  /** Called after each measurement of what the processes of a connection use, by the connection's generation. Default: ignored. */
  readonly usage?: ((generation: number, usage: ResourceUsage) => void) | undefined
  /** Whether calls have spans. Then each call is made in a fiber, whose current span is the call's. */
  readonly hasSpans: boolean
  /** Called when a call begins. `parent`: the span in which it was made. */
  readonly call: <M extends Method>(method: M, params: Params<M>, parent: Tracer.AnySpan | undefined) => CallObserver<M>
}

/** Measures one call, which may use several connections. */
export interface CallObserver<M extends Method> {
  /** Called before each request of the call. Returns what measures that request; nothing if there is nothing to measure. */
  readonly attempt: (
    on: { readonly connection: Connection; readonly generation: number }
  ) => AttemptObserver<M> | undefined
  /** Called once, when the call has ended. */
  readonly end: (exit: Exit.Exit<unknown, CallError>) => void
}

/** Measures one request of a call. */
export interface AttemptObserver<M extends Method> {
  /** The parameters to send: those of the call, perhaps with more in `_meta`. */
  readonly params: Params<M>
  /** The current span for as long as the request is in flight. */
  readonly span: Tracer.AnySpan | undefined
  /** Called once, when the request has ended. */
  readonly end: (exit: Exit.Exit<unknown, RequestError>) => void
}

/** The telemetry of the backends and fleets to which it is provided. Default none. */
export class Current extends Context.Reference<Current>()("@mcp-lifeline/core/Telemetry", {
  defaultValue: (): Telemetry | undefined => undefined
}) {}
