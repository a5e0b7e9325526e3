import { Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Chunk, Effect, Fiber, Random, Stream, TestClock } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { State } from "../src/lifecycle/Lifecycle.js"
import * as Health from "../src/state/Health.js"

/** A backend that sends no heartbeats of its own; probes are given half a second and come 1.5 seconds apart, requests a second. */
const start = (script: ScriptedConnector.ScriptedConnector, options: Partial<Backend.BackendOptions> = {}) =>
  Effect.tap(
    Backend.make("one", {
      connector: script,
      keepalive: { method: "none", timeout: 500, suspectInterval: 1500 },
      timeouts: { request: 1000 },
      ...options
    }),
    () => TestClock.adjust(0)
  )

const failuresOf = (backend: Backend.Backend) => Effect.map(backend.status, (status) => status.failures)

const callInVain = (backend: Backend.Backend) =>
  Effect.gen(function*() {
    const call = yield* Effect.fork(Effect.exit(backend.callTool({ name: "slow" }, { idempotent: true })))
    yield* TestClock.adjust(1000)
    const exit = yield* Fiber.join(call)
    yield* TestClock.adjust(500)
    return exit
  })

/** A server that leaves pings without an answer gives no lists either, unless it only ignores pings. */
const deaf = (...methods: ReadonlyArray<string>) => (method: string): ScriptedConnector.Answer | undefined =>
  methods.includes(method) || (methods.includes("ping") && method.endsWith("/list")) ? { answer: "never" } : undefined

const remote = (code: number): ScriptedConnector.Answer => ({
  answer: "error",
  error: new RequestError({ fate: "answered", reason: "remote", code, message: "says the server" })
})

/** What a proxy answers while the server behind it is gone: 502. */
const broken = new RequestError({ fate: "unknown", reason: "server", message: "502" })

/** What a server answers that wants to be asked later: 503 with Retry-After. */
const refused = (retryAfter: number) =>
  new RequestError({ fate: "rejected", reason: "server", message: "503", retryAfter })

