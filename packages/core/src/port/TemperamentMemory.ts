/** The port for what outlives the program of what a server has shown of itself. */
import type { Effect } from "effect"
import type { Shown } from "./Shown.js"

/** Where that outlives the program. */
export interface TemperamentMemory {
  /** Runs once, before the first attempt, which waits for it. Default: nothing is remembered. */
  readonly remembered?: Effect.Effect<Shown | undefined> | undefined
  /** Runs when the server has shown something new. A backend that closes interrupts it, and waits for what cannot be interrupted. */
  readonly keep: (shown: Shown) => Effect.Effect<void>
}
