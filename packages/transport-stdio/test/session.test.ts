import { Backend } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber } from "effect"
import { join } from "node:path"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { ask, connected, eventually, reconnect, server, temporary, until } from "./support.js"

describe.concurrent("what a process keeps for its session", () => {
  test.scopedLive("[C11:real] onConnected logs in to every process before any call is let in", function*() {
    const journal = join(yield* temporary, "journal")
    const backend = yield* Backend.make("login", {
      connector: StdioConnector.make(server({ journal })),
      reconnect,
      onConnected: (session) =>
        session.request("tools/call", { name: "login", arguments: { user: `user ${session.generation}` } })
    })
    const whoami = ask(backend, "whoami", {}, { idempotent: true })
    assert.strictEqual(yield* whoami, "user 1")
    for (const generation of [2, 3]) {
      process.kill(yield* connected(backend, generation - 1), "SIGKILL")
      const answers = yield* Effect.all(Array.from({ length: 10 }, () => whoami), { concurrency: "unbounded" })
      assert.deepStrictEqual(answers, answers.map(() => `user ${generation}`))
    }
    const calls = StdioFaultServer.journal(journal).filter(({ event }) => event === "call")
    const pids = [...new Set(calls.map(({ pid }) => pid))]
    assert.lengthOf(pids, 3)
    for (const pid of pids) {
      const names = calls.filter((entry) => entry.pid === pid).map(({ detail }) => detail)
      assert.strictEqual(names[0], "login")
      assert.lengthOf(names.filter((name) => name === "login"), 1)
    }
  })

  test.scopedLive("[C12:real] after a crash the first call tells of the lost state, or runs without it, as asked", function*() {
    const directory = yield* temporary
    for (const afterSessionLoss of ["fail", "resume"] as const) {
      const journal = join(directory, afterSessionLoss)
      const backend = yield* Backend.make(afterSessionLoss, {
        connector: StdioConnector.make(server({ journal })),
        reconnect,
        calls: { afterSessionLoss }
      })
      yield* ask(backend, "login", { user: "ann" })
      assert.strictEqual(yield* ask(backend, "whoami"), "ann")
      process.kill(yield* connected(backend), "SIGKILL")
      // The loss is seen; the next call waits for the new process.
      yield* eventually(() => !Effect.runSync(backend.isConnected) || Effect.runSync(backend.status).generation > 1)
      if (afterSessionLoss === "fail") {
        const error = yield* Effect.flip(ask(backend, "whoami"))
        assert.deepInclude(error, { _tag: "SessionExpired", generation: 1, newGeneration: 2 })
        assert.strictEqual(StdioFaultServer.count(journal, "call", "whoami"), 1)
      }
      assert.strictEqual(yield* ask(backend, "whoami"), "nobody is logged in")
      assert.strictEqual(StdioFaultServer.count(journal, "call", "whoami"), 2)
      // A session that was replaced on purpose is no loss.
      yield* backend.reconnect
      assert.strictEqual(yield* ask(backend, "whoami"), "nobody is logged in")
    }
  })

  test.scopedLive("[C13:real] calls past maxInFlight wait for their turn; past maxWaiting they fail at once as busy, and reach no process", function*() {
    const journal = join(yield* temporary, "journal")
    const backend = yield* Backend.make("bounded", {
      // It is still connecting when a call waits for it.
      connector: StdioConnector.make(server({ journal, startDelay: 500 })),
      reconnect,
      calls: { maxInFlight: 2, maxWaiting: 1 }
    })
    const pid = yield* connected(backend)
    yield* backend.firstOutcome
    const waits = yield* Effect.forEach([1, 2], () => Effect.fork(Effect.exit(ask(backend, "silent"))))
    yield* eventually(() => StdioFaultServer.count(journal, "call", "silent") === 2)
    const next = yield* Effect.fork(ask(backend, "echo", { text: "room" }))
    yield* until(backend, ({ queued }) => queued === 1)
    const busy = yield* Effect.flip(ask(backend, "echo"))
    assert.deepInclude(busy, { _tag: "BackendUnavailable", state: "Busy" })
    assert.include(busy.message, "maxWaiting")
    assert.strictEqual(StdioFaultServer.count(journal, "call", "echo"), 0)
    process.kill(pid, "SIGKILL")
    yield* Effect.forEach(waits, Fiber.join)
    assert.strictEqual(yield* Fiber.join(next), "room")
    yield* backend.disable
    const enabling = yield* Effect.fork(backend.enable)
    yield* until(backend, ({ state }) => state === "Connecting")
    const waiting = yield* Effect.fork(ask(backend, "echo", { text: "first" }))
    yield* eventually(() => Effect.runSync(backend.status).waiting === 1)
    const second = yield* Effect.flip(ask(backend, "echo", { text: "second" }))
    assert.deepInclude(second, { _tag: "BackendUnavailable", state: "Busy" })
    assert.include(second.message, "maxWaiting")
    assert.strictEqual(yield* Fiber.join(waiting), "first")
    yield* Fiber.join(enabling)
    assert.strictEqual(StdioFaultServer.count(journal, "call", "echo"), 2)
  })
})
