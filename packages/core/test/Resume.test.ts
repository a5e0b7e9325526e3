import { type BackendUnavailable, type ResultUnknown, SessionExpired, SuspendedSession } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Clock, Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { failure, runUntilIdle, watched } from "./support/Watched.js"

const keeping = (outcome: ScriptedConnector.Outcome = {}) => {
  const script = ScriptedConnector.make()
  script.otherwise = { suspends: true, ...outcome }
  return script
}

describe("T11: a session outlives its connection", () => {
  for (const kind of ["closed", "health", "keepalive"] as const) {
    test.scoped(`[T11] lost by ${kind}, the next connection goes on with it, as a new generation`, function*() {
      const script = keeping()
      let prepared = 0
      const { backend, events } = yield* watched(script, { onConnected: () => Effect.sync(() => void prepared++) })
      yield* TestClock.adjust("10 seconds")
      yield* backend.request("resources/subscribe", { uri: "file:///a" })
      expect((yield* backend.status).resumed).toBe(false)
      script.current.lose(kind)
      yield* TestClock.adjust("10 seconds")
      expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 2, resumed: true })
      expect(script.ledger.session(0)).toEqual(["begun", "suspended", "resumed"])
      // What the session holds is there: nobody has to build it again.
      expect(prepared).toBe(1)
      expect(script.ledger.sent("resources/subscribe")).toHaveLength(1)
      expect(events.flatMap((event) => event._tag === "Installed" ? [event.resumed] : [])).toEqual([false, true])
    })
  }

  test.scoped("[T11] one that the server has forgotten is begun anew, with everything that belongs to a new one", function*() {
    const script = keeping({ offered: "forgotten" })
    let prepared = 0
    const { backend } = yield* watched(script, {
      calls: { afterSessionLoss: "fail" },
      onConnected: () => Effect.sync(() => void prepared++)
    })
    yield* TestClock.adjust("10 seconds")
    yield* backend.request("resources/subscribe", { uri: "file:///a" })
    script.current.lose()
    yield* TestClock.adjust("10 seconds")
    expect((yield* backend.status).resumed).toBe(false)
    expect(prepared).toBe(2)
    expect(script.ledger.sent("resources/subscribe")).toHaveLength(2)
    expect(yield* Effect.flip(backend.callTool({ name: "echo" }))).toBeInstanceOf(SessionExpired)
  })

  test.scoped("[T11 C12] afterSessionLoss tells nobody where the session goes on", function*() {
    const script = keeping()
    const { backend } = yield* watched(script, { calls: { afterSessionLoss: "fail" } })
    yield* TestClock.adjust("10 seconds")
    script.current.lose()
    yield* TestClock.adjust("10 seconds")
    expect(yield* backend.callTool({ name: "echo" })).toBeDefined()
  })

  test.scoped("[T11] a session that was lost is not resumed", function*() {
    const script = keeping()
    yield* watched(script)
    yield* TestClock.adjust("10 seconds")
    script.current.lose("session")
    yield* runUntilIdle
    expect(script.ledger.session(0)).toEqual(["begun", "forgotten"])
    expect(script.ledger.session(1)).toEqual(["begun"])
  })

  test.scoped("[T11] it is offered to every attempt until one has it, and ended where a new one took its place", function*() {
    const script = keeping()
    const { backend } = yield* watched(script)
    yield* TestClock.adjust("10 seconds")
    script.failNext(3).script({ suspends: true, offered: "ignored" })
    script.current.lose()
    yield* TestClock.adjust("1 minute")
    expect((yield* backend.status).generation).toBe(2)
    expect(script.ledger.session(0)).toEqual(["begun", "suspended", "ended"])
    expect(script.ledger.session(1)).toEqual(["begun"])
  })

  test.scoped("[T11] a call whose fate is open gets the answer that comes after all, and is carried out once", function*() {
    const script = keeping()
    const { backend } = yield* watched(script)
    yield* TestClock.adjust("10 seconds")
    script.respond = (method) =>
      method === "tools/call" ? { answer: "result", after: 8000, result: { content: [] } } : undefined
    const call = yield* Effect.fork(backend.callTool({ name: "pay" }))
    yield* TestClock.adjust(1000)
    script.current.lose()
    yield* TestClock.adjust(3000)
    expect((yield* backend.status).resumed).toBe(true)
    expect(call.unsafePoll()).toBeNull()
    yield* TestClock.adjust(4000)
    expect(yield* Fiber.join(call)).toEqual({ content: [] })
    expect(script.ledger.sent("tools/call")).toHaveLength(1)
  })

  test.scoped("[T11 R8] a call whose answer may come waits for a connection like any other: attempts go on for it", function*() {
    const script = keeping()
    const { backend } = yield* watched(script, {
      reconnect: { maxAttempts: 1, demandInterval: 1000, maxDelay: 2000 }
    })
    yield* TestClock.adjust("10 seconds")
    script.respond = (method) =>
      method === "tools/call" ? { answer: "result", after: 30_000, result: { content: [] } } : undefined
    const call = yield* Effect.fork(backend.callTool({ name: "pay" }))
    yield* TestClock.adjust(1000)
    script.failNext(8)
    script.current.lose()
    yield* TestClock.adjust("20 seconds")
    expect((yield* backend.status).resumed).toBe(true)
    yield* TestClock.adjust("20 seconds")
    expect(yield* Fiber.join(call)).toEqual({ content: [] })
  })

  test.scoped("[T11 L18] it is in flight on the connection that goes on, which is not idle", function*() {
    const script = keeping()
    const { backend } = yield* watched(script, { lifecycle: { idleRelease: "5 seconds" } })
    yield* TestClock.adjust("1 second")
    script.respond = (method) =>
      method === "tools/call" ? { answer: "result", after: 30_000, result: { content: [] } } : undefined
    const call = yield* Effect.fork(backend.callTool({ name: "pay" }))
    yield* TestClock.adjust(1000)
    script.current.lose()
    yield* TestClock.adjust("20 seconds")
    expect(yield* backend.status).toMatchObject({ state: "Connected", resumed: true, inFlight: 1 })
    yield* TestClock.adjust("10 seconds")
    expect(yield* Fiber.join(call)).toEqual({ content: [] })
    expect((yield* backend.status).inFlight).toBe(0)
    yield* TestClock.adjust("6 seconds")
    expect((yield* backend.status).state).toBe("Idle")
  })

  test.scoped("[T11 L12] it may finish where the connection that goes on is replaced on purpose", function*() {
    const script = keeping()
    const { backend } = yield* watched(script)
    yield* TestClock.adjust("10 seconds")
    script.respond = (method) =>
      method === "tools/call" ? { answer: "result", after: 10_000, result: { content: [] } } : undefined
    const call = yield* Effect.fork(backend.callTool({ name: "pay" }))
    yield* TestClock.adjust(1000)
    for (let loss = 0; loss < 2; loss++) {
      script.current.lose()
      yield* TestClock.adjust("2 seconds")
    }
    expect((yield* backend.status).resumed).toBe(true)
    yield* backend.reconnect
    yield* TestClock.adjust("5 seconds")
    expect(yield* Fiber.join(call)).toEqual({ content: [] })
  })

  test.scoped("[T11 R1] a heartbeat that was under way is no call: the next attempt keeps to the backoff", function*() {
    const script = keeping()
    const { backend } = yield* watched(script, { keepalive: { method: "ping", interval: 2000 } })
    yield* TestClock.adjust(0)
    script.respond = (method) => method === "ping" || method.endsWith("/list") ? { answer: "never" } : undefined
    while (script.ledger.sent("ping").length === 0) yield* TestClock.adjust(100)
    const lostAt = yield* Clock.currentTimeMillis
    script.current.lose()
    yield* runUntilIdle
    expect((yield* backend.status).state).toBe("Reconnecting")
    yield* TestClock.adjust("5 seconds")
    expect(script.ledger.attempts[1]! - lostAt).toBeGreaterThanOrEqual(500)
  })

  test.scoped("[T11 C3] where the session does not go on, it is told that nobody knows", function*() {
    const script = keeping({ offered: "forgotten" })
    const { backend } = yield* watched(script)
    yield* TestClock.adjust("10 seconds")
    script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const call = yield* Effect.fork(backend.callTool({ name: "pay" }))
    yield* TestClock.adjust(1000)
    script.current.lose()
    yield* TestClock.adjust(3000)
    expect((failure(yield* Fiber.await(call)) as ResultUnknown)._tag).toBe("ResultUnknown")
    expect(script.ledger.sent("tools/call")).toHaveLength(1)
  })

  for (const command of ["disable", "disconnect"] as const) {
    test.scoped(`[T11 L10] ${command} while it is down ends the session, and the calls that wait for it`, function*() {
      const script = keeping()
      const { backend } = yield* watched(script)
      yield* TestClock.adjust("10 seconds")
      script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      const call = yield* Effect.fork(backend.callTool({ name: "pay" }))
      yield* TestClock.adjust(1000)
      script.otherwise = { connect: "fail" }
      script.current.lose()
      yield* TestClock.adjust("5 seconds")
      expect(script.ledger.session(0)).toEqual(["begun", "suspended"])
      yield* backend[command]
      yield* runUntilIdle
      expect(script.ledger.session(0)).toEqual(["begun", "suspended", "ended"])
      expect((failure(yield* Fiber.await(call)) as BackendUnavailable)._tag).toBe("ResultUnknown")
    })
  }

  test.effect("[T11 L6] so does the end of the scope", function*() {
    const script = keeping()
    const scope = yield* Scope.make()
    yield* Scope.extend(watched(script), scope)
    yield* TestClock.adjust("10 seconds")
    script.otherwise = { connect: "fail" }
    script.current.lose()
    yield* TestClock.adjust("5 seconds")
    yield* Scope.close(scope, Exit.void)
    expect([...script.ledger.faults, ...script.ledger.sessionFaults]).toEqual([])
  })

  test.effect("[T11] what was taken is given once, and nothing of it is kept", function*() {
    let ended = 0
    const session = new SuspendedSession({
      knows: "all",
      isAwaited: () => true,
      end: Effect.sync(() => void ended++)
    })
    expect([session.held, session.isAwaited, session.knows]).toEqual([true, true, "all"])
    expect(session.take()).toBe("all")
    expect([session.held, session.isAwaited, session.knows, session.take()]).toEqual([
      false,
      false,
      undefined,
      undefined
    ])
    yield* session.end
    expect(ended).toBe(0)
  })

  test.scoped("[T11 L12] a connection that is replaced on purpose keeps no session", function*() {
    const script = keeping()
    const { backend } = yield* watched(script)
    yield* TestClock.adjust("10 seconds")
    yield* backend.reconnect
    yield* runUntilIdle
    expect(script.ledger.session(0)).toEqual(["begun", "ended"])
    expect((yield* backend.status).resumed).toBe(false)
  })

  test.scoped("[T11 L12] neither does one that was to replace it and ended at once", function*() {
    const script = keeping()
    const { backend } = yield* watched(script, { onConnected: () => Effect.sleep("1 second") })
    yield* TestClock.adjust("10 seconds")
    script.script({ suspends: true, loseAfter: 500 })
    const refused = yield* Effect.fork(Effect.flip(backend.reconnect))
    yield* TestClock.adjust("2 seconds")
    yield* Fiber.join(refused)
    expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 1 })
    expect(script.ledger.session(1)).toEqual(["begun", "ended"])
    const replaced = yield* Effect.fork(backend.reconnect)
    yield* TestClock.adjust("2 seconds")
    yield* Fiber.join(replaced)
    expect((yield* backend.status).resumed).toBe(false)
  })

  test.scoped("[T11 K13] one that heartbeats give up again, with no good one since it was resumed, is begun anew", function*() {
    const script = keeping()
    const { backend } = yield* watched(script, {
      keepalive: { method: "ping", interval: "30 seconds", timeout: "1 second", suspectInterval: "1 second" }
    })
    yield* TestClock.adjust("10 seconds")
    // The session hangs; the server does not.
    script.respond = (method, _, { session }) =>
      (method === "ping" || method.endsWith("/list")) && session.id === 0 ? { answer: "never" } : undefined
    yield* TestClock.adjust("3 minutes")
    expect(script.ledger.session(0)).toEqual(["begun", "suspended", "resumed", "ended"])
    expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 3, resumed: false })
    expect((yield* backend.status).keepalive.state).toBe("running")
  })

  test.scoped("[T11] an attempt that comes too late does not take what another one goes on with", function*() {
    const script = keeping()
    const { backend } = yield* watched(script)
    yield* TestClock.adjust("10 seconds")
    script.script({ suspends: true, after: 40_000, stubborn: true })
    script.current.lose()
    yield* TestClock.adjust("1 minute")
    expect(script.ledger.session(0)).toEqual(["begun", "suspended", "resumed"])
    expect((yield* backend.status).resumed).toBe(true)
  })
})
