/**
 * The fibers that a program runs for its clients, outside of any other fiber. They end with the scope in which they were made.
 */
import { Effect, type Fiber, FiberSet, type Scope } from "effect"

/** Runs effects in fibers of its own. */
export interface Fibers {
  /** Begins in this step. */
  readonly fork: <A, E>(work: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>
  /** The same for who waits for the value. */
  readonly promise: <A, E>(work: Effect.Effect<A, E>) => Promise<A>
}

/** Runs effects until the scope closes, which interrupts those that are left. */
export const make: Effect.Effect<Fibers, never, Scope.Scope> = Effect.flatMap(
  FiberSet.make<unknown, unknown>(),
  (all) => Effect.all({ fork: FiberSet.runtime(all)<never>(), promise: FiberSet.runtimePromise(all)<never>() })
)
