import { describe, it } from "@effect/vitest"
import { RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Effect, Exit, Scope } from "effect"
import * as fc from "fast-check"
import { setImmediate } from "node:timers/promises"
import { expect } from "vitest"
import { bySize } from "../../../testing/test/support/bySize.js"
import * as Fleet from "../../src/Fleet.js"

const size = 4

const outcome: fc.Arbitrary<ScriptedConnector.Outcome> = fc.record({
  connect: fc.constantFrom("open" as const, "open" as const, "open" as const, "fail" as const, "hang" as const),
  after: fc.constantFrom(undefined, undefined, 5, 500),
  stubborn: fc.boolean(),
  close: fc.constantFrom(undefined, undefined, 10, 3000, "die" as const)
})

const step = fc.oneof(
  fc.record({ do: fc.constant("tasks" as const), count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ do: fc.constant("advance" as const), millis: fc.constantFrom(1, 5, 600, 30_000) }),
  fc.record({
    do: fc.constant("lose" as const),
    backend: fc.nat(size - 1),
    kind: fc.constantFrom("closed" as const, "session" as const)
  }),
  // Its server forgets the next so many sessions, each at its first request.
  fc.record({ do: fc.constant("forget" as const), backend: fc.nat(size - 1), times: fc.constantFrom(1, 12) }),
  fc.record({
    do: fc.constant("apply" as const),
    backend: fc.nat(size - 1),
    as: fc.constantFrom(undefined, { lifecycle: { lazy: true } }, { timeouts: { wait: 1 } })
  })
)

const forgetful = (script: ScriptedConnector.ScriptedConnector, times: number): void => {
  let left = times
  script.respond = (_method, _params, connection) => {
    if (left === 0 || connection.state !== "open") return undefined
    left--
    connection.lose("session")
    return {
      answer: "error",
      error: new RequestError({ fate: "rejected", reason: "session", message: "forgotten" })
    }
  }
}

describe("a fleet", () => {
  it(
    "[L6:model, L12, L15, L16] closed at any step, each of its connections is closed, once, and none of its fibers goes on",
    async () => {
      const lives = fc.property(
        fc.nat(),
        fc.constantFrom(12, 2048),
        fc.array(outcome, { maxLength: 12 }),
        fc.array(step, { maxLength: 20 }),
        fc.nat(60),
        (seed, maxOps, outcomes, steps, tasks) => {
          const simulation = new Simulation.Simulation({ seed, maxOps })
          // Of the last ones, two connections would fight.
          const scripts = Array.from({ length: size }, (_, i) => ScriptedConnector.make({ overlap: i < size / 2 }))
          const fights: Array<string> = []
          for (const { ledger, overlap } of scripts) {
            if (overlap) continue
            ledger.onWrite = () => {
              if (ledger.opened.length - ledger.closed.length > 1) fights.push("two connections where they would fight")
            }
          }
          outcomes.forEach((one, i) => scripts[i % size]!.script(one))
          const entries = scripts.map((connector, i) => [`b${i}`, { connector }] as const)
          const scope = Effect.runSync(Scope.make())
          const making = simulation.fork(
            Scope.extend(Fleet.make({ backends: Object.fromEntries(entries), connectConcurrency: 2 }), scope)
          )
          const run = (count: number) => {
            for (let i = 0; i < count; i++) if (!simulation.step()) return
          }
          const fleet = () => {
            const exit = making.unsafePoll()
            return exit !== null && Exit.isSuccess(exit) ? exit.value : undefined
          }
          for (const one of steps) {
            if (one.do === "tasks") run(one.count)
            else if (one.do === "advance") simulation.advance(one.millis)
            else if (one.do === "lose") scripts[one.backend]!.connections.at(-1)?.lose(one.kind)
            else if (one.do === "forget") forgetful(scripts[one.backend]!, one.times)
            else {
              const [name, options] = entries[one.backend]!
              const others = entries.filter(([other]) => other !== name)
              const wanted = one.as !== undefined
                ? [...others, [name, { ...options, ...one.as }] as const]
                : others
              const made = fleet()
              if (made !== undefined) simulation.fork(made.apply(Object.fromEntries(wanted)))
            }
          }
          run(tasks)
          const closing = simulation.fork(Scope.close(scope, Exit.void))
          simulation.advance(120_000)
          expect(closing.unsafePoll()).not.toBeNull()
          expect(fights).toEqual([])
          for (const { ledger } of scripts) {
            expect(ledger.faults).toEqual([])
            expect(ledger.closed.toSorted((a, b) => a - b)).toEqual(ledger.opened)
          }
          const attempts = scripts.flatMap(({ ledger }) => ledger.attempts).length
          simulation.advance(3_600_000)
          expect(scripts.flatMap(({ ledger }) => ledger.attempts)).toHaveLength(attempts)
        }
      )
      // In parts: the test runner wants to hear from us now and then.
      for (let part = 0; part < 3; part++) {
        fc.assert(lives, { numRuns: bySize(8, 40) })
        await setImmediate()
      }
    },
    300_000
  )
})
