import { describe, expect, it } from "@effect/vitest"
import { Backend, type BackendUnavailable, type Event, Fleet, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Random, Scope, Stream, TestClock } from "effect"
import { startBackend } from "../src/backend/start.js"
import { failure, settle, watched } from "./support/Watched.js"

const { tool } = ScriptedConnector

const noHeartbeat = { keepalive: { method: "none" } } as const

/** Jitter that takes the whole delay. */
const longest = Effect.withRandom(Random.fixed([1]))

describe("L1: a stable slot", () => {
  it.scoped("[L1] identity, handle and status stream outlive every connection; the stream ends with Closed", () =>
    Effect.gen(function*() {
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
      yield* settle
      script.current.lose()
      yield* TestClock.adjust("1 second")
      yield* backend.reconnect
      yield* backend.disable
      yield* backend.enable
      yield* settle
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(stream)
      expect(backend.id).toBe("one")
      expect(seen.filter(([state]) => state === "Connected").map(([, generation]) => generation)).toEqual([1, 2, 3, 4])
      expect(seen.map(([state]) => state)).toContain("Reconnecting")
      expect(seen.at(-1)).toEqual(["Closed", 4])
      expect((yield* backend.status).backend).toBe("one")
    }))

  it.scoped("[L1] a tool taken from an older listing calls the current runtime", () =>
    Effect.gen(function*() {
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
    }))
})

describe("L3: generations", () => {
  it.scoped("[L3:virtual] what is installed gets the next number; an attempt that fails takes none", () =>
    Effect.gen(function*() {
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
    }))

  it.scoped("[L3:virtual] at most one generation takes calls, also while the old one drains", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.respond = (method) => method === "tools/call" ? { answer: "result", after: 1000 } : undefined
      const { backend } = yield* watched(script)
      yield* settle
      const old = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* settle
      yield* backend.reconnect
      const fresh = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* settle
      expect(script.ledger.live).toEqual([0, 1])
      expect(script.ledger.sent("tools/call", 0)).toHaveLength(1)
      expect(script.ledger.sent("tools/call", 1)).toHaveLength(1)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(old)
      yield* Fiber.join(fresh)
      expect(script.ledger.live).toEqual([1])
    }))
})

