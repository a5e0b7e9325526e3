/** Speaks where the server is silent: some hosts end a silent call. (G25) */
import { Effect } from "effect"
import { silenceOf } from "../../health/Liveness.js"
import * as Probes from "../../health/Probes.js"
import { firstOf } from "../../internal/races.js"
import { Signal } from "../../internal/Signal.js"
import { isPointless } from "../../lifecycle/Lifecycle.js"
import * as Budget from "../../port/Budget.js"
import type { Runtime } from "../../runtime/Runtime.js"
import type { Slot } from "../../state/Slot.js"
import { type Call, type Calls, runsOn } from "../Call.js"
import * as CallProgress from "./CallProgress.js"

export interface About {
  readonly id: string
  /** A process of ours, started with the connection. */
  readonly isProcess: boolean
  /** Under way or next, since the last stable connection. */
  readonly attempt: number
  readonly isSigningIn: boolean
}

/** Milliseconds between two messages of Lifeline to a caller, at least, also if there is news. */
const pace = 1000

const intervalOf = ({ backend }: Calls): number => backend.policy.calls.progressInterval

const paceOf = (self: Calls): number => Math.min(pace, intervalOf(self))

/** The caller must also call `end`. */
export const begin = (self: Calls, call: Call): void => {
  const { progress } = call.ask
  if (progress === undefined || !Number.isFinite(intervalOf(self))) return
  const { backend, beats } = self
  beats.watched.set(call, progress)
  if (beats.isRunning) return
  beats.isRunning = true
  backend.send({ _tag: "ProgressWanted" })
}

export const end = ({ beats }: Calls, call: Call): void => {
  if (call.ask.progress !== undefined) beats.watched.delete(call)
}

export const run = (self: Calls): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { backend, beats } = self
    if (beats.watched.size === 0) {
      beats.isRunning = false
      return Effect.void
    }
    const slot = backend.published.value
    beats.answered = new Signal()
    const { asks, next } = look(self, slot)
    const asking = asks && slot.current !== undefined ? ask(self, slot.current) : Effect.void
    const moved = backend.published.until(({ current, state }) => current !== slot.current || state !== slot.state)
    const slept = firstOf(backend.sleepUntil(next), moved, beats.answered.completed)
    return Effect.zipRight(asking, Effect.zipRight(slept, run(self)))
  })

/** `next`: when to look again. `asks`: whether to ask the server if it lives. */
const look = (self: Calls, slot: Slot): { readonly next: number; readonly asks: boolean } => {
  const { backend, isProcess } = self
  const now = backend.now()
  const interval = intervalOf(self)
  const missing = slot.current !== undefined || isPointless(slot.state)
    ? undefined
    : withoutConnection(slot, {
      id: backend.id,
      isProcess,
      attempt: slot.pace.failures + 1,
      isSigningIn: backend.isSigningIn()
    })
  let next = Number.POSITIVE_INFINITY
  let asks = false
  for (const [call, progress] of [...self.beats.watched]) {
    if (call.isGivenUp || Budget.at(call.budget, now) >= call.budget.deadline) continue
    const runtime = slot.current ?? finishing(call, progress, now, interval)
    const due = runtime === undefined
      ? waiting(self, progress, missing, now)
      : connected(self, call, progress, runtime, now)
    if (due <= now) {
      asks ||= slot.current !== undefined
      next = Math.min(next, now + interval)
    } else next = Math.min(next, due)
  }
  // A call may begin at any time.
  return { asks, next: Math.min(next, now + (slot.current === undefined ? paceOf(self) : interval)) }
}

/** A draining connection lets a call finish while its server lives. */
const finishing = (
  { flight }: Call,
  progress: CallProgress.CallProgress,
  now: number,
  interval: number
): Runtime | undefined => flight === undefined || isSilent(flight.on, progress, now - interval) ? undefined : flight.on

/** Gives when there may be more to say. */
const waiting = (self: Calls, progress: CallProgress.CallProgress, text: string | undefined, now: number): number => {
  const interval = intervalOf(self)
  if (text === undefined) return now + interval
  const due = progress.told.toldAt + (text === progress.told.missing ? interval : paceOf(self))
  if (now < due) return due
  CallProgress.noteMissing(progress, text)
  say(self, progress, text, false, now)
  return now + paceOf(self)
}

/** Not later than now if the server is silent. */
const connected = (
  self: Calls,
  call: Call,
  progress: CallProgress.CallProgress,
  runtime: Runtime,
  now: number
): number => {
  const interval = intervalOf(self)
  CallProgress.noteMissing(progress, undefined)
  const due = progress.told.toldAt + interval
  if (now < due) return due
  const on = runsOn(call)
  // Probes are under way.
  const isHeld = on === undefined && silenceOf(self.liveness, runtime) !== undefined
  if (!isHeld && isSilent(on ?? runtime, progress, now - interval)) return due // guard: silent-server-has-no-beats
  const doing = on === undefined ? call.waitsFor ?? "waits to be sent" : "still running"
  say(self, progress, `${doing}, ${spoken(now - call.budget.begunAt)}`, on !== undefined, now)
  return now + interval
}

const isSilent = (
  { answeredAt }: Runtime,
  { told: { reportedAt } }: CallProgress.CallProgress,
  since: number
): boolean => Math.max(answeredAt, reportedAt) <= since

const say = (
  { backend }: Calls,
  progress: CallProgress.CallProgress,
  text: string,
  isRunning: boolean,
  now: number
): void => {
  backend.safely("a caller's onprogress", () => CallProgress.said(progress, text, isRunning, now))
}

const ask = (self: Calls, runtime: Runtime): Effect.Effect<void> => {
  const { backend, beats, liveness } = self
  const now = backend.now()
  if (beats.asked?.runtime === runtime && now - beats.asked.at < intervalOf(self)) return Effect.void
  beats.asked = { runtime, at: now }
  const answered = Effect.map(
    Probes.check(liveness, runtime),
    (found) => found === "alive" ? beats.answered.complete() : undefined
  )
  return Effect.asVoid(runtime.fork(answered))
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
