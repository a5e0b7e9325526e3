/** A backend as its users see it: what it can do, and what it guarantees. */
import type {
  CallToolResult,
  CompleteResult,
  GetPromptResult,
  ListPromptsResult,
  ListResourcesResult,
  ListResourceTemplatesResult,
  ListToolsResult,
  LoggingLevel,
  ReadResourceResult
} from "@modelcontextprotocol/sdk/types.js"
import type { Context, Effect, Option, Stream } from "effect"
import type { Snapshot } from "../catalog/Catalog.js"
import type { CallError, CommandError } from "../Errors.js"
import type { Event } from "../observe/Event.js"
import type * as Live from "../observe/Live.js"
import type { CallOptions } from "../options/CallOptions.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { ServerNotification } from "../port/Report.js"
import type { Status } from "../state/Status.js"

export interface HealthCheck {
  readonly status: Status
  /** Milliseconds to the answer. */
  readonly latency: number | undefined
  readonly error: CallError | undefined
}

/**
 * One supervised MCP server. You use the same handle for all connections. Each of its streams ends when its scope has closed.
 *
 * If you interrupt a call, Lifeline sends `notifications/cancelled`, and the call ends at once. If you interrupt a command, you stop only
 * the waiting: Lifeline still carries the command out.
 */
export interface Backend {
  readonly id: string
  /** The status. A slow reader of `changes` may miss values in between, never the last one. */
  readonly status: Live.Live<Status>
  /**
   * The events from now on. A reader that begins before the first attempt has ended gets all from the beginning. To miss none, make the
   * backend with `lifecycle.disabled`, and `enable` it once you read. A reader that is 1,024 events behind loses the oldest.
   */
  readonly events: Stream.Stream<Event>
  /** Notifications of the current generation. */
  readonly notifications: Stream.Stream<ServerNotification>
  /**
   * The last good catalogue; `undefined` before the first one, and while it is withdrawn. Lifeline marks a list that is older than its
   * `ttlMs` as stale, and reads it again in the background. With `discovery.mode: "learn"`, running this, its `changes` or `refresh` for
   * the first time makes the backend read the lists from then on.
   */
  readonly catalog: Live.Live<Snapshot | undefined>
  /** Reads the lists again, and returns the new catalogue. */
  readonly refresh: Effect.Effect<Snapshot, CallError>
  /** Whether it is connected, as far as Lifeline knows. Sends nothing. */
  readonly isConnected: Effect.Effect<boolean>
  /** Whether the health score reaches a threshold. Default 0.7. */
  readonly isHealthy: (threshold?: number) => Effect.Effect<boolean>
  /**
   * Sends one ping now, without waiting for a connection, and returns the latency or the error. Never fails. It counts as a probe: if the
   * ping fails, further pings follow, `keepalive.suspectInterval` apart, until the server answers one or Lifeline gives up the connection.
   */
  readonly healthCheck: Effect.Effect<HealthCheck>
  /** Makes a new connection, or joins an attempt in progress. Ends with that attempt. */
  readonly reconnect: Effect.Effect<void, CommandError>
  /** Connects a backend that is not connected, or joins an attempt in progress. Ends with that attempt. */
  readonly enable: Effect.Effect<void, CommandError>
  /** Disconnects, withdraws the catalogue, and refuses calls until `enable`. Ends when everything is closed or abandoned. */
  readonly disable: Effect.Effect<void>
  /** Closes the connection, and stays Disconnected until `reconnect` or `enable`. The catalogue stays, marked as stale. */
  readonly disconnect: Effect.Effect<void>
  /**
   * Ends when the backend has a connection and its first catalogue, or when its first attempt has failed. With `discovery.mode: "learn"`
   * the connection is enough.
   */
  readonly firstOutcome: Effect.Effect<void>
  /** What an extension of its options gives to programs. */
  readonly extension: <Id, Service>(tag: Context.Tag<Id, Service>) => Option.Option<Service>
  /** Pauses and resumes the heartbeats. A reconnect does not end a pause. */
  readonly keepalive: { readonly pause: Effect.Effect<void>; readonly resume: Effect.Effect<void> }
  /** Any request of the protocol. */
  readonly request: <M extends Method>(
    method: M,
    params: Params<M>,
    options?: CallOptions
  ) => Effect.Effect<Result<M>, CallError>
  /** Sends a notification, waiting for a connection like a call. Ends when it was sent. */
  readonly notify: (method: string, params?: Record<string, unknown>) => Effect.Effect<void, CallError>
  /**
   * Calls a tool. If the connection is lost, Lifeline sends the call again only if that does no harm: the server has not carried it out,
   * the tool's hints allow it, or the options say `idempotent`. Otherwise the call fails with ResultUnknown.
   */
  readonly callTool: (params: Params<"tools/call">, options?: CallOptions) => Effect.Effect<CallToolResult, CallError>
  /** Asks the server for one page of tools. `catalog` has all of them. */
  readonly listTools: (
    params?: Params<"tools/list">,
    options?: CallOptions
  ) => Effect.Effect<ListToolsResult, CallError>
  /** Asks the server for one page of prompts. */
  readonly listPrompts: (
    params?: Params<"prompts/list">,
    options?: CallOptions
  ) => Effect.Effect<ListPromptsResult, CallError>
  /** Gets a prompt with its arguments filled in. */
  readonly getPrompt: (
    params: Params<"prompts/get">,
    options?: CallOptions
  ) => Effect.Effect<GetPromptResult, CallError>
  /** Asks the server for one page of resources. */
  readonly listResources: (
    params?: Params<"resources/list">,
    options?: CallOptions
  ) => Effect.Effect<ListResourcesResult, CallError>
  /** Asks the server for one page of resource templates. */
  readonly listResourceTemplates: (
    params?: Params<"resources/templates/list">,
    options?: CallOptions
  ) => Effect.Effect<ListResourceTemplatesResult, CallError>
  /** Reads a resource. */
  readonly readResource: (
    params: Params<"resources/read">,
    options?: CallOptions
  ) => Effect.Effect<ReadResourceResult, CallError>
  /** Subscribes to changes of a resource, on this and every later connection. */
  readonly subscribeResource: (uri: string, options?: CallOptions) => Effect.Effect<void, CallError>
  /** Ends a subscription. */
  readonly unsubscribeResource: (uri: string, options?: CallOptions) => Effect.Effect<void, CallError>
  /** Asks for completions of an argument. */
  readonly complete: (
    params: Params<"completion/complete">,
    options?: CallOptions
  ) => Effect.Effect<CompleteResult, CallError>
  /** Sets the level of the log messages that the server sends, on this and every later connection. */
  readonly setLoggingLevel: (level: LoggingLevel, options?: CallOptions) => Effect.Effect<void, CallError>
  /** Pings the server; waits for a connection like a call. */
  readonly ping: (options?: CallOptions) => Effect.Effect<void, CallError>
}
