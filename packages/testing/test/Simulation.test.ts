import { assert, describe, it } from "@effect/vitest"
import { Simulation } from "@mcp-lifeline/testing"
import { Effect, Fiber } from "effect"

describe("Simulation", () => {
  it("whoever is interrupted as he begins to sleep leaves no timer behind, wherever he yields", () => {
    for (let before = 0; before < 40; before++) {
      for (let tasks = 0; tasks < 20; tasks++) {
        const sim = new Simulation.Simulation({ seed: 0, maxOps: 12 })
        let work = Effect.sleep("1 hour")
        for (let i = 0; i < before; i++) work = Effect.zipRight(Effect.void, work)
        const sleeper = sim.fork(work)
        for (let i = 0; i < tasks; i++) sim.step()
        sim.fork(Fiber.interrupt(sleeper))
        sim.runUntilIdle()
        assert.isNotNull(sleeper.unsafePoll(), `after ${before} operations and ${tasks} tasks`)
        assert.strictEqual(sim.timers, 0, `after ${before} operations and ${tasks} tasks`)
      }
    }
  })

  it("a sleep that is not interrupted ends at its time, and not before", () => {
    const sim = new Simulation.Simulation({ seed: 0, maxOps: 12 })
    const sleeper = sim.fork(Effect.sleep(100))
    sim.advance(99)
    assert.strictEqual(sim.timers, 1)
    assert.isNull(sleeper.unsafePoll())
    sim.advance(1)
    assert.strictEqual(sim.timers, 0)
    assert.isNotNull(sleeper.unsafePoll())
  })
})
