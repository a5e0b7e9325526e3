/**
 * The version of a server whose files are watched. One that ends as it is started would end so again: it is started once, and then not
 * before the next change.
 */
import type { Backend, ConnectError, Connector } from "@mcp-lifeline/core"
import { Effect, Stream } from "effect"

/** Why an attempt fails where the program has ended, or could not be started. */
const isEnd: ReadonlySet<string> = new Set(["closed", "spawn"])

/** The version of one server that is supervised. */
export class WatchedVersion {
  #changes = 0
  /** How many changes there were when the server was last started. */
  #started = 0
  /** Whether this version has been connected; what was there before the first change is started as if nobody watched. */
  #hasConnected = true
  #failure: ConnectError | undefined

  /** Whether nothing but a change starts the server. */
  get isBroken(): boolean {
    return this.#failure !== undefined
  }

  /** A connector that starts a version which does not start only once. */
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
              if (version === this.#changes && !this.#hasConnected && isEnd.has(error.reason)) this.#failure = error
              return Effect.void
            })
          )
        })
    }
  }

  /** Lets calls fail at once while the version does not start. */
  follow(backend: Backend.Backend): Effect.Effect<void> {
    return Stream.runForEach(
      backend.events,
      // After the failure, so that calls say why.
      ({ _tag }) => _tag === "AttemptFailed" && this.isBroken ? Effect.ignore(backend.disconnect) : Effect.void
    )
  }

  /** The files have changed: starts the new version. Fails with why it does not start. */
  restart(backend: Backend.Backend): Effect.Effect<void, ConnectError> {
    return Effect.suspend(() => {
      const version = ++this.#changes
      this.#hasConnected = false
      this.#failure = undefined
      const start: Effect.Effect<void, ConnectError> = Effect.flatMap(Effect.either(backend.reconnect), (outcome) => {
        // A later change starts what there is then; a backend that is closed starts nothing.
        if (version !== this.#changes) return Effect.void
        const error = outcome._tag === "Left" ? outcome.left : undefined
        if (error?._tag === "BackendUnavailable") return Effect.void
        // The attempt may have been under way before the change.
        if (this.#started !== version) return start
        return error === undefined ? Effect.void : Effect.fail(error)
      })
      return start
    })
  }
}
