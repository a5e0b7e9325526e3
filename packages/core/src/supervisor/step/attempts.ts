/** `Pace` says when connections are made. */
import { Exit } from "effect"
import type { ConnectError } from "../../Errors.js"
import * as Lifecycle from "../../lifecycle/Lifecycle.js"
import { connectError } from "../../port/checkConnector.js"
import type { Loss } from "../../port/Loss.js"
import * as LostSessions from "../../state/LostSessions.js"
import { type Attempt, type MoveOf, onlyLooks } from "../../state/Message.js"
import * as Pace from "../../state/Pace.js"
import { counted, type LastError, sessionLost, type Slot } from "../../state/Slot.js"
import { Action, type At, type Step } from "./Action.js"
import * as Moves from "./moves.js"

export const lastErrorOf = ({ kind, message }: Loss, at: number): LastError => ({ message, reason: kind, at })

export const endOfLook = Lifecycle.Event.AttemptFailed({ verdict: "retry", auto: true })

export const connect = (
  slot: Slot,
  { now }: At,
  { demanded = false, doubt, joined = [] }: Partial<Pick<Attempt, "demanded" | "joined" | "doubt">> = {}
): Step => {
  const pace = Pace.attempted(slot.pace, now, demanded)
  const [next, begun] = Moves.begin(counted({ ...slot, pace }, { lastAttemptAt: now }), {
    _tag: "Attempt",
    generation: slot.generation + 1, // guard: generation-used-once
    demanded,
    startedAt: now,
    joined,
    doubt
  })
  const isTold = doubt?.isRefusing !== false
  return [next, isTold ? [Moves.tell({ _tag: "AttemptStarted", attempt: pace.failures + 1 }), ...begun] : begun]
}

export const established = (slot: Slot, { doubted, runtime, work }: MoveOf<"Established">, at: At): Step => {
  const free = Moves.finished(slot, work)
  if (free === undefined) {
    return [slot, [Action.Retire({ runtime, loss: Moves.closed("the attempt was cancelled") })]]
  }
  const attempt = slot.work as Attempt
  const { loss } = runtime
  if (loss !== undefined) {
    const message = `the connection ended at once: ${loss.message}`
    const error = connectError(at.id, loss.kind === "session" ? "session" : "closed", message)
    const [next, actions] = failed(free, attempt, error, at)
    return [next, [...Moves.retireLost(free, runtime, loss), ...actions]]
  }
  if (slot.current !== undefined && doubted === undefined && onlyLooks(attempt)) {
    const unproven = "nothing proves that the silent session is lost"
    const [next, actions] = failed(free, attempt, connectError(at.id, "closed", unproven), at)
    return [next, [Action.Retire({ runtime, loss: Moves.closed(unproven) }), ...actions]]
  }
  return installed(free, attempt, { doubted, runtime }, at)
}

const installed = (
  slot: Slot,
  { joined, startedAt }: Attempt,
  { doubted, runtime }: Pick<MoveOf<"Established">, "doubted" | "runtime">,
  at: At
): Step => {
  const { now, policy } = at
  const { current: before, lost } = slot
  const { generation } = runtime
  const resumed = runtime.connection.resumed === true
  const known = lost === undefined || resumed ? slot : sessionLost(slot, lost.generation, policy)
  const [left, leaving] = before === undefined || doubted === undefined
    ? Moves.nothing(known)
    : replaced(known, doubted, at)
  const past = Moves.withUptime(left, at)
  const { connections } = past.counts
  const patch: Partial<Slot> = {
    current: runtime,
    installedAt: now,
    generation,
    verdict: undefined,
    usage: runtime.known.usage,
    lost: undefined,
    ...(doubted === undefined ? Moves.clearedIfStable(slot, at) : { lastError: lastErrorOf(doubted, now) })
  }
  const event = Lifecycle.Event.Established()
  return Moves.move(counted(past, { connections: connections + 1, lastSuccessAt: now }), event, (next) => {
    const duration = now - startedAt
    const downtime = lost && now - lost.at
    return [next, [
      ...(resumed ? [Action.Resume({ runtime })] : []),
      ...leaving,
      Moves.tell({ _tag: "Installed", generation, duration, downtime, resumed }),
      ...Moves.answer(joined, Exit.void), // guard: success-is-answered
      ...(before === undefined ? [] : [Action.Retire({ runtime: before, loss: undefined })]),
      ...Moves.entering(next), // guard: replaced-session-is-ended
      Action.Attach({ runtime })
    ]]
  }, patch)
}

const replaced = (slot: Slot, loss: Loss, at: At): Step => {
  const { generation, installedAt } = slot
  const uptime = at.now - installedAt
  const lost = Moves.withError(sessionLost(slot, generation, at.policy))
  const [next, warned] = loss.kind === "session" ? Moves.forgotten(lost, at, uptime) : Moves.nothing(lost)
  return [next, [Moves.tell({ _tag: "RuntimeLost", generation, loss, uptime }), ...warned]]
}

export const attemptFailed = (slot: Slot, { error, work }: MoveOf<"Failed">, at: At): Step => {
  const free = Moves.finished(slot, work)
  return free === undefined ? Moves.nothing(slot) : failed(free, slot.work as Attempt, error, at)
}

