/** What a message does to the slot, and what follows. Pure, total; one transition at most, so that each is published. */
import type { Move } from "../../state/Message.js"
import type { Slot } from "../../state/Slot.js"
import type { At, Step } from "./Action.js"
import * as Attempts from "./attempts.js"
import * as Commands from "./commands.js"
import * as Losses from "./losses.js"

export const step = (slot: Slot, move: Move, at: At): Step => {
  switch (move._tag) {
    case "Command":
      return Commands.command(slot, move, at)
    case "TornDown":
      return Commands.tornDown(slot, move, at)
    case "Close":
      return Commands.closed(slot, at)
    case "Demand":
      return Attempts.demanded(slot, at)
    case "Hasten":
      return Attempts.hastened(slot, at)
    case "StartOver":
      return Attempts.startOver(slot, at)
    case "Due":
      return Attempts.due(slot, move, at)
    case "Established":
      return Attempts.established(slot, move, at)
    case "Failed":
      return Attempts.attemptFailed(slot, move, at)
    case "ClockJumped":
      return Attempts.afterClockJump(slot, at)
    case "Lost":
      return Losses.lost(slot, move, at)
    case "Doubted":
      return Losses.doubted(slot, move, at)
    case "Unused":
      return Losses.released(slot, move, at)
  }
}
