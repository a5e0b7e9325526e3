/**
 * The port for a live MCP session: what the core needs, independent of how an adapter implements it.
 *
 * Adapters know nothing of generations, retries or health.
 */
import type { Progress, ServerCapabilities, TaskCreationParams } from "@modelcontextprotocol/sdk/types.js"
import type { Implementation } from "@modelcontextprotocol/sdk/types.js"
import type { Effect, Exit, Tracer } from "effect"
import type { RequestError } from "../Errors.js"
import type { Loss } from "./Loss.js"
import type { Method, Params, Result } from "./Method.js"
import type { Peer } from "./Peer.js"
import type { ProcessSight } from "./ProcessSight.js"
import type { SuspendedSession } from "./SuspendedSession.js"

export type { Loss } from "./Loss.js"
export type { Peer } from "./Peer.js"

/** Options of one request. All durations in milliseconds. */
export interface RequestOptions {
  /** How long the server may take to answer. */
  readonly timeout: number
  /** Whether a progress notification restarts `timeout`. Default false. */
  readonly resetTimeoutOnProgress?: boolean | undefined
  /** The limit for the whole request, which progress does not extend. */
  readonly maxTotalTimeout?: number | undefined
  /** Called for each progress notification of this request. */
  readonly onprogress?: ((progress: Progress) => void) | undefined
  /** Called when the request is cancelled. Returns the reason for the server. Default: that the caller cancelled it. Must not throw. */
  readonly cancelReason?: (() => unknown) | undefined
  /**
   * Called when a cancellation takes the request back before any of it was sent, so that the server never sees it. Must not throw. If a
   * connection never calls this, a cancelled request counts as sent.
   */
  readonly onwithdrawn?: (() => void) | undefined
  /**
   * Called with `true` when the server asks the user something, which this request may wait for, and with `false` when it has its answer.
   * Each question is a call of its own. The connection counts nothing of that time in `timeout` and `maxTotalTimeout`. Must not throw.
   */
  readonly onasking?: ((isAsking: boolean) => void) | undefined
  /** Ask the server to run the request as a task. */
  readonly task?: TaskCreationParams | undefined
  /**
   * Lifeline runs a task for its caller, and the request is part of that. `tools/call`: the server may answer with a task (`{ task }`, as
   * in revision 2025-11-25); then nothing decodes the answer. `tasks/get`: the result is the task, as in that revision. `tasks/result`: the
   * result is that of the call. Default false.
   */
  readonly runsTask?: boolean | undefined
  /** A schema of the official SDK's kind that decodes the result, instead of the method's own. */
  readonly resultSchema?: unknown
  /** The span of the request, for what the connection does for it. */
  readonly span?: Tracer.AnySpan | undefined
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
   * Sends a request at once. Calls `settle` once with the outcome, perhaps before this returns. Returns what cancels the request, while it is not
   * settled: the server gets `notifications/cancelled`, and `settle` is not called any more. Neither may throw. After the connection has failed,
   * requests fail with fate `notSent`. `Sending` makes it of effects, and effects of it.
   */
  readonly send: <M extends Method>(
    method: M,
    params: Params<M>,
    options: RequestOptions,
    settle: (exit: Exit.Exit<Result<M>, RequestError>) => void
  ) => () => void
  /** Sends a notification. */
  readonly notify: (method: string, params?: Record<string, unknown>) => Effect.Effect<void, RequestError>
  /**
   * Registers the one callback for the end of the transport. It is called once; at once if the transport has already ended; never because
   * the scope closes. Requests in flight end at the same time; if the server has forgotten the session, or if the connection can `suspend`,
   * they end with their own answer, or with the following `suspend` or `fail`.
   */
  readonly onLost: (callback: (loss: Loss) => void) => void
  /**
   * Looks what the processes of the server show now. The core asks for it only while it doubts that the server lives, some seconds apart.
   * `undefined` if it cannot be seen at this moment. Must not fail. Default: the processes cannot be seen.
   */
  readonly look?: Effect.Effect<ProcessSight | undefined> | undefined
  /** Ends every pending request now and refuses new ones. Does not close. Idempotent. */
  readonly fail: (loss: Loss) => void
  /** Whether it resumes the session that its attempt was offered (`ConnectOptions.resume`). Default false. */
  readonly resumed?: boolean | undefined
  /**
   * Takes the session out of a lost connection, if the server may still know the session: closing the connection then does not end it, and
   * requests whose answers can still arrive keep waiting. For everything else, it does the same as `fail`. Returns `undefined` if there is
   * nothing to resume. Called at most once, before `fail`; must not throw.
   */
  readonly suspend?: ((loss: Loss) => SuspendedSession | undefined) | undefined
  /**
   * Whether its lists are what a backend elsewhere offers its callers: what is not in them may be hidden there, and says nothing of the
   * server. Default false.
   */
  readonly isFiltered?: boolean | undefined
  /** A heartbeat below the protocol, if the transport has one (HTTP OPTIONS); with or without the credentials. */
  readonly heartbeat?:
    | ((options: { readonly authenticated: boolean }) => Effect.Effect<void, RequestError>)
    | undefined
}
