import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import * as HttpFailure from "../src/HttpFailure.js"
import * as ServerStream from "../src/ServerStream.js"

const reset = HttpFailure.fromNetwork(Object.assign(new Error("reset"), { code: "ECONNRESET" }))

describe("ServerStream", () => {
  it.effect("[T4:virtual] there is no limit of tries, and no more than one in half a minute in the end", () =>
    Effect.gen(function*() {
      let opened = 0
      const fiber = yield* Effect.fork(ServerStream.keep({
        open: () =>
          Effect.suspend(() => {
            opened++
            return Effect.fail(reset)
          }),
        position: { lastEventId: undefined, retry: undefined },
        target: "http://server.test/mcp"
      }))
      yield* TestClock.adjust("1 hour")
      const before = opened
      yield* TestClock.adjust("1 hour")
      assert.isAtLeast(opened - before, 99)
      assert.isAtMost(opened - before, 120)
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("[T4:virtual] refused, open, refused, open, for an hour: what is refused now and then is not gone", () =>
    Effect.gen(function*() {
      const refused = HttpFailure.fromNetwork(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }))
      let opened = 0
      let isUp = true
      const keep = ServerStream.keep({
        open: () =>
          Effect.suspend(() =>
            ++opened % 3 === 0 && isUp ? Effect.succeed({ cause: undefined }) : Effect.fail(refused)
          ),
        position: { lastEventId: undefined, retry: undefined },
        target: "http://server.test/mcp"
      })
      const fiber = yield* Effect.fork(keep)
      yield* TestClock.adjust("1 hour")
      assert.isNull(fiber.unsafePoll())
      assert.isAtLeast(opened, 99)
      yield* Fiber.interrupt(fiber)
      // Three in a row mean that the server is gone.
      isUp = false
      const gone = yield* Effect.fork(keep)
      yield* TestClock.adjust("10 minutes")
      assert.deepInclude(yield* Fiber.join(gone), { kind: "closed", cause: refused })
    }))

  it.effect("[T4:virtual] once it has been open, an answer of something in between does not end it; the server's 405 does", () =>
    Effect.gen(function*() {
      const page = new HttpFailure.AnswerFailure({ detail: "no event stream but text/html" })
      const redirect = new HttpFailure.RedirectFailure({ status: 302, to: "http://login.test/", why: "origin" })
      const none = new HttpFailure.StatusFailure({
        status: 405,
        detail: "",
        error: undefined,
        retryAfter: undefined,
        renewable: false,
        authorized: false,
        session: true
      })
      const never: Array<HttpFailure.HttpFailure> = [page]
      const later = [undefined, page, redirect, undefined, page, none]
      for (const answers of [never, later]) {
        let opened = 0
        const fiber = yield* Effect.fork(ServerStream.keep({
          open: () =>
            Effect.suspend(() => {
              const failure = answers[opened++]
              return failure === undefined ? Effect.succeed({ cause: undefined }) : Effect.fail(failure)
            }),
          position: { lastEventId: undefined, retry: undefined },
          target: "http://server.test/mcp"
        }))
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(opened, answers.length)
        assert.isUndefined(yield* Fiber.join(fiber))
      }
    }))

  it("[T4:virtual] a delay is at least a second and what the server asked for, grows, and is bounded", () => {
    for (const random of [0, 0.999]) {
      for (let attempt = 0; attempt < 100; attempt++) {
        const own = ServerStream.delay(attempt, undefined, random)
        assert.isAtLeast(own, Math.min(1000 * 2 ** attempt, 30_000))
        assert.isAtMost(own, 36_000)
        assert.isAtLeast(ServerStream.delay(attempt, 45_000, random), 45_000)
        assert.isAtMost(ServerStream.delay(attempt, 1e15, random), 720_000)
      }
    }
  })

  it("[T3] Retry-After: seconds, dates, and nonsense", () => {
    const now = Date.parse("2026-01-01T00:00:00Z")
    const cases = [
      ["0", 0],
      [" 120 ", 120_000],
      ["1.5", 1500],
      ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
      ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
      ["-5", undefined],
      ["soon", undefined],
      ["", undefined]
    ] as const
    for (const [header, millis] of cases) assert.strictEqual(HttpFailure.retryAfter(header, now), millis)
    assert.strictEqual(HttpFailure.retryAfter(undefined, now), undefined)
  })
})
