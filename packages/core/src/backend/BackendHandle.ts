/**
 * The handle of a backend: what its users hold, over all its connections.
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
import { Effect, Either, Option, Stream } from "effect"
import type { Calls } from "../calls/Calls.js"
import type { Snapshot } from "../catalog/Catalog.js"
import type { CallError, CommandError } from "../Errors.js"
import * as Health from "../health/Health.js"
import { firstOf } from "../internal/firstOf.js"
import type { Event } from "../observe/Event.js"
import * as Live from "../observe/Live.js"
import { type CallOptions, timeOf } from "../options/CallOptions.js"
import type { Pins } from "../pins/Pins.js"
import type { Connector, ServerNotification } from "../port/Connector.js"
import type { Method, Params, Result } from "../port/Method.js"
import { withDeadline } from "../port/withDeadline.js"
import type { BackendState } from "../state/BackendState.js"
import type { Status } from "../state/Status.js"
import type { Supervisor } from "../supervisor/Supervisor.js"
import { statusOf } from "./statusOf.js"

/** The result of `healthCheck`. */
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
  /** Its name. */
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
  /**
   * Approves the definitions of its tools as they are now (option `pin`): of one tool, or of all that differ (`Status.pins`). Returns the
   * names of the tools whose definitions were not the approved ones.
   */
  readonly approveTools: (tool?: string) => Effect.Effect<ReadonlyArray<string>>
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

/**
 * The handle of a backend. Everything is made when it is asked for, so that thousands of idle backends do not each hold
 * effects and streams that nobody runs; and may be taken off the handle, since nothing depends on `this` once it is.
 */
export class BackendHandle implements Backend {
  readonly #state: BackendState
  readonly #supervisor: Supervisor
  readonly #connector: Connector
  readonly #pins: Pins | undefined

  constructor(state: BackendState, supervisor: Supervisor, connector: Connector, pins: Pins | undefined) {
    this.#state = state
    this.#supervisor = supervisor
    this.#connector = connector
    this.#pins = pins
  }

  get id(): string {
    return this.#state.id
  }

