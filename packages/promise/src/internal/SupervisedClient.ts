/**
 * The facade's client over a backend of the core.
 */
import type { Backend, Event as CoreEvent, Method, Params, ServerNotification, Status } from "@mcp-lifeline/core"
import { getMethodLiteral, parseWithCompat } from "@modelcontextprotocol/sdk/server/zod-json-schema-compat.js"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import type { Effect, Runtime, Stream } from "effect"
import type { Client, ClientEvents, HealthCheck } from "../Client.js"
import { ConnectionLost } from "../Errors.js"
import type { Event } from "../Event.js"
import type { CallOptions, SignalOptions } from "../Options.js"
import * as Checks from "./Checks.js"
import * as CoreOptions from "./CoreOptions.js"
import { fromError } from "./Failure.js"
import * as Feed from "./Feed.js"
import type { Handlers } from "./Handlers.js"
import { OutputSchemas } from "./OutputSchemas.js"
import * as Run from "./Run.js"
import type { Introduction } from "./Servers.js"

/** Where a client gets its backend from: its own scope, or a fleet, in which it can be replaced. */
export interface Source {
  readonly name: string
  readonly runtime: Runtime.Runtime<never>
  readonly handlers: Handlers
  readonly use: <A, E>(f: (backend: Backend.Backend) => Effect.Effect<A, E>) => Effect.Effect<A, unknown>
  readonly status: () => Status
  readonly introduction: () => Introduction | undefined
  readonly statusChanges: Stream.Stream<Status>
  readonly events: Stream.Stream<CoreEvent.Event>
  readonly close: () => Promise<void>
}

type Seconds<F> = F extends (a: any, b: infer B) => any ? B : never
type NotificationHandler = Seconds<Client["setNotificationHandler"]>

/** An event of the core as one of the facade. */
export const fromEvent = (event: CoreEvent.Event): Event =>
  event._tag === "AttemptFailed" ? { ...event, error: fromError(event.error) as never } : event

/** What both events of an onerror are made of. */
const toError = (event: Event): Error | undefined =>
  event._tag === "AttemptFailed"
    ? event.error
    : event._tag === "RuntimeLost"
    ? new ConnectionLost({
      backend: event.backend,
      generation: event.generation,
      message: `${event.backend}: connection lost: ${event.loss.message}`,
      cause: event.loss.cause
    })
    : undefined

/** A client whose backend lives as long as its source. */
export class SupervisedClient implements Client {
  readonly name: string
  onclose?: () => void
  readonly #source: Source
  readonly #run: Run.Run
  readonly #outputs: OutputSchemas
  readonly #statuses: Feed.Feed<Status>
  readonly #events: Feed.Feed<Event>
  readonly #notificationHandlers = new Map<string, (notification: unknown) => unknown>()
  /** Listened to from when it is first set. */
  declare onerror?: (error: Error) => void
  #closing: Promise<void> | undefined

  constructor(source: Source) {
    this.name = source.name
    this.#source = source
    this.#run = Run.make(source.runtime)
    this.#outputs = new OutputSchemas(source.name)
    this.#statuses = new Feed.Feed(source.runtime, Feed.start(source.runtime, source.statusChanges))
    this.#events = new Feed.Feed(source.runtime, Feed.map(Feed.start(source.runtime, source.events), fromEvent))
    this.#defineOnerror()
    source.handlers.attach(() => this)
    source.handlers.onNotification = (notification) => this.#notified(notification)
  }

  get status(): Status {
    return this.#source.status()
  }

  statusChanges(options?: SignalOptions): AsyncIterableIterator<Status> {
    return this.#statuses.iterate(options?.signal)
  }

  on<E extends keyof ClientEvents>(event: E, listener: (value: ClientEvents[E]) => void): () => void {
    return event === "status"
      ? this.#statuses.listen(listener as (value: Status) => void)
      : this.#events.listen(listener as (value: Event) => void)
  }

  reconnect(options?: SignalOptions): Promise<void> {
    return this.#command((backend) => backend.reconnect, options)
  }

  enable(options?: SignalOptions): Promise<void> {
    return this.#command((backend) => backend.enable, options)
  }

  disable(options?: SignalOptions): Promise<void> {
    return this.#command((backend) => backend.disable, options)
  }

  disconnect(options?: SignalOptions): Promise<void> {
    return this.#command((backend) => backend.disconnect, options)
  }

  async refresh(options?: SignalOptions): Promise<void> {
    await this.#command((backend) => backend.refresh, options)
  }

  async healthCheck(options?: SignalOptions): Promise<HealthCheck> {
    const { error, latency, status } = await this.#command((backend) => backend.healthCheck, options)
    return { status, latency, error: error && fromError(error) }
  }

  close(): Promise<void> {
    this.#closing ??= this.#source.close().then(() => this.ended())
    return this.#closing
  }

