/**
 * A refusal may mean a forgotten session: a list is asked for; if that is refused alike, a new session is made beside it. (R12)
 * A server that refuses its lists to every session costs one handshake; then that is no evidence, until a list was answered.
 * A silent session has a new one made beside it, too: that tells a dead session from a server that stands still. (V3)
 */
import { Deferred, Effect, FiberId } from "effect"
import type { RequestError } from "../Errors.js"
import { firstOf } from "../internal/firstOf.js"
import type { Loss } from "../port/Loss.js"
import type { Method } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { type DoubtedSession, PendingCommand } from "../state/Message.js"
import type { Examiner } from "./Examiner.js"
import { listOf, type Question } from "./Question.js"

/** Milliseconds for a silent session, once a new one is ready. */
const lastPause = 1000

export type Outcome = "lost" | "alive" | "unknown"

interface Doubt {
  readonly runtime: Runtime
  readonly raisedBy: Array<RequestError>
  readonly asked: Deferred.Deferred<"given" | "refused" | "neither">
  readonly replaced: PendingCommand
}

/** A forgotten session refuses everything alike. */
const isAlike = ({ code, ifSessionLost, reason }: RequestError, refusals: ReadonlyArray<RequestError>): boolean =>
  (ifSessionLost !== undefined || reason === "remote") &&
  refusals.some((one) => one.reason === reason && one.code === code)

export class SessionDoubt {
  readonly #backend: BackendState
  readonly #question: Question
  readonly #examiner: Examiner
  #doubt: Doubt | undefined
  /** A refused list means a lost session. */
  #isEvidence = true
  /** Beside which a new one is being made. */
  #lookedBeside: Runtime | undefined
  #notBefore = 0

  constructor(backend: BackendState, question: Question, examiner: Examiner) {
    this.#backend = backend
    this.#question = question
    this.#examiner = examiner
    question.onRefused = (runtime, refusal) => Effect.asVoid(runtime.fork(this.settle(runtime, refusal)))
  }

  settle(runtime: Runtime, refusal: RequestError): Effect.Effect<Outcome> {
    return Effect.suspend(() => {
      if (this.#doubt?.runtime === runtime) {
        this.#doubt.raisedBy.push(refusal)
        return this.#outcome(this.#doubt)
      }
      if (!this.#backend.isCurrent(runtime)) return Effect.succeed("unknown")
      const doubt: Doubt = {
        runtime,
        raisedBy: [refusal],
        asked: Deferred.unsafeMake(FiberId.none),
        replaced: new PendingCommand("Reconnect")
      }
      this.#doubt = doubt
      const asking = Effect.map(this.#ask(runtime, doubt.raisedBy), (answer) => {
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
    const loss: Loss = { kind: "session", message: why }
    const doubt: DoubtedSession = { runtime, askAgain: Effect.void, loss: () => loss, isRefusing: true }
    this.#backend.send({ _tag: "Doubted", doubt, pending: replaced })
  }

  /** One at a time. `isSilent`: it still is. Returns at once. */
  silent(runtime: Runtime, isSilent: () => boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#lookedBeside === runtime) return Effect.void
      this.#lookedBeside = runtime
      const pending = new PendingCommand("Reconnect")
      // Earlier questions may have gone into a network that was gone.
      let isRefused = false
      const asked = Effect.map(this.#question.ask(runtime, false), (error) => {
        isRefused = error !== undefined && error.reason !== "timeout"
      })
      const askAgain = Effect.asVoid(Effect.timeoutOption(asked, lastPause))
      const loss = (): Loss | undefined => {
        if (isRefused || !isSilent()) return undefined
        const { kind, reason } = this.#examiner.judge(runtime, {
          isOver: false,
          isSilent: true,
          isAnsweredBeside: true
        })
        return kind === "wedged" ? { kind: "health", message: reason } : undefined
      }
      this.#backend.send({ _tag: "Doubted", doubt: { runtime, askAgain, loss, isRefusing: false }, pending })
      const over = Effect.sync(() => {
        if (this.#lookedBeside === runtime) this.#lookedBeside = undefined
      })
      return Effect.asVoid(runtime.fork(Effect.ensuring(Effect.exit(pending.answered), over)))
    })
  }

  /** `refused` only where that is evidence. */
  #ask(runtime: Runtime, refusals: ReadonlyArray<RequestError> = []): Effect.Effect<"given" | "refused" | "neither"> {
    return Effect.match(this.#question.send(runtime, listOf(runtime.connection) ?? "ping", undefined), {
      onSuccess: () => {
        this.#isEvidence = true
        return "given" as const
      },
      onFailure: (error) =>
        isAlike(error, refusals) && this.#isEvidence && this.#backend.now() >= this.#notBefore
          ? "refused" as const
          : "neither" as const
    })
  }
}
