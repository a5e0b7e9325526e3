/** Asks whether a server lives: with a ping, or a list where it leaves pings without an answer. (V4) */
import { Effect } from "effect"
import { isObjection, RequestError } from "../Errors.js"
import type { Connection } from "../port/Connection.js"
import * as Sending from "../port/Sending.js"
import { withDeadline } from "../port/withDeadline.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"

type List = "tools/list" | "resources/list" | "prompts/list"

/** Every live session answers it. */
export const listOf = ({ capabilities: { prompts, resources, tools } }: Connection): List | undefined =>
  tools !== undefined
    ? "tools/list"
    : prompts !== undefined
    ? "prompts/list"
    : resources !== undefined
    ? "resources/list"
    : undefined

/** Asks the current connection, for `keepalive.timeout`. The guard and the send are one step. (K9) */
export const ask = (
  backend: BackendState,
  runtime: Runtime,
  method: List | "ping"
): Effect.Effect<unknown, RequestError> => {
  const { timeout } = backend.policy.keepalive
  const request = Effect.suspend(() =>
    backend.isCurrent(runtime)
      ? Sending.ask(runtime.connection, method, undefined, { timeout })
      : Effect.fail(new RequestError({ fate: "notSent", reason: "lost", message: "the connection was replaced" }))
  )
  return withDeadline<unknown>(request, timeout)
}

export class Question {
  readonly #backend: BackendState

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  /** A list if the server ignores pings; both if it has just left one. `undefined` if anything was answered. */
  ask(runtime: Runtime, hasLeftPing: boolean): Effect.Effect<RequestError | undefined> {
    return Effect.suspend(() => {
      const { temperament } = this.#backend
      const list = listOf(runtime.connection)
      if (list === undefined) return this.#send(runtime, "ping")
      if (temperament.ignoresPings) return this.#send(runtime, list)
      return hasLeftPing ? this.#either(runtime, list) : this.#send(runtime, "ping")
    })
  }

  /** After a ping without an answer. */
  besidePing(runtime: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => {
      const list = listOf(runtime.connection)
      if (list === undefined) return Effect.void
      return Effect.map(this.#send(runtime, list), (error) => {
        if (error === undefined) this.#backend.temperament.ignoredPing()
      })
    })
  }

  #either(runtime: Runtime, list: List): Effect.Effect<RequestError | undefined> {
    const ask = (asked: List | "ping") =>
      Effect.flatMap(
        this.#send(runtime, asked),
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
  #send(runtime: Runtime, method: List | "ping"): Effect.Effect<RequestError | undefined> {
    return Effect.suspend(() => {
      const backend = this.#backend
      const { oldest } = runtime
      const answered = (): undefined => {
        if (!backend.isCurrent(runtime)) return
        if (method === "ping") backend.temperament.answeredPing()
        runtime.answered(backend.now(), oldest)
      }
      return Effect.match(ask(backend, runtime, method), {
        onSuccess: answered,
        onFailure: (error) => error.fate === "answered" || isObjection(error) ? answered() : error // (K19)
      })
    })
  }
}
