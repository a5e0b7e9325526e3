/** A version that exits at its start would do so again: it is not started again before its files change. */
import type { Backend, ConnectError, Connector } from "@mcp-lifeline/core"
import { Effect, Stream } from "effect"

/** The program has exited, or could not be started. */
const exitReasons: ReadonlySet<string> = new Set(["closed", "spawn"])

export class WatchedVersion {
  #changes = 0
  /** `#changes` at the last start. */
  #started = 0
  /** True before the first change, so that the first version is retried as usual. */
  #hasConnected = true
  #failure: ConnectError | undefined

  get isBroken(): boolean {
    return this.#failure !== undefined
  }

  /** Does not start a version again that has failed to start. */
  around(connector: Connector): Connector {
    return {
      ...connector,
      connect: (options) =>
        Effect.suspend(() => {
          if (this.#failure !== undefined) return Effect.fail(this.#failure)
          const version = this.#changes
          this.#started = version
          return connector.connect(options).pipe(
            Effect.tap(() => {
              if (version === this.#changes) this.#hasConnected = true
            }),
            Effect.tapError((error) => {
              if (version === this.#changes && !this.#hasConnected && exitReasons.has(error.reason)) {
                this.#failure = error
              }
              return Effect.void
            })
          )
        })
    }
  }

  /** So that calls fail at once when a version has failed to start. */
  follow(backend: Backend.Backend): Effect.Effect<void> {
    return Stream.runForEach(
      backend.events,
      // Only after the failure was reported, so that errors of calls have its reason.
      ({ _tag }) => _tag === "AttemptFailed" && this.isBroken ? Effect.ignore(backend.disconnect) : Effect.void
    )
  }

  /** Fails if the new version does not start. */
  restart(backend: Backend.Backend): Effect.Effect<void, ConnectError> {
    return Effect.suspend(() => {
      const version = ++this.#changes
      this.#hasConnected = false
      this.#failure = undefined
      const start: Effect.Effect<void, ConnectError> = Effect.flatMap(Effect.either(backend.reconnect), (outcome) => {
        // After a later change, that one starts the server. A closed backend starts nothing.
        if (version !== this.#changes) return Effect.void
        const error = outcome._tag === "Left" ? outcome.left : undefined
        if (error?._tag === "BackendUnavailable") return Effect.void
        // The attempt may have begun before the change.
        if (this.#started !== version) return start
        return error === undefined ? Effect.void : Effect.fail(error)
      })
      return start
    })
  }
}
