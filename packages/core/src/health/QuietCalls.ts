/** A waiting call has the server examined: by its processes, by questions, or by a session beside. (V3, C14) */
import { Effect } from "effect"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { Examiner } from "./Examiner.js"
import type { Probe } from "./Probe.js"
import type { SessionDoubt } from "./SessionDoubt.js"

/** Milliseconds between looks, and between questions for a call that waits for a verdict. */
const tick = 1000
/** Milliseconds without an answer, while the server is silent. */
const quiet = 2000
/** Ticks of an examination: all, until a list is asked for, and until the silence of a session counts. */
const [whole, late, enough] = [6, 2, 4]
/** Milliseconds until the same quiet calls cause another; it doubles. */
const [shortestPause, longestPause] = [2000, 15_000]
/** Milliseconds without calls: a message to the supervisor begins the watch. */
const linger = 30_000

export class QuietCalls {
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #examiner: Examiner
  readonly #doubt: SessionDoubt

  constructor(backend: BackendState, probe: Probe, examiner: Examiner, doubt: SessionDoubt) {
    this.#backend = backend
    this.#probe = probe
    this.#examiner = examiner
    this.#doubt = doubt
  }

  attach(runtime: Runtime): void {
    runtime.onUsed = this.#used
    if (runtime.inFlight > 0 || runtime.isHeld) this.#used(runtime)
  }

  readonly #used = (runtime: Runtime): void => {
    if (!runtime.isHeld && !this.#canTell(runtime)) return
    runtime.onUsed = undefined
    this.#backend.send({ _tag: "Used", runtime })
  }

  #canTell({ connection: { look, sessionId, stateful } }: Runtime): boolean {
    return look !== undefined || (stateful && sessionId !== undefined && this.#mayAsk)
  }

  get #mayAsk(): boolean {
    return this.#backend.policy.keepalive.method !== "none"
  }

  begin(runtime: Runtime): Effect.Effect<void> {
    let examinedAt = Number.NEGATIVE_INFINITY
    let pause = shortestPause
    const isDue = (now: number): boolean => {
      if (runtime.isHeld) return true
      if (!this.#canTell(runtime)) return false
      let hasNew = false
      let hasQuiet = false
      for (const { heardAt, questions } of runtime.calls) {
        if (questions > 0 || now - Math.max(heardAt, runtime.answeredAt) < quiet) continue
        hasQuiet = true
        hasNew ||= heardAt > examinedAt
      }
      if (!hasNew && !(hasQuiet && now >= examinedAt + pause)) return false
      pause = hasNew ? shortestPause : Math.min(2 * pause, longestPause)
      return true
    }
    const turn = Effect.suspend(() => {
      const now = this.#backend.now()
      if (!isDue(now)) return Effect.void
      examinedAt = now
      return this.#examine(runtime)
    })
    const isOver = () => runtime.inFlight === 0 && !runtime.isHeld && this.#backend.now() - runtime.usedAt >= linger
    const watch = Effect.repeat(Effect.delay(turn, tick), { until: isOver })
    return Effect.asVoid(runtime.fork(Effect.zipRight(watch, Effect.sync(() => this.attach(runtime)))))
  }

  #examine(runtime: Runtime): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const { answers } = runtime
      const at = this.#backend.now()
      const calls = [...runtime.calls]
      const isHeard = () => calls.some((call) => runtime.calls.has(call) && (call.heardAt > at || call.questions > 0))
      const isSilent = () => runtime.answers === answers && !isHeard()
      let isRefused = false
      const ask = Effect.zipRight(
        runtime.fork(Effect.map(this.#probe.ask(runtime), (found) => {
          isRefused ||= found === "refused"
        })),
        Effect.sync(() => this.#examiner.asked(runtime))
      )
      // A stopped process would carry it out first when it goes on.
      const isStopped = yield* this.#examiner.look(runtime)
      const isAsked = runtime.isHeld || (!isStopped && this.#mayAsk)
      if (isAsked) yield* ask
      for (let i = 1; i <= whole; i++) {
        yield* Effect.sleep(tick)
        if (runtime.answers !== answers) return
        if (!runtime.isHeld && i % 2 === 1) continue
        yield* this.#examiner.look(runtime)
        if (runtime.answers !== answers) return
        if (runtime.isHeld) yield* ask
        if (i === late && isAsked) yield* runtime.fork(this.#probe.besidePing(runtime))
        const verdict = this.#examiner.judge(runtime, { isOver: false, isSilent: true })
        if (verdict.kind === "wedged") return this.#probe.lose(runtime, "health", "it does not live", verdict)
        // A refusal is no silence.
        const { look } = runtime.connection
        if (look !== undefined || isRefused || !isSilent() || !this.#backend.temperament.isConcurrent) continue
        this.#probe.leftUnanswered(runtime, "probe")
        if (i >= enough && this.#canTell(runtime)) return yield* this.#doubt.silent(runtime, isSilent)
      }
    })
  }
}