describe("L4: what is late changes nothing", () => {
  /** Generation 2 is installed; generation 1 drains because a call is in flight on it. */
  const draining = Effect.gen(function*() {
    const script = ScriptedConnector.make()
    script.respond = (method, _, { id }) => method === "tools/call" && id === 0 ? { answer: "never" } : undefined
    const one = yield* watched(script, { timeouts: { drain: "1 minute" } })
    yield* settle
    const call = yield* Effect.fork(one.backend.callTool({ name: "echo" }, { timeout: "30 seconds" }))
    yield* settle
    yield* one.backend.reconnect
    yield* settle
    expect((yield* one.backend.status).generation).toBe(2)
    expect(script.ledger.live).toEqual([0, 1])
    return { ...one, call, script }
  })

  const untouched = (backend: Backend.Backend) =>
    Effect.map(backend.status, ({ errorCount, failures, generation, healthScore, inFlight, state }) => {
      expect({ errorCount, failures, generation, healthScore, inFlight, state }).toEqual({
        errorCount: 0,
        failures: { discovery: 0, request: 0 },
        generation: 2,
        healthScore: 1,
        inFlight: 0,
        state: "Connected"
      })
    })

  it.scoped("[L4:virtual] a late loss moves no lifecycle and starts no attempt", () =>
    Effect.gen(function*() {
      const { backend, script, states } = yield* draining
      const before = states()
      script.connections[0]!.lose("session")
      yield* TestClock.adjust("1 minute")
      expect(states()).toEqual(before)
      expect(script.ledger.attempts).toHaveLength(2)
      yield* untouched(backend)
    }))

  it.scoped("[L4:virtual] a late notification is not handed on and reads no list", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* draining
      const heard: Array<string> = []
      yield* Effect.forkScoped(
        Stream.runForEach(backend.notifications, ({ method }) => Effect.sync(() => heard.push(method)))
      )
      yield* settle
      const reads = script.ledger.sent("tools/list").length
      script.offer = { ...script.offer, tools: [tool("late")] }
      script.connections[0]!.notify("notifications/tools/list_changed")
      yield* settle
      expect(heard).toEqual([])
      expect(script.ledger.sent("tools/list")).toHaveLength(reads)
      expect((yield* backend.catalog)?.tools.map(({ name }) => name)).toEqual(["echo"])
      script.connections[1]!.notify("notifications/tools/list_changed")
      yield* settle
      expect(heard).toEqual(["notifications/tools/list_changed"])
      expect((yield* backend.catalog)?.tools.map(({ name }) => name)).toEqual(["late"])
    }))

  it.scoped("[L4:virtual] a late timeout of a call raises no suspicion", () =>
    Effect.gen(function*() {
      const { backend, call, script } = yield* draining
      yield* TestClock.adjust("30 seconds")
      expect(failure(yield* Fiber.await(call))._tag).toBe("RequestTimeout")
      expect(script.ledger.sent("ping")).toEqual([])
      yield* untouched(backend)
    }))

  it.scoped("[L4:virtual] a list that is read late is not published", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.respond = (method, _, { id }) =>
        method === "tools/list"
          ? id === 0
            ? { answer: "result", result: { tools: [tool("old")] }, after: 5000 }
            : { answer: "result", result: { tools: [tool("new")] }, after: 1000 }
          : undefined
      const { backend, events } = yield* watched(script)
      yield* settle
      const refresh = yield* Effect.fork(backend.refresh)
      yield* settle
      yield* backend.reconnect
      yield* TestClock.adjust("1 second")
      expect((yield* backend.catalog)?.tools.map(({ name }) => name)).toEqual(["new"])
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.await(refresh)
      expect((yield* backend.catalog)?.tools.map(({ name }) => name)).toEqual(["new"])
      expect(events.filter((event) => event._tag === "CatalogChanged").map((event) => event.generation)).toEqual([2])
      yield* untouched(backend)
    }))

  it.scoped("[L4:virtual] the verdict of a heartbeat that was under way is not counted, and no other follows", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.respond = (method, _, { id }) =>
        id === 0 && (method === "ping" || method === "tools/call") ? { answer: "never" } : undefined
      const { backend } = yield* watched(script, {
        keepalive: { interval: "1 minute", timeout: "10 seconds", failureThreshold: 1 },
        timeouts: { drain: "1 hour" }
      })
      yield* settle
      yield* Effect.forkScoped(Effect.exit(backend.callTool({ name: "echo" }, { timeout: "1 hour" })))
      yield* TestClock.adjust("30 seconds")
      expect(script.ledger.sent("ping", 0)).toEqual([30_000])
      yield* backend.reconnect
      yield* TestClock.adjust("11 seconds")
      expect(script.ledger.live).toEqual([0, 1])
      expect(script.ledger.sent("ping", 0)).toHaveLength(1)
      const { errorCount, failures, generation, healthScore, state } = yield* backend.status
      expect({ errorCount, failures, generation, healthScore, state }).toEqual({
        errorCount: 0,
        failures: { discovery: 0, request: 0 },
        generation: 2,
        healthScore: 1,
        state: "Connected"
      })
    }).pipe(Effect.withRandom(Random.fixed([0.5]))))
})

describe("L5: detach, then close", () => {
  it.scoped("[L5:virtual] a runtime is out of the slot before its close begins, whatever ends it", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const { backend } = yield* watched(script)
      const found: Array<readonly [number, string | undefined]> = []
      script.ledger.onWrite = (entry) => {
        if (entry._tag === "Closing") {
          found.push([entry.connection, Effect.runSync(backend.status).peer?.pid?.toString()])
        }
      }
      yield* settle
      yield* backend.reconnect
      yield* settle
      expect(found).toEqual([[0, "1"]])
      script.current.lose()
      yield* TestClock.adjust("1 second")
      expect(found.slice(1)).toEqual([[1, undefined]])
      yield* backend.disconnect
      yield* settle
      expect(found.slice(2)).toEqual([[2, undefined]])
      yield* backend.reconnect
      yield* backend.disable
      expect(found.slice(3)).toEqual([[3, undefined]])
    }))

  it.scoped("[L5:virtual] a slow close holds up no call, no status and no next connection", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ close: 4000 }, { close: 4000 }, {})
      const { backend } = yield* watched(script)
      yield* settle
      yield* backend.reconnect
      expect((yield* backend.status).generation).toBe(2)
      yield* backend.callTool({ name: "echo" })
      expect(script.ledger.sent("tools/call", 1)).toHaveLength(1)
      yield* backend.reconnect
      yield* backend.callTool({ name: "echo" })
      expect(script.ledger.sent("tools/call", 2)).toHaveLength(1)
      yield* settle
      expect(script.ledger.closing).toEqual([0, 1])
      expect(script.ledger.closed).toEqual([])
      yield* TestClock.adjust("4 seconds")
      expect(script.ledger.closed.toSorted()).toEqual([0, 1])
    }))

  it.scoped("[L5:virtual] without overlap the next connection waits for the close, and nothing else does", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make({ overlap: false }).script({ close: 4000 })
      const { backend } = yield* watched(script)
      yield* settle
      const reconnect = yield* Effect.fork(backend.reconnect)
      yield* TestClock.adjust(3999)
      expect((yield* backend.status).state).toBe("Connecting")
      expect(script.ledger.attempts).toHaveLength(1)
      yield* TestClock.adjust(1)
      expect(script.ledger.attempts).toHaveLength(2)
      yield* Fiber.join(reconnect)
    }))
})

