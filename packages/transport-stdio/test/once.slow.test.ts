import type { CallError } from "@mcp-lifeline/core"
import { Backend } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Either, Fiber } from "effect"
import { join } from "node:path"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Pause from "./Pause.js"
import { ask, connected, eventually, reconnect, server, temporary } from "./support.js"

type Point = "unread" | NonNullable<StdioFaultServer.Crash["point"]>

interface Outcome {
  readonly result: Either.Either<string, CallError>
  readonly applied: number
  readonly read: number
}

const callOver = (
  point: Point,
  tool: string,
  signal: NodeJS.Signals | undefined,
  options: Backend.CallOptions = {},
  calls: Backend.BackendOptions["calls"] = {}
): Effect.Effect<Outcome> =>
  Effect.scoped(Effect.gen(function*() {
    const journal = join(yield* temporary, "journal")
    const crashes: Array<StdioFaultServer.Crash> = point === "unread" ? [] : [{ at: "call", nth: 1, point, signal }]
    const backend = yield* Backend.make("counting", {
      connector: StdioConnector.make(server({ journal, crashes })),
      reconnect,
      calls
    })
    yield* backend.firstOutcome
    const pid = yield* connected(backend)
    if (point === "unread") Pause.stop(pid)
    const call = yield* Effect.fork(Effect.either(ask(backend, tool, { key: "k" }, options)))
    if (point === "unread") {
      yield* eventually(() => call.unsafePoll() !== null || inFlight(backend) > 0)
      process.kill(pid, "SIGKILL")
    }
    const result = yield* Fiber.join(call)
    yield* connected(backend, 2)
    return {
      result,
      applied: StdioFaultServer.count(journal, "apply", "k"),
      read: StdioFaultServer.count(journal, "call", tool)
    }
  })).pipe(Effect.orDie)

const inFlight = (backend: Backend.Backend): number => Effect.runSync(backend.status).inFlight

/** The kernel says that a call was not read: the next process gets it. */
const isProved = process.platform === "linux"

const crashing = ["unread", "received", "applied", "answering"] as const

const repeated: Record<Point, readonly [read: number, applied: number]> = {
  unread: [1, 1],
  received: [2, 1],
  applied: [2, 2],
  answering: [2, 2],
  answered: [1, 1]
}

