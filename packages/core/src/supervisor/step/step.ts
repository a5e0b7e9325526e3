/** What a message does to the slot, and what follows. One transition at most, so that each is published. */
import { Move } from "../../state/Message.js"
import type { Slot } from "../../state/Slot.js"
import type { At, Step } from "./Action.js"
import * as Attempts from "./attempts.js"
import * as Commands from "./commands.js"
import * as Losses from "./losses.js"

export const step = (slot: Slot, move: Move, at: At): Step =>
  Move.$match(move, {
    Command: (move) => Commands.command(slot, move, at),
    TornDown: (move) => Commands.tornDown(slot, move, at),
    Close: () => Commands.closed(slot, at),
    Demand: () => Attempts.demanded(slot, at),
    Hasten: () => Attempts.hastened(slot, at),
    StartOver: () => Attempts.startOver(slot, at),
    Due: (move) => Attempts.due(slot, move, at),
    Established: (move) => Attempts.established(slot, move, at),
    Failed: (move) => Attempts.attemptFailed(slot, move, at),
    ClockJumped: () => Attempts.afterClockJump(slot, at),
    Lost: (move) => Losses.lost(slot, move, at),
    Doubted: (move) => Losses.doubted(slot, move, at),
    Unused: (move) => Losses.released(slot, move, at)
  })
