import { Simulation } from "@mcp-lifeline/testing"
import { Effect, Exit, Scope } from "effect"
import { WallClock } from "../../src/internal/ClockJump.js"

/** A simulation whose machine can be suspended. What `run` begins ends with `end`. */
export const world = (seed: string) => {
  const simulation = new Simulation.Simulation({ seed })
  const scope = Effect.runSync(Scope.make())
  const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): () => A => {
    let result: A | undefined
    const watched = Effect.provideService(WallClock, simulation.clock)
    const fiber = simulation.fork(Effect.map(Scope.extend(watched(effect), scope), (a) => {
      result = a
    }))
    simulation.runUntilIdle()
    return () => {
      const exit = fiber.unsafePoll()
      if (exit === null || Exit.isFailure(exit)) throw new Error(`not done: ${String(exit)}`)
      return result as A
    }
  }
  const end = () => {
    simulation.fork(Scope.close(scope, Exit.void))
    simulation.advance(60_000)
  }
  return { simulation, run, end }
}
