import type { Backend, Event as CoreEvent, Fleet as CoreFleet } from "@mcp-lifeline/core"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Runtime, Stream } from "effect"
import type { Client } from "../Client.js"
import { BackendUnavailable } from "../Errors.js"
import type { Event } from "../Event.js"
import type { Applied, Fleet, FleetEvents, FleetStatus } from "../Fleet.js"
import type { CallOptions, FleetConfig, SignalOptions, VsCodeConfig } from "../Options.js"
import type { Status } from "../Status.js"
import * as Checks from "./Checks.js"
import type { ConfiguredServers } from "./ConfiguredServers.js"
import * as CoreOptions from "./CoreOptions.js"
import { closed } from "./Failure.js"
import type { Ownership } from "./Ownership.js"
import { Publisher } from "./Publisher.js"
import * as Runner from "./Runner.js"
import { fromEvent } from "./ServerSupervision.js"
import type { BackendSource } from "./ServerSupervision.js"
import { SupervisedClient } from "./SupervisedClient.js"

const values = <A>(entries: ReadonlyMap<string, CoreFleet.Entry<A>>): Array<A> =>
  Array.from(entries.values(), (entry) => entry.value)

export class SupervisedFleet implements Fleet {
  readonly #core: CoreFleet.Fleet
  readonly #servers: ConfiguredServers
  readonly #owned: Ownership
  readonly #clients = new Map<string, SupervisedClient>()
  readonly #statuses: Publisher<FleetStatus>
  readonly #events: Publisher<Event>
  #applying: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(core: CoreFleet.Fleet, servers: ConfiguredServers, owned: Ownership) {
    this.#core = core
    this.#servers = servers
    this.#owned = owned
    this.#statuses = new Publisher(owned.runtime, core.status.changes)
    this.#events = new Publisher(owned.runtime, Stream.map(core.events, fromEvent))
  }

  get names(): ReadonlyArray<string> {
    return Runner.runSync(this.#core.backends).map(({ id }) => id)
  }

  get status(): FleetStatus {
    return Runner.runSync(this.#core.status)
  }

  client(name: string): Client {
    const existing = this.#clients.get(name)
    if (existing !== undefined) return existing.asClient
    if (this.#backend(name) === undefined) throw this.#unknown(name)
    const client = this.#makeClient(name)
    this.#clients.set(name, client)
    return client.asClient
  }

  statusChanges(options?: SignalOptions): AsyncIterableIterator<FleetStatus> {
    return this.#statuses.iterate(options?.signal)
  }

  on<E extends keyof FleetEvents>(event: E, listener: (value: FleetEvents[E]) => void): () => void {
    return event === "status"
      ? this.#statuses.listen(listener as (value: FleetStatus) => void)
      : this.#events.listen(listener as (value: Event) => void)
  }

  readonly listTools = async () => ({ tools: values((await this.#owned.run(this.#core.catalog)).tools) })
  readonly listPrompts = async () => ({ prompts: values((await this.#owned.run(this.#core.catalog)).prompts) })
  readonly listResources = async () => ({ resources: values((await this.#owned.run(this.#core.catalog)).resources) })
  readonly listResourceTemplates = async () => ({
    resourceTemplates: values((await this.#owned.run(this.#core.catalog)).resourceTemplates)
  })

  callTool(
    params: Parameters<Fleet["callTool"]>[0],
    resultSchema?: unknown,
    options?: CallOptions
  ): ReturnType<Client["callTool"]> {
    return this.#ask((core) => this.#core.callTool(params, core), options, resultSchema)
  }

  getPrompt(params: Parameters<Fleet["getPrompt"]>[0], options?: CallOptions): Promise<Mcp.GetPromptResult> {
    return this.#ask((core) => this.#core.getPrompt(params, core), options)
  }

  readResource(params: { readonly uri: string }, options?: CallOptions): Promise<Mcp.ReadResourceResult> {
    return this.#ask((core) => this.#core.readResource(params, core), options)
  }

  readonly reconnect = this.#commanding((backend) => backend.reconnect)
  readonly enable = this.#commanding((backend) => backend.enable)
  readonly disable = this.#commanding((backend) => backend.disable)
  readonly disconnect = this.#commanding((backend) => backend.disconnect)

  async refresh(name?: string, options?: SignalOptions): Promise<void> {
    if (name !== undefined) return void await this.#use(name, (backend) => backend.refresh, options)
    const connected = Effect.flatMap(this.#core.backends, Effect.filter((backend) => backend.isConnected))
    await this.#command(
      "fleet",
      Effect.flatMap(
        connected,
        (all) =>
          Effect.forEach(all, (backend) => Effect.exit(backend.refresh), { concurrency: "unbounded", discard: true })
      ),
      options
    )
  }

  /** One after the other: each configuration is compared with the one before. */
  apply(config: FleetConfig | VsCodeConfig): Promise<Applied> {
    const applied = this.#applying.then(async () => {
      const plan = this.#servers.plan(config)
      const result = await this.#call(this.#core.apply(plan.backends))
      plan.commit(result.kept)
      for (const name of result.stopped) {
        const client = this.#clients.get(name)
        this.#clients.delete(name)
        await client?.ended()
      }
      return result
    })
    this.#applying = applied.catch(() => undefined)
    return applied
  }

  close(): Promise<void> {
    this.#closing ??= this.#owned.close().then(async () => {
      await Promise.all([this.#statuses.drained(), this.#events.drained()])
      await Promise.all(Array.from(this.#clients.values(), (client) => client.ended()))
    })
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #commanding<A>(command: (backend: Backend.Backend) => Effect.Effect<A, unknown>) {
    return (name: string, options?: SignalOptions): Promise<A> => this.#use(name, command, options)
  }

  #use<A>(
    name: string,
    f: (backend: Backend.Backend) => Effect.Effect<A, unknown>,
    options: SignalOptions | undefined
  ): Promise<A> {
    return this.#command(name, Effect.flatMap(this.#core.backend(name), f), options)
  }

  #command<A>(name: string, effect: Effect.Effect<A, unknown>, options: SignalOptions | undefined): Promise<A> {
    const wrong = Checks.command(name, options)
    return wrong === undefined ? this.#call(effect, options) : Promise.reject(wrong)
  }

  #ask<A>(
    f: (options: Backend.CallOptions | undefined) => Effect.Effect<A, unknown>,
    options: CallOptions | undefined,
    resultSchema?: unknown
  ): Promise<A> {
    const core = CoreOptions.make("fleet", options, resultSchema)
    return core instanceof Error ? Promise.reject(core) : this.#call(f(core), options)
  }

  /** Once closed, its catalogue is empty, and the error would be a missing tool or server. */
  #call<A>(effect: Effect.Effect<A, unknown>, options?: SignalOptions): Promise<A> {
    return this.#closing === undefined ? this.#owned.run(effect, options) : Promise.reject(closed("the fleet"))
  }

  #backend(name: string): Backend.Backend | undefined {
    const exit = Effect.runSyncExit(this.#core.backend(name))
    return Exit.isSuccess(exit) ? exit.value : undefined
  }

  #unknown(name: string): BackendUnavailable {
    return this.#closing === undefined
      ? new BackendUnavailable({
        backend: name,
        state: "Unknown",
        message: `there is no server ${JSON.stringify(name)}; there are: ${this.names.join(", ") || "none"}`
      })
      : closed("the fleet")
  }

  /** Survives the replacement of its backend. */
  #makeClient(name: string): SupervisedClient {
    const core = this.#core
    let latest = this.#backend(name)
    const backend = () => latest = this.#backend(name) ?? latest
    const prepared = this.#servers.find(name)
    if (prepared === undefined) throw this.#unknown(name)
    // Drops values of a replaced backend, even before `backendChanges` reports the new one.
    const ofCurrent = <A>(changes: (one: Backend.Backend) => Stream.Stream<A>): Stream.Stream<A> =>
      Stream.flatMap(core.backendChanges(name), (one) => Stream.filter(changes(one), () => backend() === one), {
        switch: true
      })
    const source: BackendSource = {
      name,
      runtime: this.#owned.runtime,
      fork: Runtime.runFork(this.#owned.runtime),
      backend: () => this.#backend(name),
      use: (f) => Effect.flatMap(core.backend(name), f),
      status: (): Status => {
        const current = backend()
        if (current === undefined) throw this.#unknown(name)
        return Runner.runSync(current.status)
      },
      statusChanges: ofCurrent((one) => one.status.changes),
      catalogChanges: ofCurrent((one) => one.catalog.changes),
      events: Stream.filter(core.events, (event: CoreEvent.Event) => event.backend === name),
      close: () => {
        this.#clients.delete(name)
        prepared.incoming.receiver = undefined
        return this.#use(name, (one) => one.disable, undefined).catch(() => undefined)
      }
    }
    return new SupervisedClient(source, prepared.incoming, prepared.identity)
  }
}