describe.concurrent("calls over a crash", () => {
  it.live("[C3:real] [V7:real] a call that may not be repeated and may have been read is sent once, and ends as unknown", () =>
    Effect.forEach(crashing, (point) =>
      Effect.gen(function*() {
        for (const signal of ["SIGKILL", undefined] as const) {
          const { applied, read, result } = yield* callOver(point, "count", signal)
          if (point === "unread" && isProved) {
            assert.deepStrictEqual([Either.getOrThrow(result), read, applied], ["1", 1, 1])
            return
          }
          assert.deepInclude(Either.getOrThrow(Either.flip(result)), { _tag: "ResultUnknown", generation: 1 }, point)
          const expected = { unread: [0, 0], received: [1, 0], applied: [1, 1], answering: [1, 1] }[point]
          assert.deepStrictEqual([read, applied], expected, point)
          if (point === "unread") return
        }
      }), { concurrency: 2 }))

  it.live("[C3:real] one that may be, by its hints or by the caller's word, is answered", () =>
    Effect.forEach(
      crashing.flatMap((point) =>
        [["set", {}], ["look", {}], ["count", { idempotent: true }]].map(([tool, options]) =>
          [point, tool as string, options as Backend.CallOptions] as const
        )
      ),
      ([point, tool, options]) =>
        Effect.gen(function*() {
          const { applied, read, result } = yield* callOver(point, tool, "SIGKILL", options)
          const [reads, applies] = repeated[point]
          assert.deepStrictEqual(Either.getOrThrow(result), String(applies), `${tool} ${point}`)
          assert.deepStrictEqual([read, applied], [reads, applies], `${tool} ${point}`)
        }),
      { concurrency: 3 }
    ))

  it.live("[C3:real] an answer that came before the crash is the result", () =>
    Effect.forEach(["count", "set"], (tool) =>
      Effect.gen(function*() {
        const { applied, read, result } = yield* callOver("answered", tool, "SIGKILL")
        assert.deepStrictEqual([Either.getOrThrow(result), read, applied], ["1", 1, 1])
      })))

  test.scopedLive("[C3:real] in a storm of calls over ten crashes nothing is applied twice that may not be", function*() {
    const journal = join(yield* temporary, "journal")
    const points = ["received", "applied", "answering", "answered"] as const
    const crashes = Array.from({ length: 10 }, (_, index): StdioFaultServer.Crash => ({
      at: "call",
      nth: 11 * index + 5,
      point: points[index % 4],
      signal: index % 3 === 0 ? undefined : "SIGKILL"
    }))
    const backend = yield* Backend.make("storm", {
      connector: StdioConnector.make(server({ journal, crashes })),
      reconnect
    })
    yield* backend.firstOutcome
    const outcomes = yield* Effect.forEach(
      Array.from({ length: 120 }, (_, index) => index),
      (index) => {
        const tool = index % 2 === 0 ? "count" : "set"
        const key = `key ${index}`
        return Effect.map(
          Effect.either(ask(backend, tool, { key }, { wait: "20 seconds" })),
          (result) => ({ tool, key, result })
        )
      },
      { concurrency: 6 }
    )
    for (const { key, result, tool } of outcomes) {
      const applied = StdioFaultServer.count(journal, "apply", key)
      if (Either.isRight(result)) assert.strictEqual(Number(result.right), applied, key)
      if (tool === "set") assert.isTrue(Either.isRight(result), `${key}: ${String(result)}`)
      else {
        assert.isAtMost(applied, 1, key)
        if (Either.isLeft(result)) assert.strictEqual(result.left._tag, "ResultUnknown", key)
      }
    }
    assert.strictEqual(StdioFaultServer.count(journal, "start"), 11)
    assert.isAtLeast(outcomes.filter(({ result }) => Either.isLeft(result)).length, 5)
  })

  test.scopedLive("[C2:real] a call that was not sent is sent to the next process, its progress handler with it", function*() {
    const journal = join(yield* temporary, "journal")
    const backend = yield* Backend.make("full", { connector: StdioConnector.make(server({ journal })), reconnect })
    const pid = yield* connected(backend)
    yield* backend.firstOutcome
    Pause.stop(pid)
    const progressed: Array<string> = []
    // The first fills the pipe and is cut off in the middle; the others wait behind it.
    const call = (key: string) =>
      ask(backend, "count", { key, filler: "x".repeat(1024 * 1024) }, { onprogress: () => progressed.push(key) })
    const first = yield* Effect.fork(Effect.either(call("first")))
    const behind = yield* Effect.forEach(["a", "b", "c"], (key) => Effect.fork(call(key)))
    yield* eventually(() => inFlight(backend) === 4)
    process.kill(pid, "SIGKILL")
    assert.deepStrictEqual(yield* Effect.forEach(behind, Fiber.join), ["1", "1", "1"])
    assert.includeMembers(progressed, ["a", "b", "c"])
    for (const key of ["a", "b", "c"]) assert.strictEqual(StdioFaultServer.count(journal, "apply", key), 1)
    // Where the exit is seen before the broken pipe, Node does not tell how much of the first was written.
    const result = yield* Fiber.join(first)
    assert.strictEqual(StdioFaultServer.count(journal, "apply", "first"), Either.isRight(result) ? 1 : 0)
    if (Either.isLeft(result)) assert.strictEqual(result.left._tag, "ResultUnknown")
    assert.strictEqual(StdioFaultServer.count(journal, "start"), 2)
  })
})
