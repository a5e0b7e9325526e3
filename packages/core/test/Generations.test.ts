import { Backend, Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Random, Scope, Stream, TestClock } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { failure, runUntilIdle, watched } from "./support/Watched.js"

const { tool } = ScriptedConnector

const noHeartbeat = { keepalive: { method: "none" } } as const

describe("L1: a stable slot", () => {
  test.scoped("[L1] identity, handle and status stream outlive every connection; the stream ends with Closed", function*() {
    const script = ScriptedConnector.make()
    const scope = yield* Scope.make()
    const { backend } = yield* Scope.extend(watched(script), scope)
    const seen: Array<readonly [string, number]> = []
    const stream = yield* Effect.fork(
      Stream.runForEach(backend.status.changes, ({ generation, state }) =>
        Effect.sync(() => {
          const last = seen.at(-1)
          if (last?.[0] !== state || last[1] !== generation) seen.push([state, generation])
        }))
    )
    yield* runUntilIdle
    script.current.lose()
    yield* TestClock.adjust("1 second")
    yield* backend.reconnect
    yield* backend.disable
    yield* backend.enable
    yield* runUntilIdle
    yield* Scope.close(scope, Exit.void)
    yield* Fiber.join(stream)
    expect(backend.id).toBe("one")
    expect(seen.filter(([state]) => state === "Connected").map(([, generation]) => generation)).toEqual([1, 2, 3, 4])
    expect(seen.map(([state]) => state)).toContain("Reconnecting")
    expect(seen.at(-1)).toEqual(["Closed", 4])
    expect((yield* backend.status).backend).toBe("one")
  })

  test.scoped("[L1] a tool taken from an older listing calls the current runtime", function*() {
    const script = ScriptedConnector.make()
    const fleet = yield* Fleet.make({ backends: { docs: { connector: script, ...noHeartbeat } } })
    yield* fleet.ready
    const [name] = [...(yield* fleet.catalog).tools.keys()]
    const docs = yield* fleet.backend("docs")
    for (const connection of [1, 2]) {
      yield* docs.reconnect
      yield* fleet.callTool({ name: name! })
      expect(script.ledger.sent("tools/call", connection)).toHaveLength(1)
      expect(script.ledger.sent("tools/call")).toHaveLength(connection)
    }
  })
})

describe("L3: generations", () => {
  test.scoped("[L3:virtual] what is installed gets the next number; an attempt that fails takes none", function*() {
    const script = ScriptedConnector.make().failNext(2).script({}, { connect: "fail" }, {}, {}, {})
    const { backend, installed } = yield* watched(script)
    yield* TestClock.adjust("3 seconds")
    expect(installed()).toEqual([1])
    yield* Effect.exit(backend.reconnect)
    expect(installed()).toEqual([1])
    expect((yield* backend.status).generation).toBe(1)
    yield* backend.reconnect
    expect(installed()).toEqual([1, 2])
    script.current.lose()
    yield* TestClock.adjust("10 seconds")
    expect(installed()).toEqual([1, 2, 3])
    yield* backend.disable
    yield* backend.enable
    expect(installed()).toEqual([1, 2, 3, 4])
  })

  test.scoped("[L3:virtual] at most one generation takes calls, also while the old one drains", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method) => method === "tools/call" ? { answer: "result", after: 1000 } : undefined
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    const old = yield* Effect.fork(backend.callTool({ name: "echo" }))
    yield* runUntilIdle
    yield* backend.reconnect
    const fresh = yield* Effect.fork(backend.callTool({ name: "echo" }))
    yield* runUntilIdle
    expect(script.ledger.live).toEqual([0, 1])
    expect(script.ledger.sent("tools/call", 0)).toHaveLength(1)
    expect(script.ledger.sent("tools/call", 1)).toHaveLength(1)
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(old)
    yield* Fiber.join(fresh)
    expect(script.ledger.live).toEqual([1])
  })
})

