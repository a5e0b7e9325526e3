import type { Effect } from "effect"
import type { Shown } from "./Shown.js"

/** Keeps what a server has shown beyond the program. */
export interface TemperamentMemory {
  /** Once, before the first attempt, which waits for it. Default: nothing is remembered. */
  readonly remembered?: Effect.Effect<Shown | undefined> | undefined
  /** After something new. A backend that closes interrupts it, and waits for what cannot be interrupted. */
  readonly keep: (shown: Shown) => Effect.Effect<void>
}
