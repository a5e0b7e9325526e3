import { Backend, RequestError, type RequestOptions, Sending, Telemetry } from "@mcp-lifeline/core"
import { Handle } from "@mcp-lifeline/core/internal"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Clock, Deferred, Effect, Fiber, FiberId, Option, Runtime, TestClock } from "effect"
import { constVoid } from "effect/Function"
import { asked, sending } from "../../testing/test/support/asked.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"

const second = 1000

const hang = (script: ScriptedConnector.ScriptedConnector) => {
  const { id: last } = script.current
  script.respond = (_, __, { id }) => id <= last ? { answer: "never" } : undefined
}

const hangTools = (script: ScriptedConnector.ScriptedConnector) => {
  script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
}

const pings = (script: ScriptedConnector.ScriptedConnector) => script.ledger.sent("ping")

/** A caller who waits for so many milliseconds; whether he has got an answer. No limit of ours is reached. */
type Caller = (backend: Backend.Backend, patience: number, options?: Backend.CallOptions) => Effect.Effect<boolean>

const telling = (script: ScriptedConnector.ScriptedConnector) => {
  let last: RequestOptions | undefined
  const connector = sending(script, (connection) => (method, params, given, settle) => {
    last = given
    return connection.send(method, params, given, settle)
  })
  const progress = () => last?.onevent?.({ _tag: "Progress", progress: { progress: 1 } })
  return { connector, progress, asked: () => last?.onevent?.({ _tag: "Asked" }) }
}

const unlimited = { timeout: Number.POSITIVE_INFINITY }

const interrupts: Caller = (backend, patience, options) =>
  backend.callTool({ name: "pay" }, { ...unlimited, ...options }).pipe(
    Effect.timeoutOption(patience),
    Effect.match({ onFailure: () => false, onSuccess: Option.isSome })
  )

/** As the facade and the relays do it. */
const cancels: Caller = (backend, patience, options) =>
  Effect.gen(function*() {
    const runFork = Runtime.runFork(yield* Effect.runtime())
    const done = yield* Deferred.make<boolean>()
    let fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
    const { cancel } = Handle.start(backend, "tools/call", { name: "pay" }, { ...unlimited, ...options }, (rest) => {
      fiber = runFork(rest)
      fiber.addObserver((exit) => Deferred.unsafeDone(done, Effect.succeed(exit._tag === "Success")))
    })
    const answer = yield* Effect.timeoutOption(Deferred.await(done), patience)
    if (Option.isNone(answer)) {
      cancel()
      fiber?.unsafeInterruptAsFork(FiberId.none)
    }
    return Option.getOrElse(answer, () => false)
  })

const doors = [["interrupted", interrupts], ["cancelled", cancels]] as const

