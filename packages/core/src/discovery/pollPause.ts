import { Clock, Effect, Random } from "effect"
import { shortest } from "./Freshness.js"

/** `after`: milliseconds from now, which may become fewer once the server has said how long its lists hold. */
export const pollPause = (after: (draw: number) => number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const draw = yield* Random.next
    const since = yield* Clock.currentTimeMillis
    while (true) {
      const rest = since + after(draw) - (yield* Clock.currentTimeMillis)
      if (rest <= 0) return
      yield* Effect.sleep(Math.ceil(Math.min(rest, shortest)))
    }
  })
