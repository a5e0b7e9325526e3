/** A quiet call has the server's processes examined, while its caller waits. (V3) */
import { Effect } from "effect"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { Examiner } from "./Examiner.js"
import type { Probe } from "./Probe.js"

/** Milliseconds between looks at the calls. */
const tick = 1000
/** Milliseconds without an answer, while the server is silent. */
const quiet = 2000
/** Milliseconds between sights, and how many follow on the first. */
const [spacing, sights] = [2000, 3]
/** Milliseconds, at most, until the same calls cause another examination. */
const longestPause = 15_000
/** Milliseconds without calls: a message to the supervisor begins the watch. */
const linger = 30_000

export class QuietCalls {
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #examiner: Examiner

  constructor(backend: BackendState, probe: Probe, examiner: Examiner) {
    this.#backend = backend
    this.#probe = probe
    this.#examiner = examiner
  }

  attach(runtime: Runtime): void {
    if (runtime.connection.look === undefined) return
    const used = () => {
      runtime.onUsed = undefined
      this.#backend.send({ _tag: "Used", runtime })
    }
    if (runtime.inFlight > 0) used()
    else runtime.onUsed = used
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
      // A stopped process would carry it out first when it goes on.
      const isStopped = yield* this.#examiner.look(runtime)
      const isAsked = !isStopped && this.#backend.policy.keepalive.method !== "none"
      if (isAsked) yield* this.#ask(runtime)
      for (let i = 0; i < sights; i++) {
        yield* Effect.sleep(spacing)
        if (runtime.answers !== answers) return
        yield* this.#examiner.look(runtime)
        if (runtime.answers !== answers) return
        if (i === 0 && isAsked) yield* runtime.fork(this.#probe.besidePing(runtime))
        const verdict = this.#examiner.judge(runtime, { isOver: false, isSilent: true })
        if (verdict.kind === "wedged") return this.#probe.lose(runtime, "health", "it does not live", verdict)
      }
    })
  }

  #ask(runtime: Runtime): Effect.Effect<void> {
    return Effect.map(runtime.fork(this.#probe.ask(runtime)), () => this.#examiner.asked(runtime))
  }
}
