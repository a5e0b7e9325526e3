import { Backend, type Event } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Random, Scope, TestClock } from "effect"
import { bySize } from "../../testing/test/support/bySize.js"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { startBackend } from "../src/backend/start.js"
import { failure, runUntilIdle, watched } from "./support/Watched.js"

const noHeartbeat = { keepalive: { method: "none" } } as const

/** Jitter that takes the whole delay. */
const longest = Effect.withRandom(Random.fixed([1]))

describe("L5: detach, then close", () => {
  test.scoped("[L5:virtual] a runtime is out of the slot before its close begins, whatever ends it", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* watched(script)
    const found: Array<readonly [number, string | undefined]> = []
    script.ledger.onWrite = (entry) => {
      if (entry._tag === "Closing") {
        found.push([entry.connection, Effect.runSync(backend.status).peer?.pid?.toString()])
      }
    }
    yield* runUntilIdle
    yield* backend.reconnect
    yield* runUntilIdle
    expect(found).toEqual([[0, "1"]])
    script.current.lose()
    yield* TestClock.adjust("1 second")
    expect(found.slice(1)).toEqual([[1, undefined]])
    yield* backend.disconnect
    yield* runUntilIdle
    expect(found.slice(2)).toEqual([[2, undefined]])
    yield* backend.reconnect
    yield* backend.disable
    expect(found.slice(3)).toEqual([[3, undefined]])
  })

  test.scoped("[L5:virtual] a slow close holds up no call, no status and no next connection", function*() {
    const script = ScriptedConnector.make().script({ close: 4000 }, { close: 4000 }, {})
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    yield* backend.reconnect
    expect((yield* backend.status).generation).toBe(2)
    yield* backend.callTool({ name: "echo" })
    expect(script.ledger.sent("tools/call", 1)).toHaveLength(1)
    yield* backend.reconnect
    yield* backend.callTool({ name: "echo" })
    expect(script.ledger.sent("tools/call", 2)).toHaveLength(1)
    yield* runUntilIdle
    expect(script.ledger.closing).toEqual([0, 1])
    expect(script.ledger.closed).toEqual([])
    yield* TestClock.adjust("4 seconds")
    expect(script.ledger.closed.toSorted()).toEqual([0, 1])
  })

  test.scoped("[L5:virtual] without overlap the next connection waits for the close, and nothing else does", function*() {
    const script = ScriptedConnector.make({ overlap: false }).script({ close: 4000 })
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    const reconnect = yield* Effect.fork(backend.reconnect)
    yield* TestClock.adjust(3999)
    expect((yield* backend.status).state).toBe("Connecting")
    expect(script.ledger.attempts).toHaveLength(1)
    yield* TestClock.adjust(1)
    expect(script.ledger.attempts).toHaveLength(2)
    yield* Fiber.join(reconnect)
  })
})

describe("L6: closed exactly once", () => {
  it("[L6:virtual] in whatever order commands, a loss and the end of the scope meet, closes equal opens", () => {
    const names = ["disable", "disconnect", "reconnect", "enable", "loss", "close"] as const
    for (const [run, order] of permutations(names).entries()) {
      // Of every eleven four in the gate, so that all that goes by what divides the number of a run comes together with all else.
      if (run % 11 > bySize(3, 10)) continue
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
  test.scoped("[L7] past timeouts.close a close is abandoned and counted, and disable goes on", function*() {
    mayLeave("connections")
    const script = ScriptedConnector.make().script({ close: "never" })
    const { backend, closes } = yield* watched(script, { timeouts: { close: 3000 } })
    yield* runUntilIdle
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
  })

  test.scoped("[L7] shutdown goes on past a close that hangs, and hangs itself for no longer", function*() {
    mayLeave("connections")
    const script = ScriptedConnector.make()
    script.otherwise = { close: "never" }
    const scope = yield* Scope.make()
    const { backend, closes } = yield* Scope.extend(watched(script), scope)
    yield* runUntilIdle
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(4999)
    expect(closing.unsafePoll()).toBeNull()
    expect((yield* backend.status).state).toBe("Closed")
    yield* TestClock.adjust(1)
    expect(closing.unsafePoll()).not.toBeNull()
    expect(closes()).toEqual([[1, "abandoned"]])
  })

  it.scoped("[L8] a close that dies or hangs is reported and never counts against the reconnect budget", () =>
    Effect.gen(function*() {
      mayLeave("connections")
      const script = ScriptedConnector.make().script({ close: "die" }, { close: "never" }, {})
      const { backend, closes } = yield* watched(script, { reconnect: { stableAfter: 0 } })
      yield* runUntilIdle
      yield* backend.reconnect
      yield* runUntilIdle
      expect(closes()).toEqual([[1, "failed"]])
      expect((yield* backend.status).lastCloseError).toContain("the scripted close dies")
      expect((yield* backend.status).errorCount).toBe(0)
      script.current.lose()
      yield* runUntilIdle
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

  test.scoped("[L9:virtual] a connection that is made after its attempt was given up is released at once", function*() {
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
  })

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
    test.scoped(`[L9:virtual] ${command} in the middle of a replacement releases the old and the new`, function*() {
      const script = ScriptedConnector.make().script({}, stubborn)
      const { backend } = yield* watched(script)
      yield* runUntilIdle
      const reconnect = yield* Effect.fork(backend.reconnect)
      yield* TestClock.adjust(1000)
      const ended = yield* Effect.fork(backend[command])
      yield* TestClock.adjust(2000)
      yield* Fiber.join(ended)
      expect(failure(yield* Fiber.await(reconnect))._tag).toBe("BackendUnavailable")
      expect(script.ledger.opened).toEqual([0, 1])
      expect(script.ledger.faults).toEqual([])
    })
  }

  test.scoped("[L9:virtual] the end of the scope during onConnected releases the connection", function*() {
    const script = ScriptedConnector.make()
    const scope = yield* Scope.make()
    yield* Scope.extend(watched(script, { onConnected: () => Effect.never }), scope)
    yield* runUntilIdle
    expect(script.ledger.live).toEqual([0])
    yield* Scope.close(scope, Exit.void)
    expect(script.ledger.faults).toEqual([])
  })
})

const permutations = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  items.length < 2
    ? [items]
    : items.flatMap((item, i) => permutations(items.filter((_, j) => j !== i)).map((rest) => [item, ...rest]))
