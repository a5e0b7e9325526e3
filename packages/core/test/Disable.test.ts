import { type BackendUnavailable } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { failure, runUntilIdle, watched } from "./support/Watched.js"

describe("L10: an honest disable", () => {
  test.scoped("[L10] Disabling until every runtime has closed, then Disabled; calls meanwhile fail at once", function*() {
    const script = ScriptedConnector.make().script({ close: 2000 })
    const { backend, states } = yield* watched(script)
    yield* runUntilIdle
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
  })

  test.scoped("[L10] Disabling until a stubborn attempt has ended, or is abandoned after timeouts.close and counted", function*() {
    const script = ScriptedConnector.make().script({ after: 60_000, stubborn: true })
    const { backend } = yield* watched(script, { timeouts: { close: 3000, connect: "2 minutes" } })
    yield* runUntilIdle
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
  })

  test.scoped("[L10] enable during Disabling waits for its end and then starts; nothing is rolled back", function*() {
    const script = ScriptedConnector.make().script({ close: 2000 })
    const { backend, states } = yield* watched(script)
    yield* runUntilIdle
    const disable = yield* Effect.fork(backend.disable)
    yield* runUntilIdle
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
  })

  test.scoped("[L10] a disable takes back the enable that waits", function*() {
    const script = ScriptedConnector.make().script({ close: 2000 })
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    const first = yield* Effect.fork(backend.disable)
    yield* runUntilIdle
    const enable = yield* Effect.fork(backend.enable)
    yield* runUntilIdle
    const second = yield* Effect.fork(backend.disable)
    yield* runUntilIdle
    expect(failure(yield* Fiber.await(enable))._tag).toBe("BackendUnavailable")
    yield* TestClock.adjust(2000)
    yield* Fiber.join(first)
    yield* Fiber.join(second)
    expect((yield* backend.status).state).toBe("Disabled")
    expect(script.ledger.attempts).toHaveLength(1)
  })

  test.scoped("[L10] a call in flight is settled by disable and by disconnect at once", function*() {
    for (const command of ["disable", "disconnect"] as const) {
      const script = ScriptedConnector.make()
      script.otherwise = { close: 1000 }
      script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      const { backend } = yield* watched(script)
      yield* runUntilIdle
      const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* runUntilIdle
      yield* Effect.forkScoped(backend[command])
      yield* runUntilIdle
      expect(failure(yield* Fiber.await(call))._tag).toBe("ResultUnknown")
    }
  })
})

describe("L11: commands and first calls coalesce", () => {
  test.scoped("[L11] first calls and commands of a lazy backend share one attempt and end with it", function*() {
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
  })

  test.scoped("[L11] everybody who joined a failing attempt ends with its error", function*() {
    const script = ScriptedConnector.make().script({ connect: "fail", after: 0, error: { message: "no luck" } })
    const { backend } = yield* watched(script, { lifecycle: { lazy: true } })
    const commands = yield* Effect.forEach(
      [backend.reconnect, backend.reconnect, backend.enable],
      (command) => Effect.fork(command)
    )
    yield* runUntilIdle
    for (const command of commands) {
      const error = failure(yield* Fiber.await(command))
      expect([error._tag, error.backend, error.message]).toEqual(["ConnectError", "one", "no luck"])
    }
    expect(script.ledger.attempts).toHaveLength(1)
  })

  test.scoped("[L11] interrupting callers cancels nothing", function*() {
    const script = ScriptedConnector.make().script({ after: 1000 })
    const { backend } = yield* watched(script, { lifecycle: { lazy: true } })
    const callers = yield* Effect.forEach(
      [backend.reconnect, backend.ping()],
      (one) => Effect.fork<void, unknown, never>(one)
    )
    const stays = yield* Effect.fork(backend.reconnect)
    yield* TestClock.adjust(500)
    yield* Fiber.interruptAll(callers)
    expect((yield* backend.status).waiting).toBe(0)
    yield* TestClock.adjust(500)
    yield* Fiber.join(stays)
    expect((yield* backend.status).state).toBe("Connected")
    expect(script.ledger.attempts).toEqual([0])
  })

  test.scoped("[L11] every command is answered at shutdown, and every one after it", function*() {
    const script = ScriptedConnector.make().script({ connect: "hang" })
    const scope = yield* Scope.make()
    const { backend } = yield* Scope.extend(watched(script), scope)
    yield* runUntilIdle
    const reconnects = yield* Effect.forEach([1, 2, 3], () => Effect.fork(backend.reconnect))
    yield* runUntilIdle
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    const late = yield* Effect.fork(backend.reconnect)
    const disable = yield* Effect.fork(backend.disable)
    yield* runUntilIdle
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
  })
})
