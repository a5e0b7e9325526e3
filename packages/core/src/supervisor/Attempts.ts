/** The attempts that have not ended, and what a new one waits for. */
import type { Either } from "effect"
import { Effect, Fiber, FiberId } from "effect"
import type { ConnectError } from "../Errors.js"
import { awaitAtMost } from "../internal/deadline.js"
import type { Runtime } from "../runtime/Runtime.js"
import * as Attempt from "./Attempt.js"
import type { ConnectPermits } from "./ConnectPermits.js"

export class Attempts {
  readonly #parts: Attempt.Parts
  readonly #permits: ConnectPermits
  readonly #overlap: boolean
  /** Cancelled ones too. */
  readonly #running = new Set<Fiber.RuntimeFiber<unknown, unknown>>()

  /** `overlap`: a connection may be made while another one is still closing. */
  constructor(parts: Attempt.Parts, permits: ConnectPermits, overlap: boolean) {
    this.#parts = parts
    this.#permits = permits
    this.#overlap = overlap
  }

  /** After those before it and, where two connections would fight, after their closes. */
  run(
    generation: number,
    report: (outcome: Either.Either<Runtime, ConnectError>) => void
  ): Effect.Effect<void> {
    return Effect.withFiberRuntime((fiber) => {
      const before = [...this.#running]
      this.#running.add(fiber)
      fiber.addObserver(() => this.#running.delete(fiber))
      return Effect.gen(this, function*() {
        yield* Fiber.awaitAll(before)
        if (!this.#overlap) yield* this.#parts.owner.emptied // guard: no-overlap
        const { backend, calls, owner } = this.#parts
        // Who starts a backend waits for what becomes of its first attempt.
        const isAwaited = () => calls.waiting > 0 || owner.isSuspendedAwaited || !backend.firstOutcome.isComplete
        const beside: Attempt.Beside = (work) =>
          Effect.suspend(() => isAwaited() ? this.#permits.beside(work) : Effect.succeedNone)
        const attempt = Attempt.establish(this.#parts, generation, beside, report)
        yield* this.#permits.withPermit(attempt, () => calls.waiting > 0)
      })
    })
  }

  interruptAll(): void {
    for (const fiber of this.#running) fiber.unsafeInterruptAsFork(FiberId.none)
  }

  /** Each that is running now, at most so many milliseconds. */
  ended(millis: number): Effect.Effect<void> {
    const running = [...this.#running]
    return Effect.forEach(running, (fiber) => awaitAtMost(fiber, millis), { discard: true })
  }
}
