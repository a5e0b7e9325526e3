import { Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, TestClock } from "effect"
import { describe, expect, it, test } from "../../../testing/test/support/vitest.js"
import { fixed, never, on, second, start, unsupported } from "../support/Heartbeats.js"
import { world } from "../support/world.js"

const none = { method: "none", timeout: 500, suspectInterval: 5000 } as const
const plain = (script: ScriptedConnector.ScriptedConnector, options: Partial<Backend.BackendOptions> = {}) =>
  Effect.tap(
    Backend.make("one", { connector: script, keepalive: none, timeouts: { request: 1000 }, ...options }),
    () => TestClock.adjust(0)
  )
const reset = new RequestError({ fate: "unknown", reason: "network", message: "the connection was reset" })

describe("questions whether a server lives", () => {
  it.scoped("[H4 K11] a heartbeat that was under way when a call put the server in doubt does not count", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* start(
        { interval: "1 minute", timeout: "10 seconds", suspectInterval: "5 seconds", failureThreshold: 1 },
        { respond: on({ "ping": never, "tools/call": never }) }
      )
      yield* TestClock.adjust(30 * second)
      const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "slow" }, { timeout: 5000 })))
      yield* TestClock.adjust(15 * second - 1)
      yield* Fiber.join(call)
      expect(script.ledger.live).toEqual([0])
      yield* TestClock.adjust(1)
      expect((yield* backend.status).lastError).toBe("1 probes in a row failed: no answer within 10000 ms")
    }).pipe(fixed))

  test.scoped("[V4:virtual H8] a health check of a server in doubt that has left a ping asks for a list, too", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* plain(script)
    script.respond = (method) => method === "ping" || method === "tools/call" ? never : undefined
    const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "slow" })))
    yield* TestClock.adjust(1500)
    yield* Fiber.join(call)
    const check = yield* Effect.fork(backend.healthCheck)
    yield* TestClock.adjust(500)
    expect((yield* Fiber.join(check)).error).toBeUndefined()
  })

  test.scoped("[P3 V4:virtual] a reading without an answer is followed by a ping, and by a list only if that has none", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* plain(script)
    script.respond = (method) =>
      method.endsWith("/list") ? never : method === "ping" ? { answer: "result", after: 100 } : undefined
    const refresh = yield* Effect.fork(Effect.exit(backend.refresh))
    yield* TestClock.adjust(1000)
    yield* Fiber.join(refresh)
    const before = script.ledger.sent("tools/list").length
    yield* TestClock.adjust(5000)
    expect(script.ledger.sent("ping")).toHaveLength(1)
    expect(script.ledger.sent("tools/list")).toHaveLength(before)
  })

  it("[R11] a doubt between two probes waits no longer after a suspend", () => {
    const { end, run, simulation } = world("between")
    const script = ScriptedConnector.make()
    const backend = run(
      Backend.make("one", { connector: script, keepalive: { timeout: "10 seconds", suspectInterval: "4 minutes" } })
    )()
    simulation.advance(60 * second)
    script.respond = (method, _, { id }) =>
      id === 0 && (method === "ping" || method.endsWith("/list")) ? never : undefined
    run(backend.healthCheck)
    simulation.advance(20 * second)
    const before = script.ledger.sent("ping", 0).length
    simulation.suspend(60 * 60 * second)
    simulation.advance(5 * second)
    expect(script.ledger.sent("ping", 0)).toHaveLength(before + 1)
    simulation.advance(10 * second)
    expect(run(backend.status)().lastError).toContain("suspended")
    end()
  })

  test.scoped("[C14:virtual H4] a call that waits for the verdict is sent as soon as a health check fails otherwise than by silence", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* plain(script, {
      keepalive: { ...none, suspectInterval: 20_000 },
      timeouts: { request: 10_000 }
    })
    script.respond = () => never
    const first = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout: 1000 })))
    yield* TestClock.adjust(1500)
    yield* Fiber.join(first)
    const held = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" })))
    yield* TestClock.adjust(200)
    expect(script.ledger.sent("tools/call")).toEqual([0])
    script.respond = (method) => method === "tools/call" ? undefined : { answer: "error", error: reset }
    expect((yield* backend.healthCheck).error).toBeDefined()
    yield* TestClock.adjust(0)
    expect(script.ledger.sent("tools/call")).toEqual([0, 1700])
    yield* Fiber.join(held)
  })

  test.scoped("[H4] an answer during a probe that then fails does not end the doubt", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* plain(script, {
      keepalive: { ...none, suspectInterval: 1500 },
      timeouts: { request: 60_000 }
    })
    script.respond = (method) => method === "resources/read" ? { answer: "result", after: 1200 } : never
    const read = yield* Effect.fork(Effect.either(backend.readResource({ uri: "a:b" })))
    const first = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout: 1000 })))
    yield* TestClock.adjust(2500)
    yield* Fiber.join(read)
    yield* Fiber.join(first)
    expect(script.ledger.sent("ping")).toEqual([1000, 2500])
  })

  it.scoped("[K6 K20] after resume the first heartbeat is due at any time of the interval", () =>
    Effect.gen(function*() {
      const { backend, sent } = yield* start({ interval: "1 minute" })
      yield* TestClock.adjust(35 * second)
      yield* backend.keepalive.pause
      yield* backend.keepalive.resume
      yield* TestClock.adjust(25 * second)
      expect(sent()).toEqual([["ping", 30_000], ["ping", 60_000]])
    }).pipe(fixed))

  it.scoped("[K20] what failed before a pause does not hasten what follows it", () =>
    Effect.gen(function*() {
      const { backend, script, sent } = yield* start(
        { interval: "1 minute", timeout: "4 seconds", suspectInterval: "7 seconds" },
        { respond: on({ ping: never }) }
      )
      yield* TestClock.adjust(35 * second)
      yield* backend.keepalive.pause
      script.respond = undefined
      yield* backend.callTool({ name: "echo" })
      yield* backend.keepalive.resume
      yield* TestClock.adjust(30 * second)
      expect(sent()).toEqual([["ping", 30_000], ["tools/call", 35_000], ["ping", 65_000]])
    }).pipe(fixed))

  it.scoped("[K7 K11] a call between two failing rounds does not hold the next one back", () =>
    Effect.gen(function*() {
      const { backend, sent } = yield* start(
        { interval: "1 minute", timeout: "4 seconds", suspectInterval: "7 seconds" },
        { respond: on({ ping: never }) }
      )
      yield* TestClock.adjust(34 * second)
      yield* backend.callTool({ name: "echo" })
      yield* TestClock.adjust(3 * second)
      expect(sent()).toEqual([["ping", 30_000], ["tools/call", 34_000], ["ping", 37_000]])
    }).pipe(fixed))

  it.scoped("[K11] heartbeats that fail are no slower than those that do not", () =>
    Effect.gen(function*() {
      const { sent } = yield* start(
        { interval: "10 seconds", timeout: "1 second", suspectInterval: "1 minute" },
        { respond: on({ ping: never }) }
      )
      yield* TestClock.adjust(16 * second)
      expect(sent()).toEqual([["ping", 5000], ["ping", 16_000]])
    }).pipe(fixed))

  it.scoped("[K14] the probe of an open breaker is one ping", () =>
    Effect.gen(function*() {
      const { keepalive, script, sent } = yield* start(
        { interval: "1 minute", reprobeAfter: "10 minutes" },
        { respond: on({ ping: unsupported }) }
      )
      yield* TestClock.adjust(50 * second)
      expect(yield* keepalive).toMatchObject({ state: "disabled" })
      const lists = script.ledger.sent("tools/list").length
      sent()
      yield* TestClock.adjust(525_000)
      expect(sent()).toEqual([["ping", 575_000]])
      expect(script.ledger.sent("tools/list")).toHaveLength(lists)
    }).pipe(fixed))

  it.scoped("[V4:virtual] beside the second ping in a row without an answer, the server is asked for a list", () =>
    Effect.gen(function*() {
      const { script } = yield* start({ interval: "1 minute" }, {
        respond: (method) => method === "ping" ? never : undefined
      })
      yield* TestClock.adjust(51 * second)
      expect(script.ledger.sent("ping")).toEqual([30_000, 40_000, 50_000])
      expect(script.ledger.sent("tools/list")).toEqual([0, 40_000, 50_000])
    }).pipe(fixed))

  test.scoped("[H1] readings that are refused now and then, not in a row, end no connection", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* plain(script)
    for (let i = 0; i < 4; i++) {
      script.respond = (method) =>
        method.endsWith("/list")
          ? { answer: "error", error: new RequestError({ fate: "rejected", reason: "unauthorized", message: "401" }) }
          : undefined
      yield* Effect.either(backend.refresh)
      script.respond = undefined
      yield* backend.refresh
    }
    expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 1, lastError: undefined })
  })

  it.scoped("[K11 H4] after a doubt, heartbeats go on as they did before", () =>
    Effect.gen(function*() {
      const { backend, script, sent } = yield* start(
        { interval: "1 minute", timeout: "20 seconds", suspectInterval: "20 seconds" },
        { respond: on({ ping: never }) }
      )
      yield* TestClock.adjust(second)
      const check = yield* Effect.fork(backend.healthCheck)
      yield* TestClock.adjust(34 * second)
      yield* Fiber.join(check)
      expect(sent()).toEqual([["ping", 1000], ["ping", 21_000]])
      script.respond = undefined
      yield* TestClock.adjust(6 * second)
      expect(sent()).toEqual([["ping", 41_000]])
      yield* TestClock.adjust(52_500)
      expect(sent()).toEqual([["ping", 93_500]])
    }).pipe(fixed))

  test.scoped("[H4 H8] a question that began before the last one that counted does not count, however late it fails", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* plain(script, { keepalive: { method: "none", timeout: 30_000, suspectInterval: 1000 } })
    script.respond = () => ({ answer: "error", error: reset, after: 3000 })
    yield* Effect.fork(backend.healthCheck)
    yield* TestClock.adjust(1000)
    script.respond = () => ({ answer: "error", error: reset })
    yield* Effect.fork(backend.healthCheck)
    yield* TestClock.adjust(0)
    expect((yield* backend.status).failures).toBe(1)
    script.respond = () => never
    yield* TestClock.adjust(2500)
    expect((yield* backend.status).failures).toBe(1)
  })

  test.scoped("[K19:virtual H2] readings that the server refuses for now are signs of life", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* plain(script)
    script.respond = (method) =>
      method.endsWith("/list")
        ? { answer: "error", error: new RequestError({ fate: "rejected", reason: "rateLimited", message: "429" }) }
        : undefined
    for (let i = 0; i < 5; i++) expect((yield* Effect.either(backend.refresh))._tag).toBe("Left")
    expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 1, failures: 0 })
    yield* TestClock.adjust(5000)
    expect(script.ledger.sent("ping")).toEqual([])
  })

  it.scoped("[P3 L4] a reading that a lost connection leaves without an answer is told of nobody", () =>
    Effect.gen(function*() {
      const { backend, events, script } = yield* start({ method: "none" })
      script.respond = (method, _, { id }) => id === 0 && method.endsWith("/list") ? never : undefined
      const refresh = yield* Effect.fork(Effect.exit(backend.refresh))
      yield* TestClock.adjust(1000)
      script.current.lose()
      yield* TestClock.adjust(5 * second)
      yield* Fiber.interrupt(refresh)
      expect(events.filter(({ _tag }) => _tag === "DiscoveryFailed")).toEqual([])
    }).pipe(fixed))
})