describe.each(doors)("calls that their callers give up (%s)", (_, call) => {
  const start = (options: Partial<Backend.BackendOptions> = {}) =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const backend = yield* Backend.make("one", { connector: script, ...options })
      yield* TestClock.adjust("10 seconds")
      return { backend, script }
    })

  test.scoped("[H9:virtual] after 2 s of silence a probe is sent at once, and sooner none", function*() {
    const { backend, script } = yield* start({ keepalive: { method: "none" } })
    hangTools(script)
    for (const [patience, expected] of [[1999, []], [2000, [10_000 + 1999 + 2000]]] as const) {
      const calling = yield* Effect.fork(call(backend, patience))
      yield* TestClock.adjust(patience)
      expect(yield* Fiber.join(calling)).toBe(false)
      yield* TestClock.adjust(0)
      expect(pings(script)).toEqual(expected)
    }
    expect(yield* backend.status).toMatchObject({
      generation: 1,
      healthScore: 1,
      failures: 0,
      inFlight: 0,
      calls: { givenUp: 2 }
    })
  })

  for (const patience of [3, 15, 60]) {
    test.scoped(`[H9:virtual] a caller who gives up after ${patience} s each time has a good call within 60 s of the first`, function*() {
      const { backend, script } = yield* start({ keepalive: { method: "none" } })
      hang(script)
      let isAnswered = yield* Effect.zipLeft(
        Effect.fork(call(backend, patience * second)),
        TestClock.adjust(patience * second)
      ).pipe(Effect.flatMap(Fiber.join))
      const firstGivenUp = yield* Clock.currentTimeMillis
      const waited = Effect.map(Clock.currentTimeMillis, (now) => now - firstGivenUp)
      while (!isAnswered && (yield* waited) < 60 * second) {
        const calling = yield* Effect.fork(call(backend, patience * second))
        for (let seconds = 0; seconds < patience && calling.unsafePoll() === null; seconds++) {
          yield* TestClock.adjust(second)
        }
        isAnswered = yield* Fiber.join(calling)
      }
      expect(isAnswered).toBe(true)
      expect(yield* waited).toBeLessThanOrEqual(60 * second)
      expect(yield* backend.status).toMatchObject({
        generation: 2,
        lastError: "3 probes in a row failed: no answer within 10000 ms"
      })
      // What may not be carried out twice was held back after the first.
      expect(script.ledger.sent("tools/call").filter((at) => at < firstGivenUp + 30_000)).toHaveLength(1)
    })
  }

  test.scoped("[H9:virtual] calls that are cancelled soon raise nothing, however many", function*() {
    const { backend, script } = yield* start({ keepalive: { method: "none" } })
    hangTools(script)
    for (let i = 0; i < 10; i++) {
      const calls = yield* Effect.fork(
        Effect.all(Array.from({ length: 10 }, () => call(backend, 1000)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust(1000)
      yield* Fiber.join(calls)
    }
    expect(pings(script)).toEqual([])
    expect((yield* backend.status).calls).toEqual({ givenUp: 100 })
  })

  test.scoped("[H9:virtual] however many are given up after a long wait, a server that answers is sent one probe, and none within 2 s of that", function*() {
    const { backend, script } = yield* start({ keepalive: { method: "none" } })
    hangTools(script)
    // Thirty give up at once, and thirty more one after another.
    const calls = yield* Effect.fork(Effect.all(
      Array.from({ length: 60 }, (_, i) => call(backend, 5000 + Math.max(0, i - 29) * 63)),
      { concurrency: "unbounded" }
    ))
    yield* TestClock.adjust(5000)
    expect(pings(script)).toHaveLength(1)
    yield* TestClock.adjust(1900)
    expect(pings(script)).toHaveLength(1)
    yield* Fiber.join(calls)
    expect((yield* backend.status).healthScore).toBe(1)
  })

  test.scoped("[H9:virtual C21] progress of the call is a sign of life, also while the user is asked, and so is the answer to another one", function*() {
    const script = ScriptedConnector.make()
    const { asked, connector, progress } = telling(script)
    const backend = yield* Backend.make("one", { connector, keepalive: { method: "none" } })
    yield* TestClock.adjust(0)
    script.respond = (method, params) =>
      method === "tools/call" && (params as { readonly name: string }).name === "pay"
        ? { answer: "never" }
        : undefined
    const signs = [
      [Effect.void, Effect.sync(progress)],
      [Effect.sync(asked), Effect.sync(progress)],
      [Effect.void, backend.callTool({ name: "echo" })]
    ] as const
    for (const [before, sign] of signs) {
      const calling = yield* Effect.fork(call(backend, 5000, { onprogress: () => {} }))
      yield* TestClock.adjust(1)
      yield* before
      yield* TestClock.adjust(3000)
      yield* sign
      yield* TestClock.adjust(1999)
      expect(yield* Fiber.join(calling)).toBe(false)
      yield* TestClock.adjust("1 minute")
      expect(pings(script)).toEqual([])
    }
  })

  test.scoped("[H3 H9:virtual] only a probe that fails counts; one that is answered leaves everything as it was", function*() {
    const { backend, script } = yield* start({ keepalive: { method: "none" } })
    hangTools(script)
    for (let i = 0; i < 5; i++) {
      const calling = yield* Effect.fork(call(backend, 3000))
      yield* TestClock.adjust(3000)
      yield* Fiber.join(calling)
    }
    expect(pings(script)).toHaveLength(5)
    expect(yield* backend.status).toMatchObject({ generation: 1, failures: 0, healthScore: 1 })
    hang(script)
    const calling = yield* Effect.fork(call(backend, 3000))
    yield* TestClock.adjust(3000 + 9999)
    expect(yield* Fiber.join(calling)).toBe(false)
    expect((yield* backend.status).failures).toBe(0)
    yield* TestClock.adjust(1)
    expect((yield* backend.status).failures).toBe(1)
  })

  test.scoped("[H9:virtual] calls that are given up while they wait are counted too, and those that had an answer are not", function*() {
    const { backend, script } = yield* start({ keepalive: { method: "none" } })
    yield* call(backend, 1000)
    hang(script)
    const first = yield* Effect.fork(call(backend, 3000))
    yield* TestClock.adjust(3000)
    yield* Fiber.join(first)
    const held = yield* Effect.fork(call(backend, 3000))
    yield* TestClock.adjust(3000)
    yield* Fiber.join(held)
    expect((yield* backend.status).calls.givenUp).toBe(2)
    script.otherwise = { connect: "hang" }
    yield* backend.disconnect
    const reconnecting = yield* Effect.fork(backend.reconnect)
    yield* TestClock.adjust(0)
    const waiting = yield* Effect.fork(call(backend, 1000))
    yield* TestClock.adjust(1000)
    yield* Fiber.join(waiting)
    expect((yield* backend.status).calls.givenUp).toBe(3)
    yield* Fiber.interrupt(reconnecting)
  })

  test.scoped("[H9:virtual] a call that goes on in a resumed session puts the connection in doubt that has the session", function*() {
    const script = ScriptedConnector.make()
    script.otherwise = { suspends: true }
    const backend = yield* Backend.make("one", { connector: script, keepalive: { method: "none" } })
    yield* TestClock.adjust("10 seconds")
    hangTools(script)
    const calling = yield* Effect.fork(call(backend, 10_000))
    yield* TestClock.adjust(1000)
    script.current.lose()
    yield* TestClock.adjust(8999)
    expect(yield* backend.status).toMatchObject({ generation: 2, resumed: true, inFlight: 1 })
    expect(pings(script)).toEqual([])
    yield* TestClock.adjust(1)
    yield* Fiber.join(calling)
    expect(pings(script)).toEqual([20_000])
    expect((yield* backend.status).inFlight).toBe(0)
  })
})

const withSpans: Telemetry.Telemetry = {
  observe: () => ({
    hasSpans: true,
    event: constVoid,
    beat: constVoid,
    breakerOpened: constVoid,
    call: () => ({ attempt: () => undefined, end: constVoid })
  })
}

const ways = [{ hasSpans: false }, { hasSpans: true }]

const started = ({ hasSpans }: (typeof ways)[number]) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make()
    const backend = yield* Backend.make("one", { connector: script, keepalive: { method: "none" } }).pipe(
      Effect.provideService(Telemetry.Current, hasSpans ? withSpans : undefined)
    )
    yield* TestClock.adjust(0)
    return { backend, script }
  })

