/**
 * A deterministic world for tests that generate interleavings: a scheduler that runs one task at a time on request, a clock
 * that moves on request, and seeded chance. No Promise is involved, so a run is one synchronous function call and can be
 * replayed and shrunk.
 */
import { Clock, Duration, Effect, Fiber, Random, type Scheduler } from "effect"

interface Timer {
  at: number
  readonly order: number
  readonly run: () => void
}

/** How many tasks may run without the world coming to rest before it counts as a livelock. */
const tooMany = 1_000_000

/** See the head of the file. */
export class Simulation {
  now = 0
  readonly clock: Clock.Clock
  readonly #tasks: Array<() => void> = []
  #timers: ReadonlyArray<Timer> = []
  #order = 0
  readonly #scheduler: Scheduler.Scheduler
  readonly #random: Random.Random

  /** `maxOps`: operations after which a fiber yields. Small numbers find more interleavings; below 10 fibers livelock. */
  constructor(options: { readonly seed: string | number; readonly maxOps?: number | undefined }) {
    const maxOps = options.maxOps ?? 2048
    this.#random = Random.make(options.seed)
    this.#scheduler = {
      scheduleTask: (task) => {
        this.#tasks.push(task)
      },
      shouldYield: (fiber) => fiber.currentOpCount > maxOps ? 0 : false
    }
    const now = () => this.now
    this.clock = {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: now,
      unsafeCurrentTimeNanos: () => BigInt(Math.round(now() * 1e6)),
      currentTimeMillis: Effect.sync(now),
      currentTimeNanos: Effect.sync(() => BigInt(Math.round(now() * 1e6))),
      sleep: (duration) =>
        Effect.async((resume) => {
          const cancel = this.#at(this.now + Duration.toMillis(duration), () => resume(Effect.void))
          return Effect.sync(cancel)
        })
    }
  }

  /** Timers that have not fired. */
  get timers(): number {
    return this.#timers.length
  }

  /** Runs an effect in this world, as far as it gets without `step`, `settle` or time. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return Effect.runFork(effect.pipe(Effect.withClock(this.clock), Effect.withRandom(this.#random)), {
      scheduler: this.#scheduler
    })
  }

  /** Runs one task; false if there is none. */
  step(): boolean {
    const task = this.#tasks.shift()
    task?.()
    return task !== undefined
  }

  /** Runs until nothing is left to do at this moment. */
  settle(): void {
    for (let steps = 0; this.step(); steps++) {
      if (steps > tooMany) throw new Error(`livelock at ${this.now} ms`)
    }
  }

  /** Lets time pass: every timer fires at its time, and everything settles after each. */
  advance(millis: number): void {
    const until = this.now + millis
    this.settle()
    while (true) {
      const timer = this.#earliest()
      if (timer === undefined || timer.at > until) break
      this.#fire(timer)
      this.settle()
    }
    this.now = until
  }

  /** Suspends the machine: the clock goes on, and the timers do not; each fires later by as much. */
  suspend(millis: number): void {
    this.now += millis
    this.#timers = this.#timers.map((timer) => Object.assign(timer, { at: timer.at + millis }))
  }

  /** Fires the earliest timer and settles nothing, so that whatever comes next races with what it began. */
  fire(): void {
    const timer = this.#earliest()
    if (timer !== undefined) this.#fire(timer)
  }

  #fire(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer)
    this.now = Math.max(this.now, timer.at)
    timer.run()
  }

  #earliest(): Timer | undefined {
    return this.#timers.reduce<Timer | undefined>(
      (first, timer) =>
        first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order)
          ? timer
          : first,
      undefined
    )
  }

  #at(at: number, run: () => void): () => void {
    const timer = { at, order: this.#order++, run }
    this.#timers = [...this.#timers, timer]
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }
}