describe("L4: what is late changes nothing", () => {
  /** Generation 2 is installed; generation 1 drains because a call is in flight on it. */
  const draining = Effect.gen(function*() {
    const script = ScriptedConnector.make()
    script.respond = (method, _, { id }) => method === "tools/call" && id === 0 ? { answer: "never" } : undefined
    const one = yield* watched(script, { timeouts: { drain: "1 minute" } })
    yield* runUntilIdle
    const call = yield* Effect.fork(one.backend.callTool({ name: "echo" }, { timeout: "30 seconds" }))
    yield* runUntilIdle
    yield* one.backend.reconnect
    yield* runUntilIdle
    expect((yield* one.backend.status).generation).toBe(2)
    expect(script.ledger.live).toEqual([0, 1])
    return { ...one, call, script }
  })

  const untouched = (backend: Backend.Backend) =>
    Effect.map(backend.status, ({ errorCount, failures, generation, healthScore, inFlight, state }) => {
      expect({ errorCount, failures, generation, healthScore, inFlight, state }).toEqual({
        errorCount: 0,
        failures: 0,
        generation: 2,
        healthScore: 1,
        inFlight: 0,
        state: "Connected"
      })
    })

  test.scoped("[L4:virtual] a late loss moves no lifecycle and starts no attempt", function*() {
    const { backend, script, states } = yield* draining
    const before = states()
    script.connections[0]!.lose("session")
    yield* TestClock.adjust("1 minute")
    expect(states()).toEqual(before)
    expect(script.ledger.attempts).toHaveLength(2)
    yield* untouched(backend)
  })

  test.scoped("[L4:virtual] a late notification is not handed on and reads no list", function*() {
    const { backend, script } = yield* draining
    const heard: Array<string> = []
    yield* Effect.forkScoped(
      Stream.runForEach(backend.notifications, ({ method }) => Effect.sync(() => heard.push(method)))
    )
    yield* runUntilIdle
    const reads = script.ledger.sent("tools/list").length
    script.offer = { ...script.offer, tools: [tool("late")] }
    script.connections[0]!.notify("notifications/tools/list_changed")
    yield* runUntilIdle
    expect(heard).toEqual([])
    expect(script.ledger.sent("tools/list")).toHaveLength(reads)
    expect((yield* backend.catalog)?.tools.map(({ name }) => name)).toEqual(["echo"])
    script.connections[1]!.notify("notifications/tools/list_changed")
    yield* TestClock.adjust(300)
    expect(heard).toEqual(["notifications/tools/list_changed"])
    expect((yield* backend.catalog)?.tools.map(({ name }) => name)).toEqual(["late"])
  })

  test.scoped("[L4:virtual] a late timeout of a call raises no suspicion", function*() {
    const { backend, call, script } = yield* draining
    yield* TestClock.adjust("30 seconds")
    expect(failure(yield* Fiber.await(call))._tag).toBe("RequestTimeout")
    expect(script.ledger.sent("ping")).toEqual([])
    yield* untouched(backend)
  })

  it.scoped("[L4:virtual] the verdict of a heartbeat that was under way is not counted, and no other follows", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.respond = (method, _, { id }) =>
        id === 0 && (method === "ping" || method === "tools/call") ? { answer: "never" } : undefined
      const { backend } = yield* watched(script, {
        keepalive: { interval: "1 minute", timeout: "10 seconds", failureThreshold: 1 },
        timeouts: { drain: "1 hour" }
      })
      yield* runUntilIdle
      yield* Effect.forkScoped(Effect.exit(backend.callTool({ name: "echo" }, { timeout: "1 hour" })))
      yield* TestClock.adjust("30 seconds")
      const before = script.ledger.sent("ping", 0)
      expect(before.at(-1)).toBe(30_000)
      yield* backend.reconnect
      yield* TestClock.adjust("11 seconds")
      expect(script.ledger.live).toEqual([0, 1])
      expect(script.ledger.sent("ping", 0)).toEqual(before)
      const { errorCount, failures, generation, healthScore, state } = yield* backend.status
      expect({ errorCount, failures, generation, healthScore, state }).toEqual({
        errorCount: 0,
        failures: 0,
        generation: 2,
        healthScore: 1,
        state: "Connected"
      })
    }).pipe(Effect.withRandom(Random.fixed([0.5]))))
})
