import type { Fiber } from "effect"
import { Clock, Context, DefaultServices, Duration, Effect, FiberRef, Runtime, Scheduler } from "effect"
import type { Outer, OuterClock } from "./Outer.js"

const clockOf = ({ after, millis, nanos }: OuterClock): Clock.Clock => ({
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: millis,
  unsafeCurrentTimeNanos: nanos,
  currentTimeMillis: Effect.sync(millis),
  currentTimeNanos: Effect.sync(nanos),
  sleep: (duration) =>
    Effect.async<void>((resume) => {
      const stop = after(Duration.toMillis(duration), () => resume(Effect.void))
      return Effect.sync(stop)
    })
})

/** Reports when each step of a fiber is due, and when it has run. */
class ReportedSteps implements Scheduler.Scheduler {
  readonly #steps = new Scheduler.MixedScheduler(2048)
  readonly #clock: OuterClock

  constructor(clock: OuterClock) {
    this.#clock = clock
  }

  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    return this.#steps.shouldYield(fiber)
  }

  scheduleTask(task: Scheduler.Task, priority: number): void {
    this.#clock.due()
    this.#steps.scheduleTask(() => {
      try {
        task()
      } finally {
        this.#clock.ran()
      }
    }, priority)
  }
}

export const inTime = <R>(runtime: Runtime.Runtime<R>, { clock }: Outer): Runtime.Runtime<R> =>
  clock === undefined ? runtime : runtime.pipe(
    Runtime.setFiberRef(
      DefaultServices.currentServices,
      Context.add(DefaultServices.liveServices, Clock.Clock, clockOf(clock))
    ),
    Runtime.setFiberRef(FiberRef.currentScheduler, new ReportedSteps(clock))
  )
