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
  ReadResourceResult
} from "@modelcontextprotocol/sdk/types.js"
import { type Config, Context, Deferred, Effect, Either, Layer, type Scope, Stream } from "effect"
import type { ConfigError as ConfigProviderError } from "effect/ConfigError"
import type { CallOptions } from "./Call.js"
import type { Snapshot } from "./Catalog.js"
import type { Connector, ServerNotification } from "./Connector.js"
import type { CallError, CommandError, ConfigError } from "./Errors.js"
import type { Event } from "./Event.js"
import * as Health from "./Health.js"
import type { Hub } from "./internal/Hub.js"
import type { Method, Params, Result } from "./Method.js"
import type { BackendOptions } from "./Options.js"
import { type Permits, unbounded } from "./Permits.js"
import { type PolicyOptions, resolve } from "./Policy.js"
import { Journal } from "./Slot.js"
import { type Status, statusOf } from "./Status.js"
import { Supervisor } from "./Supervisor.js"
import { onResume } from "./Suspend.js"
import * as Telemetry from "./Telemetry.js"

export type { CallOptions, Session } from "./Call.js"
export type { BackendOptions } from "./Options.js"

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

/** What a fleet gives to its backends. */
export interface Surroundings {
  /** Options below the backend's own. */
  readonly defaults?: PolicyOptions | undefined
  readonly permits?: Permits | undefined
  /** Tells of each suspend of the machine; a backend on its own watches for itself (R11). */
  readonly resumes?: Hub<void> | undefined
  /** Called synchronously; must not throw. */
  readonly observer?: {
    readonly changed: () => void
    readonly catalogChanged: () => void
    readonly event: (event: Event) => void
  } | undefined
}

/**
 * Makes a backend that lives as long as the scope. It starts to connect at once, unless lazy or disabled. Closing the scope
 * ends every call with BackendUnavailable and tears everything down, within the bound of a few `timeouts.close`.
 */
export const make = (
  id: string,
  options: BackendOptions,
  surroundings: Surroundings = {}
): Effect.Effect<Backend, ConfigError, Scope.Scope> =>
  Effect.gen(function*() {
    const policy = yield* resolve(id, options.connector, policyOf(options), surroundings.defaults)
    const journal = new Journal(id, policy, yield* Effect.clock)
    const telemetry = yield* Telemetry.Current
    if (telemetry !== undefined) observe(journal, options.connector, telemetry)
    const supervisor = new Supervisor(journal, options, surroundings.permits ?? unbounded)
    const { observer } = surroundings
    if (observer !== undefined) {
      journal.cell.listen(observer.changed)
      journal.events.listen((event) => {
        observer.event(event)
        if (event._tag === "CatalogChanged") observer.catalogChanged()
      })
    }
    yield* supervisor.start
    const { resumes } = surroundings
    yield* resumes === undefined
      ? onResume(supervisor.resumed)
      : Effect.acquireRelease(Effect.sync(() => resumes.listen(supervisor.resumed)), (stop) => Effect.sync(stop))
    return fromSupervisor(journal, supervisor, options)
  })

/** Lets telemetry measure a backend. */
const observe = (journal: Journal, { transport }: Connector, telemetry: Telemetry.Telemetry): void => {
  const { cell, clock, id } = journal
  const observer = telemetry.observe({
    id,
    transport,
    state: cell.get().state._tag,
    clock,
    connection: () => cell.get().current?.connection
  })
  journal.telemetry = observer
  journal.events.listen(observer.event)
}

