import { Effect } from "effect"
import type { Activity } from "../port/ProcessSight.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { judge, type Verdict } from "./judge.js"
import * as Sights from "./Sights.js"

interface Doubt {
  readonly runtime: Runtime
  readonly answers: number
  readonly beganAt: number
  sights: Sights.Sights
  isAsked: boolean
}

interface Patience {
  readonly isOver: boolean
  readonly isSilent: boolean
  readonly isAnsweredBeside?: boolean
}

export class Examiner {
  readonly #backend: BackendState
  #doubt: Doubt | undefined

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  look(runtime: Runtime): Effect.Effect<boolean> {
    const { look } = runtime.connection
    if (look === undefined) return Effect.succeed(false)
    return Effect.map(Effect.catchAllCause(look, () => Effect.succeed(undefined)), (sight) => {
      const now = this.#backend.now()
      const doubt = this.#of(runtime)
      const taken = { silentFor: now - runtime.answeredAt, isAsked: doubt.isAsked }
      doubt.sights = Sights.add(doubt.sights, sight, now, taken)
      return sight?.isStopped === true
    })
  }

  seen(runtime: Runtime): Activity | undefined {
    return this.#of(runtime).sights.activity
  }

  asked(runtime: Runtime): void {
    const doubt = this.#of(runtime)
    if (doubt.sights.last !== undefined) doubt.isAsked = true
  }

  judge(runtime: Runtime, patience: Patience): Verdict {
    const backend = this.#backend
    const doubt = this.#of(runtime)
    const { activity, since, workedAt } = doubt.sights
    const now = backend.now()
    const { health: { busyLimit }, keepalive: { failureThreshold, suspectInterval } } = backend.policy
    const verdict = judge({
      activity,
      seenFor: now - since,
      isConcurrent: backend.temperament.isConcurrent,
      isAwaited: runtime.isAwaited,
      unawaitedFor: now - (runtime.abandonedAt ?? doubt.beganAt),
      isPatienceOver: patience.isOver && now - workedAt >= failureThreshold * suspectInterval,
      isSilent: patience.isSilent,
      isAnsweredBeside: patience.isAnsweredBeside === true,
      busyLimit
    })
    if (verdict.kind === "unknown" && activity === undefined && !patience.isOver) return verdict
    this.#show(runtime, verdict)
    return verdict
  }

  /** Until the next answer. */
  #show(runtime: Runtime, verdict: Verdict): void {
    const backend = this.#backend
    const { current, verdict: before } = backend.published.value
    if (current !== runtime) return
    backend.update((slot) => ({ ...slot, verdict: backend.judged(verdict, before) }))
    if (before !== undefined) return
    const { answers } = runtime
    const isOver = () => runtime.answers !== answers || runtime.detached
    runtime.when(
      isOver,
      () => backend.update((slot) => slot.current === runtime ? { ...slot, verdict: undefined } : slot)
    )
  }

  #of(runtime: Runtime): Doubt {
    const doubt = this.#doubt
    if (doubt?.runtime === runtime && doubt.answers === runtime.answers) return doubt
    const now = this.#backend.now()
    return this.#doubt = {
      runtime,
      answers: runtime.answers,
      beganAt: now,
      sights: Sights.begin(now),
      isAsked: false
    }
  }
}
