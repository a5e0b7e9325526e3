/** The machine was suspended if the clock went on, and the timers did not. (R11) */
import { Clock, Context, Duration, Effect, type Scope } from "effect"

/** Real, also if a test replaces the Clock: its machine is suspended only if the test says so. */
export class WallClock extends Context.Reference<WallClock>()("@mcp-lifeline/core/WallClock", {
  defaultValue: (): Clock.Clock => Clock.make()
}) {}

/** Milliseconds. A suspend is longer, so what is younger came after it. */
export const tick = 5000

/** Milliseconds beyond a tick: a busy machine is late too. */
const slack = 10_000

/** Calls back each tick, with whether the machine was suspended. */
export const onTick = (ticked: (jumped: boolean) => void): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(WallClock, (clock) => {
    const look = Effect.suspend(() => {
      const before = clock.unsafeCurrentTimeMillis()
      return Effect.map(clock.sleep(Duration.millis(tick)), () => {
        ticked(clock.unsafeCurrentTimeMillis() - before > tick + slack)
      })
    })
    return Effect.asVoid(Effect.forkScoped(Effect.interruptible(Effect.forever(look))))
  })
