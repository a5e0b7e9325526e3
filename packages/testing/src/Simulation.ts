/**
 * A deterministic environment: a scheduler that runs one task at a time, a clock that advances on request, seeded randomness. No
 * Promises: a run is one synchronous call that can be replayed and shrunk.
 */
import {
  Clock,
  Deferred,
  Duration,
  Effect,
  Exit,
  type Fiber,
  FiberId,
  Logger,
  LogLevel,
  Random,
  type Scheduler
} from "effect"

interface Timer {
  at: number
  readonly order: number
  readonly run: () => void
  waiting: boolean
}

const isBefore = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order)

/** More tasks or timers without an idle moment count as a livelock. */
const tooMany = 100_000

export class Simulation {
  now = 0
  readonly clock: Clock.Clock
  readonly #tasks: Array<() => void> = []
  /** A binary heap. Cancelled timers are removed when their time has come. */
  readonly #timers: Array<Timer> = []
  #waiting = 0
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
      // `Effect.async` begins before it installs its canceller: a fiber that is interrupted in between would leave the timer behind.
      sleep: (duration) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.suspend(() => {
            const over = Deferred.unsafeMake<void>(FiberId.none)
            const cancel = this.#at(
              this.now + Duration.toMillis(duration),
              () => Deferred.unsafeDone(over, Exit.void)
            )
            return Effect.onInterrupt(restore(Deferred.await(over)), () => Effect.sync(cancel))
          })
        )
    }
  }

  /** Timers that have not fired. */
  get timers(): number {
    return this.#waiting
  }

  /** Starts an effect without logs, and runs it as far as it gets without `step`, `runUntilIdle` or time. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    const inside = effect.pipe(
      Effect.withClock(this.clock),
      Effect.withRandom(this.#random),
      Logger.withMinimumLogLevel(LogLevel.None)
    )
    return Effect.runFork(inside, { scheduler: this.#scheduler })
  }

  /** Runs one task; false if there is none. */
  step(): boolean {
    const task = this.#tasks.shift()
    task?.()
    return task !== undefined
  }

  /** Runs all tasks at the current time. */
  runUntilIdle(): void {
    for (let steps = 0; this.step(); steps++) {
      if (steps > tooMany) throw new Error(`livelock at ${this.now} ms`)
    }
  }

  /** Fires every timer at its time, and runs all tasks after each. */
  advance(millis: number): void {
    const until = this.now + millis
    this.runUntilIdle()
    for (let fired = 0;; fired++) {
      const timer = this.#earliest()
      if (timer === undefined || timer.at > until) break
      if (timer.at > this.now) fired = 0
      if (fired > tooMany) throw new Error(`timers without end at ${this.now} ms`)
      this.#fire(timer)
      this.runUntilIdle()
    }
    this.now = until
  }

  /** Advances with a turn of the event loop after each part: test runners take a busy process for dead. */
  async advanceInParts(millis: number, parts: number): Promise<void> {
    for (let part = 0; part < parts; part++) {
      this.advance(millis / parts)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Like a suspended machine: the clock advances, and timers fire later by this time. */
  suspend(millis: number): void {
    this.now += millis
    for (const timer of this.#timers) timer.at += millis
  }

  /** Fires only the earliest timer, so that its effects race with what the test does next. */
  fire(): void {
    const timer = this.#earliest()
    if (timer !== undefined) this.#fire(timer)
  }

  #fire(timer: Timer): void {
    this.#cancel(timer)
    this.now = Math.max(this.now, timer.at)
    timer.run()
  }

  #earliest(): Timer | undefined {
    while (this.#timers[0]?.waiting === false) this.#pop()
    return this.#timers[0]
  }

  #at(at: number, run: () => void): () => void {
    const timer = { at, order: this.#order++, run, waiting: true }
    this.#push(timer)
    this.#waiting++
    return () => this.#cancel(timer)
  }

  #cancel(timer: Timer): void {
    if (!timer.waiting) return
    timer.waiting = false
    this.#waiting--
  }

  #push(timer: Timer): void {
    const heap = this.#timers
    let at = heap.push(timer) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(timer, heap[above]!)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = timer
  }

  #pop(): void {
    const heap = this.#timers
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    while (true) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      const next = left + 1 < heap.length && isBefore(heap[left + 1]!, heap[left]!) ? left + 1 : left
      if (!isBefore(heap[next]!, last)) break
      heap[at] = heap[next]!
      at = next
    }
    heap[at] = last
  }
}