describe("L6: closed exactly once", () => {
  it("[L6:virtual] in whatever order commands, a loss and the end of the scope meet, closes equal opens", () => {
    const names = ["disable", "disconnect", "reconnect", "enable", "loss", "close"] as const
    for (const [run, order] of permutations(names).entries()) {
      const simulation = new Simulation.Simulation({ seed: run })
      const script = ScriptedConnector.make({ overlap: run % 2 === 0 })
      script.otherwise = { after: 5, close: 5 }
      const scope = Effect.runSync(Scope.make())
      let backend: Backend.Backend | undefined
      let closes = 0
      const event = ({ _tag }: Event.Event) => {
        if (_tag === "RuntimeClosed") closes++
      }
      const observer = { changed: () => {}, catalogChanged: () => {}, event }
      simulation.fork(
        Effect.map(
          Scope.extend(startBackend("one", { connector: script, ...noHeartbeat }, { observer }), scope),
          (made) => {
            backend = made
          }
        )
      )
      simulation.advance(10_000 + run % 2)
      const act = {
        disable: () => simulation.fork(backend!.disable),
        disconnect: () => simulation.fork(backend!.disconnect),
        reconnect: () => simulation.fork(Effect.exit(backend!.reconnect)),
        enable: () => simulation.fork(Effect.exit(backend!.enable)),
        loss: () => script.current.lose(run % 3 === 0 ? "session" : "closed"),
        close: () => simulation.fork(Scope.close(scope, Exit.void))
      }
      const fibers = order.flatMap((name) => {
        const fiber = act[name]()
        for (let steps = run % 7; steps > 0; steps--) simulation.step()
        if (run % 5 === 0) simulation.advance(3)
        return fiber === undefined ? [] : [fiber]
      })
      simulation.advance(60_000)
      expect([order.join(), script.ledger.faults]).toEqual([order.join(), []])
      expect(closes).toBeGreaterThanOrEqual(script.ledger.opened.length)
      expect(closes).toBeLessThanOrEqual(script.ledger.attempts.length)
      expect([order.join(), fibers.filter((fiber) => fiber.unsafePoll() === null).length]).toEqual([order.join(), 0])
    }
  })
})

describe("L7, L8: a close that hangs or fails", () => {
  it.scoped("[L7] past timeouts.close a close is abandoned and counted, and disable goes on", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ close: "never" })
      const { backend, closes } = yield* watched(script, { timeouts: { close: 3000 } })
      yield* settle
      const disable = yield* Effect.fork(backend.disable)
      yield* TestClock.adjust(2999)
      expect((yield* backend.status).state).toBe("Disabling")
      expect((yield* backend.status).abandonedCloses).toBe(0)
      yield* TestClock.adjust(1)
      const status = yield* backend.status
      expect(status.state).toBe("Disabled")
      expect(status.abandonedCloses).toBe(1)
      expect(status.lastCloseError).toBe("close did not end within 3000 ms")
      expect(closes()).toEqual([[1, "abandoned"]])
      yield* Fiber.join(disable)
      yield* backend.enable
      expect((yield* backend.status).generation).toBe(2)
    }))

  it.scoped("[L7] shutdown goes on past a close that hangs, and hangs itself for no longer", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.otherwise = { close: "never" }
      const scope = yield* Scope.make()
      const { backend, closes } = yield* Scope.extend(watched(script), scope)
      yield* settle
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(4999)
      expect(closing.unsafePoll()).toBeNull()
      expect((yield* backend.status).state).toBe("Closed")
      yield* TestClock.adjust(1)
      expect(closing.unsafePoll()).not.toBeNull()
      expect(closes()).toEqual([[1, "abandoned"]])
    }))

  it.scoped("[L8] a close that dies or hangs is reported and never counts against the reconnect budget", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ close: "die" }, { close: "never" }, {})
      const { backend, closes } = yield* watched(script, { reconnect: { stableAfter: 0 } })
      yield* settle
      yield* backend.reconnect
      yield* settle
      expect(closes()).toEqual([[1, "failed"]])
      expect((yield* backend.status).lastCloseError).toContain("the scripted close dies")
      expect((yield* backend.status).errorCount).toBe(0)
      script.current.lose()
      yield* settle
      yield* TestClock.adjust(999)
      expect(script.ledger.attempts).toHaveLength(2)
      yield* TestClock.adjust(1)
      expect(script.ledger.attempts).toHaveLength(3)
      yield* TestClock.adjust(4000)
      expect(closes()).toEqual([[1, "failed"], [2, "abandoned"]])
      const status = yield* backend.status
      expect(status.lastCloseError).toBe("close did not end within 5000 ms")
      expect([status.state, status.failedAttempts, status.errorCount]).toEqual(["Connected", 0, 1])
    }).pipe(longest))
})

