import { Exit } from "effect"
import type { CommandError } from "../../Errors.js"
import * as Lifecycle from "../../lifecycle/Lifecycle.js"
import { type Loss, losses } from "../../port/Loss.js"
import type { Runtime } from "../../runtime/Runtime.js"
import * as LostSessions from "../../state/LostSessions.js"
import type { PendingCommand, Work } from "../../state/Message.js"
import * as Pace from "../../state/Pace.js"
import { counted, type EventBody, isStable, type Slot } from "../../state/Slot.js"
import { Action, type At, type Step } from "./Action.js"

export const nothing = (slot: Slot): Step => [slot, []]

/** `undefined` where the table refuses. */
export const moved = (slot: Slot, event: Lifecycle.Event, patch: Partial<Slot> = {}): Slot | undefined => {
  const state = Lifecycle.transition(slot.state, event)
  if (state === undefined) return undefined
  const left = state._tag === "Connected" ? {} : { current: undefined, verdict: undefined, usage: undefined }
  return { ...slot, state, ...left, nextAttemptAt: undefined, demandableFrom: undefined, ...patch }
}

export const move = (
  slot: Slot,
  event: Lifecycle.Event,
  then: (moved: Slot) => Step,
  patch?: Partial<Slot>
): Step => {
  const next = moved(slot, event, patch)
  return next === undefined ? [slot, [Action.Refused({ event })]] : then(next)
}

export const closed = (message: string): Loss => ({ kind: "closed", message })

export const tell = (event: EventBody): Action => Action.Tell({ event })

export const answer = (commands: ReadonlyArray<PendingCommand>, exit: Exit.Exit<void, CommandError>) =>
  commands.map((pending) => Action.Answer({ pending, exit }))

export const refuse = (commands: ReadonlyArray<PendingCommand>) => commands.map((pending) => Action.Refuse({ pending }))

export const entering = ({ state }: Slot): ReadonlyArray<Action> =>
  Lifecycle.entries[state._tag].session === "ended" ? [Action.EndSuspended()] : []

type Unnumbered = Work extends infer W ? W extends Work ? Omit<W, "id"> : never : never

export const begin = (slot: Slot, work: Unnumbered): Step => {
  const id = slot.works + 1
  const begun = { ...work, id } as Work
  return [{ ...slot, works: id, work: begun }, [...interrupting(slot), Action.Begin({ work: begun })]]
}

export const interrupting = ({ work }: Slot): ReadonlyArray<Action> =>
  work === undefined || work._tag === "Teardown" ? [] : [Action.Interrupt()]

/** `undefined` where another work is under way. */
export const finished = (slot: Slot, id: number): Slot | undefined => {
  if (slot.work?.id !== id) return undefined // guard: late-work
  return { ...slot, work: undefined }
}

export const waitUntil = (slot: Slot, at: number, demanded: boolean): Step =>
  begin({ ...slot, nextAttemptAt: at }, { _tag: "Timer", at, demanded })

/** A forgotten session has a pace of its own (R7). (R3, V6) */
export const isGood = (slot: Slot, { now, policy }: At, loss?: Loss): boolean =>
  isStable(slot, now, policy) || (slot.current?.hasWorked === true && loss?.kind !== "session")

export const withUptime = (slot: Slot, at: At, loss?: Loss): Slot => {
  if (slot.current === undefined) return slot
  const pastUptime = slot.counts.pastUptime + at.now - slot.installedAt
  const pace = isGood(slot, at, loss) ? Pace.good(slot.pace) : slot.pace
  return counted({ ...slot, pace }, { pastUptime })
}

export const clearedIfStable = (slot: Slot, { now, policy }: At): Partial<Slot> =>
  isStable(slot, now, policy) ? { lastError: undefined } : {}

export const withError = (slot: Slot): Slot => counted(slot, { errors: slot.counts.errors + 1 })

export const forgotten = (slot: Slot, { id, now }: At, age: number): Step => {
  const before = slot.pace.sessions
  const sessions = LostSessions.add(before, now, age)
  const isNew = sessions.isWarned && !before.isWarned
  return [
    { ...slot, pace: { ...slot.pace, sessions } },
    isNew ? [Action.Warn({ text: `${id}: ${LostSessions.describe(sessions, now)}` })] : []
  ]
}

/** The next attempt may go on with its session. (T11) */
export const retireLost = ({ keepalive, state }: Slot, runtime: Runtime, loss: Loss): ReadonlyArray<Action> => {
  // Heartbeats gave the resumed session up again, with no good one between. (T11, K13)
  const isStuck = loss.kind === "keepalive" && runtime.connection.resumed === true && keepalive.lostInARow > 1
  const mayResume = losses[loss.kind].keepsSession && !isStuck && Lifecycle.entries[state._tag].session === "kept" // (L12)
  const retire = Action.Retire({ runtime, loss })
  return mayResume ? [Action.Suspend({ runtime, loss }), retire] : [retire]
}

/** Also sets the state's timer. `when`: in place of the backoff. */
export const follow = (
  slot: Slot,
  event: Lifecycle.Event,
  { draw, now, policy: { reconnect } }: At,
  patch: Partial<Slot>,
  told: (nextAttemptAt: number | undefined) => EventBody,
  when?: number
): Step => {
  const { demand, timer } = Lifecycle.entries[(Lifecycle.transition(slot.state, event) ?? slot.state)._tag]
  const { at, pace } = timer === undefined
    ? { at: undefined, pace: slot.pace }
    : timer === "backoff" && when !== undefined
    ? { at: when, pace: slot.pace }
    : Pace.next(slot.pace, now, timer, draw, reconnect)
  const demandableFrom = demand === "paced" && reconnect.auto
    ? Pace.nextAfterPermanent(pace, now, reconnect)
    : undefined
  return move({ ...slot, pace }, event, (next) => {
    const [waiting, timers] = at === undefined ? nothing(next) : waitUntil(next, at, false)
    return [waiting, [
      tell(told(at)),
      ...entering(next), // guard: hopeless-session-is-ended
      ...timers
    ]]
  }, { ...patch, demandableFrom })
}
