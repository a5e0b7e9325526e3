/**
 * A moment: a few turns of the scheduler, in which everybody goes on who can.
 */
import { Effect } from "effect"

/** Enough turns for a maker to go on to what follows, and for a fiber that is forked there to begin. */
const turns = 6

/** Waits for a moment. Takes no time. */
export const yieldTurns: Effect.Effect<void> = Effect.repeatN(Effect.yieldNow(), turns - 1)
