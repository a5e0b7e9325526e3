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
import { type Config, Context, Deferred, Duration, Effect, Either, Layer, Scope, Stream } from "effect"
import type { ConfigError as ConfigProviderError } from "effect/ConfigError"
import type { CallOptions } from "./calls/Calls.js"
import type { Snapshot } from "./catalog/Catalog.js"
import type { Connector, ServerNotification } from "./port/Connector.js"
import type { CallError, CommandError, ConfigError } from "./Errors.js"
import type { Event } from "./observe/Event.js"
import * as Health from "./health/Health.js"
import { onClockJump } from "./internal/ClockJump.js"
import { withDeadline } from "./internal/deadline.js"
import type { Hub } from "./internal/Hub.js"
import * as Observe from "./observe/Observe.js"
import * as SafeLog from "./internal/SafeLog.js"
import { intervalOf } from "./keepalive/cadence.js"
import { methodOf } from "./keepalive/KeepaliveState.js"
import { BackendState } from "./lifecycle/BackendState.js"
import { Supervisor } from "./lifecycle/Supervisor.js"
import type { Method, Params, Result } from "./port/Method.js"
import type { BackendOptions } from "./options/BackendOptions.js"
import { type Permits, unbounded } from "./fleet/ConnectPermits.js"
import { type Policy, type PolicyOptions, resolve } from "./options/Policy.js"
import { type Status, statusOf } from "./Status.js"
import * as Telemetry from "./observe/Telemetry.js"

export type { CallOptions, Session } from "./calls/Calls.js"
export type { BackendOptions } from "./options/BackendOptions.js"

/** What `healthCheck` found. */
export interface HealthCheck {
  readonly status: Status
  /** Milliseconds to the answer. */
  readonly latency: number | undefined
  readonly error: CallError | undefined
}

/**
 * One MCP server, supervised. The handle outlives every connection (L1): keep it, never swap it. Each of its streams ends once
 * its scope has closed.
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
  /** What the fleet has resolved of the backend's options and its own. */
  readonly policy?: Policy | undefined
  readonly permits?: Permits | undefined
  /** When the fleet was made, in milliseconds on the Clock's scale. */
  readonly fleetStartedAt?: number | undefined
  /** Tells of each suspend of the machine; a backend on its own watches for itself (R11). */
  readonly clockJumps?: Hub<void> | undefined
  readonly observer?: Observe.BackendObserver | undefined
}

/**
 * Makes a backend that lives as long as the scope. It starts to connect at once, unless lazy or disabled. Closing the scope
 * ends calls that wait with BackendUnavailable, and those whose request was sent with ResultUnknown; it tears everything down,
 * within the bound of a few `timeouts.close`.
 */
export const make = (
  id: string,
  options: BackendOptions,
  surroundings: Surroundings = {}
): Effect.Effect<Backend, ConfigError, Scope.Scope> =>
  Effect.gen(function*() {
    const policy = surroundings.policy ?? (yield* resolvePolicy(id, options))
    const state = new BackendState(id, policy, yield* Effect.clock, surroundings.fleetStartedAt)
    const telemetry = yield* Telemetry.Current
    if (telemetry !== undefined) Observe.measure(state, options.connector, telemetry)
    const { interval } = policy.keepalive
    const used = intervalOf(policy, 0)
    if (used < interval && methodOf(policy) !== "none") {
      const [half, asked] = [used, interval].map((millis) => Duration.format(Duration.millis(millis)))
      yield* SafeLog.info(`${id}: keepalive.interval is ${half}, half of keepalive.idleTtl, in place of ${asked}`)
    }
    const supervisor = new Supervisor(state, options, surroundings.permits ?? unbounded)
    const { observer } = surroundings
    if (observer !== undefined) Observe.watch(state, observer)
    // Registered before the supervisor's own finalizer, so it runs when everything is torn down and reported.
    yield* Effect.addFinalizer(() => Effect.sync(() => state.end()))
    yield* supervisor.start
    const { clockJumps } = surroundings
    const jumped = () => supervisor.clockJumped()
    if (clockJumps === undefined) yield* onClockJump(jumped)
    else yield* Scope.addFinalizer(yield* Effect.scope, Effect.sync(clockJumps.listen(jumped)))
    return new Handle(state, supervisor, options.connector)
  })

/**
 * The handle of a backend. Everything is made when it is asked for, so that thousands of idle backends do not each hold
 * effects and streams that nobody runs; and may be taken off the handle, since nothing depends on `this` once it is.
 */
class Handle implements Backend {
  readonly #state: BackendState
  readonly #supervisor: Supervisor
  readonly #connector: Connector

  constructor(state: BackendState, supervisor: Supervisor, connector: Connector) {
    this.#state = state
    this.#supervisor = supervisor
    this.#connector = connector
  }

  get id(): string {
    return this.#state.id
  }

