import { Effect, Option } from "effect"
import type { BackendUnavailable } from "../Errors.js"
import { entries, isPointless } from "../lifecycle/Lifecycle.js"
import { program, type Said, said } from "../observe/Said.js"
import * as Policy from "../options/Policy.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { Slot } from "../state/Slot.js"
import { type Call, type Calls, millis, waitingFor } from "./Call.js"
import { busy, notSent, unavailable } from "./CallFailure.js"
import * as QueuedCalls from "./QueuedCalls.js"

/** The part of its time that a call may wait, so that its caller learns why. (V8) */
const partOfTime = 0.75

const heldUntil = ({ begunAt, deadline }: Pick<Time, "begunAt" | "deadline">): number =>
  begunAt + partOfTime * (deadline - begunAt)

type Wait = Effect.Effect<void, BackendUnavailable>

/** On the Clock's scale; `begunAt` and `deadline` are of the whole call. */
export interface Time {
  readonly begunAt: number
  readonly deadline: number
  readonly end: number
  readonly isChosen: boolean
}

export const forCall = (self: Calls, call: Call, lost?: Runtime | undefined): Wait =>
  Effect.suspend(() => {
    const { backend } = self
    const { ask: { options }, budget: { begunAt, deadline } } = call
    const end = call.waitEnd ??= backend.now() + millis(options?.wait, backend.policy.timeouts.wait)
    const { current } = backend.published.value
    if (current === undefined || current === lost) QueuedCalls.away(self, call)
    return until(self, { begunAt, deadline, end, isChosen: options?.wait !== undefined }, lost, options?.failFast)
  })

/** For a connection other than `lost`, or a successor. Then the caller reads the slot anew. */
export const until = (
  self: Calls,
  time: Time,
  lost?: Runtime | undefined,
  failFast = self.backend.policy.calls.failFast
): Wait => {
  const { backend, wait } = self
  const { published } = backend
  const ready = ({ current, hasSuccessor }: Slot) => current === undefined ? hasSuccessor : current !== lost
  return Effect.suspend(() => {
    const slot = published.value
    if (ready(slot)) return Effect.void
    if (failFast) {
      if (entries[slot.state._tag].demand === "connects") backend.demand()
      return notSent(backend, said`it must not wait${program(" (failFast)")}`)
    }
    if (isPointless(slot.state)) return pointless(self, slot)
    const look: Wait = Effect.suspend(() => {
      const slot = published.value
      if (ready(slot)) return Effect.void
      if (isPointless(slot.state)) return pointless(self, slot) // guard: waiter-learns-of-the-end
      const end = isFirstStart(self, slot, time) ? Math.max(time.end, heldUntil(time)) : time.end
      const until = Math.min(time.deadline, end)
      if (backend.now() >= until) {
        return notSent(backend, said`no connection came within the time it may wait${program(" (timeouts.wait)")}`)
      }
      if (entries[slot.state._tag].demand !== "waits") backend.demand() // guard: waiting-call-demands
      const { state } = slot
      const isNew = (slot: Slot) => slot.state !== state || ready(slot)
      return Effect.zipRight(backend.before(until, published.until(isNew)), look)
    })
    // What was in flight comes first: the same loss wakes the others.
    const waiting = { millis: Math.min(time.deadline, time.end) - backend.now() }
    const count = (by: number) => by > 0 ? wait.connections.add(waiting) : wait.connections.delete(waiting)
    return among(self, () => wait.forConnections, look, count)
  })
}

/** A call without a deadline says nothing of its caller's patience. */
export const patience = (
  { backend }: Calls,
  { budget: { deadline } }: Call,
  otherwise: number,
  begunAt = backend.now()
): number =>
  deadline < Number.POSITIVE_INFINITY
    ? otherwise
    : heldUntil({ begunAt, deadline: begunAt + backend.policy.timeouts.request })

export const forVerdict = (self: Calls, call: Call, isSettled: Effect.Effect<void>, late: () => Said): Wait =>
  Effect.suspend(() => {
    const { wait } = self
    QueuedCalls.away(self, call)
    const held = heldUntil(call.budget)
    const end = call.ask.progress === undefined ? patience(self, call, held) : held
    const settled = waitingFor(call, "waits until the server answers a probe", isSettled)
    return among(self, () => wait.unsent, within(self, end, settled, late), (by) => wait.forVerdicts += by)
  })

export const forTurn = (self: Calls, call: Call): Wait => {
  const { wait } = self
  const come = waitingFor(call, "waits for its turn", QueuedCalls.comes(self, call))
  const turn = within(self, call.budget.deadline, come, () => {
    const limit = QueuedCalls.isItsTurn(call) ? "maxInFlight" : "concurrency"
    return said`its time was over before its turn came${program(` (timeout, calls.${limit})`)}`
  })
  return among(self, () => wait.unsent + wait.forTurns, turn, (by) => wait.forTurns += by)
}

const within = ({ backend }: Calls, end: number, wait: Effect.Effect<void>, late: () => Said): Wait =>
  Effect.flatMap(
    backend.before(end, wait),
    (come) => Option.isSome(come) ? Effect.void : notSent(backend, late())
  )

/** Counted in the step that looks, so that others find it. */
const among = ({ backend, wait }: Calls, others: () => number, work: Wait, count: (by: 1 | -1) => unknown): Wait =>
  Effect.uninterruptibleMask((restore): Wait => {
    const waiting = others()
    if (waiting >= backend.policy.calls.maxWaiting) {
      return Effect.fail(busy(backend.id, said`${waiting} calls are waiting${program(" (calls.maxWaiting)")}`))
    }
    count(1)
    wait.onAwaited?.()
    return Effect.ensuring(restore(work), Effect.sync(() => count(-1)))
  })

/** `npx` may still be downloading the server. A configured wait counts all the same. */
const isFirstStart = (
  { backend }: Calls,
  { generation, lastError, starting, state }: Slot,
  { isChosen }: Time
): boolean => {
  const isDefault = backend.policy.timeouts.wait === Policy.defaults.timeouts.wait
  const isFirstAttempt = lastError === undefined && state._tag === "Connecting"
  const goesOn = isFirstAttempt || starting?.outlives === true
  return generation === 0 && goesOn && isDefault && !isChosen
}

/** The call fails, and asks for an attempt. (R13) */
const pointless = ({ backend }: Calls, { demandableFrom }: Slot): Wait => {
  const error = unavailable(backend, said`the call was not sent`)
  if (demandableFrom !== undefined) backend.demand() // guard: permanent-failure-is-demanded
  return Effect.fail(error)
}