describe("L9: nothing without an owner", () => {
  const stubborn = { after: 3000, stubborn: true } as const

  it.scoped("[L9:virtual] a connection that is made after its attempt was given up is released at once", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script(stubborn)
      const { backend, installed } = yield* watched(script)
      yield* TestClock.adjust(1000)
      yield* backend.disconnect
      expect((yield* backend.status).state).toBe("Disconnected")
      yield* TestClock.adjust(1999)
      expect(script.ledger.opened).toEqual([])
      yield* TestClock.adjust(1)
      expect(script.ledger.opened).toEqual([0])
      expect(script.ledger.faults).toEqual([])
      expect(installed()).toEqual([])
    }))

  it.scoped("[L9:virtual] a connection that is made after timeouts.connect is released at once", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script(stubborn)
      const { backend, installed } = yield* watched(script, { timeouts: { connect: 2000 } })
      yield* TestClock.adjust(2000)
      expect((yield* backend.status).state).toBe("Reconnecting")
      expect((yield* backend.status).lastError).toContain("timeouts.connect")
      yield* TestClock.adjust(1000)
      expect(installed()).toEqual([1])
      expect(script.ledger.opened).toHaveLength(2)
      expect(script.ledger.live).toHaveLength(1)
    }).pipe(longest))

  for (const command of ["disable", "disconnect"] as const) {
    it.scoped(`[L9:virtual] ${command} in the middle of a replacement releases the old and the new`, () =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make().script({}, stubborn)
        const { backend } = yield* watched(script)
        yield* settle
        const reconnect = yield* Effect.fork(backend.reconnect)
        yield* TestClock.adjust(1000)
        const ended = yield* Effect.fork(backend[command])
        yield* TestClock.adjust(2000)
        yield* Fiber.join(ended)
        expect(failure(yield* Fiber.await(reconnect))._tag).toBe("BackendUnavailable")
        expect(script.ledger.opened).toEqual([0, 1])
        expect(script.ledger.faults).toEqual([])
      }))
  }

  it.scoped("[L9:virtual] the end of the scope during onConnected releases the connection", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const scope = yield* Scope.make()
      yield* Scope.extend(watched(script, { onConnected: () => Effect.never }), scope)
      yield* settle
      expect(script.ledger.live).toEqual([0])
      yield* Scope.close(scope, Exit.void)
      expect(script.ledger.faults).toEqual([])
    }))
})

