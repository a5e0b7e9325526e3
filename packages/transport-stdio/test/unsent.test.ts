import { Backend } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Either, Fiber } from "effect"
import { join } from "node:path"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Pause from "./Pause.js"
import { ask, connected, eras, eventually, reconnect, serverOf, temporary } from "./support.js"

/** Longer than what any pipe takes at once. */
const long = "x".repeat(4 * 1024 * 1024)

const keys = Array.from({ length: 20 }, (_, index) => `k${index}`)

const stopped = (era: (typeof eras)[number]) =>
  Effect.gen(function*() {
    const journal = join(yield* temporary, "journal")
    const backend = yield* Backend.make("deaf", {
      connector: StdioConnector.make(serverOf(era)({ journal })),
      keepalive: { method: "none" },
      calls: { maxInFlight: 1000 },
      reconnect
    })
    const pid = yield* connected(backend)
    Pause.stop(pid)
    return { backend, journal, pid }
  })

describe.concurrent("calls in the queue of a server that does not read", () => {
  for (const era of eras) {
    test.scopedLive(`[C19:real] ${era}: those that are cancelled or whose time is over are never carried out`, function*() {
      const { backend, journal, pid } = yield* stopped(era)
      const first = yield* Effect.fork(
        Effect.either(ask(backend, "length", { text: long }, { timeout: "2 minutes" }))
      )
      const cancelled = yield* Effect.forEach(keys, (key) => Effect.fork(ask(backend, "count", { key })))
      const late = yield* Effect.forEach(
        keys,
        (key) => Effect.flip(ask(backend, "count", { key }, { timeout: 20 })),
        {
          concurrency: "unbounded"
        }
      )
      for (const error of late) {
        assert.strictEqual(error._tag, "BackendUnavailable")
        assert.include(error.message, "was not sent")
      }
      yield* Fiber.interruptAll(cancelled)
      const kept = yield* Effect.fork(ask(backend, "count", { key: "kept" }, { timeout: "2 minutes" }))
      Pause.resume(pid)
      assert.isTrue(Either.isRight(yield* Fiber.join(first)))
      yield* Fiber.join(kept)
      assert.strictEqual(StdioFaultServer.count(journal, "apply"), 1)
      assert.strictEqual(StdioFaultServer.count(journal, "call", "count"), 1)
      assert.strictEqual(StdioFaultServer.count(journal, "notification", "notifications/cancelled"), 0)
    })
  }

  test.scopedLive("[C19:real] one that has waited and was written is as sent as any other: the server is told to cancel it", function*() {
    const { backend, journal, pid } = yield* stopped("2025")
    const first = yield* Effect.fork(ask(backend, "length", { text: long }, { timeout: "2 minutes" }))
    const second = yield* Effect.fork(ask(backend, "silent", {}, { timeout: "2 minutes" }))
    yield* Effect.yieldNow()
    Pause.resume(pid)
    yield* Fiber.join(first)
    yield* eventually(() => StdioFaultServer.count(journal, "call", "silent") === 1)
    yield* Fiber.interrupt(second)
    yield* eventually(() => StdioFaultServer.count(journal, "notification", "notifications/cancelled") === 1)
  })

  test.scopedLive("[C19:real] one of which a part is in the pipe cannot be taken back: the server is told to cancel it", function*() {
    const { backend, journal, pid } = yield* stopped("2025")
    // In this time, a slow machine has begun to write it, too.
    const error = yield* Effect.flip(ask(backend, "count", { key: "long", text: long }, { timeout: "3 seconds" }))
    assert.strictEqual(error._tag, "RequestTimeout")
    Pause.resume(pid)
    yield* eventually(() => StdioFaultServer.count(journal, "notification", "notifications/cancelled") === 1)
    assert.strictEqual(StdioFaultServer.count(journal, "apply", "long"), 1)
  })
})
