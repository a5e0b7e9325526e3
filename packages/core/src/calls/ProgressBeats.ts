/** Speaks where the server is silent: some hosts end a silent call. (G25) */
import { Effect, Schedule } from "effect"
import { silenceOf } from "../health/Liveness.js"
import * as Probes from "../health/Probes.js"
import { isPointless } from "../lifecycle/Lifecycle.js"
import * as Budget from "../port/Budget.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { Slot } from "../state/Slot.js"
import { type Call, type Calls, runsOn } from "./Call.js"
import * as CallProgress from "./CallProgress.js"

export interface About {
  readonly id: string
  readonly isProcess: boolean
  readonly attempt: number
  readonly isSigningIn: boolean
}

/** Milliseconds between two messages of Lifeline to a caller, at least, also if there is news. */
const pace = 1000

const intervalOf = ({ backend }: Calls): number => backend.policy.calls.progressInterval

const paceOf = (self: Calls): number => Math.min(pace, intervalOf(self))

const turnOf = (self: Calls): number => Math.min(pace, intervalOf(self) / 4)

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
    const { beats } = self
    const turn = Effect.suspend(() => {
      beats.isRunning = beats.watched.size > 0
      return look(self)
    })
    return Effect.asVoid(Effect.repeat(turn, { schedule: Schedule.spaced(turnOf(self)), while: () => beats.isRunning }))
  })

const look = (self: Calls): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { backend, beats, isProcess } = self
    const { id, published: { value: { current, generation, pace: { failures }, state } } } = backend
    const now = backend.now()
    const about = { id, isProcess, attempt: failures + 1, isSigningIn: backend.isSigningIn() }
    const missing = isPointless(state) ? undefined : withoutConnection({ generation, state }, about)
    let isAsked = false
    for (const [call, progress] of [...beats.watched]) {
      if (call.isGivenUp || Budget.at(call.budget, now) >= call.budget.deadline) continue
      const runtime = current ?? finishing(self, call, progress, now)
      if (runtime === undefined) waiting(self, progress, missing, now)
      else if (!connected(self, call, progress, runtime, now)) isAsked = true
    }
    return isAsked && current !== undefined ? ask(self, current) : Effect.void
  })

/** At the last turn before that time is over. */
const isDue = (self: Calls, { told: { toldAt } }: CallProgress.CallProgress, now: number): boolean =>
  now + turnOf(self) > toldAt + intervalOf(self)

/** A draining connection lets a call finish while its server lives. */
const finishing = (
  self: Calls,
  { flight }: Call,
  progress: CallProgress.CallProgress,
  now: number
): Runtime | undefined => flight === undefined || isSilent(self, flight.on, progress, now) ? undefined : flight.on

const waiting = (self: Calls, progress: CallProgress.CallProgress, text: string | undefined, now: number): void => {
  const { missing, toldAt } = progress.told
  if (text === undefined || (text === missing ? !isDue(self, progress, now) : now < toldAt + paceOf(self))) return
  CallProgress.noteMissing(progress, text)
  say(self, progress, text, false, now)
}

/** False where it has nothing to say, because the server is silent. */
const connected = (
  self: Calls,
  call: Call,
  progress: CallProgress.CallProgress,
  runtime: Runtime,
  now: number
): boolean => {
  CallProgress.noteMissing(progress, undefined)
  if (!isDue(self, progress, now)) return true
  const on = runsOn(call)
  const isHeld = on === undefined && silenceOf(self.liveness, runtime) !== undefined
  if (!isHeld && isSilent(self, on ?? runtime, progress, now)) return false // guard: silent-server-has-no-beats
  const doing = on === undefined ? call.waitsFor ?? "waits to be sent" : "still running"
  say(self, progress, `${doing}, ${spoken(now - call.budget.begunAt)}`, on !== undefined, now)
  return true
}

const isSilent = (
  self: Calls,
  { traffic: { answeredAt } }: Runtime,
  { told: { reportedAt } }: CallProgress.CallProgress,
  now: number
): boolean => Math.max(answeredAt, reportedAt) <= now - intervalOf(self)

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
  const check = Probes.check(liveness, runtime)
  return Effect.asVoid(runtime.fork(Effect.flatMap(check, (found) => found === "alive" ? look(self) : Effect.void)))
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