describe("L10: an honest disable", () => {
  it.scoped("[L10] Disabling until every runtime has closed, then Disabled; calls meanwhile fail at once", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ close: 2000 })
      const { backend, states } = yield* watched(script)
      yield* settle
      const disable = yield* Effect.fork(backend.disable)
      yield* TestClock.adjust(1999)
      expect((yield* backend.status).state).toBe("Disabling")
      expect(disable.unsafePoll()).toBeNull()
      const error = failure(yield* Effect.exit(backend.callTool({ name: "echo" }))) as BackendUnavailable
      expect([error._tag, error.state]).toEqual(["BackendUnavailable", "Disabling"])
      yield* TestClock.adjust(1)
      yield* Fiber.join(disable)
      expect(script.ledger.closed).toEqual([0])
      expect(states()).toEqual(["Connected", "Disabling", "Disabled"])
      yield* TestClock.adjust("1 day")
      expect(script.ledger.attempts).toHaveLength(1)
      expect(failure(yield* Effect.exit(backend.reconnect))._tag).toBe("BackendUnavailable")
      expect((yield* backend.status).state).toBe("Disabled")
    }))

  it.scoped("[L10] Disabling until a stubborn attempt has ended, or is abandoned after timeouts.close and counted", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ after: 60_000, stubborn: true })
      const { backend } = yield* watched(script, { timeouts: { close: 3000, connect: "2 minutes" } })
      yield* settle
      const disable = yield* Effect.fork(backend.disable)
      yield* TestClock.adjust(2999)
      expect((yield* backend.status).state).toBe("Disabling")
      yield* TestClock.adjust(1)
      expect((yield* backend.status).state).toBe("Disabled")
      expect((yield* backend.status).abandonedCloses).toBe(1)
      yield* Fiber.join(disable)
      yield* TestClock.adjust(57_000)
      expect(script.ledger.opened).toEqual([0])
      expect(script.ledger.faults).toEqual([])
      expect((yield* backend.status).state).toBe("Disabled")
    }))

  it.scoped("[L10] enable during Disabling waits for its end and then starts; nothing is rolled back", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ close: 2000 })
      const { backend, states } = yield* watched(script)
      yield* settle
      const disable = yield* Effect.fork(backend.disable)
      yield* settle
      const enable = yield* Effect.fork(backend.enable)
      yield* TestClock.adjust(1999)
      expect((yield* backend.status).state).toBe("Disabling")
      expect(script.ledger.attempts).toHaveLength(1)
      yield* TestClock.adjust(1)
      yield* Fiber.join(disable)
      yield* Fiber.join(enable)
      expect(states()).toEqual(["Connected", "Disabling", "Connecting", "Connected"])
      expect(script.ledger.closed).toEqual([0])
      expect((yield* backend.status).generation).toBe(2)
    }))

  it.scoped("[L10] a disable takes back the enable that waits", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ close: 2000 })
      const { backend } = yield* watched(script)
      yield* settle
      const first = yield* Effect.fork(backend.disable)
      yield* settle
      const enable = yield* Effect.fork(backend.enable)
      yield* settle
      const second = yield* Effect.fork(backend.disable)
      yield* settle
      expect(failure(yield* Fiber.await(enable))._tag).toBe("BackendUnavailable")
      yield* TestClock.adjust(2000)
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      expect((yield* backend.status).state).toBe("Disabled")
      expect(script.ledger.attempts).toHaveLength(1)
    }))

  it.scoped("[L10] a call in flight is settled by disable and by disconnect at once", () =>
    Effect.gen(function*() {
      for (const command of ["disable", "disconnect"] as const) {
        const script = ScriptedConnector.make()
        script.otherwise = { close: 1000 }
        script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
        const { backend } = yield* watched(script)
        yield* settle
        const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
        yield* settle
        yield* Effect.forkScoped(backend[command])
        yield* settle
        expect(failure(yield* Fiber.await(call))._tag).toBe("ResultUnknown")
      }
    }))
})

