import { assert, describe, it } from "@effect/vitest"
import { Backend } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber, Stream } from "effect"
import { observed, server, until } from "./support.js"

const echo = (backend: Backend.Backend) => backend.callTool({ name: "echo", arguments: { text: "hi" } })

describe("under supervision", () => {
  it.scopedLive("[S3] a crash settles the calls in flight at once, and the server is back for the next", () =>
    Effect.gen(function*() {
      const backend = yield* Backend.make("fixture", {
        connector: StdioConnector.make(server()),
        reconnect: { initialDelay: 10 }
      })
      yield* until(backend, ({ state }) => state === "Connected")
      const waiting = yield* Effect.fork(Effect.flip(backend.callTool({ name: "silent" })))
      const { peer } = yield* backend.status
      yield* Effect.yieldNow()
      process.kill(peer?.pid ?? 0, "SIGKILL")
      const error = yield* Fiber.join(waiting)
      assert.strictEqual(error._tag, "ResultUnknown")
      assert.include(error.message, "killed by SIGKILL")
      assert.deepStrictEqual((yield* echo(backend)).content, [{ type: "text", text: "hi" }])
    }))

  it.scopedLive("[S6] a server that dies at start or as soon as it is connected keeps backing off", () =>
    Effect.forEach(["start", "initialized"] as const, (at) =>
      Effect.scoped(Effect.gen(function*() {
        const attempts: Array<number> = []
        const connector = observed(
          server({ crashes: [{ at, exitCode: 3 }] }),
          () => attempts.push(performance.now())
        )
        const backend = yield* Backend.make("fixture", {
          connector,
          reconnect: { initialDelay: 40, maxDelay: 320, maxAttempts: 1_000 }
        })
        yield* backend.statusChanges.pipe(Stream.takeUntil(() => attempts.length >= 7), Stream.runDrain)
        const gaps = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0))
        for (const [index, gap] of gaps.entries()) {
          assert.isAtLeast(gap, Math.min(320, 40 * 2 ** index) / 2 - 1, `${at}: ${gaps.join(", ")}`)
        }
        const { lastError } = yield* backend.status
        assert.match(lastError ?? "", /exited with code 3/)
      })), { concurrency: 2 }))
})
