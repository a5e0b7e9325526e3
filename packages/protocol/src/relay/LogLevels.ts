/** Each server gets the lowest log level that the clients of a fleet have set, with `logging/setLevel`. */
import type { Backend } from "@mcp-lifeline/core"
import { Effect } from "effect"
import { heightOf, type Level } from "../Level.js"

/** The level of a client that has set none, and of a server when no client that has set one is left. */
export const defaultLevel: Level = "info"

/** How long servers keep the level of a client that has left. */
const leaveDelay = "1 second"

export interface Backends {
  readonly all: Effect.Effect<ReadonlyArray<Backend.Backend>>
  readonly hasLogging: (server: string) => boolean
  readonly fork: (effect: Effect.Effect<void>) => void
}

export class LogLevels {
  readonly #backends: Backends
  readonly #levels = new Map<object, Level>()
  /** `undefined` as long as no client has ever set one. */
  #least: Level | undefined
  readonly #sent = new WeakMap<Backend.Backend, Level>()

  constructor(backends: Backends) {
    this.#backends = backends
  }

  /** The client wants the messages from this level on. */
  setLevel(client: object, level: Level): void {
    this.#levels.set(client, level)
    this.#changed()
  }

  /**
   * Only after a delay: a client without a session sets its level with each request, which would cause two `logging/setLevel` each time.
   */
  leave(client: object): void {
    if (this.#levels.delete(client)) this.#backends.fork(Effect.delay(Effect.sync(() => this.#changed()), leaveDelay))
  }

  /** The backend itself restores the level after later reconnects. */
  connected(backend: Backend.Backend): void {
    this.#backends.fork(this.#send(backend))
  }

  #changed(): void {
    const least = [...this.#levels.values()].reduce<Level | undefined>(
      (least, level) => least === undefined || heightOf(level) < heightOf(least) ? level : least,
      undefined
    ) ?? defaultLevel
    if (this.#least === undefined && this.#levels.size === 0) return
    if (least === this.#least) return
    this.#least = least
    const { all, fork } = this.#backends
    fork(
      Effect.flatMap(all, Effect.forEach((backend) => this.#send(backend), { concurrency: "unbounded", discard: true }))
    )
  }

  #send(backend: Backend.Backend): Effect.Effect<void> {
    return Effect.flatMap(backend.isConnected, (isConnected) => {
      const level = this.#least
      if (!isConnected || level === undefined || !this.#backends.hasLogging(backend.id)) return Effect.void
      if (this.#sent.get(backend) === level) return Effect.void
      this.#sent.set(backend, level)
      return Effect.catchAll(backend.setLoggingLevel(level), ({ message }) => {
        this.#sent.delete(backend)
        return Effect.logDebug(`${backend.id}: the level of its log messages is not set: ${message}`)
      })
    })
  }
}