  /** Ends what listens. Called once the backend is closed for good, or nobody wants this client any more. */
  async ended(): Promise<void> {
    this.#closing ??= Promise.resolve()
    // The streams of what is closed end by themselves, with the last status.
    if (this.status.state === "Closed") await this.#statuses.drained()
    this.#statuses.end(this.status)
    this.#events.end()
    const { onclose } = this
    delete this.onclose
    Run.guard(this.#source.runtime, () => onclose?.())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  getServerCapabilities(): Mcp.ServerCapabilities | undefined {
    return this.#source.introduction()?.capabilities
  }

  getServerVersion(): Mcp.Implementation | undefined {
    return this.#source.introduction()?.serverInfo
  }

  getInstructions(): string | undefined {
    return this.#source.introduction()?.instructions
  }

  callTool(
    params: Params<"tools/call">,
    resultSchema?: unknown,
    options?: CallOptions
  ): ReturnType<Client["callTool"]> {
    const result = this.#use((backend, core) => backend.callTool(params, core), options, resultSchema)
    return this.#outputs.empty ? result : result.then((value) => this.#outputs.check(params.name, value))
  }

  async listTools(params?: Params<"tools/list">, options?: CallOptions): Promise<Mcp.ListToolsResult> {
    const result = await this.#use((backend, core) => backend.listTools(params, core), options)
    this.#outputs.learn(result.tools)
    return result
  }

  listPrompts(params?: Params<"prompts/list">, options?: CallOptions): Promise<Mcp.ListPromptsResult> {
    return this.#use((backend, core) => backend.listPrompts(params, core), options)
  }

  getPrompt(params: Params<"prompts/get">, options?: CallOptions): Promise<Mcp.GetPromptResult> {
    return this.#use((backend, core) => backend.getPrompt(params, core), options)
  }

  listResources(params?: Params<"resources/list">, options?: CallOptions): Promise<Mcp.ListResourcesResult> {
    return this.#use((backend, core) => backend.listResources(params, core), options)
  }

  listResourceTemplates(
    params?: Params<"resources/templates/list">,
    options?: CallOptions
  ): Promise<Mcp.ListResourceTemplatesResult> {
    return this.#use((backend, core) => backend.listResourceTemplates(params, core), options)
  }

  readResource(params: Params<"resources/read">, options?: CallOptions): Promise<Mcp.ReadResourceResult> {
    return this.#use((backend, core) => backend.readResource(params, core), options)
  }

  async subscribeResource(params: Params<"resources/subscribe">, options?: CallOptions): Promise<Mcp.EmptyResult> {
    await this.#use((backend, core) => backend.subscribeResource(params.uri, core), options)
    return {}
  }

  async unsubscribeResource(
    params: Params<"resources/unsubscribe">,
    options?: CallOptions
  ): Promise<Mcp.EmptyResult> {
    await this.#use((backend, core) => backend.unsubscribeResource(params.uri, core), options)
    return {}
  }

  complete(params: Params<"completion/complete">, options?: CallOptions): Promise<Mcp.CompleteResult> {
    return this.#use((backend, core) => backend.complete(params, core), options)
  }

  async setLoggingLevel(level: Mcp.LoggingLevel, options?: CallOptions): Promise<Mcp.EmptyResult> {
    await this.#use((backend, core) => backend.setLoggingLevel(level, core), options)
    return {}
  }

  async ping(options?: CallOptions): Promise<Mcp.EmptyResult> {
    await this.#use((backend, core) => backend.ping(core), options)
    return {}
  }

  request: Client["request"] = (request, resultSchema, options) =>
    this.#use(
      (backend, core) => backend.request(request.method as Method, request.params as never, core),
      options,
      resultSchema
    ) as Promise<any>

  notification(notification: Mcp.ClientNotification | Mcp.Notification): Promise<void> {
    return this.#use((backend) => backend.notify(notification.method, notification.params as Record<string, unknown>))
  }

  sendRootsListChanged(): Promise<void> {
    return this.notification({ method: "notifications/roots/list_changed" })
  }

  setRequestHandler: Client["setRequestHandler"] = (schema, handler) => {
    this.#source.handlers.set(schema, handler as never)
  }

  removeRequestHandler(method: string): void {
    this.#source.handlers.delete(method)
  }

  setNotificationHandler: Client["setNotificationHandler"] = (schema, handler) => {
    this.#notificationHandlers.set(
      getMethodLiteral(schema),
      (notification) => (handler as NotificationHandler)(parseWithCompat(schema, notification) as never)
    )
  }

  removeNotificationHandler(method: string): void {
    this.#notificationHandlers.delete(method)
  }

  #defineOnerror(): void {
    let current: ((error: Error) => void) | undefined
    let listening = false
    const report = (event: Event): void => {
      const error = toError(event)
      if (error !== undefined) current?.(error)
    }
    Object.defineProperty(this, "onerror", {
      configurable: true,
      get: () => current,
      set: (listener: typeof current) => {
        current = listener
        if (listener === undefined || listening) return
        listening = true
        this.#events.listen(report)
      }
    })
  }

  /** Begins to handle a notification in the step in which it came: before the answer to a request that comes after it. */
  #notified(notification: ServerNotification): void {
    const handler = this.#notificationHandlers.get(notification.method)
    if (handler === undefined || this.#closing !== undefined) return
    Promise.resolve(notification).then(handler).catch((error: unknown) => {
      try {
        this.onerror?.(error instanceof Error ? error : new Error(String(error)))
      } catch {
        // Nobody is left to tell.
      }
    })
  }

  #command<A>(
    f: (backend: Backend.Backend) => Effect.Effect<A, unknown>,
    options: SignalOptions | undefined
  ): Promise<A> {
    const wrong = Checks.command(this.name, options)
    return wrong === undefined ? this.#run(this.#source.use(f), options) : Promise.reject(wrong)
  }

  #use<A>(
    f: (backend: Backend.Backend, options: Backend.CallOptions | undefined) => Effect.Effect<A, unknown>,
    options?: CallOptions,
    resultSchema?: unknown
  ): Promise<A> {
    const core = CoreOptions.make(this.name, options, resultSchema)
    if (core instanceof Error) return Promise.reject(core)
    return this.#run(this.#source.use((backend) => f(backend, core)), options)
  }
}
