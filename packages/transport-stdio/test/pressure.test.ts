import { assert, describe, it } from "@effect/vitest"
import type { Connection, Loss } from "@mcp-lifeline/core"
import { Effect, Exit, Fiber, Scope } from "effect"
import * as Pause from "./Pause.js"
import { call, connect, killed, livingIn, pidOf, server } from "./support.js"

const lossOf = (connection: Connection): Effect.Effect<Loss> =>
  Effect.async((resume) => connection.onLost((loss) => resume(Effect.succeed(loss))))

const mebibyte = "x".repeat(1024 * 1024)

describe("writing to the process", () => {
  it.scopedLive("[S9] a full pipe suspends the writer, and everything arrives in order when it is read again", () =>
    Effect.gen(function*() {
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
    }))

  it.scopedLive("[S9] what waits for a full pipe ends at once when the process does, and is known not to be sent", () =>
    Effect.gen(function*() {
      const connection = yield* connect(server())
      Pause.stop(pidOf(connection))
      const calls = yield* Effect.forEach(
        [1, 2, 3, 4],
        () => Effect.fork(Effect.flip(call(connection, "length", { text: mebibyte })))
      )
      const notified = yield* Effect.fork(Effect.flip(connection.notify("notifications/initialized")))
      yield* Effect.yieldNow()
      process.kill(pidOf(connection), "SIGKILL")
      const errors = yield* Effect.forEach(calls, Fiber.join)
      for (const error of errors) assert.deepInclude(error, { reason: "lost", message: killed })
      // The others waited. The first was being written: a part of a line is no request, but where the exit is seen before
      // the broken pipe, Node does not tell how much was written.
      const [first, ...others] = errors.map((error) => error.fate)
      assert.include(["notSent", "unknown"], first)
      assert.deepStrictEqual(others, ["notSent", "notSent", "notSent"])
      assert.deepInclude(yield* Fiber.join(notified), { fate: "notSent", reason: "lost" })
    }))

  it.scopedLive("[S9] a write to a process that has closed its stdin ends its call at once, and the connection", () =>
    Effect.gen(function*() {
      const connection = yield* connect(server({}, { stdinGrace: 50 }))
      assert.strictEqual(yield* call(connection, "closeStdin"), "closed")
      const error = yield* Effect.flip(call(connection, "echo", { text: "anybody?" }))
      assert.deepInclude(error, { fate: "notSent", reason: "lost" })
      assert.strictEqual((yield* lossOf(connection)).kind, "closed")
    }))

  it.live("(S7) a stopped process with a full pipe is still ended by the close", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const connection = yield* connect(server({ ignoreTerm: true }, { stdinGrace: 100, termGrace: 100 })).pipe(
        Scope.extend(scope)
      )
      const pid = pidOf(connection)
      Pause.stop(pid)
      const fiber = yield* Effect.fork(Effect.flip(call(connection, "length", { text: mebibyte })))
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      assert.deepInclude(yield* Fiber.join(fiber), { reason: "lost" })
      assert.deepStrictEqual(livingIn(pid), [])
    }))
})