describe("the caller's next call", () => {
  test.scoped.each(ways)(
    "[H9:virtual H4] is held back, also where it comes in the step in which the one before is given up (%o)",
    function*(way) {
      const { backend, script } = yield* started(way)
      hang(script)
      const run = Runtime.runFork(yield* Effect.runtime())
      const call = () => {
        let fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
        const { cancel } = Handle.start(
          backend,
          "tools/call",
          { name: "pay" },
          unlimited,
          (rest) => void (fiber = run(rest))
        )
        return () => {
          cancel()
          fiber?.unsafeInterruptAsFork(FiberId.none)
        }
      }
      const giveUp = call()
      yield* TestClock.adjust(3000)
      giveUp()
      call()
      yield* TestClock.adjust(29_999)
      expect(script.ledger.sent("tools/call")).toEqual([0])
      yield* TestClock.adjust(1001)
      expect(script.ledger.sent("tools/call")).toHaveLength(2)
      expect(yield* backend.status).toMatchObject({ generation: 2, calls: { givenUp: 1 }, inFlight: 0 })
    }
  )
})

describe("a caller who stops listening, and may come back", () => {
  test.scoped.each(ways)(
    "[H9:virtual] has a silent server probed after 2 s, and sooner not; the call goes on, and is not counted (%o)",
    function*(way) {
      const { backend, script } = yield* started(way)
      hangTools(script)
      const run = Runtime.runFork(yield* Effect.runtime())
      const { cancel, doubt } = Handle.start(
        backend,
        "tools/call",
        { name: "pay" },
        unlimited,
        (rest) => void run(rest)
      )
      yield* TestClock.adjust(1999)
      doubt()
      yield* TestClock.adjust(0)
      expect(pings(script)).toEqual([])
      yield* TestClock.adjust(1)
      doubt()
      yield* TestClock.adjust(0)
      expect(pings(script)).toEqual([2000])
      expect(yield* backend.status).toMatchObject({ generation: 1, inFlight: 1, calls: { givenUp: 0 } })
      cancel()
      doubt()
      expect((yield* backend.status).calls.givenUp).toBe(1)
    }
  )
})