describe("L11: commands and first calls coalesce", () => {
  it.scoped("[L11] first calls and commands of a lazy backend share one attempt and end with it", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ after: 1000 })
      const { backend } = yield* watched(script, { lifecycle: { lazy: true } })
      const calls = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.fork(backend.ping()))
      const commands = yield* Effect.forEach(
        [backend.reconnect, backend.enable, backend.reconnect],
        (command) => Effect.fork(command)
      )
      yield* TestClock.adjust(999)
      expect((yield* backend.status).waiting).toBe(20)
      expect(commands.map((command) => command.unsafePoll())).toEqual([null, null, null])
      yield* TestClock.adjust(1)
      yield* Fiber.joinAll(calls)
      yield* Fiber.joinAll(commands)
      expect(script.ledger.attempts).toHaveLength(1)
    }))

  it.scoped("[L11] everybody who joined a failing attempt ends with its error", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ connect: "fail", after: 0, error: { message: "no luck" } })
      const { backend } = yield* watched(script, { lifecycle: { lazy: true } })
      const commands = yield* Effect.forEach(
        [backend.reconnect, backend.reconnect, backend.enable],
        (command) => Effect.fork(command)
      )
      yield* settle
      for (const command of commands) {
        const error = failure(yield* Fiber.await(command))
        expect([error._tag, error.backend, error.message]).toEqual(["ConnectError", "one", "no luck"])
      }
      expect(script.ledger.attempts).toHaveLength(1)
    }))

  it.scoped("[L11] interrupting callers cancels nothing", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ after: 1000 })
      const { backend } = yield* watched(script, { lifecycle: { lazy: true } })
      const callers = yield* Effect.forEach([backend.reconnect, backend.ping()], (one) =>
        Effect.fork<void, unknown, never>(one))
      const stays = yield* Effect.fork(backend.reconnect)
      yield* TestClock.adjust(500)
      yield* Fiber.interruptAll(callers)
      expect((yield* backend.status).waiting).toBe(0)
      yield* TestClock.adjust(500)
      yield* Fiber.join(stays)
      expect((yield* backend.status).state).toBe("Connected")
      expect(script.ledger.attempts).toEqual([0])
    }))

  it.scoped("[L11] every command is answered at shutdown, and every one after it", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ connect: "hang" })
      const scope = yield* Scope.make()
      const { backend } = yield* Scope.extend(watched(script), scope)
      yield* settle
      const reconnects = yield* Effect.forEach([1, 2, 3], () => Effect.fork(backend.reconnect))
      yield* settle
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      const late = yield* Effect.fork(backend.reconnect)
      const disable = yield* Effect.fork(backend.disable)
      yield* settle
      yield* Fiber.join(closing)
      for (const reconnect of [...reconnects, late]) {
        const error = failure(yield* Fiber.await(reconnect)) as BackendUnavailable
        expect([error._tag, error.state]).toEqual(["BackendUnavailable", "Closed"])
      }
      yield* Fiber.join(disable)
      expect(failure(yield* Effect.exit(backend.enable))._tag).toBe("BackendUnavailable")
      yield* backend.disable
      yield* backend.disconnect
      expect(script.ledger.attempts).toHaveLength(1)
    }))
})

