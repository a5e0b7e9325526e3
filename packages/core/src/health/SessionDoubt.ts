/**
 * A refusal may mean a forgotten session: it is asked for a list; where it refuses that, too, a new one is made beside it. (R12)
 * A server that refuses its lists to every session costs one handshake; then that is no evidence, until a list was answered.
 */
import { Deferred, Effect, FiberId } from "effect"
import type { RequestError } from "../Errors.js"
import { firstOf } from "../internal/firstOf.js"
import type { Method } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { PendingCommand } from "../state/Message.js"
import { listOf, type Question } from "./Question.js"

export type Outcome = "lost" | "alive" | "unknown"

interface Doubt {
  readonly runtime: Runtime
  readonly asked: Deferred.Deferred<"given" | "refused" | "neither">
  /** Answered when a new session is installed, or could not be. */
  readonly replaced: PendingCommand
}

export class SessionDoubt {
  readonly #backend: BackendState
  readonly #question: Question
  #doubt: Doubt | undefined
  /** A refused list says that the session is lost. */
  #isEvidence = true
  /** Set when the last handshake failed. */
  #notBefore = 0

  constructor(backend: BackendState, question: Question) {
    this.#backend = backend
    this.#question = question
  }

  /** After one request, or an attempt to connect. */
  settle(runtime: Runtime, refusal: RequestError): Effect.Effect<Outcome> {
    return Effect.suspend(() => {
      if (this.#doubt?.runtime === runtime) return this.#outcome(this.#doubt)
      if (!this.#backend.isCurrent(runtime)) return Effect.succeed("unknown")
      const doubt: Doubt = {
        runtime,
        asked: Deferred.unsafeMake(FiberId.none),
        replaced: new PendingCommand("Reconnect")
      }
      this.#doubt = doubt
      const asking = Effect.map(this.#ask(runtime), (answer) => {
        if (answer === "refused") this.#replace(doubt, refusal) // guard: doubt-asks-first
        Deferred.unsafeDone(doubt.asked, Effect.succeed(answer))
      })
      const ended = Effect.suspend(() => Deferred.succeed(doubt.asked, "neither"))
      return Effect.zipRight(doubt.runtime.fork(Effect.ensuring(asking, ended)), this.#outcome(doubt))
    })
  }

  /** A new session that gives the list makes refusals evidence again. */
  attach(runtime: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => this.#isEvidence ? Effect.void : Effect.asVoid(runtime.fork(this.#ask(runtime))))
  }

  /** A session in doubt may have given them before it was forgotten. */
  given(runtime: Runtime, lists: ReadonlyArray<Method>): void {
    if (this.#doubt?.runtime === runtime) return
    if (lists.includes(listOf(runtime.connection) ?? "ping")) this.#isEvidence = true // guard: given-list-is-evidence
  }

  #outcome(doubt: Doubt): Effect.Effect<Outcome> {
    return Effect.flatMap(Deferred.await(doubt.asked), (answer): Effect.Effect<Outcome> => {
      if (answer !== "refused") {
        if (this.#doubt === doubt) this.#doubt = undefined
        // A connection that hears of it in clear words has ended itself.
        const isLost = doubt.runtime.loss?.kind === "session"
        return Effect.succeed(answer === "given" ? "alive" : isLost ? "lost" : "unknown")
      }
      const answered = Effect.match(doubt.replaced.answered, {
        onSuccess: (): Outcome => "lost",
        onFailure: (): Outcome => {
          if (this.#doubt === doubt) {
            this.#doubt = undefined
            this.#isEvidence = true
            this.#notBefore = this.#backend.now() + this.#backend.policy.keepalive.suspectInterval
          }
          return "unknown"
        }
      })
      return firstOf(answered, Effect.as(doubt.runtime.until(() => doubt.runtime.detached), "lost" as const))
    })
  }

  #replace({ replaced, runtime }: Doubt, { message }: RequestError): void {
    this.#isEvidence = false // guard: one-handshake-for-a-doubt
    const why = `the server refuses requests that it accepted before, as if it had forgotten the session: ${message}`
    this.#backend.send({ _tag: "Doubted", runtime, loss: { kind: "session", message: why }, pending: replaced })
  }

  /** `refused` only where that is evidence. */
  #ask(runtime: Runtime): Effect.Effect<"given" | "refused" | "neither"> {
    return Effect.match(this.#question.send(runtime, listOf(runtime.connection) ?? "ping", undefined), {
      onSuccess: () => {
        this.#isEvidence = true
        return "given" as const
      },
      onFailure: (error) =>
        error.ifSessionLost !== undefined && this.#isEvidence && this.#backend.now() >= this.#notBefore
          ? "refused" as const
          : "neither" as const
    })
  }
}
