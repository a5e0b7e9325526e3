/** Speaks where the server is silent: some hosts end a silent call. (G25) */
import { Effect } from "effect"
import type { Probe } from "../../health/Probe.js"
import { firstOf } from "../../internal/firstOf.js"
import { Signal } from "../../internal/Signal.js"
import { isPointless } from "../../lifecycle/Lifecycle.js"
import type { Method } from "../../port/Method.js"
import type { Runtime } from "../../runtime/Runtime.js"
import type { BackendState } from "../../state/BackendState.js"
import type { Slot } from "../../state/Slot.js"
import * as Call from "../Call.js"
import type { CallProgress } from "./CallProgress.js"

export interface About {
  readonly id: string
  /** A process of ours, started with the connection. */
  readonly isProcess: boolean
  /** Under way or next, since the last stable connection. */
  readonly attempt: number
  readonly isSigningIn: boolean
}

/** The least between two words of Lifeline to a caller, in milliseconds, also where there is news. */
const pace = 1000

interface Watched {
  readonly call: Call.Call<Method>
  readonly progress: CallProgress
  told: string | undefined
}

/** One loop for all calls: one that is answered soon costs an entry in a map. */
export class ProgressBeats {
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #isProcess: boolean
  readonly #interval: number
  readonly #pace: number
  readonly #watched = new Map<Call.Call<Method>, Watched>()
  #isRunning = false
  #asked: { readonly runtime: Runtime; readonly at: number } | undefined
  #answered = new Signal()

  constructor(backend: BackendState, probe: Probe, isProcess: boolean) {
    this.#backend = backend
    this.#probe = probe
    this.#isProcess = isProcess
    this.#interval = backend.policy.calls.progressInterval
    this.#pace = Math.min(pace, this.#interval)
  }

  wants<M extends Method>({ progress }: Call.Call<M>): boolean {
    return progress !== undefined && Number.isFinite(this.#interval)
  }

  /** Whoever calls this calls `end`, too. */
  begin<M extends Method>(call: Call.Call<M>): void {
    const { progress } = call
    if (progress === undefined || !this.wants(call) || this.#watched.has(call as Call.Call<Method>)) return
    this.#watched.set(call as Call.Call<Method>, { call: call as Call.Call<Method>, progress, told: undefined })
    if (this.#isRunning) return
    this.#isRunning = true
    this.#backend.send({ _tag: "ProgressWanted" })
  }

  end<M extends Method>(call: Call.Call<M>): void {
    this.#watched.delete(call as Call.Call<Method>)
  }

  readonly run: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#watched.size === 0) {
      this.#isRunning = false
      return Effect.void
    }
    const slot = this.#backend.published.value
    this.#answered = new Signal()
    const { current } = slot
    const { asks, next } = this.#look(slot)
    const asking = asks && current !== undefined ? this.#ask(current) : Effect.void
    const moved = this.#backend.published.until(({ current, state }) =>
      current !== slot.current || state !== slot.state
    )
    const slept = firstOf(this.#backend.sleepUntil(next), moved, this.#answered.completed)
    return Effect.zipRight(asking, Effect.zipRight(slept, this.run))
  })

  /** `next`: when to look again. `asks`: whether to ask the server if it lives. */
  #look(slot: Slot): { readonly next: number; readonly asks: boolean } {
    const now = this.#backend.now()
    let next = Number.POSITIVE_INFINITY
    let asks = false
    for (const one of [...this.#watched.values()]) {
      if (one.call.isGivenUp || now >= one.call.deadline + Call.askedFor(one.call, now)) continue
      const runtime = slot.current ?? this.#finishing(one, now)
      const due = runtime === undefined ? this.#waiting(one, slot, now) : this.#connected(one, runtime, now)
      if (due <= now) {
        asks ||= slot.current !== undefined
        next = Math.min(next, now + this.#interval)
      } else next = Math.min(next, due)
    }
    // A call may begin at any time.
    return { asks, next: Math.min(next, now + (slot.current === undefined ? this.#pace : this.#interval)) }
  }

  /** A connection that is being replaced lets a call finish, as long as its server lives. */
  #finishing({ call: { on }, progress }: Watched, now: number): Runtime | undefined {
    return on === undefined || this.#isSilent(on, progress, now) ? undefined : on
  }

  /** Gives when there may be more to say. */
  #waiting(one: Watched, slot: Slot, now: number): number {
    if (isPointless(slot.state)) return now + this.#interval
    const { id } = this.#backend
    const isSigningIn = this.#backend.isSigningIn()
    const about = { id, isProcess: this.#isProcess, attempt: slot.pace.failures + 1, isSigningIn }
    const text = withoutConnection(slot, about)
    const due = one.progress.toldAt + (text === one.told ? this.#interval : this.#pace)
    if (now < due) return due
    one.told = text
    this.#say(one.progress, text, false, now)
    return now + this.#pace
  }

  /** Gives when to say it again; not later than now if the server is silent. */
  #connected(one: Watched, runtime: Runtime, now: number): number {
    const { call, progress } = one
    one.told = undefined
    const due = progress.toldAt + this.#interval
    if (now < due) return due
    const on = Call.runsOn(call)
    // It is not kept waiting for long: probes are under way.
    const isHeld = on === undefined && this.#probe.silenceOf(runtime) !== undefined
    if (!isHeld && this.#isSilent(on ?? runtime, progress, now)) return due // guard: silent-server-has-no-beats
    const doing = on === undefined ? call.waitsFor ?? "waits to be sent" : "still running"
    this.#say(progress, `${doing}, ${spoken(now - call.begunAt)}`, on !== undefined, now)
    return now + this.#interval
  }

  #isSilent({ answeredAt }: Runtime, { reportedAt }: CallProgress, now: number): boolean {
    return Math.max(answeredAt, reportedAt) <= now - this.#interval
  }

  #say(progress: CallProgress, text: string, isRunning: boolean, now: number): void {
    this.#backend.safely("a caller's onprogress", () => progress.said(text, isRunning, now))
  }

  #ask(runtime: Runtime): Effect.Effect<void> {
    const now = this.#backend.now()
    if (this.#asked?.runtime === runtime && now - this.#asked.at < this.#interval) return Effect.void
    this.#asked = { runtime, at: now }
    const answered = Effect.map(
      this.#probe.ask(runtime),
      (found) => found === "alive" ? this.#answered.complete() : undefined
    )
    return Effect.asVoid(runtime.fork(answered))
  }
}

export const withoutConnection = (
  { generation, state }: Pick<Slot, "generation" | "state">,
  { attempt, id, isProcess, isSigningIn }: About
): string => {
  if (isSigningIn) return `${id} waits for its sign-in`
  if (state._tag === "Reconnecting" || state._tag === "Dormant") return `${id} is down; attempt ${attempt} follows`
  const [first, later] = isProcess ? ["starting", "restarting"] : ["connecting", "reconnecting"]
  return `${id} is ${generation === 0 ? first : later}${attempt > 1 ? ` (attempt ${attempt})` : ""}`
}

/** `45 s`, `2 min 15 s`, `1 h 5 min`. */
export const spoken = (millis: number): string => {
  const seconds = Math.floor(millis / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