describe("a call that is given up on a connection that was replaced", () => {
  test.scoped("[C14:virtual H9] says nothing of the one in its place: that stays in doubt, and gets no further call", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* Backend.make("one", { connector: script, timeouts: { drain: "1 hour" } })
    yield* TestClock.adjust(0)
    script.respond = (method) => method.endsWith("/list") ? undefined : { answer: "never" }
    const call = Effect.fork(backend.callTool({ name: "pay" }, unlimited))
    const onOld = yield* call
    yield* TestClock.adjust(0)
    yield* backend.reconnect
    const onNew = yield* call
    yield* TestClock.adjust(3 * second)
    yield* Fiber.interrupt(onNew)
    yield* Fiber.interrupt(onOld)
    yield* call
    yield* TestClock.adjust(0)
    expect(script.ledger.live).toEqual([1])
    expect(script.ledger.sent("tools/call")).toHaveLength(2)
  })
})

describe("calls that nobody gives up", () => {
  test.scoped("[H9:virtual] a connector that interrupts itself is no caller: the call fails, and is not counted as given up", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* Backend.make("one", {
      connector: {
        ...script,
        connect: (options) =>
          asked(
            script.connect(options),
            (connection) => (method, params, given) =>
              method === "tools/call" ? Effect.interrupt : Sending.ask(connection, method, params, given)
          )
      },
      keepalive: { method: "none" }
    })
    yield* TestClock.adjust(0)
    expect(yield* Effect.flip(backend.callTool({ name: "pay" }))).toMatchObject({ _tag: "ResultUnknown" })
    expect((yield* backend.status).calls.givenUp).toBe(0)
    expect((yield* backend.status).inFlight).toBe(0)
  })

  test.scoped("[H9:virtual] a call that fails is not counted", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* Backend.make("one", { connector: script, timeouts: { request: 1000 } })
    yield* TestClock.adjust(0)
    hangTools(script)
    const timedOut = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" })))
    yield* TestClock.adjust(1000)
    expect((yield* Fiber.join(timedOut))._tag).toBe("RequestTimeout")
    const error = new RequestError({ fate: "answered", reason: "remote", code: 1, message: "no" })
    script.respond = () => ({ answer: "error", error })
    expect((yield* Effect.flip(backend.callTool({ name: "pay" })))._tag).toBe("RemoteError")
    expect((yield* backend.status).calls.givenUp).toBe(0)
  })
})
