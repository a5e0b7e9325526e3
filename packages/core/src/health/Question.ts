/** With a ping, or a list where the server leaves pings without an answer. (V4) */
import { Effect } from "effect"
import { constant, identity } from "effect/Function"
import { isObjection, RequestError } from "../Errors.js"
import type { Connection } from "../port/Connection.js"
import type { Method, Params, Result } from "../port/Method.js"
import * as Sending from "../port/Sending.js"
import { withDeadline } from "../port/withDeadline.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"

type List = "tools/list" | "resources/list" | "prompts/list"

/** Every live session answers. */
export const listOf = ({ capabilities: { prompts, resources, tools } }: Connection): List | undefined =>
  tools !== undefined
    ? "tools/list"
    : prompts !== undefined
    ? "prompts/list"
    : resources !== undefined
    ? "resources/list"
    : undefined

const replaced = new RequestError({ fate: "notSent", reason: "lost", message: "the connection was replaced" })

/** Guard and send are one step. (K9) */
export const guarded = <A>(
  mayAsk: () => boolean,
  timeout: number,
  ask: () => Effect.Effect<A, RequestError>
): Effect.Effect<A, RequestError> =>
  withDeadline(
    Effect.suspend(() => {
      if (!mayAsk()) return Effect.fail(replaced) // guard: no-heartbeat-after-detach
      return ask()
    }),
    timeout
  )

export const isSignOfLife = (error: RequestError): boolean => error.fate === "answered" || isObjection(error)

export class Question {
  readonly #backend: BackendState
  /** Refused as by a session that is forgotten. */
  onRefused: (runtime: Runtime, refusal: RequestError) => Effect.Effect<void> = () => Effect.void

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  /** `undefined` after any answer. */
  ask(runtime: Runtime, hasLeftPing: boolean): Effect.Effect<RequestError | undefined> {
    return Effect.suspend(() => {
      const list = listOf(runtime.connection)
      const { ignoresPings } = this.#backend.temperament
      const ping = this.#alive(runtime, "ping")
      const asked = list === undefined || !(hasLeftPing || ignoresPings)
        ? ping
        : ignoresPings
        ? this.#alive(runtime, list)
        : Effect.race(ping, this.#besidePing(runtime, list))
      return Effect.match(asked, { onSuccess: constant(undefined), onFailure: identity })
    })
  }

  besidePing(runtime: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => {
      const list = listOf(runtime.connection)
      return list === undefined ? Effect.void : Effect.ignore(this.#besidePing(runtime, list))
    })
  }

  #besidePing(runtime: Runtime, list: List): Effect.Effect<void, RequestError> {
    return Effect.map(this.#alive(runtime, list), () => this.#backend.temperament.ignoredPing())
  }

  #alive(runtime: Runtime, method: List | "ping"): Effect.Effect<void, RequestError> {
    return Effect.catchIf(
      Effect.asVoid(this.send(runtime, method, undefined)),
      isSignOfLife,
      (error) => error.ifSessionLost === undefined ? Effect.void : this.onRefused(runtime, error)
    )
  }

  send<M extends Method>(
    runtime: Runtime,
    method: M,
    params: Params<M>,
    timeout = this.#backend.policy.keepalive.timeout,
    mayAsk = () => this.#backend.isCurrent(runtime)
  ): Effect.Effect<Result<M>, RequestError> {
    return Effect.suspend(() => {
      const { oldest } = runtime
      const answered = Effect.sync(() => {
        if (!mayAsk()) return
        if (method === "ping") this.#backend.temperament.answeredPing()
        runtime.answered(this.#backend.now(), oldest)
      })
      const asked = guarded(mayAsk, timeout, () => Sending.ask(runtime.connection, method, params, { timeout }))
      return Effect.tapBoth(asked, {
        onSuccess: () => answered,
        onFailure: (error) => isSignOfLife(error) ? answered : Effect.void
      })
    })
  }
}
