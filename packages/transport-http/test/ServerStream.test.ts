import { Clock, type Duration, Effect, Exit, Fiber, Random, TestClock } from "effect"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import type * as EventStream from "../src/EventStream.js"
import * as HttpFailure from "../src/HttpFailure.js"
import * as ServerStream from "../src/ServerStream.js"
import * as Played from "./fixtures/Played.js"

const { refused, reset, target } = Played

type Options = Parameters<typeof ServerStream.keep>[0]
type Open = Options["open"]

describe("ServerStream", () => {
  const status = (code: number, session = false, retryAfter?: number) => Played.status(code, { session, retryAfter })

  /** Keeps a stream, and counts how often it is opened. */
  const kept = (
    open: (nth: number, ...given: Parameters<Open>) => ReturnType<Open>,
    options: Partial<Options> = {}
  ) =>
    Effect.gen(function*() {
      let opened = 0
      const fiber = yield* Effect.fork(ServerStream.keep({
        open: (...given) => Effect.suspend(() => open(opened++, ...given)),
        position: { lastEventId: undefined, retry: undefined },
        target,
        ...options
      }))
      return { fiber, opened: () => opened }
    })

  test.effect("[T4:virtual] there is no limit of tries, and no more than one in half a minute in the end", function*() {
    const { fiber, opened } = yield* kept(() => Effect.fail(reset))
    yield* TestClock.adjust("1 hour")
    const before = opened()
    yield* TestClock.adjust("1 hour")
    assert.isAtLeast(opened() - before, 99)
    assert.isAtMost(opened() - before, 120)
    yield* Fiber.interrupt(fiber)
  })

  test.effect("[T4:virtual] refused, open, refused, open, for an hour: what is refused now and then is not gone", function*() {
    const { fiber, opened } = yield* kept((nth) => nth % 3 === 2 ? ended() : Effect.fail(refused))
    yield* TestClock.adjust("1 hour")
    assert.isNull(fiber.unsafePoll())
    assert.isAtLeast(opened(), 99)
    yield* Fiber.interrupt(fiber)
  })

  test.effect("[T4:virtual] once it has been open, an answer of something in between does not end it; the server's 405 does", function*() {
    const page = new HttpFailure.AnswerFailure({ detail: "no event stream but text/html" })
    const redirect = new HttpFailure.RedirectFailure({ status: 302, to: "http://login.test/", why: "origin" })
    const none = status(405, true)
    const later = [undefined, page, redirect, undefined, status(400, true), status(501, true), page, none]
    for (const answers of [[page], [status(400, true)], [status(501, true)], later]) {
      const { fiber, opened } = yield* kept((nth) => {
        const failure = answers[nth]
        return failure === undefined ? ended() : Effect.fail(failure)
      })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(opened(), answers.length)
      assert.isUndefined(yield* Fiber.join(fiber))
    }
  })

  const opens = (millis: number, after = 0) => (_: unknown, __: unknown, opened: Effect.Effect<unknown>) =>
    Effect.as(Effect.zipRight(Effect.delay(opened, after), Effect.sleep(millis)), { cause: undefined })
  const refuses = (failure: HttpFailure.HttpFailure) => () => Effect.fail(failure)

  const reports = (
    attempt: (nth: number) => Open,
    time: Duration.DurationInput
  ) =>
    Effect.gen(function*() {
      const reported: Array<readonly [number, boolean]> = []
      const clock = yield* Effect.clock
      const since = clock.unsafeCurrentTimeMillis()
      const { fiber } = yield* kept((nth, ...given) => attempt(nth)(...given), {
        onHearing: (hears) => reported.push([Math.floor((clock.unsafeCurrentTimeMillis() - since) / 1000), hears])
      })
      yield* TestClock.adjust(time)
      yield* Fiber.interrupt(fiber)
      return reported
    })

  test.effect("[E4 P9:virtual] a stream on which nothing can arrive is reported once, whatever keeps it closed", function*() {
    const attempts = [refuses(status(405)), refuses(status(409)), refuses(status(401)), refuses(reset), opens(0)]
    for (const attempt of attempts) assert.deepStrictEqual(yield* reports(() => attempt, "2 hours"), [[0, false]])
    assert.deepStrictEqual(yield* reports(() => () => Effect.never, "2 hours"), [[5, false]])
    assert.deepStrictEqual(yield* reports(() => opens(3_600_000), "30 minutes"), [])
    assert.deepStrictEqual(yield* reports(() => opens(3_600_000, 4999), "30 minutes"), [])
    assert.deepStrictEqual(yield* reports(() => opens(3_600_000, 6000), "30 minutes"), [[5, false], [6, true]])
  })

  test.effect("[E4 P9:virtual] a stream that opens at last is reported once it has been open for 10 s", function*() {
    const late = yield* reports((nth) => nth === 0 ? refuses(status(409)) : opens(3_600_000), "30 minutes")
    assert.strictEqual(late.length, 2)
    assert.isTrue(late[1]![1])
    assert.isAtLeast(late[1]![0], 11)
    assert.isAtMost(late[1]![0], 13)
  })

  test.effect("[E4 P9:virtual] a stream that is cut again and again is reported open at most every 30 s", function*() {
    const reported = yield* reports(() => opens(12_000), "1 hour")
    const times = reported.flatMap(([at, hears]) => hears ? [at] : [])
    assert.isAtLeast(times.length, 50)
    for (const [i, at] of times.entries()) assert.isAtLeast(at - (times[i - 1] ?? -30), 29)
  })

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

  it("[T4:unit] what a refusal means: another try, no stream, or no session any more", () => {
    const again = [401, 403, 407, 408, 409, 425, 429, 500, 502, 503]
    for (const resuming of [false, true]) {
      for (const one of again) assert.strictEqual(ServerStream.verdict(status(one), resuming), "again", `${one}`)
      for (const one of [405, 501]) assert.strictEqual(ServerStream.verdict(status(one), resuming), "none", `${one}`)
      for (const one of [400, 418, 499]) {
        assert.strictEqual(ServerStream.verdict(status(one), resuming), resuming ? "again" : "none", `${one}`)
      }
      assert.strictEqual(ServerStream.verdict(status(404, true), resuming), "session")
      assert.strictEqual(ServerStream.verdict(reset, resuming), "again")
      const page = new HttpFailure.AnswerFailure({ detail: "a page" })
      const redirect = new HttpFailure.RedirectFailure({ status: 302, to: "http://x.test/", why: "origin" })
      for (const one of [page, redirect]) assert.strictEqual(ServerStream.verdict(one, resuming), "none")
    }
  })

  const opened = (
    ends: ReadonlyArray<(position: EventStream.Position) => Effect.Effect<EventStream.End, HttpFailure.HttpFailure>>,
    lastEventId?: string
  ) =>
    Effect.gen(function*() {
      const position: EventStream.Position = { lastEventId, retry: undefined }
      const times: Array<number> = []
      const bounds: Array<number | undefined> = []
      const { fiber } = yield* kept((nth, position, bound) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          times.push(now)
          bounds.push(bound)
          return ends[nth]?.(position) ?? Effect.never
        }), { position })
      for (let i = 0; i < 2 * ends.length; i++) yield* TestClock.adjust("5 minutes")
      const outcome = fiber.unsafePoll()
      yield* Fiber.interrupt(fiber)
      return {
        bounds,
        position,
        waits: times.slice(1).map((time, index) => time - times[index]!),
        loss: outcome !== null && Exit.isSuccess(outcome) ? outcome.value : undefined
      }
    }).pipe(Effect.withRandom(Random.fixed([0])))

  const silent = () => Effect.succeed({ cause: undefined, isSilent: true })
  const ended = () => Effect.succeed({ cause: undefined })
  const brings = () => Effect.succeed({ cause: undefined, wasOfUse: true })

  test.effect("[T4:virtual] one that brings nothing new is opened again at once, and may be silent ever longer, five minutes at most", function*() {
    const brings = (id: string) => (position: EventStream.Position) => {
      position.lastEventId = id
      return silent()
    }
    const { bounds, waits } = yield* opened([...Array<typeof silent>(8).fill(silent), brings("2"), silent], "1")
    const doubled = [5, 10, 20, 40, 80, 160].map((seconds) => seconds * 1000)
    assert.deepStrictEqual(bounds, [...doubled, 300_000, 300_000, 300_000, 5000, 10_000])
    assert.deepStrictEqual(waits, Array<number>(10).fill(0))
    assert.deepStrictEqual((yield* opened([ended])).bounds, [undefined, undefined])
  })

  test.effect("[T4:virtual] one that ends at once is opened ever more slowly, until it has lived or brought something", function*() {
    const lives = () => Effect.delay(ended(), 10_000)
    const almost = () => Effect.delay(ended(), 9999)
    const marks = (position: EventStream.Position) => {
      position.lastEventId = `${position.lastEventId ?? ""}1`
      return ended()
    }
    const { waits } = yield* opened([ended, ended, ended, lives, ended, almost, brings, ended, ended, silent, ended])
    assert.deepStrictEqual(waits, [1000, 2000, 4000, 11_000, 1000, 11_999, 1000, 1000, 2000, 0, 1000])
    assert.deepStrictEqual((yield* opened([marks, marks, marks])).waits, [1000, 2000, 4000])
  })

  test.effect("[T4:virtual] one that brought messages is opened again at once, a second after it was last, or when the server asks", function*() {
    const after = (millis: number) => () => Effect.delay(brings(), millis)
    const asks = (position: EventStream.Position) => {
      position.retry = 2000
      return brings()
    }
    const often = Array<typeof brings>(5).fill(after(4000))
    const { waits } = yield* opened([ended, ended, ...often, after(300), ended, asks, after(3000)])
    assert.deepStrictEqual(waits, [1000, 2000, 4000, 4000, 4000, 4000, 4000, 1000, 1000, 2000, 5000])
  })

  test.effect("[T4:virtual] what a server asks to wait is waited, whether with its refusal or on its stream", function*() {
    const asks = (position: EventStream.Position) => {
      position.retry = 7000
      return ended()
    }
    const fails = () => Effect.fail(status(503, false, 20_000))
    const { waits } = yield* opened([asks, fails, ended, () => Effect.fail(reset), () => Effect.fail(reset)])
    assert.deepStrictEqual(waits, [7000, 30_000, 28_000, 30_000, 30_000])
  })

  test.effect("[T4:virtual] three refused connections in a row, a second apart, and no fewer, mean that the server is gone", function*() {
    const no = () => Effect.fail(refused)
    const gone = yield* opened([no, no, () => Effect.fail(reset), no, no, ended, no, no, no])
    assert.deepInclude(gone.loss, { kind: "closed", cause: refused })
    assert.deepStrictEqual(gone.waits, [1000, 1000, 1000, 1000, 1000, 2000, 2000, 2000])
    assert.isUndefined((yield* opened([no, no])).loss)
  })

  test.effect("[R6:unit] a session that is forgotten is its loss", function*() {
    const failure = status(404, true, 3000)
    const { loss, waits } = yield* opened([() => Effect.fail(failure)])
    assert.deepInclude(loss, { kind: "session", retryAfter: 3000, cause: failure })
    assert.include(loss?.message, "http://server.test/mcp: the stream from the server: ")
    assert.deepStrictEqual(waits, [])
  })

  test.effect("[T4:virtual] a place that the server refuses twice is given up; a router's refusal says nothing of it", function*() {
    const ofRouters = [401, 429, 502, 503, 504]
    for (const one of [400, 404, 409, 410, 422, 500, ...ofRouters]) {
      const asked: Array<string | undefined> = []
      const position: EventStream.Position = { lastEventId: "1", retry: undefined }
      const { fiber } = yield* kept((_, { lastEventId }) => {
        asked.push(lastEventId)
        return asked.length <= 4 && lastEventId !== undefined ? Effect.fail(status(one, true)) : Effect.never
      }, { isForgotten: Effect.succeed(false), isOffered: true, position })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(asked, ofRouters.includes(one) ? Array(5).fill("1") : ["1", "1", undefined], `${one}`)
      yield* Fiber.interrupt(fiber)
    }
  })
})
