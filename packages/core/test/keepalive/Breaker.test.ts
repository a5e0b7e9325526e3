import { describe, expect, it } from "@effect/vitest"
import { Backend, Policy } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Effect, Fiber, Logger, Random, TestClock } from "effect"
import { mayLeave } from "../../../testing/test/support/Holdings.js"
import { error, fixed, logged, minute, never, on, second, start, unsupported } from "../support/Heartbeats.js"

describe("what failing heartbeats mean", () => {
  it.scoped("[K11] a dead idle peer: failing rounds follow suspectInterval apart, the last of failureThreshold loses the runtime, within the bound", () =>
    Effect.gen(function*() {
      const { backend, events, script, sent } = yield* start(
        { interval: "1 minute", timeout: "4 seconds", suspectInterval: "7 seconds", failureThreshold: 3 },
        { respond: on({ ping: never }) }
      )
      yield* TestClock.adjust(30 * second)
      expect(sent()).toEqual([["ping", 30_000]])
      yield* TestClock.adjust(7 * second - 1)
      expect(sent()).toEqual([])
      yield* TestClock.adjust(1)
      expect(sent()).toEqual([["ping", 37_000]])
      yield* TestClock.adjust(7 * second)
      expect(sent()).toEqual([["ping", 44_000]])
      yield* TestClock.adjust(4 * second - 1)
      expect(script.ledger.live).toEqual([0])
      yield* TestClock.adjust(1)
      expect(script.ledger.live).toEqual([])
      expect(events.filter(({ _tag }) => _tag === "RuntimeLost")).toMatchObject([{
        loss: { kind: "keepalive", message: "3 heartbeats in a row without an answer: no answer within 4000 ms" },
        at: 48_000
      }])
      script.respond = undefined
      yield* TestClock.adjust(second)
      expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 2 })
    }).pipe(fixed))

  it.scoped("[K11 H4] while a server is in doubt, it is sent no heartbeat, and one that was under way does not count", () =>
    Effect.gen(function*() {
      const { backend, script, sent } = yield* start(
        { interval: "1 minute", timeout: "4 seconds", suspectInterval: "20 seconds" },
        { respond: on({ ping: never }) }
      )
      yield* TestClock.adjust(29 * second)
      const check = yield* Effect.fork(backend.healthCheck)
      yield* TestClock.adjust(4 * second)
      expect(yield* Fiber.join(check)).toMatchObject({ error: { _tag: "RequestTimeout" } })
      yield* TestClock.adjust(16 * second - 1)
      expect(sent()).toEqual([["ping", 29_000], ["ping", 30_000]])
      expect(yield* backend.status).toMatchObject({ failures: 1 })
      yield* TestClock.adjust(21 * second)
      expect(sent()).toEqual([["ping", 49_000], ["ping", 69_000]])
      yield* TestClock.adjust(3 * second)
      expect(script.ledger.live).toEqual([0])
      yield* TestClock.adjust(1)
      expect((yield* backend.status).lastError).toBe("3 probes in a row failed: no answer within 4000 ms")
    }).pipe(fixed))

  it.scoped.each<[string, Policy.KeepaliveMethod, number]>([
    ["by ping", "ping", 3],
    ["by ping and a fallback tool", "tool:echo", 2],
    ["by ping and a fallback tool at once", "tool:echo", 1],
    ["by OPTIONS", "options", 2]
  ])(
    "[K11] %s, a peer that dies after its last answer is found within interval + threshold x (timeout + suspectInterval)",
    ([, method, fallbackAfter]) =>
      Effect.gen(function*() {
        const timeout = 9 * second
        const suspectInterval = 2 * second
        const respond = on({ "ping": never, "tools/call": never, "OPTIONS": never })
        const { script } = yield* start({ method, fallbackAfter, interval: "1 minute", timeout, suspectInterval })
        yield* TestClock.adjust(30 * second)
        script.respond = respond
        yield* TestClock.adjust(minute + 3 * (timeout + suspectInterval))
        expect(script.ledger.closing[0]).toBe(0)
      }).pipe(Effect.withRandom(Random.fixed([0.5, 1 - 1e-9])))
  )

  it.scoped("[K12] failing heartbeats on a connection that answers calls open the breaker: one warning, reason in status and metrics, the session goes on", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make()
        const { backend, events, keepalive, sent } = yield* start({ interval: "1 minute" }, {
          script,
          respond: on({ ping: never })
        })
        yield* TestClock.adjust(55 * second)
        yield* backend.callTool({ name: "echo" })
        yield* TestClock.adjust(5 * second - 1)
        expect(yield* keepalive).toMatchObject({ state: "running", reason: undefined })
        yield* TestClock.adjust(1)
        expect(yield* keepalive).toEqual({
          state: "disabled",
          method: "ping",
          reason: "timeout: no answer within 10000 ms",
          reprobeAt: 60_000 + 0.875 * 30 * minute
        })
        expect(lines).toEqual([
          "WARN one: keepalive is disabled (timeout: no answer within 10000 ms); the session goes on; probed again in 26m 15s"
        ])
        expect(events.filter(({ _tag }) => _tag === "KeepaliveChanged")).toMatchObject([
          { state: "running" },
          { state: "disabled", reason: "timeout: no answer within 10000 ms", nextProbeAt: 60_000 + 0.875 * 30 * minute }
        ])
        sent()
        yield* TestClock.adjust("26 minutes")
        expect(sent()).toEqual([])
        yield* backend.callTool({ name: "echo" })
        expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 1, lastError: undefined })
      })
    ).pipe(fixed))

  it.scoped.each<[string, Policy.KeepaliveMethod, Record<string, ScriptedConnector.Answer>]>([
    ["pings without an answer", "ping", { ping: never }],
    ["pings that a proxy refuses", "ping", { ping: error({ fate: "unknown", reason: "server", message: "502" }) }],
    ["OPTIONS that is refused", "options", { OPTIONS: error({ fate: "unknown", reason: "server", message: "500" }) }]
  ])("[K12] %s: an answer between two rounds is one, too", ([, method, answers]) =>
    Effect.gen(function*() {
      const { backend, keepalive } = yield* start({ method, interval: "1 minute", timeout: "2 seconds" }, {
        respond: (name) => answers[name] ?? (name.endsWith("/list") ? never : undefined),
        discovery: { mode: "learn" }
      })
      yield* TestClock.adjust(33 * second)
      for (let i = 0; i < 6; i++) {
        yield* backend.callTool({ name: "echo" }, { idempotent: true })
        yield* TestClock.adjust(5 * second)
      }
      expect(yield* keepalive).toMatchObject({ state: "disabled" })
      expect((yield* backend.status).generation).toBe(1)
    }).pipe(fixed))

  it.scoped("[K11, K12] a peer that answered a call during the first failing round, and then died, is found within the bound", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const { backend, sent } = yield* start({
        interval: "1 minute",
        timeout: "4 seconds",
        suspectInterval: "7 seconds",
        failureThreshold: 3
      }, { script, respond: on({ ping: never }) })
      yield* TestClock.adjust(31 * second)
      yield* backend.callTool({ name: "echo" })
      expect(sent()).toEqual([["ping", 30_000], ["tools/call", 31_000]])
      yield* TestClock.adjust(24 * second - 1)
      expect(sent()).toEqual([["ping", 37_000], ["ping", 44_000], ["ping", 51_000]])
      expect(script.ledger.closing).toEqual([])
      yield* TestClock.adjust(1)
      expect(script.ledger.closing).toEqual([0])
    }).pipe(fixed))

  it.scoped.each<[string, Policy.KeepaliveMethod, Record<string, ScriptedConnector.Answer>, string]>([
    ["a server without ping", "ping", { ping: unsupported }, "unsupported: Method not found"],
    [
      "a tool that does not exist",
      "tool:nap",
      { "ping": unsupported, "tools/call": error({ reason: "remote", code: -32602, message: "Unknown tool:\n nap" }) },
      "tool_error: tool nap: Unknown tool: nap"
    ],
    [
      "a tool that returns isError",
      "tool:nap",
      {
        "ping": unsupported,
        "tools/call": { answer: "result", result: { content: [{ type: "text", text: "too\ntired" }], isError: true } }
      },
      "tool_error: tool nap answered with isError: too tired"
    ],
    [
      "an answer that is no answer",
      "ping",
      { ping: error({ reason: "protocol", message: "not a result" }) },
      "protocol: not a result"
    ]
  ])(
    "[K12] %s opens the breaker after three rounds: each is an answer",
    ([, method, answers, reason]) =>
      Effect.gen(function*() {
        const { backend, keepalive } = yield* start({ method, interval: "1 minute" }, { respond: on(answers) })
        yield* TestClock.adjust(50 * second - 1)
        expect(yield* keepalive).toMatchObject({ state: "running" })
        yield* TestClock.adjust(1)
        expect(yield* keepalive).toMatchObject({ state: "disabled", reason })
        expect(yield* backend.status).toMatchObject({ generation: 1, health: "CONNECTED" })
      }).pipe(fixed)
  )

  it.scoped("[K13] after two generations in a row that were lost to keepalive, the third is kept and the breaker opens", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { backend, events, keepalive, script, sent } = yield* start({ interval: "1 minute" }, {
          respond: on({ ping: never })
        })
        for (let generation = 1; generation <= 2; generation++) {
          expect((yield* backend.status).generation).toBe(generation)
          yield* TestClock.adjust(80 * second)
          yield* TestClock.adjust(second)
        }
        expect(script.ledger.closing).toEqual([0, 1])
        expect((yield* backend.status).generation).toBe(3)
        yield* TestClock.adjust(80 * second)
        expect(yield* keepalive).toMatchObject({ state: "disabled", reason: "timeout: no answer within 10000 ms" })
        expect(script.ledger.live).toEqual([2])
        expect(lines).toHaveLength(1)
        // reconnecting does not reset the breaker
        sent()
        script.current.lose()
        yield* TestClock.adjust(20 * minute)
        expect(sent()).toEqual([])
        expect(yield* backend.status).toMatchObject({ generation: 4, keepalive: { state: "disabled" } })
        expect(events.findLast(({ _tag }) => _tag === "KeepaliveChanged")).toMatchObject({
          generation: 4,
          state: "disabled"
        })
      })
    ).pipe(fixed))

  it.scoped("[K13] a successful round between forgets the lost generation", () =>
    Effect.gen(function*() {
      const { backend, keepalive, script } = yield* start({ interval: "1 minute" })
      for (let generation = 1; generation <= 4; generation++) {
        yield* TestClock.adjust(30 * second)
        expect((yield* backend.status).generation).toBe(generation)
        script.respond = on({ ping: never })
        yield* TestClock.adjust(52_500 + 50 * second)
        expect(script.ledger.closing).toHaveLength(generation)
        script.respond = undefined
        yield* TestClock.adjust(second)
      }
      expect(yield* keepalive).toMatchObject({ state: "running" })
    }).pipe(fixed))

  it.scoped("[K7, K13] a server in constant use that hangs once in a generation is found each time: calls hold no heartbeat back after a loss", () =>
    Effect.gen(function*() {
      const { backend, keepalive, script } = yield* start({ interval: "1 minute" })
      for (let generation = 1; generation <= 5; generation++) {
        expect((yield* backend.status).generation).toBe(generation)
        for (let call = 0; call < 15; call++) {
          yield* backend.callTool({ name: "echo" })
          yield* TestClock.adjust(10 * second)
        }
        script.respond = on({ ping: never })
        yield* TestClock.adjust(2 * minute)
        expect(script.ledger.closing).toHaveLength(generation)
        script.respond = undefined
        yield* TestClock.adjust(second)
      }
      expect(yield* keepalive).toMatchObject({ state: "running" })
    }).pipe(fixed))

  it.scoped("[K14] an open breaker is probed after reprobeAfter, jittered: failure waits again without a word, success brings keepalive back on the same session", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { backend, events, keepalive, script, sent } = yield* start(
          { interval: "1 minute", reprobeAfter: "10 minutes" },
          {
            respond: on({ ping: unsupported })
          }
        )
        yield* TestClock.adjust(50 * second)
        expect(yield* keepalive).toMatchObject({ state: "disabled", reprobeAt: 50_000 + 525_000 })
        sent()
        yield* TestClock.adjust(525_000 - 1)
        expect(sent()).toEqual([])
        yield* TestClock.adjust(1)
        expect(sent()).toEqual([["ping", 575_000]])
        expect(yield* keepalive).toMatchObject({ state: "disabled", reprobeAt: 575_000 + 525_000 })
        script.respond = undefined
        yield* TestClock.adjust(525_000)
        expect(sent()).toEqual([["ping", 1_100_000]])
        expect(yield* keepalive).toEqual({ state: "running", method: "ping", reason: undefined, reprobeAt: undefined })
        yield* TestClock.adjust(52_500)
        expect(sent()).toEqual([["ping", 1_152_500]])
        expect((yield* backend.status).generation).toBe(1)
        const told = events.flatMap((event) => event._tag === "KeepaliveChanged" ? [event.state] : [])
        expect(told).toEqual(["running", "disabled", "disabled", "running"])
        expect(lines).toEqual([
          expect.stringMatching(/^WARN one: keepalive is disabled \(unsupported: Method not found\)/),
          "INFO one: keepalive works again"
        ])
      })
    ).pipe(fixed))

  it("[K14] probes of open breakers are spread over the last quarter of reprobeAfter", () => {
    mayLeave("connections", "timers")
    const simulation = new Simulation.Simulation({ seed: "breakers" })
    const scripts = Array.from({ length: 120 }, () => ScriptedConnector.make())
    for (const script of scripts) script.respond = on({ ping: unsupported })
    const reprobeAfter = 60 * minute
    simulation.fork(
      Effect.scoped(Effect.zipRight(
        Effect.orDie(
          Effect.forEach(
            scripts,
            (connector, i) => Backend.make(`backend-${i}`, { connector, keepalive: { interval: second, reprobeAfter } })
          )
        ),
        Effect.never
      )).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
    )
    simulation.advance(reprobeAfter + 22 * second)
    const waits = scripts.map(({ ledger }) => {
      const sent = ledger.sent("ping")
      const [third, probe] = [sent[2] ?? NaN, sent[3] ?? NaN]
      return (probe - third) / reprobeAfter
    })
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(0.75)
    expect(Math.max(...waits)).toBeLessThanOrEqual(1)
    for (const quarter of [0, 1, 2, 3]) {
      const [from, to] = [0.75 + quarter / 16, 0.75 + (quarter + 1) / 16]
      expect(waits.filter((wait) => wait >= from && wait < to).length).toBeGreaterThan(18)
    }
  })
})
