import type { LoggingLevel } from "@modelcontextprotocol/sdk/types.js"
import type { Context, Effect, Option, Stream } from "effect"
import type { Snapshot } from "../catalog/Catalog.js"
import type { CallError, CommandError } from "../Errors.js"
import type { Event } from "../observe/Event.js"
import type * as Live from "../observe/Live.js"
import type { CallOptions, Session } from "../options/CallOptions.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { ServerNotification } from "../port/Report.js"
import type { Status } from "../state/Status.js"

export interface HealthCheck {
  readonly status: Status
  /** Milliseconds to the answer. */
  readonly latency: number | undefined
  readonly error: CallError | undefined
}

/** Sends a request of this method, and gives its result. */
export type Ask<M extends Method> = (params: Params<M>, options?: CallOptions) => Effect.Effect<Result<M>, CallError>

/** Without parameters, the first page. */
export type AskPage<M extends Method> = (
  params?: Params<M>,
  options?: CallOptions
) => Effect.Effect<Result<M>, CallError>

/**
 * One supervised MCP server, over all its connections. Streams end when its scope has closed.
 *
 * Interrupting a call sends `notifications/cancelled` and ends it at once. Interrupting a command stops only the waiting.
 */
export interface Backend {
  readonly id: string
  /** A slow reader of `changes` may miss values, never the last. */
  readonly status: Live.Live<Status>
  /**
   * From now on; a reader that begins before the first outcome gets all. To miss none, make the backend with
   * `lifecycle.disabled`, and `enable` it once you read. A reader 1,024 events behind loses the oldest.
   */
  readonly events: Stream.Stream<Event>
  /** Of the current generation. */
  readonly notifications: Stream.Stream<ServerNotification>
  /**
   * The last good catalogue; `undefined` before the first one, and while it is withdrawn. A list older than its `ttlMs` is stale, and read
   * again in the background. With `discovery.mode: "learn"`, lists are read once this, its `changes` or `refresh` has run.
   */
  readonly catalog: Live.Live<Snapshot | undefined>
  /** Reads the lists again. */
  readonly refresh: Effect.Effect<Snapshot, CallError>
  /** As far as Lifeline knows. Sends nothing. */
  readonly isConnected: Effect.Effect<boolean>
  /** Whether the health score reaches `threshold`. Default 0.7. */
  readonly isHealthy: (threshold?: number) => Effect.Effect<boolean>
  /**
   * Pings now, without waiting for a connection. Never fails. It is a probe: after a failure more pings follow,
   * `keepalive.suspectInterval` apart, until one is answered or the connection is given up.
   */
  readonly healthCheck: Effect.Effect<HealthCheck>
  /** Makes a new connection, or joins an attempt in progress. Ends with it. */
  readonly reconnect: Effect.Effect<void, CommandError>
  /** Connects unless connected, or joins an attempt in progress. Ends with it. */
  readonly enable: Effect.Effect<void, CommandError>
  /** Disconnects, withdraws the catalogue, and refuses calls until `enable`. Ends when everything is closed or abandoned. */
  readonly disable: Effect.Effect<void>
  /** Stays Disconnected until `reconnect` or `enable`. The catalogue stays, marked as stale. */
  readonly disconnect: Effect.Effect<void>
  /** Ends with the first catalogue (with `discovery.mode: "learn"`, a connection), or when the first attempt or connection has failed. */
  readonly firstOutcome: Effect.Effect<void>
  /** The service of an extension in its options. */
  readonly extension: <Id, Service>(tag: Context.Tag<Id, Service>) => Option.Option<Service>
  /** Of the heartbeats. A reconnect does not end a pause. */
  readonly keepalive: { readonly pause: Effect.Effect<void>; readonly resume: Effect.Effect<void> }
  readonly request: Session["request"]
  /** Waits for a connection like a call. Ends when it was sent. */
  readonly notify: (method: string, params?: Record<string, unknown>) => Effect.Effect<void, CallError>
  /**
   * After a lost connection the call is sent again only if that does no harm: the server has not carried it out, the tool's hints allow
   * it, or the options say `idempotent`. Otherwise it fails with ResultUnknown.
   */
  readonly callTool: Ask<"tools/call">
  /** One page from the server; `catalog` has all. */
  readonly listTools: AskPage<"tools/list">
  /** One page. */
  readonly listPrompts: AskPage<"prompts/list">
  readonly getPrompt: Ask<"prompts/get">
  /** One page. */
  readonly listResources: AskPage<"resources/list">
  /** One page. */
  readonly listResourceTemplates: AskPage<"resources/templates/list">
  readonly readResource: Ask<"resources/read">
  /** On this and every later connection. */
  readonly subscribeResource: (uri: string, options?: CallOptions) => Effect.Effect<void, CallError>
  readonly unsubscribeResource: (uri: string, options?: CallOptions) => Effect.Effect<void, CallError>
  readonly complete: Ask<"completion/complete">
  /** On this and every later connection. */
  readonly setLoggingLevel: (level: LoggingLevel, options?: CallOptions) => Effect.Effect<void, CallError>
  /** Waits for a connection like a call. */
  readonly ping: (options?: CallOptions) => Effect.Effect<void, CallError>
}
