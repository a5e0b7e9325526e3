/** Single pings that decide whether a connection in doubt still lives. */
import { Effect } from "effect"
import { constFalse, constVoid } from "effect/Function"
import type { RequestError } from "../Errors.js"
import { tick } from "../internal/ClockJump.js"
import type { FailureKind, Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { OpenVerdict } from "../state/Status.js"
import type { Examiner } from "./Examiner.js"
import * as Health from "./Health.js"
import type { Verdict } from "./judge.js"
import { Question } from "./Question.js"

/** `at`: when it began. */
interface Asked {
  readonly error: RequestError | undefined
  readonly at: number
}

interface Round {
  hasFailed: boolean | undefined
}

interface Doubt {
  readonly runtime: Runtime
  /** At the last suspicion or failed probe: one more ends the doubt. */
  answers: number
  hasLeft: boolean
  /** `undefined` between two probes. */
  round: Round | undefined
}

export type Silence = "call" | "probe"

/** `answers`: how many it had given until then. */
interface Silent {
  readonly runtime: Runtime
  readonly answers: number
  readonly left: Silence
}

export class Probe {
  readonly #backend: BackendState
  readonly #examiner: Examiner
  readonly #question: Question
  readonly #hasGivenUpPings: () => boolean
  #history: Health.History = Health.empty
  #heardAt = Number.NEGATIVE_INFINITY
  #doubt: Doubt | undefined
  #silent: Silent | undefined

  /** `hasGivenUpPings`: pings had no answer and calls had. (K12) */
  constructor(backend: BackendState, examiner: Examiner, hasGivenUpPings: () => boolean = constFalse) {
    this.#backend = backend
    this.#examiner = examiner
    this.#question = new Question(backend)
    this.#hasGivenUpPings = hasGivenUpPings
  }

  get verdict(): OpenVerdict | undefined {
    return this.#examiner.verdict
  }

  get history(): Health.History {
    return this.#history
  }

  /** Publishes where the score has changed. (H6) */
  record(ok: boolean): void {
    const before = Health.score(this.#history)
    this.#history = Health.record(this.#history, ok)
    const score = Health.score(this.#history)
    if (score === before) return
    this.#backend.publish({})
    this.#backend.telemetry?.health?.(score)
  }

  /** At most once in `Health.pace`. (H5) */
  heard(runtime: Runtime, now: number): void {
    if (now - this.#heardAt < Health.pace || !this.#backend.isCurrent(runtime.latest)) return
    this.#heardAt = now
    this.record(true)
  }

  /** Returns its error. Where it fails, others follow by themselves. (H4, H5, H8) */
  now(runtime: Runtime): Effect.Effect<RequestError | undefined> {
    const follow = (asked: Asked) =>
      Effect.suspend(() => {
        const isFirst = this.#doubt?.runtime !== runtime
        this.#asked(runtime, asked.error, isFirst)
        if (asked.error === undefined) return Effect.void
        if (isFirst && this.#backend.isCurrent(runtime)) {
          return this.#probing(runtime, this.#begin(runtime), this.#nextAfter(asked))
        }
        runtime.probed()
        return Effect.void
      })
    return Effect.map(
      Effect.tap(this.#ask(runtime), (asked) => Effect.uninterruptible(follow(asked))),
      ({ error }) => error
    )
  }

  /** If it fails, nothing counts or follows. Sends nothing with `keepalive.method: "none"`. (G25) */
  ask(runtime: Runtime): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const backend = this.#backend
      if (backend.policy.keepalive.method === "none") return Effect.succeed(false)
      return Effect.map(
        this.#question.ask(runtime, false),
        (error) => error === undefined && backend.isCurrent(runtime)
      )
    })
  }

  /** If it fails, looks at the processes before the next question. */
  #ask(runtime: Runtime): Effect.Effect<Asked> {
    return Effect.suspend(() => {
      const at = this.#backend.now()
      const hasLeftPing = this.#doubt?.runtime === runtime && this.#doubt.hasLeft
      this.#examiner.asked(runtime)
      const looked = (error: RequestError | undefined): Effect.Effect<Asked> =>
        error === undefined ? Effect.succeed({ error, at }) : Effect.as(this.#examiner.look(runtime), { error, at })
      return Effect.flatMap(this.#question.ask(runtime, hasLeftPing), looked)
    })
  }

  /** For a ping without an answer: a list, and a look at the processes. (V4) */
  besidePing(runtime: Runtime): Effect.Effect<void> {
    const look = this.#examiner.look(runtime)
    const asking = Effect.suspend(() => {
      this.#examiner.asked(runtime)
      return this.#question.besidePing(runtime)
    })
    return Effect.asVoid(Effect.zipRight(look, Effect.zipRight(asking, look)))
  }

  /** If so, reports the loss. (V1) */
  isLost(runtime: Runtime, isSilent: boolean, message: string): boolean {
    const verdict = this.#examiner.judge(runtime, { isOver: true, isSilent })
    if (verdict.kind !== "wedged") return false
    this.lose(runtime, "keepalive", message, verdict)
    return true
  }

  #asked(runtime: Runtime, error: RequestError | undefined, counts: boolean): void {
    const backend = this.#backend
    if (!backend.isCurrent(runtime)) return
    this.record(error === undefined)
    if (error === undefined) return
    if (error.reason === "timeout") {
      // A call that was answered while the probe was under way has settled what calls wait for.
      this.#silent = { runtime, answers: runtime.answers, left: this.silenceOf(runtime) ?? "probe" }
    } else this.#silent = undefined
    if (this.#doubt?.runtime === runtime) {
      this.#doubt.answers = runtime.answers
      this.#doubt.hasLeft ||= error.reason === "timeout"
    }
    // However many fail at once: what a moment breaks has until the next one of the doubt to mend. (H4)
    if (!counts) return // guard: probes-count-at-a-pace
    this.countFailure(runtime, "request", error)
  }

  /** What failed in a moment has the whole `suspectInterval` to mend; time waited in vain is a part of it. */
  #nextAfter({ at, error }: Asked): number {
    const { suspectInterval, timeout } = this.#backend.policy.keepalive
    if (error?.reason !== "timeout") return suspectInterval
    // The clock may have been set, or this process may have stood still before the question was sent.
    const waited = Math.min(timeout, Math.max(0, this.#backend.now() - at))
    return Math.max(0, suspectInterval - waited)
  }

  /** `undefined` where it has answered since. */
  silenceOf(runtime: Runtime): Silence | undefined {
    const silent = this.#silent
    if (silent?.runtime !== runtime || silent.answers !== runtime.answers) return undefined
    const ignoresPings = this.#backend.temperament.ignoresPings || this.#hasGivenUpPings()
    return silent.left === "call" && ignoresPings ? "probe" : silent.left
  }

  /** Whoever says so calls `onSuspicion`, and need not wait for that. */
  leftUnanswered(runtime: Runtime): void {
    if (runtime.connection.spreads === true || !this.#backend.isCurrent(runtime)) return
    this.#silent = { runtime, answers: runtime.answers, left: "call" }
  }

  /**
   * Probes at once, or joins the probe under way; if it fails, others follow, `suspectInterval` apart, until an answer or a loss. Between
   * two, none is sent. `silent`: what raises it has no answer. Returns what waits for the end of the probe that is under way. (H4)
   */
  onSuspicion(suspect: Runtime, silent = false): Effect.Effect<Effect.Effect<void>> {
    return Effect.uninterruptible(Effect.suspend(() => {
      const { current } = this.#backend.published.value
      if (current === undefined || current !== suspect.latest) return Effect.succeed(Effect.void)
      if (current.connection.spreads === true) return Effect.succeed(Effect.void)
      if (silent) this.leftUnanswered(current)
      const doubt = this.#doubt
      if (doubt?.runtime !== current) return Effect.map(this.#probeAtOnce(current), (round) => endOf(current, round))
      doubt.answers = current.answers
      return Effect.succeed(doubt.round === undefined ? Effect.void : endOf(current, doubt.round))
    }))
  }

  #begin(runtime: Runtime): Doubt {
    return this.#doubt = { runtime, answers: runtime.answers, hasLeft: false, round: undefined }
  }

  #probeAtOnce(runtime: Runtime): Effect.Effect<Round> {
    const doubt = this.#begin(runtime)
    // Whoever suspects the runtime before the fiber has begun joins this one.
    const round: Round = doubt.round = { hasFailed: undefined }
    return Effect.as(this.#probing(runtime, doubt, round), round)
  }

  /** `first`: the first probe; or, where it was sent before, the milliseconds to the next. */
  #probing(runtime: Runtime, doubt: Doubt, first: Round | number): Effect.Effect<void> {
    let pause = typeof first === "number" ? first : 0
    // In one step with the look that ends it: the next suspicion begins anew.
    const isOpen = (): boolean => {
      if (this.#doubt !== doubt) return false
      if (doubt.answers === runtime.answers) return true
      this.#doubt = undefined
      return false
    }
    const probe = (round: Round): Effect.Effect<unknown> => {
      doubt.round = round
      const asked = Effect.map(this.#ask(runtime), (asked) => {
        this.#asked(runtime, asked.error, true)
        pause = this.#nextAfter(asked)
        return asked.error
      })
      return Effect.onExit(asked, (exit) =>
        Effect.sync(() => {
          round.hasFailed = exit._tag === "Success" && exit.value !== undefined
          doubt.round = undefined
          isOpen() // guard: probe-is-followed
          runtime.probed()
        }))
    }
    const again = Effect.zipRight(
      Effect.suspend(() => Effect.sleep(pause)),
      Effect.suspend(() => isOpen() ? probe({ hasFailed: undefined }) : Effect.void)
    )
    const rounds = Effect.zipRight(
      typeof first === "number" ? Effect.void : Effect.suspend(() => probe(first)),
      Effect.whileLoop({ while: isOpen, body: () => again, step: constVoid })
    )
    const end = Effect.sync(() => {
      if (this.#doubt === doubt) this.#doubt = this.#silent = undefined
    })
    return Effect.asVoid(runtime.fork(Effect.ensuring(rounds, end)))
  }

  /** One probe decides; an answer since has decided already. (R11) */
  afterClockJump(runtime: Runtime): Effect.Effect<void> {
    if (runtime.connection.spreads === true) return Effect.void
    const answeredLately = this.#backend.now() - runtime.answeredAt < tick
    if (answeredLately || this.#backend.policy.keepalive.method === "none") return Effect.void
    return Effect.suspend(() => {
      const { answers } = runtime
      const underWay = this.#doubt?.runtime === runtime ? this.#doubt.round : undefined
      const probing = underWay === undefined ? this.#probeAtOnce(runtime) : Effect.succeed(underWay)
      const decide = (round: Round) => () => {
        if (round.hasFailed !== true || runtime.answers !== answers) return
        this.#backend.send({
          _tag: "Lost",
          runtime,
          loss: { kind: "health", message: "no answer to a probe after the machine was suspended" }
        })
      }
      return Effect.flatMap(
        probing,
        (round) => Effect.asVoid(runtime.fork(Effect.map(endOf(runtime, round), decide(round))))
      )
    })
  }

  /** Enough of them in a row lose the runtime, unless the evidence speaks for it. (H1, V1) */
  countFailure(runtime: Runtime, kind: FailureKind, error: RequestError): void {
    const count = runtime.failed(kind)
    const isOver = count >= this.#backend.policy.health.failureThreshold
    const verdict = this.#examiner.judge(runtime, { isOver, isSilent: error.reason === "timeout" })
    if (verdict.kind !== "wedged") return
    const what = kind === "discovery" ? "readings of the lists" : "probes"
    this.lose(runtime, "health", `${count} ${what} in a row failed: ${error.message}`, verdict)
  }

  lose(runtime: Runtime, kind: "health" | "keepalive", failed: string, { reason }: Verdict): void {
    const activity = this.#examiner.seen(runtime)
    const message = activity === undefined ? failed : `${failed}; ${reason}`
    const isWedged = activity === "stopped" || activity === "still"
    this.#backend.send({ _tag: "Lost", runtime, loss: { kind, message, ...(isWedged ? { isWedged } : {}) } })
  }
}

const endOf = (runtime: Runtime, round: Round): Effect.Effect<void> =>
  runtime.until(() => round.hasFailed !== undefined || runtime.detached)
