/**
 * For tests under Effect's TestClock.
 */
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { innerOf } from "./OuterClock.js"

/** One turn of the event loop, with the timers that were due in it. */
const turn = Effect.promise(() => new Promise<void>((resolve) => setTimeout(() => setImmediate(resolve), 1)))

/**
 * Waits until all that Lifeline has to do at this time of the clock is done. Lifeline works in fibers of its own, for which TestClock does not
 * wait. It cannot know what goes on in processes of servers: for these, wait for what you expect.
 */
export const settle: Effect.Effect<void> = Effect.gen(function*() {
  const inner = innerOf(yield* Clock.Clock)
  for (;;) {
    const { ran } = inner
    yield* turn
    if (inner.due === 0 && inner.ran === ran) return
  }
})

/**
 * Moves the TestClock, as its own `adjust` does, from one timer of Lifeline to the next, and waits at each of them until Lifeline has done what
 * is due. So a heartbeat that is due every minute is sent ten times in ten minutes.
 */
export const adjust = (duration: Duration.Input): Effect.Effect<void> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const { timers } = innerOf(clock)
    const end = clock.currentTimeMillisUnsafe() + Duration.toMillis(Duration.fromInputUnsafe(duration))
    yield* settle
    for (;;) {
      const now = clock.currentTimeMillisUnsafe()
      const next = Math.max(now, Math.min(end, ...timers.values()))
      yield* TestClock.adjust(Duration.millis(next - now))
      yield* settle
      if (next >= end) return
    }
  })