const fromSupervisor = (journal: Journal, supervisor: Supervisor, options: BackendOptions): Backend => {
  const { attendant, calls } = supervisor
  const { cell } = journal
  const { request } = calls
  const status = Effect.sync(() => statusOf(journal, supervisor, options.connector))
  const slots = Stream.takeUntil(cell.changes, (slot) => slot.state._tag === "Closed")
  const isHealthy = (threshold = Health.threshold) =>
    Effect.sync(() => Health.score(journal.tally.history) >= threshold)
  return {
    id: journal.id,
    status,
    statusChanges: Stream.mapEffect(slots, () => status),
    events: journal.events.stream,
    notifications: journal.notifications.stream,
    catalog: Effect.sync(() => cell.get().snapshot),
    catalogChanges: Stream.changes(Stream.map(slots, (slot) => slot.snapshot)),
    refresh: Effect.flatMap(
      calls.withConnection(attendant.refresh, "tools/list"),
      () =>
        Effect.suspend(() => {
          const { snapshot, state } = cell.get()
          return snapshot === undefined
            ? Effect.fail(calls.unavailable(state, "no catalogue"))
            : Effect.succeed(snapshot)
        })
    ),
    isConnected: Effect.sync(() => cell.get().state._tag === "Connected"),
    isHealthy,
    healthCheck: Effect.suspend(() => {
      const startedAt = journal.now()
      return Effect.flatMap(Effect.either(calls.probe(attendant.probe)), (result) =>
        Effect.map(status, (status) => ({
          status,
          latency: Either.isRight(result) ? journal.now() - startedAt : undefined,
          error: Either.isLeft(result) ? result.left : undefined
        })))
    }),
    reconnect: supervisor.command("Reconnect"),
    enable: supervisor.command("Enable"),
    disable: Effect.ignore(supervisor.command("Disable")),
    disconnect: Effect.ignore(supervisor.command("Disconnect")),
    settled: Deferred.await(supervisor.settled),
    keepalive: { pause: attendant.pause, resume: attendant.resume },
    request,
    notify: (method, params) => calls.withConnection(({ connection }) => connection.notify(method, params), method),
    callTool: (params, options) => request("tools/call", params, options),
    listTools: (params, options) => request("tools/list", params, options),
    listPrompts: (params, options) => request("prompts/list", params, options),
    getPrompt: (params, options) => request("prompts/get", params, options),
    listResources: (params, options) => request("resources/list", params, options),
    listResourceTemplates: (params, options) => request("resources/templates/list", params, options),
    readResource: (params, options) => request("resources/read", params, options),
    subscribeResource: (uri, options) => Effect.asVoid(request("resources/subscribe", { uri }, options)),
    unsubscribeResource: (uri, options) => Effect.asVoid(request("resources/unsubscribe", { uri }, options)),
    complete: (params, options) => request("completion/complete", params, options),
    setLoggingLevel: (level, options) => Effect.asVoid(request("logging/setLevel", { level }, options)),
    ping: (options) => Effect.asVoid(request("ping", undefined, options))
  }
}

/** The policy part of a backend's options: what is left is for the decoder, which refuses what it does not know. */
const policyOf = (
  { capabilities: _1, clientInfo: _2, connector: _3, handlers: _4, onConnected: _5, ...policy }: BackendOptions
): PolicyOptions => policy

/** A service tag whose service is one backend. */
export interface TagClass<Self, Id extends string> extends Context.TagClass<Self, Id, Backend> {
  /** The backend: it begins to connect when the layer is built, in the background, and is closed with it. */
  readonly layer: (options: BackendOptions) => Layer.Layer<Self, ConfigError>
  /** The same with options that are read from the configuration. */
  readonly layerConfig: (
    options: Config.Config<BackendOptions>
  ) => Layer.Layer<Self, ConfigError | ConfigProviderError>
}

/**
 * A service tag for one backend, with its layers:
 *
 * @example
 * import { Backend } from "@mcp-lifeline/core"
 * import { MemoryConnector } from "@mcp-lifeline/protocol"
 * import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
 * import { Effect } from "effect"
 *
 * class Docs extends Backend.Tag("docs")<Docs>() {}
 *
 * const DocsLive = Docs.layer({
 *   connector: MemoryConnector.make({ server: () => new McpServer({ name: "docs", version: "1.0.0" }) }),
 *   keepalive: { interval: "1 minute" }
 * })
 *
 * export const program = Effect.gen(function*() {
 *   const docs = yield* Docs
 *   return yield* docs.callTool({ name: "search", arguments: { query: "backoff" } })
 * }).pipe(Effect.provide(DocsLive))
 */
export const Tag = <const Id extends string>(id: Id) => <Self>(): TagClass<Self, Id> => {
  const tag = Context.Tag(id)<Self, Backend>()
  return Object.assign(tag, {
    layer: (options: BackendOptions) => Layer.scoped(tag, make(id, options)),
    layerConfig: (options: Config.Config<BackendOptions>) =>
      Layer.scoped(tag, Effect.flatMap(options, (decoded) => make(id, decoded)))
  })
}
