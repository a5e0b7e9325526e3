/** A connection is lost, in doubt or unused: what follows, in order. */
import { Exit } from "effect"
import * as Lifecycle from "../../lifecycle/Lifecycle.js"
import { connectError } from "../../port/checkConnector.js"
import { losses } from "../../port/Loss.js"
import { type DoubtedSession, type MoveOf, onlyLooks, type PendingCommand } from "../../state/Message.js"
import * as Pace from "../../state/Pace.js"
import type { Slot } from "../../state/Slot.js"
import { Action, type At, type Step } from "./Action.js"
import { connect, endOfLook, lastErrorOf } from "./attempts.js"
import * as Moves from "./moves.js"

export const lost = (slot: Slot, message: MoveOf<"Lost">, at: At): Step => {
  const { loss, runtime } = message
  if (slot.current !== runtime) return Moves.nothing(slot) // guard: late-loss
  const { work } = slot
  const isLook = work?._tag === "Attempt" && onlyLooks(work) && losses[loss.kind].keepsSession
  const looked = isLook ? Moves.moved({ ...slot, work: undefined }, endOfLook) : undefined
  return looked === undefined || work?._tag !== "Attempt"
    ? reallyLost(slot, message, at)
    : [looked, [Action.Interrupt(), ...Moves.answer(work.joined, Exit.void), Action.Decide({ move: message })]]
}

const reallyLost = (slot: Slot, { loss, runtime }: MoveOf<"Lost">, at: At): Step => {
  const { now, policy: { reconnect } } = at
  const { generation, installedAt } = slot
  const { isAtOnce, isWanted } = losses[loss.kind]
  const uptime = now - installedAt
  const isForgotten = loss.kind === "session"
  const isReplacing = slot.work?._tag === "Attempt"
  const past = Moves.withUptime(slot, at, loss)
  const asked = { ...past, pace: Pace.asked(past.pace, now, loss.retryAfter, reconnect) }
  const isFailure = !isForgotten && !isWanted && !Moves.isGood(slot, at, loss)
  const [known, warned] = isForgotten
    ? Moves.forgotten(asked, at, uptime)
    : Moves.nothing(isFailure ? { ...asked, pace: Pace.connectionFailed(asked.pace) } : asked)
  const when = isAtOnce && !isReplacing ? Pace.earliestSession(known.pace, now) : undefined // guard: lost-session-at-once
  const pace = when !== undefined && isForgotten ? Pace.replacing(known.pace) : known.pace
  const [left, followed] = Moves.follow(
    Moves.withError({ ...known, pace, lost: { generation, at: now } }),
    Lifecycle.Event.Lost({ atOnce: when === now, auto: isWanted || reconnect.auto }),
    at,
    { lastError: lastErrorOf(loss, now) },
    () => ({ _tag: "RuntimeLost", generation, loss, uptime }),
    when
  )
  const connects = left.state._tag === "Connecting" && !isReplacing
  const [next, begun] = connects ? connect(left, at) : [left, [Action.Decide({ move: { _tag: "Hasten" } })]] as const
  return [next, [
    ...warned,
    Action.FirstOutcome(),
    ...followed,
    ...(isReplacing ? [Action.Retire({ runtime, loss })] : Moves.retireLost(left, runtime, loss)), // guard: lost-is-retired
    ...begun
  ]]
}

/** Keeps the old session until there is a new one. (R12, V3) */
export const doubted = (slot: Slot, { doubt, pending }: MoveOf<"Doubted">, at: At): Step => {
  const { now, policy } = at
  const { work } = slot
  const refused = (why: string): Step => [
    slot,
    Moves.answer([pending], Exit.fail(connectError(at.id, "session", why)))
  ]
  if (slot.current !== doubt.runtime) return [slot, Moves.answer([pending], Exit.void)]
  if (!policy.reconnect.auto) return refused("it does not connect automatically (reconnect.auto)")
  const wait = Pace.earliestSession(slot.pace, now) - now
  if (wait > 0 && !doubt.isRefusing) return refused("too many sessions were made")
  if (wait > 0) return [slot, [Action.DoubtLater({ doubt, pending, wait })]] // guard: doubt-keeps-pace
  if (!at.overlap) return inPlace(slot, doubt, pending, refused)
  if (work?._tag === "Attempt") {
    const joined = [...work.joined, pending]
    const known = onlyLooks(work) && doubt.isRefusing ? doubt : work.doubt
    return Moves.nothing({ ...slot, work: { ...work, joined, doubt: known } })
  }
  const next = Moves.moved(slot, Lifecycle.Event.Reconnect({ overlap: true }))
  if (next === undefined) return refused("no other session can be made now")
  const pace = Pace.replacing(next.pace) // guard: doubt-takes-a-place
  return connect({ ...next, pace }, at, { joined: [pending], doubt })
}

/** Where none can be made beside it, only a refusing one is lost. */
const inPlace = (
  slot: Slot,
  { isRefusing, loss, runtime }: DoubtedSession,
  pending: PendingCommand,
  refused: (why: string) => Step
): Step => {
  const known = isRefusing ? loss() : undefined
  return known === undefined
    ? refused("no other session can be made beside it")
    : [slot, [
      Action.Decide({ move: { _tag: "Lost", runtime, loss: known } }),
      ...Moves.answer([pending], Exit.void)
    ]]
}

export const released = (slot: Slot, { runtime }: MoveOf<"Unused">, at: At): Step => {
  if (slot.current !== runtime) return Moves.nothing(slot)
  // A call may have begun since the report.
  if (runtime.traffic.inFlight > 0) return Moves.nothing(slot) // guard: used-is-not-released
  const past = Moves.withUptime(slot, at)
  return Moves.move(past, Lifecycle.Event.Released(), (next) => [next, [
    Action.EndStart({ loss: Moves.closed("nobody uses the server") }),
    Action.Retire({ runtime, loss: undefined })
  ]], Moves.clearedIfStable(slot, at))
}
