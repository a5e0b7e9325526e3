import { assert, describe, it } from "@effect/vitest"
import type { Connector } from "@mcp-lifeline/core"
import { Backend } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber, Stream } from "effect"
import { livingIn, server } from "./support.js"

const until = (backend: Backend.Backend, test: (status: { state: string; generation: number }) => boolean) =>
  Stream.concat(Stream.fromEffect(backend.status), backend.statusChanges).pipe(Stream.filter(test), Stream.runHead)

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
        const connector = StdioConnector.make(server({ crashes: [{ at, exitCode: 3 }] }))
        const recorded: Connector = {
          ...connector,
          connect: (options) =>
            Effect.suspend(() => {
              attempts.push(performance.now())
              return connector.connect(options)
            })
        }
        const backend = yield* Backend.make("fixture", {
          connector: recorded,
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

  it.scopedLive("[S7] a stopped process is found by keepalive, killed and replaced", () =>
    Effect.gen(function*() {
      const backend = yield* Backend.make("fixture", {
        connector: StdioConnector.make(server({ ignoreTerm: true }, { stdinGrace: 100, termGrace: 100 })),
        keepalive: { interval: "1 second", timeout: 200, suspectInterval: 100, failureThreshold: 2 },
        reconnect: { initialDelay: 10 }
      })
      yield* until(backend, ({ state }) => state === "Connected")
      const { peer } = yield* backend.status
      const pid = peer?.pid ?? 0
      process.kill(pid, "SIGSTOP")
      yield* until(backend, ({ generation, state }) => generation === 2 && state === "Connected")
      assert.deepStrictEqual(livingIn(pid), [])
      assert.deepStrictEqual((yield* echo(backend)).content, [{ type: "text", text: "hi" }])
    }))
})