describe("L12, L13: replacement", () => {
  it.scoped("[L12] the new generation is up before the old is drained and closed, and no call fails", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({}, { after: 1000 })
      script.respond = (method) => method === "tools/call" ? { answer: "result", after: 2000 } : undefined
      const { backend, states } = yield* watched(script)
      yield* settle
      const calls = [yield* Effect.fork(backend.callTool({ name: "echo" }))]
      const reconnect = yield* Effect.fork(backend.reconnect)
      yield* TestClock.adjust(999)
      calls.push(yield* Effect.fork(backend.callTool({ name: "echo" })))
      yield* settle
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
    }))

  it.scoped("[L12] if the new one fails the old one stays, and only the command fails", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({}, { connect: "fail", error: { incurable: true } }, {
        connect: "hang"
      })
      const { backend, states } = yield* watched(script)
      yield* settle
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
    }))

  it.scoped("[L12] a loss during a replacement is healed by the attempt under way", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({}, { after: 1000 })
      const { backend, states } = yield* watched(script)
      yield* settle
      const reconnect = yield* Effect.fork(backend.reconnect)
      yield* TestClock.adjust(500)
      script.connections[0]!.lose()
      yield* settle
      expect((yield* backend.status).state).toBe("Connecting")
      const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* TestClock.adjust(499)
      expect(call.unsafePoll()).toBeNull()
      yield* TestClock.adjust(1)
      yield* Fiber.join(call)
      yield* Fiber.join(reconnect)
      expect(script.ledger.attempts).toHaveLength(2)
      expect(states()).toEqual(["Connected", "Connecting", "Connected"])
    }))

  it.scoped("[L12] without overlap the old is closed before the new is begun, and calls between wait", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make({ overlap: false }).script({ close: 500 }, { after: 500 })
      const { backend } = yield* watched(script)
      yield* settle
      const reconnect = yield* Effect.fork(backend.reconnect)
      yield* settle
      const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* TestClock.adjust(1000)
      yield* Fiber.join(reconnect)
      yield* Fiber.join(call)
      const order = script.ledger.entries.flatMap(({ _tag }) => _tag === "Sent" ? [] : [_tag])
      expect(order).toEqual(["Attempt", "Opened", "Closing", "Closed", "Attempt", "Opened"])
    }))

  it.scoped("[L12] the option overrules what the transport says", () =>
    Effect.gen(function*() {
      for (const overlap of [true, false]) {
        const script = ScriptedConnector.make({ overlap: !overlap }).script({ close: 500 }, {})
        const { backend } = yield* watched(script, { reconnect: { overlap } })
        yield* settle
        const reconnect = yield* Effect.fork(backend.reconnect)
        yield* settle
        expect(script.ledger.opened).toHaveLength(overlap ? 2 : 1)
        yield* TestClock.adjust(500)
        yield* Fiber.join(reconnect)
      }
    }))

  for (const overlap of [true, false]) {
    it.scoped(`[L13] on a wanted replacement calls get timeouts.drain, ${overlap ? "with" : "without"} overlap`, () =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make({ overlap })
        script.respond = (method, params) =>
          method === "tools/call"
            ? (params as { readonly name: string }).name === "long"
              ? { answer: "never" }
              : { answer: "result", after: 2999 }
            : undefined
        const { backend } = yield* watched(script, { timeouts: { drain: 3000 } })
        yield* settle
        const short = yield* Effect.fork(backend.callTool({ name: "short" }))
        const long = yield* Effect.fork(backend.callTool({ name: "long" }))
        yield* settle
        const reconnect = yield* Effect.fork(backend.reconnect)
        yield* TestClock.adjust(2999)
        yield* Fiber.join(short)
        expect(long.unsafePoll()).toBeNull()
        expect(script.ledger.closing).toEqual([])
        yield* TestClock.adjust(1)
        expect(failure(yield* Fiber.await(long))._tag).toBe("ResultUnknown")
        expect(script.ledger.closed).toEqual([0])
        yield* Fiber.join(reconnect)
      }))
  }

  for (const end of ["disable", "disconnect", "close"] as const) {
    it.scoped(`[L13] ${end} ends a drain at once`, () =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make()
        script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
        const scope = yield* Scope.make()
        const { backend } = yield* Scope.extend(watched(script), scope)
        yield* settle
        const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
        yield* settle
        yield* backend.reconnect
        yield* settle
        expect(call.unsafePoll()).toBeNull()
        expect(script.ledger.live).toEqual([0, 1])
        const ended = yield* Effect.fork(end === "close" ? Scope.close(scope, Exit.void) : backend[end])
        yield* settle
        expect(failure(yield* Fiber.await(call))._tag).toBe("ResultUnknown")
        expect(script.ledger.faults).toEqual([])
        expect(ended.unsafePoll()).not.toBeNull()
      }))
  }

  it.scoped("[L13] on a loss calls in flight are settled in the same moment, by what may be repeated", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.respond = (method, _, { id }) => id === 0 && method !== "tools/list" ? { answer: "never" } : undefined
      script.otherwise = { close: 1000 }
      const { backend } = yield* watched(script)
      yield* settle
      const act = yield* Effect.fork(backend.callTool({ name: "echo" }))
      const read = yield* Effect.fork(backend.readResource({ uri: "file:///a" }))
      yield* settle
      script.current.lose()
      yield* settle
      expect(failure(yield* Fiber.await(act))._tag).toBe("ResultUnknown")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(read)
      expect(script.ledger.sent("resources/read", 1)).toHaveLength(1)
    }))
})

describe("L14: backends do not wait for each other", () => {
  it.scoped("[L14] dead, slow and broken backends delay neither the fleet's start nor the others", () =>
    Effect.gen(function*() {
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
      yield* settle
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
    }))

  it.scoped("[L14] backends that never close delay neither the close of the others nor, for long, the fleet's", () =>
    Effect.gen(function*() {
      const scripts = Array.from({ length: 100 }, () => ScriptedConnector.make())
      // The last of the first few among them, for which the next few wait shortly.
      const stuck = [0, 31, 32]
      for (const i of stuck) scripts[i]!.otherwise = { close: "never" }
      const backends = Object.fromEntries(scripts.map((connector, i) => [`${i}`, { connector, ...noHeartbeat }]))
      const scope = yield* Scope.make()
      const fleet = yield* Scope.extend(Fleet.make({ backends, connectConcurrency: 100 }), scope)
      yield* fleet.ready
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      const open = scripts.flatMap(({ current }, i) => current.state === "open" ? [i] : [])
      expect(open).toEqual([])
      const unclosed = scripts.flatMap(({ ledger }, i) => ledger.entries.some((e) => e._tag === "Closed") ? [] : [i])
      expect(unclosed).toEqual(stuck)
      expect(closing.unsafePoll()).toBeNull()
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
    }))
})