const failed = (slot: Slot, attempt: Attempt, failure: ConnectError, at: At): Step => {
  const { now, policy: { reconnect } } = at
  // A later connection says nothing of the doubted session.
  const ending = attempt.doubt === undefined ? [] : [Action.EndStart({ loss: Moves.closed("the attempt failed") })]
  const asked = { ...slot, pace: Pace.asked(slot.pace, now, failure.retryAfter, reconnect) }
  // The session that it looked beside serves on: nothing has failed for anyone.
  const looked = slot.state._tag === "Connected" && onlyLooks(attempt) ? Moves.moved(asked, endOfLook) : undefined
  const [next, actions] = looked === undefined
    ? reallyFailed(asked, attempt, failure, at)
    : [looked, Moves.answer(attempt.joined, Exit.fail(failure))] as const
  return [next, [...ending, ...actions]]
}

const reallyFailed = (
  slot: Slot,
  { demanded, joined, startedAt }: Attempt,
  failure: ConnectError,
  at: At
): Step => {
  const { now, policy: { reconnect } } = at
  const duration = now - startedAt
  const isReplacing = slot.state._tag === "Connected"
  const isForgotten = failure.reason === "session"
  const [counted, warned] = isForgotten ? Moves.forgotten(slot, at, duration) : Moves.nothing(slot)
  const { pace } = counted
  const known = isForgotten ? LostSessions.describe(pace.sessions, now) : undefined
  const error = known === undefined
    ? failure
    : connectError(at.id, "session", `${failure.message}; ${known}`, failure.cause)
  const told = (nextAttemptAt: number | undefined) =>
    ({ _tag: "AttemptFailed", error, duration, nextAttemptAt }) as const
  const wrong = Moves.withError(counted)
  // The server lives, and the next handshake may reach a replica that remembers.
  if (isForgotten && !isReplacing && Pace.earliestSession(pace, now) === now) {
    const [next, begun] = connect({ ...wrong, pace: Pace.replacing(pace) }, at, { demanded, joined })
    return [next, [...warned, Moves.tell(told(now)), ...begun]]
  }
  const everConnected = slot.counts.connections > 0
  const after = isReplacing
    ? { pace, verdict: "retry" as const }
    : Pace.attemptFailed(pace, { error, demanded, everConnected, now, draw: at.draw }, reconnect)
  const lastError = { message: error.message, reason: error.reason, at: now }
  const event = Lifecycle.Event.AttemptFailed({ verdict: after.verdict, auto: reconnect.auto })
  const [next, followed] = Moves.follow(
    { ...wrong, pace: after.pace },
    event,
    at,
    isReplacing ? {} : { lastError },
    told
  )
  return [next, [
    ...warned,
    Action.FirstOutcome(),
    ...followed,
    ...Moves.answer(joined, Exit.fail(error)), // guard: failure-is-answered
    Action.Decide({ move: { _tag: "Hasten" } })
  ]]
}

export const due = (slot: Slot, { work }: MoveOf<"Due">, at: At): Step => {
  const free = Moves.finished(slot, work)
  if (free === undefined || slot.work?._tag !== "Timer") return Moves.nothing(slot)
  const { demanded } = slot.work
  return Moves.move(free, Lifecycle.Event.Due(), (next) => connect(next, at, { demanded }))
}

export const demanded = (slot: Slot, at: At): Step => {
  const { demandableFrom } = slot
  if (demandableFrom === undefined) return broughtForward(slot, at)
  if (at.now < demandableFrom) return Moves.nothing(slot) // guard: permanent-failure-keeps-pace
  return connectForCall(slot, at)
}

/** The next attempt takes the start that is over, also in place of the current connection. (V5) */
export const startOver = (slot: Slot, at: At): Step =>
  slot.current === undefined
    ? demanded(slot, at)
    : Moves.move(slot, Lifecycle.Event.Reconnect({ overlap: true }), (next) => connect(next, at))

const connectForCall = (slot: Slot, at: At): Step =>
  Moves.move(slot, Lifecycle.Event.Demanded(), (next) => connect(next, at, { demanded: true }))

export const hastened = (slot: Slot, at: At): Step => at.isAwaited ? broughtForward(slot, at) : Moves.nothing(slot)

const broughtForward = (slot: Slot, at: At): Step => {
  const { nextAttemptAt, state } = slot
  const { demand } = Lifecycle.entries[state._tag]
  if (demand === "connects") return connectForCall(slot, at)
  if (demand !== "hastens" || nextAttemptAt === undefined) return Moves.nothing(slot)
  const when = Pace.nextDemanded(slot.pace, at.now, at.wait, at.policy.reconnect)
  if (when <= at.now) return connectForCall(slot, at)
  if (when >= nextAttemptAt) return Moves.nothing(slot) // guard: demand-only-hastens
  return Moves.waitUntil(slot, when, true)
}

export const afterClockJump = (slot: Slot, { now }: At): Step => {
  const { current, nextAttemptAt, pace } = slot
  if (current !== undefined) return [slot, [Action.Probe({ runtime: current })]]
  return nextAttemptAt === undefined ? Moves.nothing(slot) : Moves.waitUntil(slot, Pace.earliest(pace, now), false)
}
