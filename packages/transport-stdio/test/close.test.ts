import { Backend } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as ProcStat from "../src/ProcStat.js"
import {
  call,
  children,
  connect,
  connected,
  eventually,
  isAlive,
  reconnect,
  server,
  session,
  temporary
} from "./support.js"

const forever = "setInterval(() => {}, 1000)"
const stubborn = `process.on("SIGTERM", () => {});${forever}`

describe.skipIf(process.platform !== "linux")("closing", () => {
  const held = () => ({
    pipes: process.getActiveResourcesInfo().filter((name) => name === "PipeWrap").length,
    children: children().length,
    exits: process.listenerCount("exit"),
    signals: ["SIGINT", "SIGTERM", "SIGHUP"].map((name) => process.listenerCount(name))
  })

  test.scopedLive("[S1] one that ignores SIGTERM too gets SIGKILL after its grace, and the close waits for the exit", function*() {
    const log = join(yield* temporary, "stubborn")
    const { left, millis } = yield* session(
      server({ ignoreStdinEnd: true, ignoreTerm: true, journal: log }, { stdinGrace: 150, termGrace: 250 }),
      () => Effect.void
    )
    assert.deepStrictEqual(left, [])
    assert.isAtLeast(millis, 399)
    assert.strictEqual(StdioFaultServer.count(log, "SIGTERM"), 1)
  })

  test.scopedLive("[S1 C19] a stopped server does not carry out what waits in its pipe", function*() {
    const directory = yield* temporary
    for (let round = 0; round < 5; round++) {
      const log = join(directory, `stopped${round}`)
      const { left } = yield* session(
        server({ journal: log }, { stdinGrace: 100 }),
        (connection) =>
          Effect.gen(function*() {
            yield* call(connection, "echo", { text: "before" })
            const pid = connection.peer.pid ?? 0
            process.kill(pid, "SIGSTOP")
            while (ProcStat.stat(String(pid))?.state !== "T") yield* Effect.sleep(1)
            const calls = Array.from({ length: 20 }, () => call(connection, "echo", { text: "after" }))
            const fibers = yield* Effect.forEach(calls, (call) => Effect.fork(Effect.exit(call)))
            yield* Effect.yieldNow()
            yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
            yield* Effect.forEach(fibers, (fiber) => Effect.fork(Fiber.interrupt(fiber)))
          })
      )
      assert.deepStrictEqual(left, [])
      assert.strictEqual(StdioFaultServer.count(log, "call"), 1)
    }
  })

  test.live("[S2] however a connection or an attempt ends, it leaves no process, file descriptor or listener", function*() {
    const count = () => ({ ...held(), files: readdirSync("/dev/fd").length })
    const quick = { stdinGrace: 50, termGrace: 50, handleSignals: true }
    const attempts = [
      server({}, quick),
      server({ crashes: [{ at: "start" }] }, quick),
      server({ crashes: [{ at: "initialize" }], grandchildren: 1 }, quick),
      { command: "/nowhere/missing" },
      server({}, { ...quick, args: ["-e", "console.log('usage')"] }),
      server({ neverReady: true, ignoreTerm: true, ignoreStdinEnd: true }, quick)
    ]
    const all = Effect.forEach(
      attempts,
      (options) =>
        Effect.scoped(Effect.flatMap(connect(options), (connection) => call(connection, "echo", { text: "hi" })))
          .pipe(
            Effect.timeoutOption(500),
            Effect.ignore
          ),
      { concurrency: "unbounded" }
    )
    const before = count()
    for (let round = 0; round < 2; round++) yield* all
    // The streams of a process are closed a moment after it has ended.
    yield* eventually(() => isDeepStrictEqual(count(), before))
  })

  test.live("[S2] the server under an npx-like wrapper ends with it", function*() {
    const graceful = yield* session(
      server({ wrapper: true }),
      (connection) => call(connection, "echo", { text: "through" })
    )
    assert.strictEqual(graceful.value, "through")
    assert.deepStrictEqual(graceful.left, [])
    const forced = yield* session(
      server({ wrapper: true, ignoreStdinEnd: true, ignoreTerm: true }, { stdinGrace: 100, termGrace: 100 }),
      () => Effect.void
    )
    assert.deepStrictEqual(forced.left, [])
  })

  test.live("[S2] children that outlive a parent that exited with 0 are ended, with SIGKILL where SIGTERM does nothing", function*() {
    for (const [code, termGrace] of [[forever, 600_000], [stubborn, 200]] as const) {
      const { left, value } = yield* session(
        server({}, { termGrace }),
        (connection) => call(connection, "grandchild", { code })
      )
      assert.isAbove(Number(value), 0)
      assert.deepStrictEqual(left, [])
      assert.isFalse(isAlive(Number(value)))
    }
  })

  test.live("[S2] [S8] crashes and reconnects, again and again, leave no process, pipe or listener; none is for signals", function*() {
    const before = held()
    const afterFirst = yield* Effect.scoped(Effect.gen(function*() {
      const backend = yield* Backend.make("again", { connector: StdioConnector.make(server()), reconnect })
      yield* connected(backend)
      const first = held()
      for (let generation = 1; generation <= 4; generation += 2) {
        process.kill(yield* connected(backend, generation), "SIGKILL")
        yield* connected(backend, generation + 1)
        yield* backend.reconnect
      }
      yield* connected(backend, 5)
      // Node closes the handles of what was destroyed a turn later.
      yield* eventually(() => isDeepStrictEqual(held(), first))
      return first
    }))
    assert.deepInclude(afterFirst, { children: before.children + 1, signals: before.signals })
    // What was held before may be less by now: the pipes of another test.
    const last = { ...before, pipes: afterFirst.pipes - 3 }
    yield* eventually(() => isDeepStrictEqual(held(), last))
  })
})
