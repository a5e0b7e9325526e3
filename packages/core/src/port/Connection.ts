/**
 * The port behind which a live MCP session is: what the core needs of it, and nothing of how it is done.
 *
 * Adapters know nothing of generations, retries or health.
 */
import type { Progress, ServerCapabilities, TaskCreationParams } from "@modelcontextprotocol/sdk/types.js"
import type { Implementation } from "@modelcontextprotocol/sdk/types.js"
import type { Effect, Exit } from "effect"
import type { RequestError } from "../Errors.js"
import type { Loss, Peer } from "./Loss.js"
import type { Method, Params, Result } from "./Method.js"
import type { SuspendedSession } from "./SuspendedSession.js"

export type { Loss, Peer } from "./Loss.js"

/** Options of one request. All durations in milliseconds. */
export interface RequestOptions {
  /** Time for the answer. */
  readonly timeout: number
  /** A progress notification starts `timeout` anew. Default false. */
  readonly resetTimeoutOnProgress?: boolean | undefined
  /** Bound on the whole, however much progress there is. */
  readonly maxTotalTimeout?: number | undefined
  /** Called for each progress notification of this request. */
  readonly onprogress?: ((progress: Progress) => void) | undefined
  /** Asked when the request is interrupted: why, for the server. Default: that the caller cancelled it. Must not throw. */
  readonly cancelReason?: (() => unknown) | undefined
  /** Ask the server to run the request as a task. */
  readonly task?: TaskCreationParams | undefined
  /** A schema of the official SDK's kind to decode the result with, in place of the method's own. */
  readonly resultSchema?: unknown
}

/** One live MCP session over one transport. Opened by a `Connector`, closed by its scope. */
export interface Connection {
  readonly serverInfo: Implementation
  readonly capabilities: ServerCapabilities
  readonly instructions: string | undefined
  readonly protocolVersion: string
  readonly sessionId: string | undefined
  readonly peer: Peer
  /** Whether the server keeps state for this session. False only for Streamable HTTP without a session id. */
  readonly stateful: boolean
  /**
   * Sends a request in the same synchronous step in which the effect is run, and waits for its answer. Interrupting it
   * sends `notifications/cancelled` and returns at once. A connection that has failed refuses with fate `notSent`.
   */
  readonly request: <M extends Method>(
    method: M,
    params: Params<M>,
    options: RequestOptions
  ) => Effect.Effect<Result<M>, RequestError>
  /**
   * `request` without a fiber, which makes a call cheaper: sends at once, and calls `settle` once with how the request ended, which may
   * be before it returns. Returns what cancels: as interrupting `request` does; `settle` is not called any more. Neither may throw.
   * Default: calls use `request`.
   */
  readonly send?:
    | (<M extends Method>(
      method: M,
      params: Params<M>,
      options: RequestOptions,
      settle: (exit: Exit.Exit<Result<M>, RequestError>) => void
    ) => () => void)
    | undefined
  /** Sends a notification. */
  readonly notify: (method: string, params?: Record<string, unknown>) => Effect.Effect<void, RequestError>
  /**
   * Registers the one callback that learns, once, that the transport is over; called at once if it already is. Never called
   * for a close that the scope asked for. Requests in flight end with it; where the connection can `suspend`, with what follows:
   * `suspend` or `fail`.
   */
  readonly onLost: (callback: (loss: Loss) => void) => void
  /** Ends every pending request now and refuses new ones. Does not close. Idempotent. */
  readonly fail: (loss: Loss) => void
  /** Whether it goes on with the session that its attempt was offered (`ConnectOptions.resume`). Default false. */
  readonly resumed?: boolean | undefined
  /**
   * Takes the session out of a connection that was lost, where the server may still keep it: closing the connection does not end
   * it any more, and requests whose answers the server can still bring wait on. Like `fail` for everything else. `undefined`
   * where there is nothing to resume. Called at most once, before `fail`; must not throw.
   */
  readonly suspend?: ((loss: Loss) => SuspendedSession | undefined) | undefined
  /** A beat below the protocol, where the transport has one (HTTP OPTIONS); with the credentials or without. */
  readonly heartbeat?:
    | ((options: { readonly authenticated: boolean }) => Effect.Effect<void, RequestError>)
    | undefined
}
