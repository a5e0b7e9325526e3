import { RequestError } from "@mcp-lifeline/core"
import { Effect, Exit, Fiber, TestClock } from "effect"
import { vi } from "vitest"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import type { Answer } from "../src/Answers.js"
import { EnvelopedRequests } from "../src/EnvelopedRequests.js"
import * as InputRequests from "../src/InputRequests.js"
import type { Options, Requests } from "../src/Requests.js"
import { ServerRequest } from "../src/ServerRequest.js"

const questions = (count: number) => ({
  inputRequests: Object.fromEntries(Array.from({ length: count }, (_, i) => [`q${i}`, { method: "roots/list" }]))
})

describe("what a server wants before it gives its result", () => {
  test.effect("[E8:virtual] nothing but to be asked again: not before a quarter of a second", function*() {
    const asked = yield* Effect.fork(InputRequests.answer("tools/call", { requestState: "s" }, () => Effect.never))
    yield* TestClock.adjust(249)
    assert.isNull(asked.unsafePoll())
    yield* TestClock.adjust(1)
    assert.deepStrictEqual(yield* Fiber.join(asked), { requestState: "s" })
    const error = yield* Effect.flip(InputRequests.answer("tools/call", {}, () => Effect.never))
    assert.deepInclude(error, { fate: "answered", reason: "protocol" })
  })

  test.effect("[E8:virtual] ten questions are asked at once, and whoever answers hears when the call is over", function*() {
    const signals: Array<AbortSignal> = []
    const ask = () =>
      Effect.flatMap(ServerRequest, (request) => {
        if (request !== undefined) signals.push(request.signal)
        return Effect.never
      })
    const asked = yield* Effect.fork(InputRequests.answer("tools/call", questions(12), ask))
    yield* TestClock.adjust(0)
    assert.strictEqual(signals.length, 10)
    assert.isFalse(signals.some(({ aborted }) => aborted))
    yield* Fiber.interrupt(asked)
    assert.isTrue(signals.every(({ aborted }) => aborted))
  })
})

describe("a request that is sent once more in its envelope", () => {
  it("[E3 C5] has the time that is left of its own, and a millisecond at least", () => {
    let now = 1000
    const clock = vi.spyOn(performance, "now").mockImplementation(() => now)
    try {
      const timeouts: Array<number> = []
      const settles: Array<(answer: Answer) => void> = []
      const requests = {
        send: (_method: unknown, _params: unknown, { timeout }: Options, settle: (answer: Answer) => void) => {
          settles.push(settle)
          return timeouts.push(timeout)
        }
      } as unknown as Requests
      const refusal = Exit.fail(
        new RequestError({
          fate: "answered",
          reason: "remote",
          code: -32022,
          message: "Unsupported",
          data: { supported: ["2026-07-28"] }
        })
      )
      const answers: Array<Answer> = []
      for (const elapsed of [400, 5000]) {
        new EnvelopedRequests(requests, {}).send("tools/call", {}, { timeout: 1000 }, (answer) => answers.push(answer))
        now += elapsed
        settles.at(-1)!(refusal)
      }
      assert.deepStrictEqual(timeouts, [1000, 600, 1000, 1])
      settles.at(-1)!(refusal)
      assert.deepStrictEqual(answers, [refusal])
    } finally {
      clock.mockRestore()
    }
  })
})
