import type { OuterClock } from "@mcp-lifeline/client/within"
import { Clock, Context, Duration, Effect } from "effect"

/** What the facade does in the time of one clock. */
export class Inner {
  /** When each is due. */
  readonly timers = new Map<object, number>()
  /** Due steps, and the number that have run. */
  due = 0
  ran = 0
}

const inners = new WeakMap<Clock.Clock, Inner>()

export const innerOf = (clock: Clock.Clock): Inner => {
  const known = inners.get(clock)
  if (known !== undefined) return known
  const made = new Inner()
  inners.set(clock, made)
  return made
}

/** Undefined for the real clock, which the facade has, too. */
export const make = (context: Context.Context<never>): OuterClock | undefined => {
  const runFork = Effect.runForkWith(context)
  const clock = Effect.runSyncWith(context)(Clock.Clock)
  if (clock === Context.get(Context.empty(), Clock.Clock)) return undefined
  const inner = innerOf(clock)
  return {
    millis: () => clock.currentTimeMillisUnsafe(),
    nanos: () => clock.currentTimeNanosUnsafe(),
    after: (millis, done) => {
      const timer = {}
      inner.timers.set(timer, clock.currentTimeMillisUnsafe() + millis)
      const fiber = runFork(Effect.sleep(Duration.millis(millis)))
      fiber.addObserver((exit) => {
        inner.timers.delete(timer)
        if (exit._tag === "Success") done()
      })
      return () => {
        inner.timers.delete(timer)
        fiber.interruptUnsafe()
      }
    },
    due: () => inner.due++,
    ran: () => {
      inner.due--
      inner.ran++
    }
  }
}
