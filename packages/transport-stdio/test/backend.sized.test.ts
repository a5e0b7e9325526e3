import { assert, describe, it } from "@effect/vitest"
import { Backend } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber, Stream } from "effect"
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

const echo = (backend: Backend.Backend) => backend.callTool({ name: "echo", arguments: { text: "hi" } })

const suite = (era: typeof erasBySize[number]): void => {
  const server = serverOf(era)

  it.scopedLive("[S3] a crash settles the calls in flight at once, and the server is back for the next", () =>
    Effect.gen(function*() {
      const journal = join(yield* temporary, "journal")
      const backend = yield* Backend.make("fixture", {
        connector: StdioConnector.make(server({ journal })),
        reconnect: { initialDelay: 10 }
      })
      yield* until(backend, ({ state }) => state === "Connected")
      const waiting = yield* Effect.fork(Effect.flip(backend.callTool({ name: "silent" })))
      const { peer } = yield* backend.status
      yield* eventually(() => StdioFaultServer.count(journal, "call", "silent") === 1)
      process.kill(peer?.pid ?? 0, "SIGKILL")
      const error = yield* Fiber.join(waiting)
      assert.strictEqual(error._tag, "ResultUnknown")
      assert.include(error.message, "was killed by SIGKILL")
      assert.deepStrictEqual((yield* echo(backend)).content, [{ type: "text", text: "hi" }])
    }))

  it.scopedLive("[S6] a server that dies at start or as soon as it is connected keeps backing off", () =>
    // A connection of 2026 is there with the answer to the first request: nothing follows it.
    Effect.forEach(era === "2025" ? ["start", "initialized"] as const : ["start"] as const, (at) =>
      Effect.scoped(Effect.gen(function*() {
        const attempts: Array<number> = []
        const connector = observed(
          server({ crashes: [{ at, exitCode: 3 }] }),
          () =>
            attempts.push(performance.now())
        )
        const backend = yield* Backend.make("fixture", {
          connector,
          reconnect: { initialDelay: 40, maxDelay: 320, maxAttempts: 1_000 }
        })
        yield* backend.status.changes.pipe(Stream.takeUntil(() => attempts.length >= 7), Stream.runDrain)
        const gaps = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0))
        for (const [index, gap] of gaps.entries()) {
          assert.isAtLeast(gap, Math.min(320, 40 * 2 ** index) / 2 - 1, `${at}: ${gaps.join(", ")}`)
        }
        const { lastError } = yield* backend.status
        assert.match(lastError ?? "", /exited with code 3/)
      })), { concurrency: 2 }))

  it.scopedLive("[S6] a crash loop that ends by itself: the call that waited is answered by the first that stays", () =>
    Effect.gen(function*() {
      const journal = join(yield* temporary, "journal")
      const crashes = [1, 2, 3].map((nth): StdioFaultServer.Crash => ({ at: "start", nth }))
      const backend = yield* Backend.make("heals", {
        connector: StdioConnector.make(server({ journal, crashes })),
        reconnect
      })
      assert.strictEqual(yield* ask(backend, "count", { key: "k" }), "1")
      // Its first end is taken for what the question after the era did to it, so that one start more finds the era of 2026.
      assert.strictEqual(StdioFaultServer.count(journal, "start"), era === "2025" ? 4 : 5)
      assert.deepInclude(yield* backend.status, { state: "Connected", generation: 1 })
    }))

  it.scopedLive("[S2] a server that exits with 0 leaves nothing of its group for the next", () =>
    Effect.gen(function*() {
      let pid = 0
      const leftAtStart: Array<ReadonlyArray<number>> = []
      const backend = yield* Backend.make("leaves children", {
        connector: observed(
          server({ grandchildren: 2, ignoreTerm: true }, { stdinGrace: 100, termGrace: 100 }),
          () => leftAtStart.push(pid === 0 ? [] : livingIn(pid))
        ),
        reconnect
      })
      pid = yield* connected(backend)
      assert.lengthOf(livingIn(pid), 3)
      const error = yield* Effect.flip(ask(backend, "exit", { code: 0 }))
      assert.strictEqual(error._tag, "ResultUnknown")
      assert.include(error.message, "exited with code 0")
      const next = yield* connected(backend, 2)
      assert.deepStrictEqual(leftAtStart, [[], []])
      assert.lengthOf(livingIn(next), 3)
    }))
}

// One era after the other: a machine has only so many processes.
for (const era of erasBySize) {
  describe(`era ${era}`, () => {
    describe.concurrent("under supervision", () => {
      suite(era)
    })
  })
}
