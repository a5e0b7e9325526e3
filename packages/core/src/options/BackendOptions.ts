import { Effect, Layer, type Schedule } from "effect"
import type { CatalogMemory } from "../catalog/Catalog.js"
import type { ClientOptions, Connector, ServerRequestHandlers } from "../port/Connector.js"
import type { Shown } from "../port/Shown.js"
import type { RuntimeLayer, Session } from "./CallOptions.js"
import type { Any as AnyExtension } from "./Extension.js"
import type { PolicyOptions } from "./Policy.js"

/**
 * What keepalive knows after a round, and before the first. Times are milliseconds on the Clock's scale, durations milliseconds.
 *
 * A round is one heartbeat, or none where the server has answered something else since the round was planned.
 */
export interface Found {
  /** When the server last answered, whatever it was asked. */
  readonly answeredAt: number
  /** Of the options, as far as `idleTtl` and what the server says of the rate allow. */
  readonly interval: number
  /** Rounds in a row that failed. */
  readonly failures: number
  /** After a failed round: what is left of `suspectInterval`. */
  readonly retryIn: number
  /** Set while keepalive has switched itself off. */
  readonly reprobeAt: number | undefined
}

export interface KeepaliveOptions extends NonNullable<PolicyOptions["keepalive"]> {
  /**
   * When heartbeats are due on a connection, in place of `interval`, `suspectInterval` and `reprobeAfter`: steps once before the first and
   * after each, with what is known then. Where it ends, heartbeats end until the next connection.
   */
  readonly schedule?: Schedule.Schedule<unknown, Found> | undefined
}

/** Keeps what a server has shown beyond the program. */
export interface TemperamentMemory {
  /** Once, before the first attempt, which waits for it. Default: nothing is remembered. */
  readonly remembered?: Effect.Effect<Shown | undefined> | undefined
  /** After something new. A backend that closes interrupts it, and waits for what cannot be interrupted. */
  readonly keep: (shown: Shown) => Effect.Effect<void>
}

/** `R`: the services that its handlers, `onConnected` and `runtime` use. */
export interface BackendOptions<R = never> extends PolicyOptions, ClientOptions<R> {
  /** For example `StdioConnector.make({ command })` or `HttpConnector.make({ url })`. */
  readonly connector: Connector
  readonly keepalive?: KeepaliveOptions | undefined
  /** Keeps the catalogue for the next run of the program. */
  readonly catalogMemory?: CatalogMemory | undefined
  /** Keeps what the server has shown for the next run. Default: as long as the backend lives. */
  readonly temperamentMemory?: TemperamentMemory | undefined
  /** The first is the outermost. Default: none. */
  readonly extensions?: ReadonlyArray<AnyExtension> | undefined
  /** Runs on every new session before Lifeline sends calls there, not on a resumed one. If it fails, the attempt fails. */
  readonly onConnected?: ((session: Session) => Effect.Effect<void, unknown, R>) | undefined
  /**
   * A Layer for each connection: built once calls are let in, beside them, and released when the connection is lost or replaced. A defect is
   * logged. Default: none.
   */
  readonly runtime?: RuntimeLayer<R> | undefined
}

/** With the services of the fiber that makes the backend. */
export const provided = <R>(options: BackendOptions<R>): Effect.Effect<BackendOptions, never, R> =>
  Effect.contextWith((context) => {
    const { handlers, onConnected, runtime } = options
    // Thousands of backends without any keep the given object.
    if (handlers === undefined && onConnected === undefined && runtime === undefined) return options as BackendOptions
    const provide = Effect.provide(context)
    return {
      ...options,
      handlers: handlers && providedHandlers(handlers, provide),
      onConnected: onConnected && ((session) => provide(onConnected(session))),
      runtime: runtime && ((session) => Layer.provide(runtime(session), Layer.succeedContext(context)))
    }
  })

const providedHandlers = <R>(
  { elicitation, roots, sampling }: ServerRequestHandlers<R>,
  provide: <A, E>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E>
): ServerRequestHandlers => ({
  elicitation: elicitation && ((params) => provide(elicitation(params))),
  roots: roots && provide(roots),
  sampling: sampling && ((params) => provide(sampling(params)))
})
