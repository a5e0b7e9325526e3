/** It may outlast its attempt: then `RuntimeOwner` keeps it. */
import { Deferred, Effect, FiberId, Schedule } from "effect"
import { constUndefined } from "effect/Function"
import type { ConnectError } from "../Errors.js"
import { judgeStart, type Verdict } from "../health/judge.js"
import * as Sights from "../health/Sights.js"
import { unlessThrown } from "../internal/thrown.js"
import { formatMillis } from "../internal/Time.js"
import { connectError } from "../port/checkConnector.js"
import type { Report } from "../port/Report.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { counting } from "../state/Slot.js"

/** Milliseconds until the first look, and between two. */
const [first, spacing] = [200, 2000]

interface Known {
  readonly attempt: Extract<Report, { _tag: "Attempt" }>
  readonly sights: Sights.Sights
  readonly verdict: Verdict | undefined
}

const nothingSeen = (now: number) => ({ sights: Sights.begin(now), verdict: undefined })

export class Start {
  readonly runtime: Runtime
  readonly since: number
  readonly #backend: BackendState
  readonly #limit: number
  readonly #wedged = Deferred.unsafeMake<never, ConnectError>(FiberId.none)
  #known: Known

  /** `limit`: milliseconds; `undefined` if it ends with its attempt. */
  constructor(backend: BackendState, runtime: Runtime, limit: number | undefined) {
    this.#backend = backend
    this.runtime = runtime
    this.since = backend.now()
    this.#limit = limit ?? 0
    this.#known = { attempt: { _tag: "Attempt", describe: constUndefined }, ...nothingSeen(this.since) }
  }

  get goesOn(): boolean {
    return this.#limit > 0
  }

  left(now: number): number {
    return this.since + this.#limit - now
  }

  /** Another process may have been started. */
  readonly reported = (attempt: Known["attempt"]): void => {
    this.#known = { attempt, ...nothingSeen(this.#backend.now()) }
  }

  readonly isSigningIn = (): boolean => unlessThrown(() => this.#known.attempt.isSigningIn?.()) === true

  /** The machine may have been suspended meanwhile. */
  opened(): void {
    this.#judged(undefined)
    if (this.goesOn) this.runtime.learn({ startTook: Math.min(this.#backend.now() - this.since, this.#limit) })
  }

  /** Fails once that ends it. (V5) */
  get wedged(): Effect.Effect<never, ConnectError> {
    return Deferred.await(this.#wedged)
  }

  get watch(): Effect.Effect<void> {
    const turn = Effect.suspend(() => this.#isOver ? Effect.void : this.#examine)
    const turns = Effect.repeat(turn, { schedule: Schedule.spaced(spacing), until: () => this.#isOver })
    return Effect.asVoid(Effect.delay(turns, first))
  }

  get #isOver(): boolean {
    return this.runtime.isOpen || this.runtime.detached
  }

  get #examine(): Effect.Effect<void> {
    const look = unlessThrown(() => this.#known.attempt.look?.())
    if (look === undefined) return Effect.void
    return Effect.map(Effect.catchAllCause(look, () => Effect.succeed(undefined)), (sight) => {
      const now = this.#backend.now()
      const seen = sight && { ...sight, mayWait: sight.mayWait ?? true }
      const sights = Sights.add(this.#known.sights, seen, now, { silentFor: now - this.since, isAsked: true })
      this.#known = { ...this.#known, sights }
      if (!this.#isOver) this.#judge(now)
    })
  }

  #judge(now: number): void {
    const backend = this.#backend
    const { activity, since } = this.#known.sights
    const { slowestStart: slowest } = backend.temperament.known
    const verdict = activity && judgeStart({ activity, seenFor: now - since, slowest })
    this.#known = { ...this.#known, verdict }
    if (verdict === undefined) return this.#judged(undefined)
    const isWedged = verdict.kind === "wedged"
    if (isWedged || now - this.since >= backend.policy.timeouts.connect) {
      const reason = `starting for ${rounded(now - this.since)}: ${verdict.reason}`
      this.#judged({ kind: verdict.kind, reason })
    }
    if (!isWedged || !backend.policy.health.enforce) return
    if (activity === "still") unlessThrown(() => this.#known.attempt.hangs?.())
    const message = this.#described(`no connection after ${rounded(now - this.since)}: ${verdict.reason}`)
    Deferred.unsafeDone(this.#wedged, connectError(backend.id, "timeout", message))
  }

  #judged(verdict: Verdict | undefined): void {
    this.#backend.update((slot) => {
      const { starting } = slot
      if (starting === undefined || verdict === starting.verdict) return slot
      const known = verdict && this.#backend.judged(verdict, starting.verdict)
      const counted = counting(slot, known, starting.verdict, this.#backend.policy)
      return { ...counted, starting: { ...starting, verdict: known } }
    })
  }

  timedOut(now: number, millis: number): string {
    const inTime = `no connection within ${millis} ms (timeouts.connect)`
    if (!this.goesOn) return this.#described(inTime)
    const limit = formatMillis(this.#limit)
    if (this.left(now) <= 0) return this.#described(`no connection within ${limit} (startLimit)`)
    const { verdict } = this.#known
    const seen = verdict === undefined ? "" : ` (${verdict.reason})`
    const goesOn = `starting for ${rounded(now - this.since)}${seen}, which may take ${limit} (startLimit)`
    return this.#described(`${inTime}; ${goesOn}`)
  }

  #described(what: string): string {
    const known = unlessThrown(this.#known.attempt.describe)
    return known === undefined ? what : `${what}: ${known}`
  }
}

/** To the second, from one second on. */
const rounded = (millis: number): string => formatMillis(millis < 1000 ? millis : Math.floor(millis / 1000) * 1000)
