/** Measures backends. Without it, a call costs two comparisons more. */
import { type Clock, Context, type Exit, type Tracer } from "effect"
import type { CallError, RequestError } from "../Errors.js"
import type { StateName } from "../lifecycle/States.js"
import type { Connection } from "../port/Connection.js"
import type { Method, Params } from "../port/Method.js"
import type { ResourceUsage } from "../port/ResourceUsage.js"
import type { Event } from "./Event.js"

export interface Telemetry {
  /** Called once for each backend, before anything else happens to it. */
  readonly observe: (backend: Observed) => Observer
}

export interface Observed {
  readonly id: string
  /** As its connector names it. */
  readonly transport: string
  /** In which it was made. */
  readonly state: StateName
  readonly clock: Clock.Clock
  /** Installed now. */
  readonly connection: () => Connection | undefined
}

/** What it throws is logged and ignored. */
export interface Observer {
  /** Synchronous, in order. */
  readonly event: (event: Event) => void
  /** After a heartbeat: its kind, why it failed (or `undefined`), and its milliseconds. */
  readonly beat: (sent: string, failure: string | undefined, millis: number) => void
  /** Keepalive switched itself off. `method`: the kind of heartbeat. */
  readonly breakerOpened: (method: string, reason: string) => void
  /** After a change; before that it is 1. Default: ignored. */
  readonly health?: ((score: number) => void) | undefined
  /** After each measurement of a connection's processes. Default: ignored. */
  readonly usage?: ((generation: number, usage: ResourceUsage) => void) | undefined
  /** Then each call is made in a fiber, whose current span is the call's. */
  readonly hasSpans: boolean
  /** `parent`: the span in which the call was made. */
  readonly call: <M extends Method>(method: M, params: Params<M>, parent: Tracer.AnySpan | undefined) => CallObserver<M>
}

/** One call, perhaps on several connections. */
export interface CallObserver<M extends Method> {
  /** Before each request. `undefined` if there is nothing to measure. */
  readonly attempt: (
    on: { readonly connection: Connection; readonly generation: number }
  ) => AttemptObserver<M> | undefined
  /** Called once. */
  readonly end: (exit: Exit.Exit<unknown, CallError>) => void
}

export interface AttemptObserver<M extends Method> {
  /** Those of the call, perhaps with more in `_meta`. */
  readonly params: Params<M>
  /** Current while the request is in flight. */
  readonly span: Tracer.AnySpan | undefined
  /** Called once. */
  readonly end: (exit: Exit.Exit<unknown, RequestError>) => void
}

/** Of the backends and fleets to which it is provided. Default none. */
export class Current extends Context.Reference<Current>()("@mcp-lifeline/core/Telemetry", {
  defaultValue: (): Telemetry | undefined => undefined
}) {}
