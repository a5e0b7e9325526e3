import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"

/**
 * V8 lets the heap of a program that runs for months grow further than it is worth: after 18,000 calls it had 112 to 118 MB, and has 94 so,
 * for the same processor time. Call it once everything is loaded: before, new objects would keep 1 MB of room, and a call take a fifth more
 * time.
 */
export const keepSmall: Effect.Effect<void> = Effect.sync(() => {
  setFlagsFromString("--semi-space-growth-factor=1")
  setFlagsFromString("--heap-growing-percent=50")
})
