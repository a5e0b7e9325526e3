/**
 * What a transport has under way, for callers that know promises only.
 */
import { Cause, Effect, Exit, Fiber, Runtime } from "effect"

/** The fibers of one transport, which its close interrupts. */
export class Fibers {
  readonly #runtime: Runtime.Runtime<never>
  readonly #running = new Set<Fiber.RuntimeFiber<unknown, unknown>>()

  constructor(runtime: Runtime.Runtime<never>) {
    this.#runtime = runtime
  }

  /** Starts something, interruptible wherever the transport was made: the SDK calls us. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    const fiber = Runtime.runFork(this.#runtime)(Effect.interruptible(effect))
    this.#running.add(fiber)
    fiber.addObserver(() => this.#running.delete(fiber))
    return fiber
  }

  /** Runs what ends the transport, which is none of what it ends. */
  runPromise(effect: Effect.Effect<void>): Promise<void> {
    return Runtime.runPromise(this.#runtime)(Effect.interruptible(effect))
  }

  /** Interrupts all, and waits until they have ended. */
  get interruptAll(): Effect.Effect<void> {
    return Effect.suspend(() => Fiber.interruptAll([...this.#running]))
  }
}

/** Settles a promise as a fiber ended. `over`: what an interruption means, given its cause. */
export const settlePromise = <A>(
  exit: Exit.Exit<A, unknown>,
  resolve: (value: A) => void,
  reject: (error: unknown) => void,
  over: (cause: unknown) => unknown
): void => {
  if (Exit.isSuccess(exit)) return resolve(exit.value)
  reject(Cause.isInterruptedOnly(exit.cause) ? over(exit.cause) : Cause.squash(exit.cause))
}
