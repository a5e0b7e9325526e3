/** The evidence on a connection that leaves something without an answer. */
import { Effect } from "effect"
import type { Activity, ProcessSight } from "../port/ProcessSight.js"
import { activity } from "../port/ProcessSight.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { OpenVerdict } from "../state/Status.js"
import { judge, type Verdict } from "./judge.js"

/** Milliseconds between sights: the clock of the kernel has ticks of 10 ms. */
const shortest = 200
/** Milliseconds between sights: the machine may have been suspended. */
const longest = 15_000

interface Doubt {
  readonly runtime: Runtime
  /** When it began. */
  readonly answers: number
  readonly beganAt: number
  sight: ProcessSight | undefined
  sightAt: number
  /** Since the first sight. */
  isAsked: boolean
  activity: Activity | undefined
  since: number
  workedAt: number
  verdict: (Verdict & { readonly since: number }) | undefined
}

export class Examiner {
  readonly #backend: BackendState
  #doubt: Doubt | undefined

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  /** While it answers nothing. */
  get verdict(): OpenVerdict | undefined {
    const doubt = this.#doubt
    return doubt !== undefined && this.#isOpen(doubt) ? doubt.verdict : undefined
  }

  /** Whether one is stopped. */
  look(runtime: Runtime): Effect.Effect<boolean> {
    const { look } = runtime.connection
    if (look === undefined) return Effect.succeed(false)
    return Effect.map(Effect.catchAllCause(look, () => Effect.succeed(undefined)), (sight) => {
      const doubt = this.#of(runtime)
      const now = this.#backend.now()
      const before = doubt.sight
      const millis = now - doubt.sightAt
      if (sight !== undefined && before !== undefined && millis < shortest) return sight.isStopped
      const comparable = sight !== undefined && before !== undefined && millis <= longest
      const found = comparable
        ? activity(before, sight, {
          apart: millis,
          silentFor: now - runtime.answeredAt,
          isAsked: doubt.isAsked
        })
        : undefined
      if (found !== doubt.activity) doubt.since = comparable ? doubt.sightAt : now
      doubt.activity = found
      if (found === "works" || found === "waits") doubt.workedAt = now
      doubt.sight = sight
      doubt.sightAt = now
      return sight?.isStopped === true
    })
  }

  seen(runtime: Runtime): Activity | undefined {
    return this.#of(runtime).activity
  }

  /** Before the first sight, it may have been read unseen. */
  asked(runtime: Runtime): void {
    const doubt = this.#of(runtime)
    if (doubt.sight !== undefined) doubt.isAsked = true
  }

  /** Publishes what changes. (V1) */
  judge(runtime: Runtime, patience: { readonly isOver: boolean; readonly isSilent: boolean }): Verdict {
    const backend = this.#backend
    const doubt = this.#of(runtime)
    const now = backend.now()
    const { health: { busyLimit }, keepalive: { failureThreshold, suspectInterval } } = backend.policy
    const verdict = judge({
      activity: doubt.activity,
      seenFor: now - doubt.since,
      isConcurrent: backend.temperament.isConcurrent,
      isAwaited: runtime.isAwaited,
      unawaitedFor: now - (runtime.abandonedAt ?? doubt.beganAt),
      isPatienceOver: patience.isOver && now - doubt.workedAt >= failureThreshold * suspectInterval,
      isSilent: patience.isSilent,
      busyLimit
    })
    // Silence alone says nothing before the patience with it is over.
    if (verdict.kind === "unknown" && doubt.activity === undefined && !patience.isOver) return verdict
    const before = doubt.verdict
    doubt.verdict = { ...verdict, since: before?.kind === verdict.kind ? before.since : now }
    if (before?.kind !== verdict.kind) {
      backend.emit({ _tag: "Judged", generation: runtime.generation, kind: verdict.kind, reason: verdict.reason })
      backend.publish({})
    }
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
      sight: undefined,
      sightAt: now,
      isAsked: false,
      activity: undefined,
      since: now,
      workedAt: Number.NEGATIVE_INFINITY,
      verdict: undefined
    }
  }
}
