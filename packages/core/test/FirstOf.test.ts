import { describe, expect, it } from "@effect/vitest"
import { Simulation } from "@mcp-lifeline/testing"
import { Effect, Fiber } from "effect"
import { firstOf } from "../src/internal/races.js"

const later = (millis: number) => Effect.as(Effect.sleep(millis), millis)

describe("firstOf", () => {
  it("ends as the first that ends, and interrupts the other", () => {
    for (const pair of [[later(10), later(20)], [later(20), later(10)]] as const) {
      for (const how of [Effect.interruptible, Effect.uninterruptible]) {
        const sim = new Simulation.Simulation({ seed: "first" })
        const fiber = sim.fork(how(firstOf(...pair)))
        sim.advance(10)
        expect(fiber.unsafePoll()).toMatchObject({ _tag: "Success", value: 10 })
        expect(sim.timers).toBe(0)
      }
    }
  })

  it("[C4] can be interrupted at any step", () => {
    for (let maxOps = 10; maxOps < 50; maxOps++) {
      for (let tasks = 0; tasks < 10; tasks++) {
        const sim = new Simulation.Simulation({ seed: "first", maxOps })
        const fiber = sim.fork(Effect.zipRight(Effect.void, firstOf(later(1000), Effect.never)))
        for (let i = 0; i < tasks; i++) sim.step()
        sim.fork(Fiber.interrupt(fiber))
        sim.runUntilIdle()
        expect(fiber.unsafePoll()?._tag, `${maxOps} operations, ${tasks} tasks`).toBe("Failure")
        expect(sim.timers).toBe(0)
      }
    }
  })
})
