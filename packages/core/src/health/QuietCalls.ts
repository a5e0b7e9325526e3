/**
 * Watches calls in flight of servers whose processes can be seen: a call that is quiet has the server examined, so that one that is
 * frozen or wedged is found while its first caller still waits. (V3)
 */
import { Effect } from "effect"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { BackendState } from "../state/BackendState.js"
import type { Examiner } from "./Examiner.js"
import type { Probe } from "./Probe.js"

/** How often calls are looked at while there are some, in milliseconds. */
const tick = 1000
/** How long a call is without an answer, and the server silent, before the server is examined. */
const quiet = 2000
/** How far the sights of an examination are apart, and how many there are after the first. */
const [spacing, sights] = [2000, 3]
/** How long after an examination the same calls cause another one, at most. */
const longestPause = 15_000
/** How long the watch goes on without calls: a message to the supervisor begins it. */
const linger = 30_000

/** Watches the calls of one backend. */
export class QuietCalls {
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #examiner: Examiner

  constructor(backend: BackendState, probe: Probe, examiner: Examiner) {
    this.#backend = backend
    this.#probe = probe
    this.#examiner = examiner
  }

  /** Has the calls of a runtime watched, from the next one on. */
  attach({ connection, runtime }: LiveConnection): void {
    if (connection.look === undefined) return
    const used = () => {
      runtime.onUsed = undefined
      this.#backend.send({ _tag: "Used", runtime })
    }
    if (runtime.inFlight > 0) used()
    else runtime.onUsed = used
  }

  /** Watches the calls of a runtime until there are none. */
  begin(installed: LiveConnection): Effect.Effect<void> {
    const { runtime } = installed
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
      return this.#examine(installed)
    })
    const isOver = () => runtime.inFlight === 0 && this.#backend.now() - runtime.usedAt >= linger
    const watch = Effect.repeat(Effect.delay(turn, tick), { until: isOver })
    return Effect.asVoid(runtime.fork(Effect.zipRight(watch, Effect.sync(() => this.attach(installed)))))
  }

  /** Asks the server, and looks what its processes do until it answers or they have shown it. */
  #examine(installed: LiveConnection): Effect.Effect<void> {
    const { runtime } = installed
    return Effect.gen(this, function*() {
      const { answers } = runtime
      // What is written to a stopped process it would carry out before anything else when it goes on.
      const isStopped = yield* this.#examiner.look(installed)
      const isAsked = !isStopped && this.#backend.policy.keepalive.method !== "none"
      if (isAsked) yield* this.#ask(installed)
      for (let i = 0; i < sights; i++) {
        yield* Effect.sleep(spacing)
        if (runtime.answers !== answers) return
        yield* this.#examiner.look(installed)
        if (runtime.answers !== answers) return
        if (i === 0 && isAsked) yield* runtime.fork(this.#probe.besidePing(installed))
        const verdict = this.#examiner.judge(runtime, { isOver: false, isSilent: true })
        if (verdict.kind === "wedged") return this.#probe.lose(runtime, "health", "it does not live", verdict)
      }
    })
  }

  #ask(installed: LiveConnection): Effect.Effect<void> {
    return Effect.map(installed.runtime.fork(this.#probe.ask(installed)), () => this.#examiner.asked(installed.runtime))
  }
}
