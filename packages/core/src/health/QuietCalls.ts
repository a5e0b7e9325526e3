/** A quiet call has the server examined, while its caller waits: by its processes, or by a session beside. (V3) */
import { Effect } from "effect"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { Examiner } from "./Examiner.js"
import type { Probe } from "./Probe.js"
import type { SessionDoubt } from "./SessionDoubt.js"

/** Milliseconds between looks at the calls. */
const tick = 1000
/** Milliseconds without an answer, while the server is silent. */
const quiet = 2000
/** Milliseconds between sights, how many follow on the first, and after which the silence of a session that shows nothing says something. */
const [spacing, sights, enough] = [2000, 3, 2]
/** Milliseconds, at most, until the same calls cause another examination. */
const longestPause = 15_000
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
    if (!this.#canSee(runtime)) return
    if (runtime.inFlight > 0) this.#used(runtime)
    else runtime.onUsed = this.#used
  }

  readonly #used = (runtime: Runtime): void => {
    runtime.onUsed = undefined
    this.#backend.send({ _tag: "Used", runtime })
  }

  /** What shows nothing may have a session that is answered no more. */
  #canSee({ connection: { look, sessionId, spreads, stateful } }: Runtime): boolean {
    return look !== undefined || (stateful && sessionId !== undefined && spreads !== true && this.#mayAsk)
  }

  get #mayAsk(): boolean {
    return this.#backend.policy.keepalive.method !== "none"
  }

  begin(runtime: Runtime): Effect.Effect<void> {
    let examinedAt = Number.NEGATIVE_INFINITY
    let pause = spacing
    const turn = Effect.suspend(() => {
      const now = this.#backend.now()
      const silentSince = (heardAt: number) => Math.max(heardAt, runtime.answeredAt)
      let hasNew = false
      let hasQuiet = false
      for (const { heardAt, questions } of runtime.calls) {
        if (questions > 0 || now - silentSince(heardAt) < quiet) continue
        hasQuiet = true
        hasNew ||= heardAt > examinedAt
      }
      if (!hasNew && !(hasQuiet && now >= examinedAt + pause)) return Effect.void
      pause = hasNew ? spacing : Math.min(2 * pause, longestPause)
      examinedAt = now
      return this.#examine(runtime)
    })
    const isOver = () => runtime.inFlight === 0 && this.#backend.now() - runtime.usedAt >= linger
    const watch = Effect.repeat(Effect.delay(turn, tick), { until: isOver })
    return Effect.asVoid(runtime.fork(Effect.zipRight(watch, Effect.sync(() => this.attach(runtime)))))
  }

  /** Until the server answers, or its processes have shown it. */
  #examine(runtime: Runtime): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const { answers } = runtime
      const at = this.#backend.now()
      const calls = [...runtime.calls]
      const isHeard = () => calls.some((call) => runtime.calls.has(call) && (call.heardAt > at || call.questions > 0))
      const isSilent = () => runtime.answers === answers && !isHeard()
      // A stopped process would carry it out first when it goes on.
      const isStopped = yield* this.#examiner.look(runtime)
      const isAsked = !isStopped && this.#mayAsk
      let isRefused = false
      if (isAsked) {
        const asked = Effect.map(this.#probe.ask(runtime), (found) => {
          isRefused = found === "refused"
        })
        yield* runtime.fork(asked)
        this.#examiner.asked(runtime)
      }
      for (let i = 0; i < sights; i++) {
        yield* Effect.sleep(spacing)
        if (runtime.answers !== answers) return
        yield* this.#examiner.look(runtime)
        if (runtime.answers !== answers) return
        if (i === 0 && isAsked) yield* runtime.fork(this.#probe.besidePing(runtime))
        const verdict = this.#examiner.judge(runtime, { isOver: false, isSilent: true })
        if (verdict.kind === "wedged") return this.#probe.lose(runtime, "health", "it does not live", verdict)
        // A refusal is no silence.
        const { look } = runtime.connection
        if (look !== undefined || isRefused || !isSilent() || !this.#backend.temperament.isConcurrent) continue
        this.#probe.leftUnanswered(runtime, "probe")
        if (i + 1 === enough) return yield* this.#doubt.silent(runtime, isSilent)
      }
    })
  }
}