  get status(): Backend["status"] {
    const read = Effect.sync(() => statusOf(this.#state, this.#supervisor, this.#connector, this.#pins))
    return Live.make(read, Stream.mapEffect(this.#state.published.changes, () => read))
  }

  get events(): Backend["events"] {
    return this.#state.events.streamAfter(() => this.firstEvents)
  }

  get firstEvents(): ReadonlyArray<Event> {
    return this.#state.firstEvents
  }

  get notifications(): Backend["notifications"] {
    return this.#state.notifications.stream
  }

  get catalog(): Backend["catalog"] {
    const { published } = this.#state
    const { refresh } = this.#supervisor.tasks
    const look = Effect.map(refresh.enable, () => refresh.touch())
    const changes = Stream.changes(Stream.map(published.changes, (slot) => slot.snapshot))
    return Live.make(Effect.map(look, () => published.value.snapshot), Stream.unwrap(Effect.as(look, changes)))
  }

  /** Somebody looks at the catalogue of its fleet: lists that have expired are read again. */
  touchCatalog(): void {
    this.#supervisor.tasks.refresh.touch()
  }

  get refresh(): Backend["refresh"] {
    return this.#refresh()
  }

  #refresh(options?: CallOptions): Backend["refresh"] {
    const { calls, tasks: { refresh } } = this.#supervisor
    return Effect.flatMap(calls.withConnection((installed) => refresh.now(installed), "tools/list", options), () => {
      const { snapshot } = this.#state.published.value
      return snapshot === undefined ? Effect.fail(calls.unavailable("no catalogue")) : Effect.succeed(snapshot)
    })
  }

  /** Ends when its lists are those of its present connection, for which it waits like a call with these options. */
  listed(options?: CallOptions): Effect.Effect<void, CallError> {
    const isFresh = (snapshot: Snapshot | undefined) => snapshot?.stale === false
    return Effect.suspend(() => {
      if (isFresh(this.#state.published.value.snapshot)) return Effect.void
      // They may be being read already, for somebody else.
      const read = Effect.flatMap(
        Stream.runHead(Stream.filter(this.catalog.changes, isFresh)),
        Option.match({ onNone: () => Effect.never, onSome: () => Effect.void })
      )
      const all = firstOf(read, Effect.asVoid(this.#refresh(options)))
      const time = timeOf(options)
      if (time === undefined) return all
      const { calls } = this.#supervisor
      const late = "the call was not sent, because its time was over before the server had given its lists (timeout)"
      return Effect.flatMap(
        this.#state.before(this.#state.now() + time, all),
        Option.match({ onNone: () => Effect.fail(calls.unavailable(late)), onSome: Effect.succeed })
      )
    })
  }

  get isConnected(): Backend["isConnected"] {
    return Effect.sync(() => this.#state.published.value.state._tag === "Connected")
  }

  get isHealthy(): Backend["isHealthy"] {
    return (threshold = Health.threshold) =>
      Effect.sync(() => Health.score(this.#supervisor.tasks.probe.history) >= threshold)
  }

  get healthCheck(): Backend["healthCheck"] {
    const { calls } = this.#supervisor
    return Effect.suspend(() => {
      const startedAt = this.#state.now()
      return Effect.flatMap(
        Effect.either(calls.probe),
        (result) =>
          Effect.map(this.status, (status) => ({
            status,
            latency: Either.isRight(result) ? this.#state.now() - startedAt : undefined,
            error: Either.isLeft(result) ? result.left : undefined
          }))
      )
    })
  }

  /** A call that its fleet has routed here; see `BackendState.enter`. */
  enter<A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.#state.enter(call)
  }

  /** Ends when no call is on the connection or about to take a lease of it, or there is no connection. */
  unused(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { entered, published } = this.#state
      const slot = published.value
      const runtime = slot.current?.runtime
      const used = runtime !== undefined && runtime.inFlight > 0 ? runtime.drained : runtime && entered
      return used === undefined ? Effect.void : Effect.zipRight(firstOf(used, published.next(slot)), this.unused())
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

  get firstOutcome(): Backend["firstOutcome"] {
    return this.#state.firstOutcome.completed
  }

  get approveTools(): Backend["approveTools"] {
    return (tool) => this.#pins?.approve(tool) ?? Effect.succeed([])
  }

  /** The tools that are withheld because their definitions were not approved. */
  get withheld(): ReadonlyArray<string> {
    return this.#pins?.withheld ?? []
  }

  /** Whether `firstOutcome` has ended. */
  get hasFirstOutcome(): boolean {
    return this.#state.firstOutcome.isComplete
  }

  get keepalive(): Backend["keepalive"] {
    const { pause, resume } = this.#supervisor.tasks.keepalive
    return { pause, resume }
  }

  get request(): Backend["request"] {
    const { calls } = this.#supervisor
    return (method, params, options) => calls.request(method, params, options)
  }

  /** For `stateOf` of `internal.ts`. */
  get state(): Status["state"] {
    return this.#state.published.value.state._tag
  }

  /** For `runsTasks` of `internal.ts`. */
  get runsTasks(): boolean {
    return this.#state.policy.calls.tasks !== "never"
  }

  /** For `start` of `internal.ts`. */
  get calls(): Calls {
    return this.#supervisor.calls
  }

  get notify(): Backend["notify"] {
    const { calls } = this.#supervisor
    const { id, offered, policy: { timeouts: { request } } } = this.#state
    return (method, params) =>
      // A server may carry out a request although it comes as a notification.
      offered.refusal(id, method, params) !== undefined ? Effect.void : calls.withConnection(
        ({ connection }) => withDeadline(Effect.suspend(() => connection.notify(method, params)), request),
        method
      )
  }

  #asking<M extends Method>(method: M) {
    const { request } = this
    return (params: Params<M>, options?: CallOptions) => request(method, params, options)
  }

  get callTool(): Backend["callTool"] {
    return this.#asking("tools/call")
  }

  get listTools(): Backend["listTools"] {
    return this.#asking("tools/list")
  }

  get listPrompts(): Backend["listPrompts"] {
    return this.#asking("prompts/list")
  }

  get getPrompt(): Backend["getPrompt"] {
    return this.#asking("prompts/get")
  }

  get listResources(): Backend["listResources"] {
    return this.#asking("resources/list")
  }

  get listResourceTemplates(): Backend["listResourceTemplates"] {
    return this.#asking("resources/templates/list")
  }

  get readResource(): Backend["readResource"] {
    return this.#asking("resources/read")
  }

  get complete(): Backend["complete"] {
    return this.#asking("completion/complete")
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
