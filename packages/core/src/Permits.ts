/**
 * How many attempts of a fleet may be under way at once.
 */
import { Effect } from "effect"

/** Bounds attempts. An attempt that takes longer than two seconds gives its permit back and goes on (R10). */
export interface Permits {
  readonly withPermit: <A, E, R>(attempt: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** How long an attempt may hold its permit, in milliseconds. */
export const patience = 2000

/** No bound: what a backend on its own has. */
export const unbounded: Permits = { withPermit: (attempt) => attempt }

/** At most `count` attempts that are younger than two seconds. */
export const make = (count: number): Permits => {
  const semaphore = Effect.unsafeMakeSemaphore(count)
  return {
    withPermit: (attempt) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          yield* restore(semaphore.take(1))
          let held = true
          const giveBack = Effect.suspend(() => {
            if (!held) return Effect.void
            held = false
            return semaphore.release(1)
          })
          const timer = yield* Effect.fork(Effect.interruptible(Effect.delay(giveBack, patience)))
          return yield* Effect.ensuring(
            restore(attempt),
            Effect.zipRight(timer.interruptAsFork(timer.id()), giveBack)
          )
        })
      )
  }
}
