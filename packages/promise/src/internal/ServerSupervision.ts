import type { Backend, Event as CoreEvent } from "@mcp-lifeline/core"
import { healthyScore } from "@mcp-lifeline/core/internal"
import type { Snapshot } from "@mcp-lifeline/core/types"
import { Pins } from "@mcp-lifeline/extensions"
import type { Target } from "@mcp-lifeline/protocol"
import { Effect, Option, type Runtime, Stream } from "effect"
import type { ClientEvents, HealthCheck, KeepaliveControl } from "../Client.js"
import { ConnectionLost } from "../Errors.js"
import type { Event } from "../Event.js"
import type { SignalOptions } from "../Options.js"
import type { Status } from "../Status.js"
import type { Supervision } from "../Transport.js"
import * as Checks from "./Checks.js"
import { fromError } from "./Failure.js"
import { Publisher } from "./Publisher.js"
import * as Runner from "./Runner.js"

/** The backend has its own scope, or belongs to a fleet, which can replace it. */
export interface BackendSource {
  readonly name: string
  readonly runtime: Runtime.Runtime<never>
  /** In `runtime`. */
  readonly fork: Target["fork"]
  readonly backend: () => Backend.Backend | undefined
  readonly use: <A, E>(f: (backend: Backend.Backend) => Effect.Effect<A, E>) => Effect.Effect<A, unknown>
  readonly status: () => Status
  readonly statusChanges: Stream.Stream<Status>
  readonly catalogChanges: Stream.Stream<Snapshot | undefined>
  readonly events: Stream.Stream<CoreEvent.Event>
  readonly close: () => Promise<void>
}

export const fromEvent = (event: CoreEvent.Event): Event =>
  event._tag === "AttemptFailed" ? { ...event, error: fromError(event.error) as never } : event

/** For `onerror`. */
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

/** Ends with its source. */
export class ServerSupervision implements Supervision {
  readonly name: string
  readonly source: BackendSource
  readonly keepalive: KeepaliveControl = {
    pause: () => this.use((backend) => backend.keepalive.pause),
    resume: () => this.use((backend) => backend.keepalive.resume)
  }
  readonly #run: Runner.Runner
  readonly #statuses: Publisher<Status>
  readonly #events: Publisher<Event>
  readonly #catalogs: Publisher<Snapshot | undefined>
  #closing: Promise<void> | undefined

  constructor(source: BackendSource) {
    this.name = source.name
    this.source = source
    this.#run = Runner.make(source.runtime)
    this.#statuses = new Publisher(source.runtime, source.statusChanges)
    this.#events = new Publisher(source.runtime, Stream.map(source.events, fromEvent))
    this.#catalogs = new Publisher(source.runtime, source.catalogChanges)
  }

  get status(): Status {
    return this.source.status()
  }

  /** Also while closing. */
  get isClosing(): boolean {
    return this.#closing !== undefined
  }

  statusChanges(options?: SignalOptions): AsyncIterableIterator<Status> {
    return this.#statuses.iterate(options?.signal)
  }

  on<E extends keyof ClientEvents>(event: E, listener: (value: ClientEvents[E]) => void): () => void {
    return event === "status"
      ? this.#statuses.listen(listener as (value: Status) => void)
      : this.#events.listen(listener as (value: Event) => void)
  }

  /** The last good one. */
  get catalog(): Snapshot | undefined {
    const backend = this.source.backend()
    return backend && Runner.runSync(backend.catalog)
  }

  catalogChanges(options?: SignalOptions): AsyncIterableIterator<Snapshot | undefined> {
    return this.#catalogs.iterate(options?.signal)
  }

  /** Resolves with a connection and its first catalogue, or when the first attempt has failed. */
  firstOutcome(options?: SignalOptions): Promise<void> {
    return this.use((backend) => backend.firstOutcome, options)
  }

  /** Errors that no call reports: lost connections and failed attempts. */
  onError(listener: (error: Error) => void): void {
    this.#events.listen((event) => {
      const error = toError(event)
      if (error !== undefined) listener(error)
    })
  }

  readonly reconnect = this.#commanding((backend) => backend.reconnect)
  readonly enable = this.#commanding((backend) => backend.enable)
  readonly disable = this.#commanding((backend) => backend.disable)
  readonly disconnect = this.#commanding((backend) => backend.disconnect)

  async refresh(options?: SignalOptions): Promise<void> {
    await this.use((backend) => backend.refresh, options)
  }

  approveTools(options?: SignalOptions): Promise<ReadonlyArray<string>> {
    return this.use(
      (backend) =>
        Option.match(Pins.of(backend), { onNone: () => Effect.succeed([]), onSome: ({ approve }) => approve }),
      options
    )
  }

  isHealthy(threshold = healthyScore): boolean {
    return this.status.healthScore >= threshold
  }

  async healthCheck(options?: SignalOptions): Promise<HealthCheck> {
    const { error, latency, status } = await this.use((backend) => backend.healthCheck, options)
    return { status, latency, error: error && fromError(error) }
  }

  /** Closes the backend, ends all listeners and iterables, then calls `ended`. */
  close(ended: () => void): Promise<void> {
    this.#closing ??= this.source.close().then(() => this.ended(ended))
    return this.#closing
  }

  /** For a backend that was closed, or removed from its fleet. */
  async ended(ended: () => void): Promise<void> {
    this.#closing ??= Promise.resolve()
    // Streams of a closed backend end by themselves, with the last status.
    if (this.status.state === "Closed") await this.#statuses.drained()
    this.#statuses.end(this.status)
    this.#events.end()
    this.#catalogs.end()
    Runner.callListener(this.source.runtime, ended)
  }

  #commanding<A>(command: (backend: Backend.Backend) => Effect.Effect<A, unknown>) {
    return (options?: SignalOptions): Promise<A> => this.use(command, options)
  }

  use<A>(f: (backend: Backend.Backend) => Effect.Effect<A, unknown>, options?: SignalOptions): Promise<A> {
    const wrong = Checks.command(this.name, options)
    return wrong === undefined ? this.#run(this.source.use(f), options) : Promise.reject(wrong)
  }
}
