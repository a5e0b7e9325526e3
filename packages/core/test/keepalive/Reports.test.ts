import { Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Chunk, Effect, Fiber, Metric, Random, Stream, TestClock } from "effect"
import { describe, expect, it, test } from "../../../testing/test/support/vitest.js"
import {
  count,
  error,
  fixed,
  metric,
  never,
  on,
  second,
  slowly,
  start,
  tooMany,
  unsupported
} from "../support/Heartbeats.js"

describe("what is counted and said of heartbeats, and pauses", () => {
  it.scoped("[K17] every heartbeat is counted under its backend and method, every failure with its reason, latency in milliseconds of those that were answered", () =>
    Effect.gen(function*() {
      const backend = `metrics-${yield* Random.nextIntBetween(0, 1e9)}`
      const script = ScriptedConnector.make()
      const tool = { backend, method: "tool:nap" }
      const ping = { backend, method: "ping" }
      script.respond = on({ ping: slowly(120) })
      yield* Backend.make(backend, { connector: script, keepalive: { method: "tool:nap", interval: "1 minute" } })
      yield* TestClock.adjust(0)
      yield* TestClock.adjust(29 * second)
      expect(yield* count("keepalive_attempt_count", ping)).toBe(0)
      yield* TestClock.adjust(1120)
      expect(yield* count("keepalive_attempt_count", ping)).toBe(1)
      expect(yield* count("keepalive_success_count", ping)).toBe(1)
      script.respond = on({
        "ping": unsupported,
        "tools/call": { answer: "result", result: { content: [], isError: true } }
      })
      yield* TestClock.adjust(52_500 + 20 * second)
      expect(yield* count("keepalive_attempt_count", ping)).toBe(2)
      expect(yield* count("keepalive_failure_count", { ...ping, reason: "unsupported" })).toBe(1)
      expect(yield* count("keepalive_attempt_count", tool)).toBe(3)
      expect(yield* count("keepalive_success_count", tool)).toBe(0)
      expect(yield* count("keepalive_failure_count", { ...tool, reason: "tool_error" })).toBe(3)
      expect(yield* count("keepalive_auto_disabled_total", { ...tool, reason: "tool_error" })).toBe(1)
      // a probe of the open breaker that fails is a failure, but no new opening
      yield* TestClock.adjust("30 minutes")
      expect(yield* count("keepalive_failure_count", { ...tool, reason: "tool_error" })).toBe(4)
      expect(yield* count("keepalive_auto_disabled_total", { ...tool, reason: "tool_error" })).toBe(1)
      expect(yield* metric("keepalive_latency_ms", ping)).toMatchObject({ count: 1, min: 120, max: 120, sum: 120 })
      expect(yield* metric("keepalive_latency_ms", tool)).toBeUndefined()
    }).pipe(fixed))

  it.scoped.each<[string, ScriptedConnector.Answer]>([
    ["timeout", never],
    ["connection", error({ fate: "unknown", reason: "network" })],
    ["connection", error({ fate: "unknown", reason: "server" })],
    ["connection", error({ fate: "rejected", reason: "unauthorized" })],
    ["session_expired", error({ fate: "rejected", reason: "session" })],
    ["unsupported", unsupported],
    ["rate_limited", tooMany],
    ["rate_limited", error({ fate: "rejected", reason: "server", retryAfter: 5000 })],
    ["protocol", error({ reason: "protocol" })],
    ["protocol", error({ reason: "remote", code: -32000 })]
  ])("[K17] the reasons are a closed set: %s", ([reason, answer]) =>
    Effect.gen(function*() {
      const backend = `reason-${yield* Random.nextInt}`
      const script = ScriptedConnector.make()
      script.respond = on({ ping: answer })
      yield* Backend.make(backend, { connector: script, keepalive: { interval: "10 seconds" } })
      yield* TestClock.adjust(20 * second)
      const reasons = (yield* Metric.snapshot).flatMap(({ metricKey }) =>
        metricKey.name === "keepalive_failure_count" && metricKey.tags.some(({ value }) => value === backend)
          ? metricKey.tags.flatMap(({ key, value }) => key === "reason" ? [value] : [])
          : []
      )
      expect(reasons).toEqual([reason])
    }).pipe(Effect.withRandom(Random.make(`${reason} ${JSON.stringify(answer)}`))))

  test.scoped("[K17] calls are not counted", function*() {
    const before = (yield* Metric.snapshot).length
    const { backend } = yield* start({})
    yield* backend.callTool({ name: "echo" })
    yield* backend.healthCheck
    expect(yield* Metric.snapshot).toHaveLength(before)
  })

  it.scoped("[K20] pause stops it, a heartbeat in flight included, and resume starts it anew; the status says which", () =>
    Effect.gen(function*() {
      const { backend, events, keepalive, script, sent } = yield* start({ interval: "1 minute" }, {
        respond: on({ ping: slowly(5000) })
      })
      yield* TestClock.adjust(31 * second)
      expect(script.current.pending).toBe(1)
      yield* backend.keepalive.pause
      yield* TestClock.adjust(0)
      expect(script.current.pending).toBe(0)
      expect(yield* keepalive).toMatchObject({ state: "paused", reason: "paused by keepalive.pause()" })
      sent()
      yield* TestClock.adjust("1 hour")
      script.current.lose()
      yield* TestClock.adjust("1 hour")
      expect((yield* backend.status).generation).toBe(2)
      expect(sent()).toEqual([])
      script.respond = undefined
      yield* backend.keepalive.resume
      yield* backend.keepalive.resume
      yield* TestClock.adjust(0)
      expect(yield* keepalive).toMatchObject({ state: "running" })
      expect(sent()).toHaveLength(1)
      yield* TestClock.adjust(52_500 - 1)
      expect(sent()).toEqual([])
      yield* TestClock.adjust(1)
      expect(sent()).toHaveLength(1)
      expect(events.flatMap((event) => event._tag === "KeepaliveChanged" ? [event.state] : [])).toEqual([
        "running",
        "paused",
        "running"
      ])
    }).pipe(fixed))

  test.scoped("[K20] what a generation knows of ping and fallback is kept while it is paused; resume without a connection is told", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method) =>
      method === "ping"
        ? {
          answer: "error",
          error: new RequestError({ fate: "answered", reason: "remote", code: -32601, message: "no ping" })
        }
        : undefined
    const backend = yield* Backend.make("one", {
      connector: script,
      keepalive: { method: "tool:echo", interval: "1 minute" }
    })
    yield* backend.firstOutcome
    yield* TestClock.adjust("1 minute")
    yield* backend.keepalive.pause
    yield* backend.keepalive.resume
    yield* TestClock.adjust("2 minutes")
    expect(script.ledger.sent("ping")).toHaveLength(1)
    expect(script.ledger.sent("tools/call").length).toBeGreaterThan(1)
    yield* backend.keepalive.pause
    yield* backend.disconnect
    const seen = yield* Effect.fork(Stream.runCollect(
      Stream.takeUntil(
        Stream.map(backend.status.changes, ({ keepalive }) => keepalive.state),
        (state) => state === "off"
      )
    ))
    yield* Effect.yieldNow()
    yield* backend.keepalive.resume
    yield* TestClock.adjust(0)
    expect(Chunk.toReadonlyArray(yield* Fiber.join(seen)).at(-1)).toBe("off")
  })

  it.scoped("[K20] paused before it is connected, it does not begin", () =>
    Effect.gen(function*() {
      const { backend, sent } = yield* start({ interval: "1 minute" }, {
        script: ScriptedConnector.make().script({ after: 1000 })
      })
      yield* backend.keepalive.pause
      yield* TestClock.adjust("1 hour")
      expect(sent()).toEqual([])
      yield* backend.disable
      yield* backend.keepalive.resume
      yield* TestClock.adjust("1 hour")
      expect(sent()).toEqual([])
      yield* backend.enable
      yield* TestClock.adjust(30 * second)
      expect(sent()).toHaveLength(1)
    }).pipe(fixed))
})
