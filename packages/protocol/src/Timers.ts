/**
 * On the real clock the timers of JavaScript, because a fiber for each would cost some 3 us a request. Another clock, such as that of a
 * test, has its own time here, too.
 */
import { Clock, Context, DefaultServices, Duration, Effect, FiberId, Runtime } from "effect"

export interface Timers {
  /** Milliseconds on a scale of its own. */
  readonly now: () => number
  /** Returns what stops it. */
  readonly start: (done: () => void, millis: number) => unknown
  readonly stop: (timer: unknown) => void
}

/** In milliseconds: a longer timer would fire at once. */
const longest = 2_147_483_647

export const live: Timers = {
  now: () => performance.now(),
  start: (done, millis) => setTimeout(done, Math.min(millis, longest)),
  stop: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout> | undefined)
}

const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)

export const current: Effect.Effect<Timers> = Effect.flatMap(
  Effect.clock,
  (clock) =>
    clock === liveClock ? Effect.succeed(live) : Effect.map(Effect.runtime<never>(), (runtime) => {
      const runFork = Runtime.runFork(runtime)
      return {
        now: () => clock.unsafeCurrentTimeMillis(),
        start: (done, millis) => {
          const fiber = runFork(Effect.andThen(clock.sleep(Duration.millis(millis)), Effect.sync(done)))
          return () => fiber.unsafeInterruptAsFork(FiberId.none)
        },
        stop: (timer) => {
          if (typeof timer === "function") timer()
        }
      }
    })
)
