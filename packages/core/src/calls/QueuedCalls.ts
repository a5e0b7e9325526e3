/** Limits the calls in flight on all connections together: a place each, and a turn where their tool is limited further. (C13, C18) */
import { Effect } from "effect"
import type { Method } from "../port/Method.js"
import type { Call, Calls } from "./Call.js"

/** Long calls must not hold up lists and pings. */
const limited: ReadonlySet<string> = new Set<Method>(["tools/call", "resources/read", "prompts/get"])

export const begin = ({ places, turns }: Calls, call: Call): void => {
  const lane = call.tool?.lane
  call.place = places.ticket()
  call.turn = turns !== undefined && limited.has(call.ask.method) ? turns.ticket(lane, lane?.concurrency) : undefined
}

export const isItsTurn = ({ turn }: Call): boolean => turn === undefined || turn.state === "inFlight"

/** After false it has its position, until `leave`. */
export const take = ({ places, turns }: Calls, call: Call): boolean =>
  (isItsTurn(call) || turns?.take(call.turn!) === true) && (call.place === undefined || places.take(call.place))

/** It waits for a connection or a verdict, and keeps its position until `leave`. */
export const away = ({ places, turns }: Calls, { place, turn }: Call): void => {
  // Those that wait for a place get it when what is in flight has ended.
  if (place !== undefined) places.leave(place)
  if (turn !== undefined) turns?.away(turn)
}

export const ended = (self: Calls, call: Call): void => {
  if (call.task === undefined || call.task.isOver) leave(self, call)
  else if (call.place !== undefined) self.places.leave(call.place)
}

export const leave = ({ places, turns }: Calls, { place, turn }: Call): void => {
  if (place !== undefined) places.leave(place)
  if (turn !== undefined) turns?.leave(turn)
}

/** If interrupted, call `leave`. */
export const comes = ({ places, turns }: Calls, call: Call): Effect.Effect<void> =>
  Effect.async((resume) => {
    const wake = () => resume(Effect.void)
    if (!isItsTurn(call)) turns?.wait(call.turn!, wake)
    else if (call.place !== undefined) places.wait(call.place, wake)
    else wake()
  })
