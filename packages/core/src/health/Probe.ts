/** After a question without an answer others follow at a pace, and `judge` after each, until an answer or a loss. */
import { Effect, Schedule } from "effect"
import type { RequestError } from "../Errors.js"
import { tick } from "../internal/ClockJump.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import * as Health from "../state/Health.js"
import type { Examiner } from "./Examiner.js"
import type { Verdict } from "./judge.js"
import type { Question } from "./Question.js"

/** `at`: when the question began. */
export interface Failed {
  readonly error: Pick<RequestError, "message"> & { readonly reason: string }
  readonly at: number
}

interface Doubt {
  readonly runtime: Runtime
  answers: number
  /** Before a suspend of the machine: without more, a failure decides. (R11) */
  decidesAt: number | undefined
  hasLeftPing: boolean
}

export type Silence = "call" | "probe"

interface Silent {
  readonly runtime: Runtime
  readonly answers: number
  readonly left: Silence
}

export class Probe {
  readonly #backend: BackendState
  readonly #examiner: Examiner
  readonly #question: Question
  #heardAt = Number.NEGATIVE_INFINITY
  #doubt: Doubt | undefined
  #silent: Silent | undefined

  constructor(backend: BackendState, examiner: Examiner, question: Question) {
    this.#backend = backend
    this.#examiner = examiner
    this.#question = question
  }

