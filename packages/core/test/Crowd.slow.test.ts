import { describe, expect, it } from "@effect/vitest"
import { Backend, Fleet, type InvalidOptions } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Effect, Exit, Scope } from "effect"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { minute, second } from "./support/Heartbeats.js"

describe("a thousand backends", () => {
  it("[R2] 1,000 backends lost at the same instant spread over every step of the backoff", async () => {
    const count = 1000
    const simulation = new Simulation.Simulation({ seed: "lost together" })
    const scripts = Array.from({ length: count }, () => ScriptedConnector.make())
    const scope = Effect.runSync(Scope.make())
    simulation.fork(Effect.forEach(
      scripts,
      (connector, i) =>
        Scope.extend(
          Backend.make(`backend ${i}`, { connector, keepalive: { method: "none" }, reconnect: { maxAttempts: 100 } }),
          scope
        )
    ))
    await simulation.advanceInParts(minute, 60)
    for (const script of scripts) {
      expect(script.ledger.live).toHaveLength(1)
      script.otherwise = { connect: "fail", error: { reason: "server" } }
      script.current.lose()
    }
    await simulation.advanceInParts(7 * second, 70)
    for (let step = 0; step < 3; step++) {
      const full = second * 2 ** step
      const tenths = Array.from({ length: 10 }, () => 0)
      for (const { ledger } of scripts) {
        const since = step === 0 ? minute : ledger.attempts[step]!
        const part = (ledger.attempts[step + 1]! - since) / full
        tenths[Math.min(9, Math.floor((part - 0.5) * 20))]!++
      }
      expect(tenths.reduce((sum, share) => sum + share)).toBe(count)
      expect(Math.max(...tenths)).toBeLessThanOrEqual(1.5 * count / 10)
    }
    simulation.fork(Scope.close(scope, Exit.void))
    await simulation.advanceInParts(minute, 60)
    expect(scripts.flatMap(({ ledger }) => ledger.faults)).toEqual([])
  })

  it.each(["on their own", "in a fleet"])(
    "[K6] 1,000 backends started together, %s: in no second of the first interval more than 15 heartbeats, and each has its first within it",
    async (how) => {
      mayLeave("connections", "timers", "listeners")
      const simulation = new Simulation.Simulation({ seed: "together" })
      const scripts = Array.from({ length: 1000 }, () => ScriptedConnector.make())
      // The lists come a moment after the connection, and are answers.
      for (const script of scripts) {
        script.respond = (method) => method.endsWith("/list") ? { answer: "result", after: 5 } : undefined
      }
      const interval = 5 * minute
      const alone = Effect.forEach(scripts, (connector, i) => Backend.make(`backend-${i}`, { connector }))
      const backends = Object.fromEntries(scripts.map((connector, i) => [`backend-${i}`, { connector }]))
      const fleet = Fleet.make({ backends, connectConcurrency: scripts.length })
      const make: Effect.Effect<unknown, InvalidOptions, Scope.Scope> = how === "in a fleet" ? fleet : alone
      simulation.fork(Effect.scoped(Effect.zipRight(Effect.orDie(make), Effect.never)))
      await simulation.advanceInParts(interval, 300)
      const buckets = Array.from({ length: interval / second + 1 }, () => 0)
      const tenths = Array.from({ length: 10 }, () => 0)
      for (const { ledger } of scripts) {
        const [first = NaN] = ledger.sent("ping")
        expect(first).toBeGreaterThan(0)
        expect(first).toBeLessThanOrEqual(interval)
        tenths[Math.min(9, Math.floor(first / interval * 10))]!++
        for (const at of ledger.sent("ping")) if (at <= interval) buckets[Math.floor(at / second)]!++
      }
      expect(Math.max(...buckets)).toBeLessThanOrEqual(15)
      for (const tenth of tenths) {
        expect(tenth).toBeGreaterThan(65)
        expect(tenth).toBeLessThan(135)
      }
    },
    600_000
  )
})
