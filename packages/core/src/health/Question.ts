/** Asks whether a server lives: with a ping, or a list where it leaves pings without an answer. (V4) */
import { Effect } from "effect"
import { isObjection, RequestError } from "../Errors.js"
import type { Connection } from "../port/Connection.js"
import { withDeadline } from "../port/withDeadline.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { BackendState } from "../state/BackendState.js"

type Asked = "ping" | "tools/list" | "resources/list" | "prompts/list"

const listOf = ({ capabilities: { prompts, resources, tools } }: Connection): Asked | undefined =>
  tools !== undefined
    ? "tools/list"
    : resources !== undefined
    ? "resources/list"
    : prompts !== undefined
    ? "prompts/list"
    : undefined

/** Each of its questions may take `keepalive.timeout`. */
export class Question {
  readonly #backend: BackendState

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  /** A list if the server ignores pings; both if it has just left one. `undefined` if anything was answered. */
  ask(installed: LiveConnection, hasLeftPing: boolean): Effect.Effect<RequestError | undefined> {
    return Effect.suspend(() => {
      const { temperament } = this.#backend
      const list = listOf(installed.connection)
      if (list === undefined) return this.#send(installed, "ping")
      if (temperament.ignoresPings) return this.#send(installed, list)
      return hasLeftPing ? this.#either(installed, list) : this.#send(installed, "ping")
    })
  }

  /** After a ping without an answer. */
  besidePing(installed: LiveConnection): Effect.Effect<void> {
    return Effect.suspend(() => {
      const list = listOf(installed.connection)
      if (list === undefined) return Effect.void
      return Effect.map(this.#send(installed, list), (error) => {
        if (error === undefined) this.#backend.temperament.ignoredPing()
      })
    })
  }

  #either(installed: LiveConnection, list: Asked): Effect.Effect<RequestError | undefined> {
    const ask = (asked: Asked) =>
      Effect.flatMap(
        this.#send(installed, asked),
        (error) => error === undefined ? Effect.succeed(asked) : Effect.fail(error)
      )
    return Effect.match(Effect.race(ask("ping"), ask(list)), {
      onSuccess: (asked): RequestError | undefined => {
        if (asked !== "ping") this.#backend.temperament.ignoredPing()
        return undefined
      },
      onFailure: (error) => error
    })
  }

  /** Returns its error. A refusal is a sign of life, too. */
  #send({ connection, runtime }: LiveConnection, method: Asked): Effect.Effect<RequestError | undefined> {
    return Effect.suspend(() => {
      const backend = this.#backend
      const { timeout } = backend.policy.keepalive
      const { oldest } = runtime
      // The guard stands inside what runs in a fiber of its own, so that it and the send are one step. (K9)
      const request = Effect.suspend(() =>
        backend.isCurrent(runtime)
          ? connection.request(method, undefined, { timeout })
          : Effect.fail(new RequestError({ fate: "notSent", reason: "lost", message: "the connection was replaced" }))
      )
      const answered = (): undefined => {
        if (!backend.isCurrent(runtime)) return
        if (method === "ping") backend.temperament.answeredPing()
        runtime.answered(backend.now(), oldest)
      }
      return Effect.match(withDeadline<unknown>(request, timeout), {
        onSuccess: answered,
        onFailure: (error) => error.fate === "answered" || isObjection(error) ? answered() : error // (K19)
      })
    })
  }
}
