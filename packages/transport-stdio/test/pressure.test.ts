import { Effect, Fiber } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Pause from "./Pause.js"
import { call, connect, pidOf, server } from "./support.js"

const mebibyte = "x".repeat(1024 * 1024)

describe("writing to the process", () => {
  test.scopedLive("[S9] a full pipe suspends the writer, and everything arrives in order when it is read again", function*() {
    const connection = yield* connect(server())
    const pid = pidOf(connection)
    Pause.stop(pid)
    const calls = yield* Effect.forEach(
      Array.from({ length: 20 }, (_, index) => index),
      (index) => Effect.fork(call(connection, "length", { text: mebibyte.slice(index) }))
    )
    // The writer of a notification waits for the pipe, as those of the requests before it do.
    const notified = yield* Effect.fork(connection.notify("notifications/initialized"))
    yield* Effect.sleep(100)
    assert.strictEqual(notified.unsafePoll(), null)
    Pause.resume(pid)
    yield* Fiber.join(notified)
    const lengths = yield* Effect.forEach(calls, Fiber.join)
    assert.deepStrictEqual(lengths.map(Number), lengths.map((_, index) => mebibyte.length - index))
  })
})
