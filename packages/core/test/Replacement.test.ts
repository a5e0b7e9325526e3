import { Fleet, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { failure, runUntilIdle, watched } from "./support/Watched.js"

const noHeartbeat = { keepalive: { method: "none" } } as const

describe("L12, L13: replacement", () => {
  test.scoped("[L12] the new generation is up before the old is drained and closed, and no call fails", function*() {
    const script = ScriptedConnector.make().script({}, { after: 1000 })
    script.respond = (method) => method === "tools/call" ? { answer: "result", after: 2000 } : undefined
    const { backend, states } = yield* watched(script)
    yield* runUntilIdle
    const calls = [yield* Effect.fork(backend.callTool({ name: "echo" }))]
    const reconnect = yield* Effect.fork(backend.reconnect)
    yield* TestClock.adjust(999)
    calls.push(yield* Effect.fork(backend.callTool({ name: "echo" })))
    yield* runUntilIdle
    expect((yield* backend.status).generation).toBe(1)
    yield* TestClock.adjust(1)
    yield* Fiber.join(reconnect)
    expect((yield* backend.status).generation).toBe(2)
    calls.push(yield* Effect.fork(backend.callTool({ name: "echo" })))
    yield* TestClock.adjust(1998)
    expect(script.ledger.closing).toEqual([])
    yield* TestClock.adjust(1)
    expect(script.ledger.closed).toEqual([0])
    yield* TestClock.adjust(1)
    yield* Fiber.joinAll(calls)
    expect(script.ledger.sent("tools/call", 0)).toHaveLength(2)
    expect(script.ledger.sent("tools/call", 1)).toHaveLength(1)
    expect(states()).toEqual(["Connected"])
  })

  test.scoped("[L12] if the new one fails the old one stays, and only the command fails", function*() {
    const script = ScriptedConnector.make().script({}, { connect: "fail", error: { permanent: true } }, {
      connect: "hang"
    })
    const { backend, states } = yield* watched(script)
    yield* runUntilIdle
    expect(failure(yield* Effect.exit(backend.reconnect))._tag).toBe("ConnectError")
    yield* backend.callTool({ name: "echo" })
    const hanging = yield* Effect.fork(backend.reconnect)
    yield* TestClock.adjust("30 seconds")
    expect(failure(yield* Fiber.await(hanging))).toMatchObject({ _tag: "ConnectError", reason: "timeout" })
    yield* backend.callTool({ name: "echo" })
    yield* TestClock.adjust("1 hour")
    expect(script.ledger.sent("tools/call", 0)).toHaveLength(2)
    expect(script.ledger.attempts).toHaveLength(3)
    expect(script.ledger.live).toEqual([0])
    expect(states()).toEqual(["Connected"])
    const { failedAttempts, lastError, nextAttemptAt } = yield* backend.status
    expect({ failedAttempts, lastError, nextAttemptAt }).toEqual({
      failedAttempts: 0,
      lastError: undefined,
      nextAttemptAt: undefined
    })
  })

  test.scoped("[L12] a loss during a replacement is healed by the attempt under way", function*() {
    const script = ScriptedConnector.make().script({}, { after: 1000 })
    const { backend, states } = yield* watched(script)
    yield* runUntilIdle
    const reconnect = yield* Effect.fork(backend.reconnect)
    yield* TestClock.adjust(500)
    script.connections[0]!.lose()
    yield* runUntilIdle
    expect((yield* backend.status).state).toBe("Connecting")
    const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
    yield* TestClock.adjust(499)
    expect(call.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    yield* Fiber.join(call)
    yield* Fiber.join(reconnect)
    expect(script.ledger.attempts).toHaveLength(2)
    expect(states()).toEqual(["Connected", "Connecting", "Connected"])
  })

  test.scoped("[L12] without overlap the old is closed before the new is begun, and calls between wait", function*() {
    const script = ScriptedConnector.make({ overlap: false }).script({ close: 500 }, { after: 500 })
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    const reconnect = yield* Effect.fork(backend.reconnect)
    yield* runUntilIdle
    const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
    yield* TestClock.adjust(1000)
    yield* Fiber.join(reconnect)
    yield* Fiber.join(call)
    const order = script.ledger.entries.flatMap(({ _tag }) => _tag === "Sent" ? [] : [_tag])
    expect(order).toEqual(["Attempt", "Opened", "Closing", "Closed", "Attempt", "Opened"])
  })

  test.scoped("[L12] the option overrules what the transport says", function*() {
    for (const overlap of [true, false]) {
      const script = ScriptedConnector.make({ overlap: !overlap }).script({ close: 500 }, {})
      const { backend } = yield* watched(script, { reconnect: { overlap } })
      yield* runUntilIdle
      const reconnect = yield* Effect.fork(backend.reconnect)
      yield* runUntilIdle
      expect(script.ledger.opened).toHaveLength(overlap ? 2 : 1)
      yield* TestClock.adjust(500)
      yield* Fiber.join(reconnect)
    }
  })

  for (const overlap of [true, false]) {
    test.scoped(`[L13] on a wanted replacement calls get timeouts.drain, ${overlap ? "with" : "without"} overlap`, function*() {
      const script = ScriptedConnector.make({ overlap })
      script.respond = (method, params) =>
        method === "tools/call"
          ? (params as { readonly name: string }).name === "long"
            ? { answer: "never" }
            : { answer: "result", after: 2999 }
          : undefined
      const { backend } = yield* watched(script, { timeouts: { drain: 3000 } })
      yield* runUntilIdle
      const short = yield* Effect.fork(backend.callTool({ name: "short" }))
      const long = yield* Effect.fork(backend.callTool({ name: "long" }))
      yield* runUntilIdle
      const reconnect = yield* Effect.fork(backend.reconnect)
      yield* TestClock.adjust(2999)
      yield* Fiber.join(short)
      expect(long.unsafePoll()).toBeNull()
      expect(script.ledger.closing).toEqual([])
      yield* TestClock.adjust(1)
      expect(failure(yield* Fiber.await(long))._tag).toBe("ResultUnknown")
      expect(script.ledger.closed).toEqual([0])
      yield* Fiber.join(reconnect)
    })
  }

  for (const end of ["disable", "disconnect", "close"] as const) {
    test.scoped(`[L13] ${end} ends a drain at once`, function*() {
      const script = ScriptedConnector.make()
      script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      const scope = yield* Scope.make()
      const { backend } = yield* Scope.extend(watched(script), scope)
      yield* runUntilIdle
      const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* runUntilIdle
      yield* backend.reconnect
      yield* runUntilIdle
      expect(call.unsafePoll()).toBeNull()
      expect(script.ledger.live).toEqual([0, 1])
      const ended = yield* Effect.fork(end === "close" ? Scope.close(scope, Exit.void) : backend[end])
      yield* runUntilIdle
      expect(failure(yield* Fiber.await(call))._tag).toBe("ResultUnknown")
      expect(script.ledger.faults).toEqual([])
      expect(ended.unsafePoll()).not.toBeNull()
    })
  }

  test.scoped("[L13] on a loss calls in flight are settled in the same moment, by what may be repeated", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method, _, { id }) => id === 0 && method !== "tools/list" ? { answer: "never" } : undefined
    script.otherwise = { close: 1000 }
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    const act = yield* Effect.fork(backend.callTool({ name: "echo" }))
    const read = yield* Effect.fork(backend.readResource({ uri: "file:///a" }))
    yield* runUntilIdle
    script.current.lose()
    yield* runUntilIdle
    expect(failure(yield* Fiber.await(act))._tag).toBe("ResultUnknown")
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(read)
    expect(script.ledger.sent("resources/read", 1)).toHaveLength(1)
  })

  test.scoped("[L13] a forgotten session cuts nothing: each call hears its own refusal, within 3 s, while a new one is made", function*() {
    const script = ScriptedConnector.make()
    const refused = new RequestError({ fate: "rejected", reason: "session", message: "404" })
    script.respond = (method, params, { id }) =>
      id > 0 || method !== "tools/call"
        ? undefined
        : (params as { readonly name: string }).name === "late"
        ? { answer: "error", error: refused, after: 2999 }
        : { answer: "never" }
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    const late = yield* Effect.fork(backend.callTool({ name: "late" }))
    const mute = yield* Effect.fork(backend.callTool({ name: "mute" }))
    yield* runUntilIdle
    script.current.lose("session")
    yield* runUntilIdle
    expect((yield* backend.status).generation).toBe(2)
    yield* backend.callTool({ name: "new" })
    yield* TestClock.adjust(2998)
    expect(late.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    yield* Fiber.join(late)
    expect(mute.unsafePoll()).toBeNull()
    expect(script.ledger.closing).toEqual([])
    yield* TestClock.adjust(1)
    expect(failure(yield* Fiber.await(mute))).toMatchObject({
      _tag: "ResultUnknown",
      generation: 1,
      message: expect.stringContaining("scripted loss: session")
    })
    expect(script.ledger.closed).toEqual([0])
  })

  test.scoped("[L13] timeouts.drain bounds that wait, too; where it is 0, calls are cut at once", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const { backend } = yield* watched(script, { timeouts: { drain: 0 } })
    yield* runUntilIdle
    const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
    yield* runUntilIdle
    script.current.lose("session")
    yield* runUntilIdle
    expect(failure(yield* Fiber.await(call))._tag).toBe("ResultUnknown")
  })
})

