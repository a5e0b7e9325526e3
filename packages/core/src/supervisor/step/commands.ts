/** A command is answered by what ends it: the attempt that it starts or joins, or the teardown. */
import { Exit } from "effect"
import * as Lifecycle from "../../lifecycle/Lifecycle.js"
import type { MoveOf, PendingCommand, Teardown } from "../../state/Message.js"
import * as Pace from "../../state/Pace.js"
import type { Slot } from "../../state/Slot.js"
import { Action, type At, type Step } from "./Action.js"
import { connect } from "./attempts.js"
import * as Moves from "./moves.js"

export const command = (slot: Slot, { pending }: MoveOf<"Command">, at: At): Step => {
  if (slot.state._tag === "Closed") return [slot, Moves.refuse([pending])]
  switch (pending.command) {
    case "Disable":
      return disable(slot, pending, at)
    case "Disconnect":
      return disconnect(slot, pending, at)
    case "Reconnect":
      return reconnect(slot, pending, Lifecycle.Event.Reconnect({ overlap: at.overlap }), at)
    case "Enable":
      return reconnect(slot, pending, Lifecycle.Event.Enable(), at)
  }
}

const reconnect = (slot: Slot, pending: PendingCommand, event: Lifecycle.Event, at: At): Step => {
  const { current, work } = slot
  if (event._tag === "Enable" && current !== undefined) return [slot, Moves.answer([pending], Exit.void)]
  if (work?._tag === "Attempt") return Moves.nothing({ ...slot, work: { ...work, joined: [...work.joined, pending] } })
  if (work?._tag === "Teardown" && event._tag === "Enable") {
    const joined = { ...slot, work: { ...work, enables: [...work.enables, pending] } }
    return Moves.move(joined, event, Moves.nothing)
  }
  const isReplaced = current !== undefined && !at.overlap
  const past = isReplaced ? Moves.withUptime(slot, at) : slot
  const next = Moves.moved(past, event, at.overlap ? {} : Moves.clearedIfStable(slot, at))
  if (next === undefined) return [slot, [Action.Refused({ event }), ...Moves.refuse([pending])]]
  const ready = current === undefined ? { ...next, pace: Pace.good(next.pace) } : next
  const [begun, actions] = connect(ready, at, { joined: [pending] })
  return [begun, [
    ...(event._tag === "Reconnect" ? [Action.EndStart({ loss: Moves.closed("reconnect") })] : []),
    ...(isReplaced ? [Action.Retire({ runtime: current, loss: undefined })] : []),
    ...actions
  ]]
}

const disconnect = (slot: Slot, pending: PendingCommand, at: At): Step => {
  const [next, actions] = unwanted(slot, Lifecycle.Event.Disconnect(), "disconnected", at)
  return [next, [...actions, Action.FirstOutcome(), ...Moves.answer([pending], Exit.void)]]
}

/** Disabling, then Disabled, nothing ever rolled back. (L10) */
const disable = (slot: Slot, pending: PendingCommand, at: At): Step => {
  const { state, work } = slot
  if (state._tag === "Disabled") return [slot, Moves.answer([pending], Exit.void)]
  if (work?._tag === "Teardown") {
    const next: Slot = { ...slot, work: { ...work, disables: [...work.disables, pending], enables: [] } }
    return [Moves.moved(next, Lifecycle.Event.Disable()) ?? next, Moves.refuse(work.enables)]
  }
  const [next, ended] = unwanted(slot, Lifecycle.Event.Disable(), "disabled", at)
  const [begun, actions] = Moves.begin(next, { _tag: "Teardown", disables: [pending], enables: [] })
  return [begun, [...ended, Action.FirstOutcome(), ...actions]]
}

export const tornDown = (slot: Slot, { work }: MoveOf<"TornDown">, at: At): Step => {
  const free = Moves.finished(slot, work)
  if (free === undefined) return Moves.nothing(slot)
  const { disables, enables } = slot.work as Teardown
  return Moves.move(free, Lifecycle.Event.TornDown(), (next) => {
    const answers = Moves.answer(disables, Exit.void)
    if (next.state._tag !== "Connecting") return [next, answers]
    const [begun, actions] = connect({ ...next, pace: Pace.good(next.pace) }, at, { joined: enables })
    return [begun, [...answers, ...actions]]
  })
}

const unwanted = (slot: Slot, event: Lifecycle.Event, why: string, at: At): Step => {
  const [next, actions] = ended(slot, event, why, at)
  if (next === slot) return [slot, actions]
  return [next, [
    ...Moves.entering(next), // guard: unwanted-session-is-ended
    ...actions
  ]]
}

export const closed = (slot: Slot, at: At): Step => ended(slot, Lifecycle.Event.Close(), "the backend was closed", at)

const ended = (slot: Slot, event: Lifecycle.Event, why: string, at: At): Step => {
  const { current, work } = slot
  const patch = { ...Moves.clearedIfStable(slot, at), work: undefined, lost: undefined, lostGeneration: undefined }
  return Moves.move(Moves.withUptime(slot, at), event, (next) => {
    const loss = Moves.closed(why)
    return [next, [
      ...Moves.interrupting(slot),
      ...(work?._tag === "Attempt" ? Moves.refuse(work.joined) : []),
      ...(work?._tag === "Teardown" ? [...Moves.refuse(work.enables), ...Moves.answer(work.disables, Exit.void)] : []),
      Action.FailDraining({ loss }),
      ...(current === undefined ? [] : [Action.Retire({ runtime: current, loss })]),
      Action.EndStart({ loss })
    ]]
  }, patch)
}
