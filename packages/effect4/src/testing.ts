/**
 * For tests under Effect's TestClock.
 */
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { innerOf } from "./OuterClock.js"

/** With the timers due in it. */
const turn = Effect.promise(() => new Promise<void>((resolve) => setTimeout(() => setImmediate(resolve), 1)))

/**
 * Waits until Lifeline, whose own fibers TestClock does not wait for, has done everything due at this time. It cannot know of servers'
 * processes: for these, wait for what you expect.
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
 * Moves the TestClock like its own `adjust`, but from one timer of Lifeline to the next, and settles at each: a heartbeat every minute is
 * sent ten times in ten minutes.
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