  record(ok: boolean): void {
    this.#backend.update((slot) => {
      const history = Health.record(slot.history, ok)
      return history === slot.history ? slot : { ...slot, history }
    })
  }

  heard(runtime: Runtime, now: number): void {
    if (now - this.#heardAt < Health.pace || !this.#backend.isCurrent(runtime.latest)) return
    this.#heardAt = now
    this.record(true)
  }

  // --- one question

  now(runtime: Runtime): Effect.Effect<RequestError | undefined> {
    return Effect.suspend(() => {
      const at = this.#backend.now()
      return Effect.tap(
        this.#ask(runtime, this.#doubtOf(runtime)?.hasLeftPing === true),
        (error) => error === undefined ? Effect.void : Effect.uninterruptible(this.#failed(runtime, { error, at }))
      )
    })
  }

  /** A failure does not count. Sends nothing with `keepalive.method: "none"`, unless a call waits for a verdict. (G25) */
  ask(runtime: Runtime): Effect.Effect<"alive" | "silent" | "refused"> {
    return Effect.suspend(() => {
      const backend = this.#backend
      if (backend.policy.keepalive.method === "none" && !runtime.isHeld) return Effect.succeed("refused")
      return Effect.map(this.#question.ask(runtime, false), (error) => {
        if (error !== undefined) return error.reason === "timeout" ? "silent" : "refused"
        return backend.isCurrent(runtime) ? "alive" : "refused"
      })
    })
  }

  besidePing(runtime: Runtime): Effect.Effect<void> {
    const look = this.#examiner.look(runtime)
    const asking = Effect.suspend(() => {
      this.#examiner.asked(runtime)
      return this.#question.besidePing(runtime)
    })
    return Effect.asVoid(Effect.zipRight(look, Effect.zipRight(asking, look)))
  }

  /** If it fails, looks at the processes before the next question. */
  #ask(runtime: Runtime, hasLeftPing: boolean): Effect.Effect<RequestError | undefined> {
    return Effect.suspend(() => {
      this.#examiner.asked(runtime)
      return Effect.tap(this.#question.ask(runtime, hasLeftPing), (error) => {
        const isGood = error === undefined
        const looked = isGood ? Effect.void : this.#examiner.look(runtime)
        return Effect.map(looked, () => this.#backend.isCurrent(runtime) ? this.record(isGood) : undefined)
      })
    })
  }

  // --- a doubt

  isDoubted(runtime: Runtime): boolean {
    return this.#doubtOf(runtime)?.answers === runtime.answers
  }

  #doubtOf(runtime: Runtime): Doubt | undefined {
    return this.#doubt?.runtime === runtime ? this.#doubt : undefined
  }

  #failed(runtime: Runtime, failed: Failed): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.#backend.isCurrent(runtime)) return Effect.void
      const open = this.#doubtOf(runtime)
      const doubt = open ?? this.#begin(runtime)
      this.#weigh(doubt, failed)
      return open === undefined ? this.#probing(doubt, this.nextAfter(failed)) : Effect.sync(() => runtime.probed())
    })
  }

  readingFailed(runtime: Runtime, failed: Failed): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.#backend.isCurrent(runtime)) return Effect.void
      if (!this.isDoubted(runtime)) this.#isLost(runtime, failed, "health", "questions in a row failed")
      return this.onSuspicion(runtime)
    })
  }

  /** Nothing else was answered. True if the connection is lost. (K11) */
  heartbeatFailed(runtime: Runtime, failed: Failed): boolean {
    return !this.isDoubted(runtime) &&
      this.#isLost(runtime, failed, "keepalive", "heartbeats in a row without an answer")
  }

  /**
   * Probes at once, unless one is under way; after a failure others follow, `suspectInterval` apart, until an answer or a loss. `silent`:
   * what raises it has no answer. (H4)
   */
  onSuspicion(suspect: Runtime, silent = false): Effect.Effect<void> {
    return Effect.uninterruptible(Effect.suspend(() => {
      const { current } = this.#backend.published.value
      if (current === undefined || current !== suspect.latest) return Effect.void
      if (silent) this.leftUnanswered(current)
      const open = this.#doubtOf(current)
      if (open === undefined) return this.#probing(this.#begin(current), 0)
      open.answers = current.answers
      return Effect.void
    }))
  }

  /** One probe decides, unless an answer has. (R11) */
  afterClockJump(runtime: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => {
      const backend = this.#backend
      if (backend.policy.keepalive.method === "none") return Effect.void
      if (backend.now() - runtime.answeredAt < tick) return Effect.void
      const doubt = this.#begin(runtime)
      doubt.decidesAt = runtime.answers
      return this.#probing(doubt, 0)
    })
  }

  #begin(runtime: Runtime): Doubt {
    const { answers } = runtime
    return this.#doubt = { runtime, answers, decidesAt: undefined, hasLeftPing: false }
  }

  /** `pause`: milliseconds to the first. */
  #probing(doubt: Doubt, pause: number): Effect.Effect<void> {
    const probe = Effect.suspend(() => this.#isOpen(doubt) ? this.#probe(doubt) : Effect.succeed(0))
    const next = Schedule.addDelay(Schedule.recurWhile<number>(() => this.#isOpen(doubt)), (millis) => millis)
    const rounds = Effect.repeat(probe, next)
    const end = Effect.sync(() => {
      if (this.#doubt !== doubt) return
      this.#doubt = this.#silent = undefined
      doubt.runtime.probed()
    })
    return Effect.asVoid(
      doubt.runtime.fork(Effect.ensuring(pause === 0 ? rounds : Effect.delay(rounds, pause), end))
    )
  }

  /** Milliseconds to the next. */
  #probe(doubt: Doubt): Effect.Effect<number> {
    const { runtime } = doubt
    const at = this.#backend.now()
    const asked = Effect.map(this.#ask(runtime, doubt.hasLeftPing), (error) => {
      if (error === undefined || !this.#backend.isCurrent(runtime)) return 0
      this.#weigh(doubt, { error, at })
      return this.nextAfter({ error, at })
    })
    return Effect.ensuring(
      asked,
      Effect.sync(() => {
        this.#isOpen(doubt) // guard: probe-is-followed
        runtime.probed()
      })
    )
  }

  /** In one step with the look that ends it: the next suspicion begins anew. */
  #isOpen(doubt: Doubt): boolean {
    if (this.#doubt !== doubt) return false
    if (this.isDoubted(doubt.runtime) && this.#backend.isCurrent(doubt.runtime)) return true
    this.#doubt = undefined
    return false
  }

  #weigh(doubt: Doubt, failed: Failed): void {
    const { runtime } = doubt
    const { answers } = runtime
    const isSilent = failed.error.reason === "timeout"
    // A call answered meanwhile has settled what calls wait for.
    this.#silent = isSilent ? { runtime, answers, left: this.silenceOf(runtime) ?? "probe" } : undefined
    doubt.answers = answers
    doubt.hasLeftPing ||= isSilent
    if (doubt.decidesAt !== answers) this.#isLost(runtime, failed, "health", "probes in a row failed")
    else this.#isLost(runtime, failed, "health", "probe failed after the machine was suspended", true)
  }

  /** `decides`: this failure is enough. (H1, V1) */
  #isLost(runtime: Runtime, failed: Failed, kind: "health" | "keepalive", what: string, decides = false): boolean {
    const { message, reason } = failed.error
    const count = runtime.failed(failed.at, this.#backend.now(), this.#mending(failed))
    const isOver = decides || count >= this.#backend.policy.keepalive.failureThreshold
    const verdict = this.#examiner.judge(runtime, { isOver, isSilent: reason === "timeout" && !decides })
    if (verdict.kind !== "wedged") return false
    this.lose(runtime, kind, `${decides ? "a" : count} ${what}: ${message}`, verdict)
    return true
  }

  nextAfter(failed: Failed): number {
    return Math.min(this.#mending(failed), this.#backend.policy.keepalive.interval)
  }

  /** A momentary failure has the whole `suspectInterval`; time waited in vain is part of it. */
  #mending({ at, error }: Failed): number {
    const { suspectInterval, timeout } = this.#backend.policy.keepalive
    if (error.reason !== "timeout") return suspectInterval
    // The clock may have been set, or the process stood still.
    const waited = Math.min(timeout, Math.max(0, this.#backend.now() - at))
    return Math.max(0, suspectInterval - waited)
  }

  silenceOf(runtime: Runtime): Silence | undefined {
    const silent = this.#silent
    if (silent?.runtime !== runtime || silent.answers !== runtime.answers) return undefined
    const ignoresPings = this.#backend.temperament.ignoresPings ||
      this.#backend.published.value.keepalive.breaker?.reason === "timeout"
    return silent.left === "call" && ignoresPings ? "probe" : silent.left
  }

  /** Whoever says so of a call also calls `onSuspicion`. */
  leftUnanswered(runtime: Runtime, left: Silence = "call"): void {
    if (!this.#backend.isCurrent(runtime)) return
    if (left === "call" || this.silenceOf(runtime) === undefined) {
      this.#silent = { runtime, answers: runtime.answers, left }
    }
  }

  lose(runtime: Runtime, kind: "health" | "keepalive", failed: string, { reason }: Verdict): void {
    const activity = this.#examiner.seen(runtime)
    const message = activity === undefined ? failed : `${failed}; ${reason}`
    const isWedged = activity === "stopped" || activity === "still"
    this.#backend.send({ _tag: "Lost", runtime, loss: { kind, message, ...(isWedged ? { isWedged } : {}) } })
  }
}