describe("L14: backends do not wait for each other", () => {
  test.scoped("[L14] dead, slow and broken backends delay neither the fleet's start nor the others", function*() {
    const good = ScriptedConnector.make()
    const hangs = ScriptedConnector.make()
    hangs.otherwise = { connect: "hang" }
    const dead = ScriptedConnector.make()
    dead.otherwise = { connect: "fail" }
    const broken = ScriptedConnector.make()
    broken.otherwise = { connect: "throw" }
    const mute = ScriptedConnector.make()
    mute.respond = () => ({ answer: "never" })
    const backends = Object.fromEntries(
      Object.entries({ hangs, dead, broken, mute, good }).map((
        [id, connector]
      ) => [id, { connector, ...noHeartbeat }])
    )
    const fleet = yield* Fleet.make({ backends })
    const ready = yield* Effect.fork(fleet.ready)
    yield* runUntilIdle
    yield* fleet.callTool({ name: "good__echo" })
    expect([...(yield* fleet.catalog).tools.keys()]).toEqual(["good__echo"])
    const states = Object.entries(yield* fleet.status).map(([id, { state }]) => [id, state])
    expect(Object.fromEntries(states)).toEqual({
      hangs: "Connecting",
      dead: "Reconnecting",
      broken: "Reconnecting",
      mute: "Connected",
      good: "Connected"
    })
    yield* TestClock.adjust(9999)
    expect(ready.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    yield* Fiber.join(ready)
  })

  test.scoped("[L14] backends that never close delay neither the close of the others nor, for long, the fleet's", function*() {
    mayLeave("connections", "timers")
    const scripts = Array.from({ length: 100 }, () => ScriptedConnector.make())
    // The last of the first few among them, for which the next few wait shortly.
    const stuck = [0, 31, 32]
    for (const i of stuck) scripts[i]!.otherwise = { close: "never" }
    const backends = Object.fromEntries(scripts.map((connector, i) => [`${i}`, { connector, ...noHeartbeat }]))
    const scope = yield* Scope.make()
    const fleet = yield* Scope.extend(Fleet.make({ backends, connectConcurrency: 100 }), scope)
    yield* fleet.ready
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    yield* runUntilIdle
    const open = scripts.flatMap(({ current }, i) => current.state === "open" ? [i] : [])
    expect(open).toEqual([])
    const unclosed = scripts.flatMap(({ ledger }, i) => ledger.entries.some((e) => e._tag === "Closed") ? [] : [i])
    expect(unclosed).toEqual(stuck)
    expect(closing.unsafePoll()).toBeNull()
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.join(closing)
  })
})