  get status(): Backend["status"] {
    return Effect.sync(() => statusOf(this.#state, this.#supervisor, this.#connector))
  }

  get statusChanges(): Backend["statusChanges"] {
    return Stream.mapEffect(this.#state.cell.changes, () => this.status)
  }

  get events(): Backend["events"] {
    return this.#state.events.stream
  }

  get notifications(): Backend["notifications"] {
    return this.#state.notifications.stream
  }

  get catalog(): Backend["catalog"] {
    return Effect.sync(() => this.#state.cell.get().snapshot)
  }

  get catalogChanges(): Backend["catalogChanges"] {
    return Stream.changes(Stream.map(this.#state.cell.changes, (slot) => slot.snapshot))
  }

  get refresh(): Backend["refresh"] {
    const { calls, tasks: { refresh } } = this.#supervisor
    return Effect.flatMap(calls.withConnection((installed) => refresh.now(installed), "tools/list"), () => {
      const { snapshot, state } = this.#state.cell.get()
      return snapshot === undefined ? Effect.fail(calls.unavailable(state, "no catalogue")) : Effect.succeed(snapshot)
    })
  }

  get isConnected(): Backend["isConnected"] {
    return Effect.sync(() => this.#state.cell.get().state._tag === "Connected")
  }

  get isHealthy(): Backend["isHealthy"] {
    return (threshold = Health.threshold) => Effect.sync(() => Health.score(this.#state.probes) >= threshold)
  }

  get healthCheck(): Backend["healthCheck"] {
    const { calls, tasks: { probe } } = this.#supervisor
    return Effect.suspend(() => {
      const startedAt = this.#state.now()
      return Effect.flatMap(
        Effect.either(calls.probe(probe.now)),
        (result) =>
          Effect.map(this.status, (status) => ({
            status,
            latency: Either.isRight(result) ? this.#state.now() - startedAt : undefined,
            error: Either.isLeft(result) ? result.left : undefined
          }))
      )
    })
  }

  get reconnect(): Backend["reconnect"] {
    return this.#supervisor.command("Reconnect")
  }

  get enable(): Backend["enable"] {
    return this.#supervisor.command("Enable")
  }

  get disable(): Backend["disable"] {
    return Effect.ignore(this.#supervisor.command("Disable"))
  }

  get disconnect(): Backend["disconnect"] {
    return Effect.ignore(this.#supervisor.command("Disconnect"))
  }

  get settled(): Backend["settled"] {
    return Deferred.await(this.#supervisor.firstOutcome)
  }

  get keepalive(): Backend["keepalive"] {
    const { pause, resume } = this.#supervisor.tasks.keepalive
    return { pause, resume }
  }

  get request(): Backend["request"] {
    return this.#supervisor.calls.request
  }

  get notify(): Backend["notify"] {
    const { calls } = this.#supervisor
    const { request } = this.#state.policy.timeouts
    return (method, params) =>
      calls.withConnection(
        ({ connection }) => withDeadline(Effect.suspend(() => connection.notify(method, params)), request),
        method
      )
  }

  get callTool(): Backend["callTool"] {
    const { request } = this
    return (params, options) => request("tools/call", params, options)
  }

  get listTools(): Backend["listTools"] {
    const { request } = this
    return (params, options) => request("tools/list", params, options)
  }

  get listPrompts(): Backend["listPrompts"] {
    const { request } = this
    return (params, options) => request("prompts/list", params, options)
  }

  get getPrompt(): Backend["getPrompt"] {
    const { request } = this
    return (params, options) => request("prompts/get", params, options)
  }

  get listResources(): Backend["listResources"] {
    const { request } = this
    return (params, options) => request("resources/list", params, options)
  }

  get listResourceTemplates(): Backend["listResourceTemplates"] {
    const { request } = this
    return (params, options) => request("resources/templates/list", params, options)
  }

  get readResource(): Backend["readResource"] {
    const { request } = this
    return (params, options) => request("resources/read", params, options)
  }

  get complete(): Backend["complete"] {
    const { request } = this
    return (params, options) => request("completion/complete", params, options)
  }

  get subscribeResource(): Backend["subscribeResource"] {
    const { request } = this
    return (uri, options) => Effect.asVoid(request("resources/subscribe", { uri }, options))
  }

  get unsubscribeResource(): Backend["unsubscribeResource"] {
    const { request } = this
    return (uri, options) => Effect.asVoid(request("resources/unsubscribe", { uri }, options))
  }

  get setLoggingLevel(): Backend["setLoggingLevel"] {
    const { request } = this
    return (level, options) => Effect.asVoid(request("logging/setLevel", { level }, options))
  }

  get ping(): Backend["ping"] {
    const { request } = this
    return (options) => Effect.asVoid(request("ping", undefined, options))
  }
}

/**
 * The policy of a backend's options over the defaults of its fleet. The decoder gets every option that is not taken out here,
 * and refuses those that it does not know.
 */
export const resolvePolicy = (
  id: string,
  { capabilities: _1, clientInfo: _2, connector, handlers: _3, onConnected: _4, ...policy }: BackendOptions,
  defaults?: PolicyOptions
): Either.Either<Policy, ConfigError> => resolve(id, connector, policy, defaults)

/** A service tag whose service is one backend. */
export interface TagClass<Self, Id extends string>
  extends Context.TagClass<Self, `@mcp-lifeline/core/Backend/${Id}`, Backend>
{
  /** The backend: it begins to connect when the layer is built, in the background, and is closed with it. */
  readonly layer: (options: BackendOptions) => Layer.Layer<Self, ConfigError>
  /** The same with options that are read from the configuration. */
  readonly layerConfig: (
    options: Config.Config<BackendOptions>
  ) => Layer.Layer<Self, ConfigError | ConfigProviderError>
}

/**
 * A service tag for one backend, with its layers. The tag's key is `@mcp-lifeline/core/Backend/<id>`, so a service of the
 * program that has the same short name is another one.
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
  const tag = Context.Tag(`@mcp-lifeline/core/Backend/${id}` as const)<Self, Backend>()
  return Object.assign(tag, {
    layer: (options: BackendOptions) => Layer.scoped(tag, make(id, options)),
    layerConfig: (options: Config.Config<BackendOptions>) =>
      Layer.scoped(tag, Effect.flatMap(options, (decoded) => make(id, decoded)))
  })
}
