/** A live MCP session, as the core needs it. Adapters know nothing of generations, retries or health. */
import type {
  Implementation,
  Progress,
  ServerCapabilities,
  TaskCreationParams
} from "@modelcontextprotocol/sdk/types.js"
import type { Effect, Exit, Tracer } from "effect"
import type { RequestError } from "../Errors.js"
import type { Peer } from "./ConnectorStatus.js"
import type { Loss } from "./Loss.js"
import type { Method, Params, Result } from "./Method.js"
import type { ProcessSight } from "./ProcessSight.js"
import type { SuspendedSession } from "./SuspendedSession.js"

export type { Peer } from "./ConnectorStatus.js"
export type { Loss } from "./Loss.js"

/** `Progress` may throw what its listener throws; the others must not. */
export type RequestEvent =
  | { readonly _tag: "Progress"; readonly progress: Progress }
  /** A cancellation took the request back before any of it was sent. Without this, a cancelled request counts as sent. */
  | { readonly _tag: "Withdrawn" }
  /** The server asks the user something that this request may wait for: its time stands still until `Answered`. */
  | { readonly _tag: "Asked" }
  | { readonly _tag: "Answered" }

/** Durations in milliseconds. */
export interface RequestOptions {
  /** For an answer. */
  readonly timeout: number
  /** Progress restarts `timeout`. Default false. */
  readonly resetTimeoutOnProgress?: boolean | undefined
  /** For the whole request, not extended by progress. */
  readonly maxTotalTimeout?: number | undefined
  /** The server is asked to report it. Default false. */
  readonly progress?: boolean | undefined
  readonly onevent?: ((event: RequestEvent) => void) | undefined
  /** Run the request as a task. */
  readonly task?: TaskCreationParams | undefined
  /**
   * Part of a task that Lifeline runs for its caller. `tools/call`: the answer may be a task (`{ task }`, revision 2025-11-25), and nothing
   * decodes it. `tasks/get`: the result is the task, as in that revision. `tasks/result`: the result is that of the call. Default false.
   */
  readonly runsTask?: boolean | undefined
  /** Of the official SDK's kind; decodes the result instead of the method's own. */
  readonly resultSchema?: unknown
  /** The parent of what the connection does for the request. */
  readonly span?: Tracer.AnySpan | undefined
}

export type Cancel = (reason?: unknown) => void

/** Opened by a `Connector`, closed by its scope. */
export interface Connection {
  readonly serverInfo: Implementation
  readonly capabilities: ServerCapabilities
  readonly instructions: string | undefined
  readonly protocolVersion: string
  readonly sessionId: string | undefined
  readonly peer: Peer
  /** The server keeps state for this session. False only for Streamable HTTP without a session id. */
  readonly stateful: boolean
  /**
   * Sends at once. Calls `settle` once with the outcome, perhaps before this returns. Returns what cancels an unsettled request: the server gets
   * `notifications/cancelled` with its argument as the reason (default: that the caller cancelled it), and `settle` is not called any more.
   * Neither may throw. After the connection has failed, requests fail with fate `notSent`. See `Sending`.
   */
  readonly send: <M extends Method>(
    method: M,
    params: Params<M>,
    options: RequestOptions,
    settle: (exit: Exit.Exit<Result<M>, RequestError>) => void
  ) => Cancel
  readonly notify: (method: string, params?: Record<string, unknown>) => Effect.Effect<void, RequestError>
  /**
   * The one callback for the end of the transport. Called once; at once if it has already ended; never because the scope closes. Requests in
   * flight end at the same time; if the session is forgotten, or the connection can `suspend`, they end with their own answer, or with the
   * following `suspend` or `fail`.
   */
  readonly onLost: (callback: (loss: Loss) => void) => void
  /**
   * What the server's processes show now. Asked for only while the core doubts that the server lives, some seconds apart. `undefined` if it
   * cannot be seen now. Must not fail. Default: never seen.
   */
  readonly look?: Effect.Effect<ProcessSight | undefined> | undefined
  /** Ends every pending request now and refuses new ones. Does not close. Idempotent. */
  readonly fail: (loss: Loss) => void
  /** It resumes the offered session (`ConnectOptions.resume`). Default false. */
  readonly resumed?: boolean | undefined
  /**
   * Takes the session out of a lost connection, if the server may still know it: closing then does not end it, and requests whose answers can
   * still arrive keep waiting. Otherwise like `fail`. `undefined` if there is nothing to resume. Called at most once, before `fail`; must not
   * throw.
   */
  readonly suspend?: ((loss: Loss) => SuspendedSession | undefined) | undefined
  /** Its lists are what a backend elsewhere offers its callers: what is missing may be hidden there. Default false. */
  readonly isFiltered?: boolean | undefined
  /** Below the protocol, if the transport has one (HTTP OPTIONS). */
  readonly heartbeat?:
    | ((options: { readonly authenticated: boolean }) => Effect.Effect<void, RequestError>)
    | undefined
}