describe("Health", () => {
  test.scoped("[H1] a reading of the lists without an answer counts, and is followed by probes: the third in a row loses the runtime, not the second", function*() {
    const script = ScriptedConnector.make()
    script.respond = () => ({ answer: "never" })
    const backend = yield* start(script)
    yield* TestClock.adjust(999)
    expect(yield* failuresOf(backend)).toBe(0)
    yield* TestClock.adjust(1)
    expect(yield* failuresOf(backend)).toBe(1)
    // the probe that follows at once shows nothing new
    yield* TestClock.adjust(1999)
    expect(yield* failuresOf(backend)).toBe(1)
    yield* TestClock.adjust(1)
    expect(yield* failuresOf(backend)).toBe(2)
    yield* TestClock.adjust(1499)
    expect(script.ledger.sent("ping")).toEqual([1000, 2500, 4000])
    expect(script.ledger.live).toEqual([0])
    yield* TestClock.adjust(1)
    expect(script.ledger.live).toEqual([])
    expect((yield* backend.status).lastError).toBe("3 probes in a row failed: no answer within 500 ms")
  })

  test.scoped("[H1 H2] a server that gives no list, but answers pings, is kept, however often it is asked for them", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method) => method.endsWith("/list") ? { answer: "never" } : undefined
    const backend = yield* start(script)
    yield* TestClock.adjust("5 minutes")
    expect(script.ledger.sent("tools/list").length).toBeGreaterThan(5)
    expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 1, failures: 0 })
  })

  test.scoped("[H1] readings and calls without an answer share one count, and a new generation begins with none", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    script.respond = deaf("ping", "slow", "tools/call", "tools/list")
    const refresh = yield* Effect.fork(Effect.exit(backend.refresh))
    yield* TestClock.adjust(1000)
    expect((yield* Fiber.join(refresh))._tag).toBe("Failure")
    expect(yield* failuresOf(backend)).toBe(1)
    yield* callInVain(backend)
    expect(yield* failuresOf(backend)).toBe(1)
    yield* callInVain(backend)
    expect(yield* failuresOf(backend)).toBe(2)
    expect(script.ledger.live).toEqual([0])
    yield* TestClock.adjust(500)
    expect(script.ledger.live).toEqual([])
    expect((yield* backend.status).lastError).toBe("3 probes in a row failed: no answer within 500 ms")
    script.respond = undefined
    yield* backend.reconnect
    yield* TestClock.adjust(0)
    expect(yield* backend.status).toMatchObject({ generation: 2, failures: 0 })
  })

  test.scoped("[H1 C14:virtual] a reading without an answer holds no call: the probe after it may", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { keepalive: { method: "none", timeout: 500, suspectInterval: 10_000 } })
    script.respond = (method) => method.endsWith("/list") || method === "ping" ? { answer: "never" } : undefined
    const refresh = yield* Effect.fork(Effect.exit(backend.refresh))
    yield* TestClock.adjust(1000)
    yield* Fiber.join(refresh)
    expect(script.ledger.sent("ping")).toEqual([1000])
    yield* backend.callTool({ name: "pay" })
    expect(yield* backend.status).toMatchObject({ waiting: 0, inFlight: 0 })
  })

  it.scoped("[H1 R12] readings that are refused, three in a row, end a connection that answers pings: another one may be accepted", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.respond = (method, _, { id }) =>
        id === 0 && method === "tools/list"
          ? { answer: "error", error: new RequestError({ fate: "rejected", reason: "unauthorized", message: "401" }) }
          : undefined
      const backend = yield* start(script)
      // again after 0.75 of a second, then of two
      yield* TestClock.adjust(2249)
      expect(yield* backend.status).toMatchObject({ state: "Connected", failures: 0 })
      expect(script.ledger.sent("ping")).toEqual([])
      yield* TestClock.adjust(1)
      expect((yield* backend.status).lastError).toBe("3 readings of the lists in a row were refused: 401")
      yield* TestClock.adjust(1000)
      expect(yield* backend.status).toMatchObject({ generation: 2, catalog: { stale: false } })
    }).pipe(Effect.withRandom(Random.fixed([0.5]))))

  test.scoped("[H1] the threshold is an option", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, {
      keepalive: { method: "none", timeout: 500, suspectInterval: 1500, failureThreshold: 1 }
    })
    script.respond = deaf("ping", "tools/call")
    yield* callInVain(backend)
    expect(script.ledger.live).toEqual([])
  })

  test.scoped.each<[string, ScriptedConnector.Answer]>([
    ["a result", { answer: "result" }],
    ["a result with isError", { answer: "result", result: { content: [], isError: true } }],
    ["a JSON-RPC error", remote(-32000)]
  ])("[H2] %s is an answer and resets the count", function*([, answer]) {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    for (let round = 0; round < 2; round++) {
      script.respond = (method) => method === "tools/call" ? { ...answer, after: 3100 } : undefined
      const call = yield* Effect.fork(Effect.exit(backend.callTool({ name: "echo" }, { timeout: 10_000 })))
      yield* TestClock.adjust(0)
      script.respond = deaf("ping", "tools/call", "tools/list")
      const refresh = yield* Effect.fork(Effect.exit(backend.refresh))
      yield* TestClock.adjust(1000)
      yield* Fiber.join(refresh)
      yield* callInVain(backend)
      yield* TestClock.adjust(500)
      expect(yield* failuresOf(backend)).toBe(2)
      yield* TestClock.adjust(100)
      yield* Fiber.join(call)
      expect(yield* failuresOf(backend)).toBe(0)
    }
    expect(script.ledger.live).toEqual([0])
  })

  test.scoped("[H2] a server that answers some of the lists is alive, however often it is silent on another", function*() {
    const script = ScriptedConnector.make()
    script.respond = deaf("prompts/list")
    const backend = yield* start(script)
    yield* TestClock.adjust("12 minutes")
    expect(script.ledger.sent("prompts/list").length).toBeGreaterThan(10)
    const { failures, generation, state } = yield* backend.status
    expect([state, generation]).toEqual(["Connected", 1])
    expect(failures).toBe(0)
    yield* backend.callTool({ name: "echo" })
  })

  test.scoped("[H3] a cancelled call is no failure and no suspicion", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    script.respond = deaf("ping", "tools/call")
    const call = yield* Effect.fork(backend.callTool({ name: "slow" }))
    yield* TestClock.adjust(999)
    yield* Fiber.interrupt(call)
    yield* TestClock.adjust(1000)
    expect(script.ledger.sent("tools/call")).toHaveLength(1)
    expect(script.ledger.sent("ping")).toEqual([])
    expect(yield* failuresOf(backend)).toBe(0)
    expect((yield* backend.status).inFlight).toBe(0)
  })

  test.scoped("[H3] a list that the server does not know, although it declared it, is empty and no failure", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method) => method === "prompts/list" ? remote(-32601) : undefined
    const backend = yield* start(script)
    expect(yield* failuresOf(backend)).toBe(0)
    expect(yield* backend.catalog).toMatchObject({ tools: [{ name: "echo" }], prompts: [], problems: [] })
    expect(script.ledger.sent("prompts/list")).toEqual([0])
  })

  test.scoped("[H4] a call that times out is suspicion: one probe at once for however many calls, and a slow tool kills nothing", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    script.respond = (method) => method === "ping" ? { answer: "result", after: 10 } : deaf("tools/call")(method)
    const calls = yield* Effect.fork(Effect.all(
      Array.from({ length: 5 }, () => Effect.either(backend.callTool({ name: "slow" }))),
      { concurrency: "unbounded" }
    ))
    yield* TestClock.adjust(999)
    expect(script.ledger.sent("ping")).toEqual([])
    yield* TestClock.adjust(1)
    expect(script.ledger.sent("ping")).toEqual([1000])
    for (const call of yield* Fiber.join(calls)) expect(call).toMatchObject({ left: { _tag: "RequestTimeout" } })
    for (let i = 0; i < 5; i++) yield* callInVain(backend)
    expect(yield* backend.status).toMatchObject({
      generation: 1,
      healthScore: 1,
      failures: 0
    })
    expect(script.ledger.sent("ping")).toHaveLength(6)
  })

  test.scoped("[H4] of a suspicion only the failure of its probe counts, once for the calls that share it", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    script.respond = deaf("ping", "tools/call")
    const calls = yield* Effect.fork(Effect.all(
      Array.from({ length: 5 }, () => Effect.either(backend.callTool({ name: "slow" }))),
      { concurrency: "unbounded" }
    ))
    yield* TestClock.adjust(1499)
    expect(yield* failuresOf(backend)).toBe(0)
    yield* TestClock.adjust(1)
    expect(yield* failuresOf(backend)).toBe(1)
    yield* Fiber.join(calls)
    expect((yield* backend.status).healthScore).toBe(0)
  })

  test.scoped("[H4] once a probe has failed, others follow by themselves, and one call is enough to find a wedged server", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { keepalive: { method: "none", timeout: 500, suspectInterval: 2000 } })
    script.respond = deaf("ping", "tools/call")
    yield* callInVain(backend)
    expect(script.ledger.sent("ping")).toEqual([1000])
    yield* TestClock.adjust(2000)
    expect(yield* failuresOf(backend)).toBe(2)
    yield* TestClock.adjust(1999)
    expect((yield* backend.status).state).toBe("Connected")
    yield* TestClock.adjust(1)
    expect(script.ledger.sent("ping")).toEqual([1000, 3000, 5000])
    expect(yield* backend.status).toMatchObject({
      state: "Reconnecting",
      lastError: "3 probes in a row failed: no answer within 500 ms"
    })
  })

  test.scoped("[H4 H8] a health check that fails is followed as any probe is: nobody has to call to find a wedged server", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { keepalive: { method: "none", timeout: 500, suspectInterval: 2000 } })
    script.respond = deaf("ping", "tools/call")
    const check = yield* Effect.fork(backend.healthCheck)
    yield* TestClock.adjust(500)
    expect(yield* Fiber.join(check)).toMatchObject({ latency: undefined, error: { _tag: "RequestTimeout" } })
    const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout: 10_000 })))
    yield* TestClock.adjust(2000 + 1999)
    expect((yield* backend.status).state).toBe("Connected")
    expect(script.ledger.sent("tools/call")).toEqual([])
    script.respond = undefined
    yield* TestClock.adjust(1)
    // The others are asked because a call waits, and count for nothing.
    expect(script.ledger.sent("ping")).toEqual([0, 1500, 2000, 2500, 3500, 4000])
    yield* TestClock.adjust(5000)
    expect(yield* Fiber.join(call)).toMatchObject({ _tag: "Right" })
    expect((yield* backend.status).generation).toBe(2)
  })

  test.scoped("[H4] a probe that has waited as long as the interval in vain is followed at once: three of 10 s take 30 s", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { keepalive: { method: "none" } })
    script.respond = deaf("ping", "tools/call")
    const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" })))
    yield* TestClock.adjust(1000 + 30_000 - 1)
    expect(yield* Fiber.join(call)).toMatchObject({ left: { _tag: "RequestTimeout" } })
    expect(script.ledger.sent("ping")).toEqual([1000, 11_000, 21_000])
    expect(script.ledger.live).toEqual([0])
    yield* TestClock.adjust(1)
    expect(script.ledger.live).toEqual([])
    expect((yield* backend.status).lastError).toBe("3 probes in a row failed: no answer within 10000 ms")
  })

  test.scoped.each<[string, ScriptedConnector.Answer, ReadonlyArray<number>]>([
    ["a timeout has waited already", { answer: "never" }, [0, 10_000, 20_000]],
    ["another failure, however late, has not", { answer: "error", error: broken, after: 3000 }, [0, 13_000, 26_000]]
  ])("[H4] of the interval to the next probe, %s", function*([, answer, sent]) {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { keepalive: { method: "none", timeout: 4000, suspectInterval: 10_000 } })
    script.respond = () => answer
    yield* Effect.fork(backend.healthCheck)
    yield* TestClock.adjust("1 minute")
    expect(script.ledger.sent("ping", 0)).toEqual(sent)
    expect(script.ledger.live).not.toContain(0)
  })

  test.scoped("[H4 H8] health checks that began apart and fail in the same moment count once", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { keepalive: { method: "none", timeout: 30_000, suspectInterval: 1000 } })
    let end = 30_000
    script.respond = () => ({ answer: "error", error: broken, after: end })
    for (let second = 0; second < 20; second++) {
      yield* Effect.fork(backend.healthCheck)
      yield* TestClock.adjust(1000)
      end -= 1000
    }
    yield* TestClock.adjust(9999)
    expect(yield* failuresOf(backend)).toBe(0)
    yield* TestClock.adjust(1)
    expect(yield* failuresOf(backend)).toBe(1)
    script.respond = undefined
    yield* TestClock.adjust(1000)
    expect(yield* backend.status).toMatchObject({ generation: 1, failures: 0 })
    expect(script.ledger.sent("ping")).toHaveLength(21)
  })

  test.scoped("[H4] however many calls fail, probes are suspectInterval apart: a moment of errors ends no connection", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, {
      keepalive: { method: "none", timeout: 500, suspectInterval: 10_000 },
      timeouts: { request: 60_000 }
    })
    script.respond = () => ({ answer: "result", after: 30_000 })
    const long = yield* Effect.fork(backend.callTool({ name: "long" }))
    yield* TestClock.adjust(0)
    script.respond = () => ({ answer: "error", error: broken })
    for (let i = 0; i < 100; i++) {
      expect((yield* Effect.either(backend.callTool({ name: "pay" })))._tag).toBe("Left")
      yield* TestClock.adjust(100)
    }
    expect(script.ledger.sent("tools/call")).toHaveLength(101)
    expect(script.ledger.sent("ping")).toEqual([0, 10_000])
    expect(yield* failuresOf(backend)).toBe(2)
    script.respond = undefined
    yield* TestClock.adjust(20_000)
    expect(script.ledger.sent("ping")).toEqual([0, 10_000, 20_000])
    expect((yield* Fiber.join(long)).content).toBeDefined()
    expect(yield* backend.status).toMatchObject({ generation: 1, failures: 0 })
  })

  test.scoped("[H4] a call that was answered meanwhile makes no exception: the next probe comes when it is due", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    const breaks = () => {
      script.respond = () => ({ answer: "error", error: broken })
      return Effect.either(backend.callTool({ name: "pay" }))
    }
    yield* breaks()
    yield* TestClock.adjust(400)
    script.respond = undefined
    yield* backend.callTool({ name: "pay" })
    yield* TestClock.adjust(400)
    yield* breaks()
    yield* TestClock.adjust(699)
    expect(script.ledger.sent("ping")).toEqual([0])
    yield* TestClock.adjust(1)
    expect(script.ledger.sent("ping")).toEqual([0, 1500])
    script.respond = undefined
    yield* backend.callTool({ name: "pay" })
    yield* TestClock.adjust("1 hour")
    // An answer that nothing has followed ends them.
    expect(script.ledger.sent("ping")).toEqual([0, 1500])
  })

  test.scoped("[H4 H8] health checks that fail within a moment count once, beside the probe that a call has raised as well", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    script.respond = () => ({ answer: "error", error: broken })
    for (let i = 0; i < 5; i++) {
      expect((yield* backend.healthCheck).error?._tag).toBeDefined()
      yield* Effect.either(backend.callTool({ name: "pay" }))
    }
    expect(yield* failuresOf(backend)).toBe(1)
    expect((yield* backend.status).healthScore).toBe(0)
    yield* TestClock.adjust(2999)
    expect(yield* backend.status).toMatchObject({ state: "Connected", failures: 2 })
    yield* TestClock.adjust(1)
    expect((yield* backend.status).lastError).toContain("3 probes in a row failed")
  })

  test.scoped.each<[string, RequestError]>([
    ["429", new RequestError({ fate: "rejected", reason: "rateLimited", message: "429" })],
    ["503 and Retry-After", refused(3000)]
  ])("[H4 K19:virtual] a probe that is refused for now (%s) is a sign of life, and the last one", function*([, error]) {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    script.respond = (method) => method === "ping" ? { answer: "error", error } : { answer: "never" }
    yield* callInVain(backend)
    yield* TestClock.adjust("1 hour")
    expect(script.ledger.sent("ping")).toHaveLength(1)
    expect(yield* backend.status).toMatchObject({ generation: 1, healthScore: 1, failures: 0 })
  })

  test.scoped("[K19:virtual] a call that the server refuses for now raises no suspicion, and is sent again at the time that the server names", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { timeouts: { request: 60_000 } })
    let isBusy = true
    script.respond = () => isBusy ? { answer: "error", error: refused(3000) } : undefined
    const calls = yield* Effect.fork(
      Effect.forEach(Array.from({ length: 20 }), () => Effect.either(backend.callTool({ name: "pay" })), {
        concurrency: "unbounded"
      })
    )
    yield* TestClock.adjust(8999)
    expect(new Set(script.ledger.sent("tools/call"))).toEqual(new Set([0, 3000, 6000]))
    isBusy = false
    yield* TestClock.adjust(1)
    expect((yield* Fiber.join(calls)).filter(({ _tag }) => _tag === "Right")).toHaveLength(20)
    expect(script.ledger.sent("tools/call")).toHaveLength(80)
    expect(script.ledger.sent("ping")).toEqual([])
    expect((yield* backend.status).generation).toBe(1)
  })

  test.scoped("[K19:virtual] a Retry-After of no time at all is answered at the pace of any other failure", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { timeouts: { request: 10_000 }, reconnect: { demandInterval: 1000 } })
    script.respond = () => ({ answer: "error", error: refused(0) })
    const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" })))
    yield* TestClock.adjust(10_000)
    expect((yield* Fiber.join(call))._tag).toBe("Left")
    expect(script.ledger.sent("tools/call")).toEqual([0, 1000, 3000, 7000])
  })

  test.scoped("[H4] a call that times out on a connection that drains takes no suspicion from the one that took its place", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, {
      keepalive: { method: "none", timeout: 500, suspectInterval: 5000 },
      timeouts: { request: 10_000, drain: "1 minute" }
    })
    script.respond = deaf("ping", "tools/call")
    const calls = [yield* Effect.fork(Effect.either(backend.callTool({ name: "old" }, { timeout: 4000 })))]
    yield* TestClock.adjust(0)
    yield* backend.reconnect
    calls.push(yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout: 1000 }))))
    yield* TestClock.adjust(4000)
    yield* Fiber.joinAll(calls)
    yield* Effect.fork(backend.callTool({ name: "pay" }))
    yield* TestClock.adjust(500)
    expect(script.ledger.sent("tools/call")).toHaveLength(2)
  })

  test.scoped("[H4] a call that waits for the verdict is sent as soon as anything is answered", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, {
      keepalive: { method: "none", timeout: 500, suspectInterval: 2000 },
      timeouts: { request: 10_000 }
    })
    script.respond = deaf("ping", "tools/call")
    const first = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout: 1000 })))
    yield* TestClock.adjust(1500)
    yield* Fiber.join(first)
    const held = yield* Effect.fork(backend.callTool({ name: "pay" }))
    yield* TestClock.adjust(200)
    expect(script.ledger.sent("tools/call")).toEqual([0])
    script.respond = undefined
    yield* backend.ping()
    yield* TestClock.adjust(0)
    yield* Fiber.join(held)
    expect(script.ledger.sent("tools/call")).toEqual([0, 1700])
  })

  test.scoped("[H4] a call that waits for the verdict is sent as soon as a probe fails otherwise than by silence", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, {
      keepalive: { method: "none", timeout: 500, suspectInterval: 20_000 },
      timeouts: { request: 10_000 }
    })
    const reset = new RequestError({ fate: "unknown", reason: "network", message: "the connection was reset" })
    script.respond = (method) => method === "ping" ? { answer: "error", error: reset, after: 400 } : { answer: "never" }
    const first = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout: 1000 })))
    yield* TestClock.adjust(1000)
    yield* Fiber.join(first)
    script.respond = undefined
    const held = yield* Effect.fork(backend.callTool({ name: "pay" }))
    yield* TestClock.adjust(200)
    expect(script.ledger.sent("tools/call")).toEqual([0])
    yield* TestClock.adjust(200)
    expect(script.ledger.sent("tools/call")).toEqual([0, 1400])
    yield* Fiber.join(held)
  })

  test.scoped("[H4] a caller who calls again meanwhile pays once: what may not be sent twice waits until the doubt is settled", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, {
      keepalive: { method: "none", timeout: 500, suspectInterval: 2000 },
      timeouts: { request: 10_000, wait: 1000 }
    })
    script.respond = deaf("ping", "tools/call")
    const outcomes = yield* Effect.fork(Effect.all([
      Effect.either(backend.callTool({ name: "pay" }, { timeout: 1000 })),
      Effect.either(backend.callTool({ name: "pay" }))
    ]))
    yield* TestClock.adjust(5499)
    expect(script.ledger.sent("tools/call")).toEqual([0])
    script.respond = undefined
    yield* TestClock.adjust(2500)
    const [first, second] = yield* Fiber.join(outcomes)
    expect(first).toMatchObject({ left: { _tag: "RequestTimeout" } })
    expect(second._tag).toBe("Right")
    expect(script.ledger.sent("tools/call")).toHaveLength(2)
    expect((yield* backend.status).generation).toBe(2)
  })

  test.scoped("[H4] they end with the first answer, of a probe or of a call", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { keepalive: { method: "none", timeout: 500, suspectInterval: 2000 } })
    script.respond = deaf("ping", "tools/call")
    yield* callInVain(backend)
    script.respond = deaf("tools/call")
    yield* TestClock.adjust("1 minute")
    expect(script.ledger.sent("ping")).toHaveLength(2)
    expect(yield* failuresOf(backend)).toBe(0)
    script.respond = deaf("ping", "tools/call")
    yield* callInVain(backend)
    script.respond = undefined
    yield* backend.ping()
    yield* TestClock.adjust("1 minute")
    expect(script.ledger.sent("ping")).toHaveLength(4)
  })

  test.scoped.each(["a new connection", "a late answer"])(
    "[C14:virtual] while a call and the probe that followed it are unanswered, none is sent, whatever it may do; they go on with %s",
    function*(ends) {
      const script = ScriptedConnector.make()
      const backend = yield* start(script, {
        keepalive: { method: "none", timeout: 500, suspectInterval: 2000 },
        timeouts: { request: 60_000, wait: 1000 }
      })
      script.respond = (method) => method === "resources/read" ? { answer: "result", after: 3000 } : { answer: "never" }
      const read = yield* Effect.fork(backend.readResource({ uri: "a:b" }))
      const first = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout: 1000 })))
      yield* TestClock.adjust(1000)
      expect(yield* Fiber.join(first)).toMatchObject({ left: { _tag: "RequestTimeout" } })
      const before = script.ledger.entries.length
      const held = yield* Effect.fork(Effect.all([
        backend.callTool({ name: "pay" }),
        backend.callTool({ name: "look" }, { idempotent: true }),
        backend.listTools(),
        backend.getPrompt({ name: "p" })
      ], { concurrency: "unbounded" }))
      yield* TestClock.adjust(1999)
      expect(script.ledger.entries.slice(before).every((one) => one._tag === "Sent" && one.method === "ping")).toBe(
        true
      )
      expect(yield* backend.status).toMatchObject({ waiting: 4, inFlight: 1 })
      if (ends === "a new connection") script.connections.at(-1)!.lose("closed")
      script.respond = undefined
      yield* TestClock.adjust(1)
      if (ends === "a late answer") yield* Fiber.join(read)
      else yield* TestClock.adjust(2000)
      yield* Fiber.join(held)
      expect(script.ledger.sent("tools/call")).toHaveLength(3)
      expect(yield* backend.status).toMatchObject({ generation: ends === "a late answer" ? 1 : 2, waiting: 0 })
      yield* Fiber.interrupt(read)
    }
  )

  test.scoped("[C14:virtual C13] as many wait as may; the next one, and each whose time is over, fails as not sent", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, {
      keepalive: { method: "none", timeout: 500, suspectInterval: 5000 },
      calls: { maxWaiting: 2 }
    })
    script.respond = deaf("ping", "tools/call")
    yield* callInVain(backend)
    const call = () => Effect.fork(Effect.flip(backend.callTool({ name: "look" }, { idempotent: true })))
    const calls = [yield* call(), yield* call()]
    yield* TestClock.adjust(0)
    expect(yield* Fiber.join(yield* call())).toMatchObject({ state: "Busy" })
    yield* TestClock.adjust(1000)
    for (const call of calls) {
      expect(yield* Fiber.join(call)).toMatchObject({
        _tag: "BackendUnavailable",
        message: expect.stringContaining("was not sent, because the server does not answer probes")
      })
    }
    expect(script.ledger.sent("tools/call")).toHaveLength(1)
    expect((yield* backend.status).waiting).toBe(0)
  })

  test.scoped("[C14:virtual] a probe alone that is unanswered holds no call that may be sent again: its answer is a verdict, too", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { keepalive: { method: "none", timeout: 500, suspectInterval: 5000 } })
    script.respond = deaf("ping")
    const check = yield* Effect.fork(backend.healthCheck)
    yield* TestClock.adjust(500)
    yield* Fiber.join(check)
    yield* backend.callTool({ name: "look" }, { idempotent: true })
  })

  it("[H5] the score weighs the last ten probes by 0.5^i, the newest heaviest, and is 1 without history", () => {
    const of = (...newestFirst: ReadonlyArray<boolean>) =>
      Health.score(newestFirst.reduceRight(Health.record, Health.empty))
    expect(of()).toBe(1)
    expect(of(true)).toBe(1)
    expect(of(false)).toBe(0)
    expect(of(true, false)).toBeCloseTo(2 / 3)
    expect(of(false, true)).toBeCloseTo(1 / 3)
    expect(of(false, true, true)).toBeCloseTo(0.75 / 1.75)
    const ten = Array.from({ length: 10 }, () => true)
    expect(of(...ten, false, false)).toBe(1)
    expect(of(...ten.slice(1), false)).toBeCloseTo(1 - 0.5 ** 9 / (2 - 0.5 ** 9))
  })

  test.scoped("[H5] the score is kept over reconnects, and isHealthy compares it with a threshold of 0.7 unless told another", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    expect(yield* backend.isHealthy()).toBe(true)
    script.respond = () => remote(-32000)
    yield* backend.healthCheck
    expect((yield* backend.status).healthScore).toBe(1)
    script.respond = deaf("ping")
    const check = yield* Effect.fork(backend.healthCheck)
    yield* TestClock.adjust(500)
    yield* Fiber.join(check)
    expect((yield* backend.status).healthScore).toBeCloseTo(1 / 3)
    script.respond = undefined
    yield* backend.reconnect
    expect((yield* backend.status).healthScore).toBeCloseTo(1 / 3)
    yield* backend.healthCheck
    expect((yield* backend.status).healthScore).toBeCloseTo(1.25 / 1.75)
    expect(yield* backend.isHealthy()).toBe(true)
    expect(yield* backend.isHealthy(0.72)).toBe(false)
  })

  const requests: Record<string, (backend: Backend.Backend) => Effect.Effect<unknown, unknown>> = {
    "a tool": (backend: Backend.Backend) => backend.callTool({ name: "t" }),
    "a resource": (backend: Backend.Backend) => backend.readResource({ uri: "a:b" }),
    "a prompt": (backend: Backend.Backend) => backend.getPrompt({ name: "p" }),
    "a completion": (backend: Backend.Backend) =>
      backend.request("completion/complete", {
        ref: { type: "ref/prompt", name: "p" },
        argument: { name: "a", value: "" }
      })
  }

  test.scoped.each(
    Object.entries(requests).flatMap(([what, request]) =>
      [undefined, remote(-32_000)].map((answer) => ({ what, request, answer }))
    )
  )(
    "[H5:virtual] a server whose probes have failed is healthy again after two answers ten seconds apart ($what, $answer.answer)",
    function*({ answer, request }) {
      const script = ScriptedConnector.make()
      const backend = yield* start(script)
      const answered = Effect.exit(request(backend))
      script.respond = deaf("ping")
      yield* Effect.fork(Effect.repeatN(backend.healthCheck, 9))
      yield* TestClock.adjust("1 minute")
      script.respond = () => answer
      expect(yield* backend.status).toMatchObject({ health: "UNHEALTHY", healthScore: 0 })
      yield* Effect.repeatN(answered, 99)
      expect((yield* backend.status).healthScore).toBeCloseTo(0.5, 2)
      yield* TestClock.adjust("9999 millis")
      yield* answered
      expect(yield* backend.isHealthy()).toBe(false)
      yield* TestClock.adjust("1 millis")
      yield* answered
      expect(yield* backend.status).toMatchObject({ health: "CONNECTED" })
      expect(yield* backend.isHealthy()).toBe(true)
    }
  )

  it("[H6] three states: Connected by its score, coming back after a first success UNHEALTHY, all else DISCONNECTED", () => {
    const good = Health.record(Health.empty, true)
    const bad = Health.record(Health.empty, false)
    const views = (history: Health.History, ever: boolean) => ({
      connected: Health.view(State.Connected({ replacing: false }), history, ever),
      connecting: Health.view(State.Connecting({ probe: false }), history, ever),
      reconnecting: Health.view(State.Reconnecting(), history, ever)
    })
    expect(views(good, true)).toEqual({ connected: "CONNECTED", connecting: "UNHEALTHY", reconnecting: "UNHEALTHY" })
    expect(views(bad, true)).toEqual({ connected: "UNHEALTHY", connecting: "UNHEALTHY", reconnecting: "UNHEALTHY" })
    expect(views(good, false)).toMatchObject({ connecting: "DISCONNECTED", reconnecting: "DISCONNECTED" })
    for (const name of ["Idle", "Dormant", "PermanentlyFailed", "Disconnected", "Disabled", "Closed"] as const) {
      expect(Health.view(State[name](), good, true)).toBe("DISCONNECTED")
    }
    expect(Health.view(State.Disabling({ enable: true }), good, true)).toBe("DISCONNECTED")
  })

  test.scoped("[H6] who watches the status sees the health of a connected backend change with its probes", function*() {
    const script = ScriptedConnector.make().script({ after: 10 })
    const backend = yield* start(script)
    const seen = yield* backend.status.changes.pipe(
      Stream.map(({ health }) => health),
      Stream.changes,
      Stream.take(5),
      Stream.runCollect,
      Effect.fork
    )
    yield* TestClock.adjust(10)
    script.respond = deaf("ping")
    const check = yield* Effect.fork(backend.healthCheck)
    yield* TestClock.adjust(500)
    yield* Fiber.join(check)
    script.respond = undefined
    yield* backend.healthCheck
    yield* backend.healthCheck
    yield* TestClock.adjust(0)
    yield* backend.disconnect
    expect(Chunk.toReadonlyArray(yield* Fiber.join(seen))).toEqual([
      "DISCONNECTED",
      "CONNECTED",
      "UNHEALTHY",
      "CONNECTED",
      "DISCONNECTED"
    ])
  })

  it.scoped("[H7] the status accounts for the whole life of a backend", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ connect: "fail", after: 100 }, { after: 200, close: "die" })
      const backend = yield* start(script, {
        keepalive: { method: "none" },
        reconnect: { initialDelay: 1000, stableAfter: 10_000, auto: true }
      })
      expect(yield* backend.status).toEqual({
        backend: "one",
        state: "Connecting",
        generation: 0,
        health: "DISCONNECTED",
        healthScore: 1,
        transport: "scripted",
        target: "a script",
        peer: undefined,
        sessionId: undefined,
        serverInfo: undefined,
        protocolVersion: undefined,
        connectedAt: undefined,
        uptime: 0,
        totalUptime: 0,
        connectionCount: 0,
        reconnectCount: 0,
        errorCount: 0,
        lastError: undefined,
        lastErrorAt: undefined,
        lastCloseError: undefined,
        abandonedCloses: 0,
        lostSessions: { count: 0, warning: undefined },
        resumed: false,
        lastAttemptAt: 0,
        lastSuccessAt: undefined,
        nextAttemptAt: undefined,
        failedAttempts: 0,
        learned: { isConcurrent: false, ignoresPings: false },
        failures: 0,
        inFlight: 0,
        waiting: 0,
        queued: 0,
        calls: { givenUp: 0 },
        toolOptions: { unmatched: [], warning: undefined },
        keepalive: { state: "off", method: "none", reason: "keepalive.method is none", reprobeAt: undefined },
        catalog: undefined
      })

      yield* TestClock.adjust(100)
      const waiting = yield* Effect.fork(backend.callTool({ name: "echo" }, { wait: "1 minute" }))
      yield* Effect.yieldNow()
      expect(yield* backend.status).toMatchObject({
        state: "Reconnecting",
        errorCount: 1,
        failedAttempts: 1,
        lastError: "scripted failure",
        lastErrorAt: 100,
        waiting: 1
      })
      expect((yield* backend.status).nextAttemptAt).toBe(850)

      yield* TestClock.adjust(2000)
      yield* Fiber.join(waiting)
      const { lastSuccessAt = NaN } = yield* backend.status
      script.respond = deaf("tools/call")
      const call = yield* Effect.fork(backend.callTool({ name: "echo" }, { timeout: "1 minute" }))
      yield* TestClock.adjust(lastSuccessAt + 9999 - 2100)
      expect(yield* backend.status).toMatchObject({
        state: "Connected",
        generation: 1,
        health: "CONNECTED",
        peer: { pid: 0 },
        sessionId: "session-",
        serverInfo: { name: "scripted", version: "1.0.0" },
        protocolVersion: "2025-11-25",
        connectedAt: lastSuccessAt,
        uptime: 9999,
        totalUptime: 9999,
        connectionCount: 1,
        reconnectCount: 0,
        errorCount: 1,
        lastError: "scripted failure",
        nextAttemptAt: undefined,
        failedAttempts: 1,
        inFlight: 1,
        waiting: 0,
        catalog: { generation: 1, revision: 1, stale: false, tools: 1, truncated: [] }
      })
      yield* TestClock.adjust(1)
      expect(yield* backend.status).toMatchObject({
        uptime: 10_000,
        lastError: undefined,
        lastErrorAt: undefined,
        failedAttempts: 0,
        errorCount: 1
      })
      yield* Fiber.interrupt(call)

      script.current.lose()
      yield* TestClock.adjust(0)
      expect(yield* backend.status).toMatchObject({
        state: "Reconnecting",
        generation: 1,
        health: "UNHEALTHY",
        peer: undefined,
        serverInfo: { name: "scripted" },
        connectedAt: undefined,
        uptime: 0,
        totalUptime: 10_000,
        errorCount: 2,
        lastError: "scripted loss: closed",
        lastCloseError: expect.stringContaining("the scripted close dies"),
        catalog: { generation: 1, revision: 1, stale: true, tools: 1, truncated: [] }
      })
      yield* TestClock.adjust(1000)
      expect(yield* backend.status).toMatchObject({
        generation: 2,
        connectionCount: 2,
        reconnectCount: 1,
        catalog: { generation: 2, revision: 2, stale: false }
      })
    }).pipe(Effect.withRandom(Random.fixed([0.5]))))

  test.scoped("[H8] healthCheck probes now, counts as a probe, and says how long the answer took", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    script.respond = (method) => method === "ping" ? { answer: "result", after: 120 } : undefined
    expect(yield* backend.isConnected).toBe(true)
    expect(script.ledger.sent("ping")).toEqual([])
    const good = yield* Effect.fork(backend.healthCheck)
    yield* TestClock.adjust(120)
    expect(yield* Fiber.join(good)).toMatchObject({ latency: 120, error: undefined, status: { healthScore: 1 } })
    script.respond = deaf("ping")
    const bad = yield* Effect.fork(backend.healthCheck)
    yield* TestClock.adjust(500)
    expect(yield* Fiber.join(bad)).toMatchObject({
      latency: undefined,
      error: { _tag: "RequestTimeout", method: "ping", timeout: 500 },
      status: { health: "UNHEALTHY", failures: 1 }
    })
    expect(script.ledger.sent("ping")).toEqual([0, 120])
  })

  test.scoped("[H8] healthCheck without a connection says so, sends nothing and wakes nothing", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { lifecycle: { lazy: true } })
    expect(yield* backend.healthCheck).toMatchObject({
      latency: undefined,
      error: { _tag: "BackendUnavailable", state: "Idle" },
      status: { state: "Idle", healthScore: 1 }
    })
    expect(yield* backend.isConnected).toBe(false)
    yield* TestClock.adjust("1 minute")
    expect(script.ledger.entries).toEqual([])
  })
})
