import { type BackendUnavailable, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { failure, runUntilIdle, watched } from "./support/Watched.js"

describe("L16, L17, L18: ends and beginnings", () => {
  test.scoped("[L16] calls in flight, waiting and later end with an error that says closed", function*() {
    const script = ScriptedConnector.make().script({ connect: "hang" })
    const scope = yield* Scope.make()
    const { backend } = yield* Scope.extend(watched(script), scope)
    yield* runUntilIdle
    const waiting = yield* Effect.fork(backend.callTool({ name: "echo" }))
    yield* runUntilIdle
    yield* Scope.close(scope, Exit.void)
    const ways = [
      waiting,
      yield* Effect.fork(backend.callTool({ name: "echo" })),
      yield* Effect.fork(backend.refresh)
    ]
    for (const call of ways) {
      const error = failure(yield* Fiber.await<unknown, unknown>(call)) as BackendUnavailable
      expect([error._tag, error.state]).toEqual(["BackendUnavailable", "Closed"])
    }
    expect((yield* backend.healthCheck).error?._tag).toBe("BackendUnavailable")
  })

  test.scoped("[L16] a call in flight when the scope closes is settled at once: its result is unknown, also where it could be repeated", function*() {
    mayLeave("connections")
    const script = ScriptedConnector.make()
    script.otherwise = { close: "never" }
    script.respond = (method) => method === "tools/list" ? undefined : { answer: "never" }
    const scope = yield* Scope.make()
    const { backend } = yield* Scope.extend(watched(script), scope)
    yield* runUntilIdle
    const act = yield* Effect.fork(backend.callTool({ name: "echo" }))
    const read = yield* Effect.fork(backend.readResource({ uri: "file:///a" }))
    yield* runUntilIdle
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    yield* runUntilIdle
    expect(failure(yield* Fiber.await(act))._tag).toBe("ResultUnknown")
    expect(failure(yield* Fiber.await(read))).toMatchObject({
      _tag: "ResultUnknown",
      cause: { _tag: "BackendUnavailable", state: "Closed" }
    })
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.join(closing)
  })

  for (const way of ["reconnect", "enable"] as const) {
    test.scoped(`[L17] disconnect stays Disconnected, catalogue kept as stale, deaf to demand and time; ${way} leaves it`, function*() {
      const script = ScriptedConnector.make()
      const { backend } = yield* watched(script)
      yield* runUntilIdle
      yield* backend.disconnect
      yield* runUntilIdle
      expect(script.ledger.closed).toEqual([0])
      expect((yield* backend.status).state).toBe("Disconnected")
      const catalog = yield* backend.catalog
      expect([catalog?.stale, catalog?.tools.length]).toEqual([true, 1])
      const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* runUntilIdle
      expect(failure(yield* Fiber.await(call))).toMatchObject({ _tag: "BackendUnavailable", state: "Disconnected" })
      yield* TestClock.adjust("30 days")
      expect(script.ledger.attempts).toHaveLength(1)
      yield* backend[way]
      yield* runUntilIdle
      expect((yield* backend.status).state).toBe("Connected")
      expect((yield* backend.catalog)?.stale).toBe(false)
    })
  }

  test.scoped("[L17] disconnect ends an attempt and a backoff under way", function*() {
    const script = ScriptedConnector.make().script({ connect: "hang" }, { connect: "fail" })
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    yield* backend.disconnect
    yield* Effect.exit(backend.reconnect)
    expect((yield* backend.status).state).toBe("Reconnecting")
    yield* backend.disconnect
    yield* TestClock.adjust("1 day")
    const { nextAttemptAt, state } = yield* backend.status
    expect([state, nextAttemptAt]).toEqual(["Disconnected", undefined])
    expect(script.ledger.attempts).toHaveLength(2)
  })

  test.scoped("[L18] lazy starts Idle, sends nothing, and connects on first demand", function*() {
    const script = ScriptedConnector.make()
    const { backend, states } = yield* watched(script, { lifecycle: { lazy: true }, keepalive: {} })
    yield* backend.firstOutcome
    yield* TestClock.adjust("1 day")
    expect((yield* backend.status).state).toBe("Idle")
    expect(script.ledger.entries).toEqual([])
    yield* backend.callTool({ name: "echo" })
    expect(states()).toEqual(["Connecting", "Connected"])
    expect(script.ledger.attempts).toHaveLength(1)
  })

  test.scoped("[L18] a call with failFast fails at once, and connects an idle backend for the next one", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* watched(script, {
      lifecycle: { lazy: true, idleRelease: "10 minutes" },
      calls: { failFast: true }
    })
    for (const generation of [1, 2]) {
      const refused = yield* Effect.flip(backend.callTool({ name: "echo" }))
      expect(refused).toMatchObject({ _tag: "BackendUnavailable", state: "Idle" })
      yield* TestClock.adjust(0)
      yield* backend.callTool({ name: "echo" })
      expect((yield* backend.status).generation).toBe(generation)
      yield* TestClock.adjust("10 minutes")
      expect((yield* backend.status).state).toBe("Idle")
    }
  })

  test.scoped("[L18] an unused connection is released after idleRelease: catalogue kept, no heartbeat, back on demand", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* watched(script, {
      lifecycle: { idleRelease: "10 minutes" },
      keepalive: { interval: "1 minute" }
    })
    yield* TestClock.adjust("5 minutes")
    yield* backend.callTool({ name: "echo" })
    yield* TestClock.adjust(599_999)
    expect((yield* backend.status).state).toBe("Connected")
    const beats = script.ledger.sent("ping").length
    expect(beats).toBeGreaterThan(10)
    yield* TestClock.adjust(1)
    expect((yield* backend.status).state).toBe("Idle")
    expect(script.ledger.closed).toEqual([0])
    const catalog = yield* backend.catalog
    expect([catalog?.stale, catalog?.tools.length]).toEqual([true, 1])
    yield* TestClock.adjust("1 day")
    expect(script.ledger.sent("ping")).toHaveLength(beats)
    expect(script.ledger.attempts).toHaveLength(1)
    yield* backend.callTool({ name: "echo" })
    expect((yield* backend.status).generation).toBe(2)
  })

  test.scoped("[L18] a call in flight is use, however long it takes", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method) => method === "tools/call" ? { answer: "result", after: 25 * 60_000 } : undefined
    const { backend } = yield* watched(script, { lifecycle: { idleRelease: "10 minutes" } })
    yield* runUntilIdle
    const call = yield* Effect.fork(backend.callTool({ name: "echo" }, { timeout: "1 hour" }))
    yield* TestClock.adjust("25 minutes")
    yield* Fiber.join(call)
    yield* TestClock.adjust(599_999)
    expect((yield* backend.status).state).toBe("Connected")
    yield* TestClock.adjust(1)
    expect((yield* backend.status).state).toBe("Idle")
  })

  test.scoped("[L18] a released runtime gives a call that was refused on it to the next", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method, _, { id }) =>
      method === "tools/call" && id === 0
        ? { answer: "error", error: new RequestError({ fate: "notSent", reason: "lost", message: "not connected" }) }
        : undefined
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
    yield* runUntilIdle
    script.current.lose()
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(call)
    expect(script.ledger.sent("tools/call", 1)).toHaveLength(1)
  })
})