describe("L16, L17, L18: ends and beginnings", () => {
  it.scoped("[L16] calls in flight, waiting and later end with an error that says closed", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ connect: "hang" })
      const scope = yield* Scope.make()
      const { backend } = yield* Scope.extend(watched(script), scope)
      yield* settle
      const waiting = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* settle
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
    }))

  it.scoped("[L16] a call in flight when the scope closes is settled at once: its result is unknown, also where it could be repeated", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.otherwise = { close: "never" }
      script.respond = (method) => method === "tools/list" ? undefined : { answer: "never" }
      const scope = yield* Scope.make()
      const { backend } = yield* Scope.extend(watched(script), scope)
      yield* settle
      const act = yield* Effect.fork(backend.callTool({ name: "echo" }))
      const read = yield* Effect.fork(backend.readResource({ uri: "file:///a" }))
      yield* settle
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      expect(failure(yield* Fiber.await(act))._tag).toBe("ResultUnknown")
      expect(failure(yield* Fiber.await(read))).toMatchObject({
        _tag: "ResultUnknown",
        cause: { _tag: "BackendUnavailable", state: "Closed" }
      })
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
    }))

  for (const way of ["reconnect", "enable"] as const) {
    it.scoped(`[L17] disconnect stays Disconnected, catalogue kept as stale, deaf to demand and time; ${way} leaves it`, () =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make()
        const { backend } = yield* watched(script)
        yield* settle
        yield* backend.disconnect
        yield* settle
        expect(script.ledger.closed).toEqual([0])
        expect((yield* backend.status).state).toBe("Disconnected")
        const catalog = yield* backend.catalog
        expect([catalog?.stale, catalog?.tools.length]).toEqual([true, 1])
        const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
        yield* settle
        expect(failure(yield* Fiber.await(call))).toMatchObject({ _tag: "BackendUnavailable", state: "Disconnected" })
        yield* TestClock.adjust("30 days")
        expect(script.ledger.attempts).toHaveLength(1)
        yield* backend[way]
        yield* settle
        expect((yield* backend.status).state).toBe("Connected")
        expect((yield* backend.catalog)?.stale).toBe(false)
      }))
  }

  it.scoped("[L17] disconnect ends an attempt and a backoff under way", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ connect: "hang" }, { connect: "fail" })
      const { backend } = yield* watched(script)
      yield* settle
      yield* backend.disconnect
      yield* Effect.exit(backend.reconnect)
      expect((yield* backend.status).state).toBe("Reconnecting")
      yield* backend.disconnect
      yield* TestClock.adjust("1 day")
      const { nextAttemptAt, state } = yield* backend.status
      expect([state, nextAttemptAt]).toEqual(["Disconnected", undefined])
      expect(script.ledger.attempts).toHaveLength(2)
    }))

  it.scoped("[L18] lazy starts Idle, sends nothing, and connects on first demand", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const { backend, states } = yield* watched(script, { lifecycle: { lazy: true }, keepalive: {} })
      yield* backend.settled
      yield* TestClock.adjust("1 day")
      expect((yield* backend.status).state).toBe("Idle")
      expect(script.ledger.entries).toEqual([])
      yield* backend.callTool({ name: "echo" })
      expect(states()).toEqual(["Connecting", "Connected"])
      expect(script.ledger.attempts).toHaveLength(1)
    }))

  it.scoped("[L18] an unused connection is released after idleRelease: catalogue kept, no heartbeat, back on demand", () =>
    Effect.gen(function*() {
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
    }))

  it.scoped("[L18] a call in flight is use, however long it takes", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.respond = (method) => method === "tools/call" ? { answer: "result", after: 25 * 60_000 } : undefined
      const { backend } = yield* watched(script, { lifecycle: { idleRelease: "10 minutes" } })
      yield* settle
      const call = yield* Effect.fork(backend.callTool({ name: "echo" }, { timeout: "1 hour" }))
      yield* TestClock.adjust("25 minutes")
      yield* Fiber.join(call)
      yield* TestClock.adjust(599_999)
      expect((yield* backend.status).state).toBe("Connected")
      yield* TestClock.adjust(1)
      expect((yield* backend.status).state).toBe("Idle")
    }))

  it.scoped("[L18] a released runtime gives a call that was refused on it to the next", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.respond = (method, _, { id }) =>
        method === "tools/call" && id === 0
          ? { answer: "error", error: new RequestError({ fate: "notSent", reason: "lost", message: "not connected" }) }
          : undefined
      const { backend } = yield* watched(script)
      yield* settle
      const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* settle
      script.current.lose()
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(call)
      expect(script.ledger.sent("tools/call", 1)).toHaveLength(1)
    }))
})

const permutations = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  items.length < 2
    ? [items]
    : items.flatMap((item, i) => permutations(items.filter((_, j) => j !== i)).map((rest) => [item, ...rest]))
