/**
 * A backend: one MCP server that stays connected, as a stable handle.
 */
import type {
  CallToolResult,
  CompleteResult,
  GetPromptResult,
  ListPromptsResult,
  ListResourcesResult,
  ListResourceTemplatesResult,
  ListToolsResult,
  LoggingLevel,
  Progress,
  ReadResourceResult,
  TaskCreationParams
} from "@modelcontextprotocol/sdk/types.js"
import type { Effect, Scope, Stream } from "effect"
import type { DurationInput } from "effect/Duration"
import type { Snapshot } from "./Catalog.js"
import type { ClientOptions, Connector, ServerNotification } from "./Connector.js"
import type { CallError, CommandError, ConfigError } from "./Errors.js"
import type { Event } from "./Event.js"
import type { Method, Params, Result } from "./Method.js"
import type { PolicyOptions } from "./Policy.js"
import type { Status } from "./Status.js"

/** Options of one call. */
export interface CallOptions {
  /** Time for the answer. Default `timeouts.request`. */
  readonly timeout?: DurationInput | undefined
  /** Progress starts `timeout` anew. Default false. */
  readonly resetTimeoutOnProgress?: boolean | undefined
  /** Bound on the whole call, waiting and repetition included. Default: none beyond the others. */
  readonly maxTotalTimeout?: DurationInput | undefined
  /** How long to wait for a connection. Default `timeouts.wait`. */
  readonly wait?: DurationInput | undefined
  /** Doing it twice does no harm: send again when the fate of the first is unknown (C3). Default: by method and hints. */
  readonly idempotent?: boolean | undefined
  /** Fail at once when there is no connection. Default `calls.failFast`. */
  readonly failFast?: boolean | undefined
  readonly onprogress?: ((progress: Progress) => void) | undefined
  readonly task?: TaskCreationParams | undefined
  /** A schema of the official SDK's kind for the result. */
  readonly resultSchema?: unknown
}

/** What `healthCheck` found. */
export interface HealthCheck {
  readonly status: Status
  /** Milliseconds to the answer. */
  readonly latency: number | undefined
  readonly error: CallError | undefined
}

/**
 * One MCP server, supervised. The handle outlives every connection (L1): keep it, never swap it.
 *
 * Interrupting a call sends `notifications/cancelled` and returns at once. Interrupting a command cancels nothing of what
 * it asked for.
 */
export interface Backend {
  readonly id: string
  readonly status: Effect.Effect<Status>
  /** The status now, and again after each change. Slow readers miss intermediate values, never the last. */
  readonly statusChanges: Stream.Stream<Status>
  readonly events: Stream.Stream<Event>
  /** Notifications of the current generation. */
  readonly notifications: Stream.Stream<ServerNotification>
  /** The last good catalogue; `undefined` before the first and where it is withdrawn (P2). */
  readonly catalog: Effect.Effect<Snapshot | undefined>
  readonly catalogChanges: Stream.Stream<Snapshot | undefined>
  /** Reads the lists again and returns what is then published. */
  readonly refresh: Effect.Effect<Snapshot, CallError>
  /** Connected, without a probe. */
  readonly isConnected: Effect.Effect<boolean>
  /** Whether the health score reaches a threshold. Default 0.7. */
  readonly isHealthy: (threshold?: number) => Effect.Effect<boolean>
  readonly healthCheck: Effect.Effect<HealthCheck>
  /** Ends with the attempt that it starts or joins. */
  readonly reconnect: Effect.Effect<void, CommandError>
  /** Ends with the attempt that it starts or joins. */
  readonly enable: Effect.Effect<void, CommandError>
  /** Ends when everything is torn down or abandoned. */
  readonly disable: Effect.Effect<void>
  /** Ends the connection and stays Disconnected. */
  readonly disconnect: Effect.Effect<void>
  /** Ends when the backend has a connection and its first catalogue, or its first attempt has failed. */
  readonly settled: Effect.Effect<void>
  readonly keepalive: { readonly pause: Effect.Effect<void>; readonly resume: Effect.Effect<void> }
  /** Any request of the protocol. */
  readonly request: <M extends Method>(
    method: M,
    params: Params<M>,
    options?: CallOptions
  ) => Effect.Effect<Result<M>, CallError>
  readonly notify: (method: string, params?: Record<string, unknown>) => Effect.Effect<void, CallError>
  readonly callTool: (params: Params<"tools/call">, options?: CallOptions) => Effect.Effect<CallToolResult, CallError>
  readonly listTools: (
    params?: Params<"tools/list">,
    options?: CallOptions
  ) => Effect.Effect<ListToolsResult, CallError>
  readonly listPrompts: (
    params?: Params<"prompts/list">,
    options?: CallOptions
  ) => Effect.Effect<ListPromptsResult, CallError>
  readonly getPrompt: (
    params: Params<"prompts/get">,
    options?: CallOptions
  ) => Effect.Effect<GetPromptResult, CallError>
  readonly listResources: (
    params?: Params<"resources/list">,
    options?: CallOptions
  ) => Effect.Effect<ListResourcesResult, CallError>
  readonly listResourceTemplates: (
    params?: Params<"resources/templates/list">,
    options?: CallOptions
  ) => Effect.Effect<ListResourceTemplatesResult, CallError>
  readonly readResource: (
    params: Params<"resources/read">,
    options?: CallOptions
  ) => Effect.Effect<ReadResourceResult, CallError>
  readonly subscribeResource: (uri: string, options?: CallOptions) => Effect.Effect<void, CallError>
  readonly unsubscribeResource: (uri: string, options?: CallOptions) => Effect.Effect<void, CallError>
  readonly complete: (
    params: Params<"completion/complete">,
    options?: CallOptions
  ) => Effect.Effect<CompleteResult, CallError>
  readonly setLoggingLevel: (level: LoggingLevel, options?: CallOptions) => Effect.Effect<void, CallError>
  readonly ping: (options?: CallOptions) => Effect.Effect<void, CallError>
}

/** What a new generation gives to `onConnected` before calls are let in (C11). */
export interface Session {
  readonly generation: number
  readonly request: <M extends Method>(
    method: M,
    params: Params<M>,
    options?: CallOptions
  ) => Effect.Effect<Result<M>, CallError>
}

/** Everything about one backend. */
export interface BackendOptions extends PolicyOptions, ClientOptions {
  readonly connector: Connector
  /** Runs on every new generation before calls are let in; if it fails, so does the attempt (C11). */
  readonly onConnected?: ((session: Session) => Effect.Effect<void, unknown>) | undefined
}

/** Makes a backend that lives as long as the scope. It starts to connect at once, unless lazy or disabled. */
export declare const make: (
  id: string,
  options: BackendOptions
) => Effect.Effect<Backend, ConfigError, Scope.Scope>
