import { Effect } from "effect"
import type { Activity } from "../port/ProcessSight.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { OpenVerdict } from "../state/Status.js"
import { judge, type Verdict } from "./judge.js"
import * as Sights from "./Sights.js"

interface Doubt {
  readonly runtime: Runtime
  readonly answers: number
  readonly beganAt: number
  sights: Sights.Sights
  isAsked: boolean
  verdict: OpenVerdict | undefined
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

  get verdict(): OpenVerdict | undefined {
    const doubt = this.#doubt
    return doubt !== undefined && this.#isOpen(doubt) ? doubt.verdict : undefined
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
    backend.judged(runtime.generation, verdict, doubt)
    return verdict
  }

  #isOpen({ answers, runtime }: Doubt): boolean {
    return runtime.answers === answers && this.#backend.isCurrent(runtime)
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
      isAsked: false,
      verdict: undefined
    }
  }
}
