/**
 * The log messages that the clients of a fleet want: each server is asked for the least level that any of them wants.
 */
import type { Backend } from "@mcp-lifeline/core"
import { heightOf, type Level } from "@mcp-lifeline/protocol/Level"
import { Effect } from "effect"

/** What a client is given that has not asked for a level, and a server is asked for when nobody asks any more. */
export const otherwise: Level = "info"

/** How long a level is kept that nobody wants any more. */
const lingering = "1 second"

/** What the backends of a fleet are asked for. */
export interface Backends {
  readonly all: Effect.Effect<ReadonlyArray<Backend.Backend>>
  /** Whether a server logs to its clients at all. */
  readonly hasLogging: (server: string) => boolean
  /** Runs what nobody waits for. */
  readonly fork: (effect: Effect.Effect<void>) => void
}

/** The levels that the clients of one fleet have asked for. */
export class LogLevels {
  readonly #backends: Backends
  readonly #wanted = new Map<object, Level>()
  /** What the backends are to be asked for; nothing as long as nobody ever asked. */
  #least: Level | undefined
  readonly #asked = new WeakMap<Backend.Backend, Level>()

  constructor(backends: Backends) {
    this.#backends = backends
  }

  /** A client wants the messages from this level on. */
  want(client: object, level: Level): void {
    this.#wanted.set(client, level)
    this.#changed()
  }

  /** A client has gone. Who asks in each request anew does not have its servers asked twice for each. */
  leave(client: object): void {
    if (this.#wanted.delete(client)) this.#backends.fork(Effect.delay(Effect.sync(() => this.#changed()), lingering))
  }

  /** A backend is connected. It keeps what it was asked for over its own reconnects. */
  connected(backend: Backend.Backend): void {
    this.#backends.fork(this.#ask(backend))
  }

  #changed(): void {
    const least = [...this.#wanted.values()].reduce<Level | undefined>(
      (least, level) => least === undefined || heightOf(level) < heightOf(least) ? level : least,
      undefined
    ) ?? otherwise
    if (this.#least === undefined && this.#wanted.size === 0) return
    if (least === this.#least) return
    this.#least = least
    const { all, fork } = this.#backends
    fork(
      Effect.flatMap(all, Effect.forEach((backend) => this.#ask(backend), { concurrency: "unbounded", discard: true }))
    )
  }

  #ask(backend: Backend.Backend): Effect.Effect<void> {
    return Effect.flatMap(backend.isConnected, (isConnected) => {
      const level = this.#least
      if (!isConnected || level === undefined || !this.#backends.hasLogging(backend.id)) return Effect.void
      if (this.#asked.get(backend) === level) return Effect.void
      this.#asked.set(backend, level)
      return Effect.catchAll(backend.setLoggingLevel(level), ({ message }) => {
        this.#asked.delete(backend)
        return Effect.logDebug(`${backend.id}: the level of its log messages is not set: ${message}`)
      })
    })
  }
}
