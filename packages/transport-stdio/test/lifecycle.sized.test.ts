import { assert, describe, it } from "@effect/vitest"
import { Backend, Fleet } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber, Stream } from "effect"
import { chmodSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  ask,
  connected,
  erasBySize,
  eventually,
  livingIn,
  observed,
  reconnect,
  serverOf,
  temporary,
  until
} from "./support.js"

const suite = (era: typeof erasBySize[number]): void => {
  const server = serverOf(era)

  it.scopedLive("[L14:real] a crash loop, a slow start and a black hole delay no other backend and no start of the fleet", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const crashes = join(directory, "crashes")
      const quick = { stdinGrace: 50, termGrace: 50 }
      const slow = join(directory, "slow")
      const gate = join(directory, "gate")
      const { args, command } = StdioFaultServer.command({ journal: slow, era })
      const waits = ["-c", `until [ -e "$0" ]; do sleep 0.1; done; exec "$@"`, gate, command, ...args]
      const fleet = yield* Fleet.make({
        backends: {
          crashing: { connector: StdioConnector.make(server({ journal: crashes, crashes: [{ at: "start" }] })) },
          hanging: { connector: StdioConnector.make(server({ neverReady: true, silentAtDiscover: true }, quick)) },
          slow: { connector: StdioConnector.make({ command: "sh", args: waits }) },
          good: { connector: StdioConnector.make(server()) }
        },
        defaults: {
          reconnect: { initialDelay: 20, maxDelay: 40, maxAttempts: 1_000 },
          timeouts: { connect: "5 minutes" }
        },
        waitTimeout: "1 second"
      })
      const good = yield* fleet.backend("good")
      yield* good.firstOutcome
      for (let calls = 0; calls < 20; calls++) {
        const { content } = yield* fleet.callTool({ name: "good__echo", arguments: { text: "hi" } })
        assert.deepStrictEqual(content, [{ type: "text", text: "hi" }])
      }
      // The slow one has not started yet: nothing of this waited for it.
      const { crashing, hanging, slow: slowStatus } = yield* fleet.status
      assert.strictEqual(slowStatus?.state, "Connecting")
      assert.strictEqual(hanging?.state, "Connecting")
      assert.include(["Connecting", "Reconnecting"], crashing?.state)
      yield* fleet.ready
      const { content } = yield* fleet.callTool({ name: "good__echo", arguments: { text: "hi" } })
      assert.deepStrictEqual(content, [{ type: "text", text: "hi" }])
      // The crash loop goes on meanwhile, and the slow one arrives in its time.
      yield* eventually(() => StdioFaultServer.count(crashes, "start") >= 5)
      assert.deepStrictEqual(StdioFaultServer.journal(slow), [])
      writeFileSync(gate, "")
      yield* fleet.catalog.changes.pipe(Stream.takeUntil(({ tools }) => tools.has("slow__echo")), Stream.runDrain)
      assert.strictEqual((yield* good.status).generation, 1)
    }))

  it.scopedLive("[P8:real] a tool that a restarted server has beside the others is listed without any action", () =>
    Effect.gen(function*() {
      const journal = join(yield* temporary, "journal")
      const fleet = yield* Fleet.make({
        backends: { one: { connector: StdioConnector.make(server({ journal, addedFrom: 2 })), reconnect } }
      })
      const backend = yield* fleet.backend("one")
      yield* backend.firstOutcome
      assert.isFalse((yield* fleet.catalog).tools.has("one__added"))
      assert.isTrue((yield* fleet.catalog).tools.has("one__echo"))
      process.kill(yield* connected(backend), "SIGKILL")
      yield* fleet.catalog.changes.pipe(Stream.takeUntil(({ tools }) => tools.has("one__added")), Stream.runDrain)
      const { content } = yield* fleet.callTool({ name: "one__added" })
      assert.deepStrictEqual(content, [{ type: "text", text: "new here" }])
      assert.deepInclude((yield* backend.status).catalog, { generation: 2, stale: false })
    }))

  it.scopedLive("[R5:real] what cannot be started is PermanentlyFailed, says what to do, and reconnect() leaves it", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const { args, command } = StdioFaultServer.command()
      const script = `#!/bin/sh\nexec "${command}" "$@"\n`
      const cases = [
        {
          name: "missing",
          words: "does not exist: correct it",
          mend: (path: string) => writeFileSync(path, script, { mode: 0o755 })
        },
        { name: "plain", words: "make it so (chmod +x)", mend: (path: string) => chmodSync(path, 0o755) }
      ]
      writeFileSync(join(directory, "plain"), script, { mode: 0o644 })
      for (const { mend, name, words } of cases) {
        const path = join(directory, name)
        let attempts = 0
        const backend = yield* Backend.make(name, { connector: observed({ command: path, args }, () => attempts++) })
        const { lastError, nextAttemptAt } = yield* until(backend, ({ state }) => state === "PermanentlyFailed")
        assert.include(lastError, path)
        assert.include(lastError, words)
        assert.isUndefined(nextAttemptAt)
        const error = yield* Effect.flip(ask(backend, "echo"))
        assert.deepInclude(error, { _tag: "BackendUnavailable", state: "PermanentlyFailed" })
        assert.include(error.message, words)
        assert.include(error.message, "Fix the cause, then call again")
        const again = yield* Effect.flip(backend.reconnect)
        assert.deepInclude(again, { _tag: "ConnectError", reason: "spawn", permanent: true })
        assert.include(again.message, words)
        assert.strictEqual((yield* backend.status).state, "PermanentlyFailed")
        assert.strictEqual(attempts, 2)
        mend(path)
        yield* backend.reconnect
        assert.strictEqual(yield* ask(backend, "echo", { text: "mended" }), "mended")
        assert.strictEqual((yield* backend.status).state, "Connected")
      }
      const nowhere = yield* Backend.make("nowhere", {
        connector: StdioConnector.make({ command: "no-such-command-4711" })
      })
      const { lastError } = yield* until(nowhere, ({ state }) => state === "PermanentlyFailed")
      assert.include(
        lastError,
        'command "no-such-command-4711" was not found in PATH: install it, or give its full path'
      )
    }))

  it.scopedLive("[L12:real] reconnect() stops the old group before the new process starts, and no call fails of it", () =>
    Effect.gen(function*() {
      const journal = join(yield* temporary, "journal")
      let pid = 0
      const leftAtStart: Array<ReadonlyArray<number>> = []
      // It takes both graces and has a child of its own: an early start would find it there.
      const faults = { journal, ignoreTerm: true, ignoreStdinEnd: true, grandchildren: 1 }
      const backend = yield* Backend.make("exclusive", {
        connector: observed(
          server(faults, { stdinGrace: 200, termGrace: 200 }),
          () => leftAtStart.push(pid === 0 ? [] : livingIn(pid))
        ),
        reconnect
      })
      pid = yield* connected(backend)
      yield* backend.firstOutcome
      assert.lengthOf(livingIn(pid), 2)
      const inFlight = yield* Effect.fork(ask(backend, "wait", { millis: 300 }))
      yield* eventually(() => StdioFaultServer.count(journal, "call", "wait") === 1)
      const reconnecting = yield* Effect.fork(backend.reconnect)
      yield* until(backend, ({ state }) => state === "Connecting")
      const meanwhile = yield* Effect.fork(ask(backend, "pid"))
      assert.strictEqual(yield* Fiber.join(inFlight), "at last")
      yield* Fiber.join(reconnecting)
      const next = yield* connected(backend, 2)
      assert.strictEqual(yield* Fiber.join(meanwhile), String(next))
      assert.deepStrictEqual(leftAtStart, [[], []])
      assert.notStrictEqual(next, pid)
      assert.strictEqual(StdioFaultServer.count(journal, "start"), 2)
    }))
}

// One era after the other: a machine has only so many processes.
for (const era of erasBySize) {
  describe(`era ${era}`, () => {
    describe.concurrent("the life of a backend over stdio", () => {
      suite(era)
    })
  })
}
