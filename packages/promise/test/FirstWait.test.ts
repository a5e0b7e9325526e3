import { Backend, ConnectError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as FirstConnection from "../src/internal/FirstConnection.js"

const second = 1000

const refused = new ConnectError({ backend: "one", reason: "refused", permanent: false, message: "refused" })

const ending = (after: number | "refused", { isExplicit = false, startsOn = true } = {}) =>
  Effect.gen(function*() {
    const connector = ScriptedConnector.make({ overlap: false, startLimit: startsOn ? 300 * second : undefined })
    connector.otherwise = after === "refused" ? { connect: "fail", error: refused } : { after: after * second }
    const backend = yield* Backend.make("one", { connector })
    const timeout = { millis: 30 * second, isExplicit }
    const waiting = yield* Effect.fork(
      FirstConnection.wait({ backend, lastError: () => after === "refused" ? refused : undefined, startsOn, timeout })
    )
    for (let passed = 0; passed < 400; passed++) {
      yield* TestClock.adjust(passed === 0 ? 0 : second)
      const exit = waiting.unsafePoll()
      if (exit !== null) return [passed, (yield* Fiber.join(waiting)).status?.state]
    }
    return yield* Effect.dieMessage("it goes on waiting")
  })

describe("the wait of connect for a server that starts slowly", () => {
  test.scoped("[V5:virtual] lasts as long as the process may take, and no longer than a time that is chosen", function*() {
    expect(yield* ending(3)).toEqual([3, "Connected"])
    expect(yield* ending(29)).toEqual([29, "Connected"])
    expect(yield* ending(45)).toEqual([45, "Connected"])
    expect(yield* ending(299)).toEqual([299, "Connected"])
    const [given] = yield* ending(1000)
    expect(given).toBe(300)
    expect(yield* ending(45, { isExplicit: true })).toEqual([30, undefined])
    const [once] = yield* ending(45, { startsOn: false })
    expect(once).toBe(30)
  })

  test.scoped("[F1] where no server is, lasts 5 s, and otherwise as long as was chosen", function*() {
    expect(yield* ending("refused")).toEqual([5, "Reconnecting"])
    expect(yield* ending("refused", { isExplicit: true })).toEqual([30, undefined])
  })

  test.scoped("[F1 R14] finds a server that comes up meanwhile as soon as a call does, however many attempts have failed", function*() {
    const connector = ScriptedConnector.make()
    const failing = { connect: "fail", error: refused } as const
    connector.otherwise = failing
    const backend = yield* Backend.make("one", { connector, reconnect: { maxAttempts: 2, maxDelay: "1 minute" } })
    const timeout = { millis: 30 * second, isExplicit: true }
    const lastError = () => connector.otherwise === failing ? refused : undefined
    const waiting = yield* Effect.fork(FirstConnection.wait({ backend, lastError, startsOn: false, timeout }))
    yield* TestClock.adjust(20 * second)
    connector.otherwise = {}
    yield* TestClock.adjust(second)
    expect((yield* Fiber.join(waiting)).status?.state).toBe("Connected")
  })
})
