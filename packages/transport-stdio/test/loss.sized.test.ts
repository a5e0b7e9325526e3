import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Redacted } from "effect"
import { call, connect, erasBySize, isAlive, killed, lossOf, pidOf, serverOf, session } from "./support.js"

describe.each(erasBySize)("losing the process, era %s", (era) => {
  const server = serverOf(era)

  it.scopedLive("[S3] an exit is seen when it happens: calls in flight end at once, with code and stderr", () =>
    Effect.gen(function*() {
      const connection = yield* connect(server())
      const waiting = yield* Effect.fork(Effect.flip(call(connection, "silent")))
      const cause = yield* Effect.fork(
        Effect.flip(call(connection, "exit", { code: 7, stderr: "line one\nno disk\n" }))
      )
      const loss = yield* lossOf(connection)
      assert.deepInclude(loss, { kind: "closed", message: "exited with code 7; stderr: line one | no disk" })
      for (const error of [yield* Fiber.join(waiting), yield* Fiber.join(cause)]) {
        assert.deepInclude(error, { fate: "unknown", reason: "lost", message: loss.message })
      }
      const later = yield* Effect.flip(call(connection, "echo"))
      assert.deepInclude(later, { fate: "notSent", reason: "lost", message: loss.message })
    }))

  it.scopedLive("[S3] a crash without any call is seen too, with its signal", () =>
    Effect.gen(function*() {
      const connection = yield* connect(server())
      process.kill(pidOf(connection), "SIGKILL")
      assert.strictEqual((yield* lossOf(connection)).message, killed)
    }))

  it.scopedLive("[S3] an answer written just before the exit still arrives", () =>
    Effect.gen(function*() {
      const connection = yield* connect(server())
      assert.strictEqual(yield* call(connection, "exitAfterAnswer", { code: 0 }), "last words")
      assert.strictEqual((yield* lossOf(connection)).message, "exited with code 0")
    }))

  it.live("[S3] a grandchild that holds stdout open does not hide the exit", () =>
    Effect.gen(function*() {
      const { left } = yield* session(server({}, { termGrace: 5_000 }), (connection) =>
        Effect.gen(function*() {
          const child = Number(
            yield* call(connection, "grandchild", {
              code: "process.on('SIGTERM', () => {});setInterval(() => {}, 1000)"
            })
          )
          process.kill(pidOf(connection), "SIGKILL")
          assert.strictEqual((yield* lossOf(connection)).message, killed)
          assert.isTrue(isAlive(child), "the grandchild should still hold the pipe")
          process.kill(child, "SIGKILL")
        }))
      assert.deepStrictEqual(left, [])
    }))

  it.scopedLive("[S3] a process that closes its stdout, and lives on, is lost", () =>
    Effect.gen(function*() {
      const connection = yield* connect(server({}, { stdinGrace: 50 }))
      const error = yield* Effect.flip(call(connection, "closeStdout"))
      assert.deepInclude(error, { fate: "unknown", reason: "lost", message: "closed its stdin or stdout" })
    }))

  it.scopedLive("[S3] an exit during initialize is a ConnectError with code and stderr", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(connect(server({
        crashes: [{ at: "start", exitCode: 3, stderr: "fatal: no database\nat start\n" }]
      })))
      assert.deepInclude(error, { _tag: "ConnectError", reason: "closed", permanent: false })
      const ended = "exited with code 3 before it answered initialize; stderr: fatal: no database | at start"
      assert.isTrue(
        error.message.startsWith(`${JSON.stringify(process.execPath).slice(0, -1)} `) &&
          error.message.endsWith(`" ${ended}`),
        error.message
      )
    }))

  it.scopedLive("[S3] the tail of stderr is bounded: 20 lines, 4,096 characters", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const connection = yield* connect(server({}, { stderr: (line) => seen.push(line) }))
      const lines = Array.from({ length: 50 }, (_, index) => `line ${index}`)
      yield* call(connection, "stderr", { text: `${lines.join("\n")}\n` })
      process.kill(pidOf(connection), "SIGKILL")
      const { message } = yield* lossOf(connection)
      assert.strictEqual(message, `${killed}; stderr: ${lines.slice(30).join(" | ")}`)
      assert.deepStrictEqual(seen, lines)
      const other = yield* connect(server())
      const error = yield* Effect.flip(call(other, "exit", { code: 1, stderr: "x".repeat(100_000) }))
      assert.isBelow(error.message.length, 4_200)
    }))

  it.live("[S3] a listener to stderr that throws ends nothing, and is logged once", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => void logged.push(String(message)))
    return Effect.scoped(Effect.gen(function*() {
      const heard: Array<string> = []
      const connection = yield* connect(server({}, {
        stderr: (line) => {
          heard.push(line)
          throw new Error("full")
        }
      }))
      yield* call(connection, "stderr", { text: "one\ntwo\n" })
      const error = yield* Effect.flip(call(connection, "exit", { code: 1, stderr: "three\n" }))
      assert.strictEqual(error.message, "exited with code 1; stderr: one | two | three")
      assert.deepStrictEqual(heard, ["one", "two", "three"])
      assert.deepStrictEqual(logged, [
        "the function given as option stderr threw: Error: full; it misses that line (this is logged once)"
      ])
    })).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

  it.scopedLive("[C10:real] configured secrets are masked in the tail, in what is handed on, and in the target", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const env = {
        API_TOKEN: Redacted.make("s3cr3t-t0ken/with=signs"),
        PLAIN: "a-plain-long-value",
        PEM: Redacted.make("-----BEGIN-----\nMIIEvQIBADANBgk\n-----END-----"),
        SHORT: "on"
      }
      const connection = yield* connect(server({}, { env, stderr: (line) => seen.push(line) }))
      const text =
        "token s3cr3t-t0ken/with=signs url ?t=s3cr3t-t0ken%2Fwith%3Dsigns\nMIIEvQIBADANBgk a-plain-long-value on\n"
      const error = yield* Effect.flip(call(connection, "exit", { code: 1, stderr: text }))
      assert.strictEqual(error.message, "exited with code 1; stderr: token *** url ?t=*** | *** *** on")
      assert.deepStrictEqual(seen, ["token *** url ?t=***", "*** *** on"])
    }))

  it.scopedLive("[C10:real] secrets among the arguments are masked in what the server writes", () =>
    Effect.gen(function*() {
      const { args } = server()
      const secrets = [
        "--api-key",
        "key-one-abc",
        "-e",
        "TOKEN=token-two-abc",
        "--header",
        "Authorization: Bearer three-abc"
      ]
      const connection = yield* connect(
        server({}, { args: [...args ?? [], ...secrets, "postgres://me:four-four@host/db"] })
      )
      const text = "bad key-one-abc, token-two-abc, three-abc, four-four\n"
      const error = yield* Effect.flip(call(connection, "exit", { code: 1, stderr: text }))
      assert.strictEqual(error.message, "exited with code 1; stderr: bad ***, ***, ***, ***")
    }))
})
