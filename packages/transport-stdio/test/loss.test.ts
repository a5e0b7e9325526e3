import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Redacted } from "effect"
import { StderrTail } from "../src/StderrTail.js"
import { call, connect, eras, isAlive, lossOf, pidOf, serverOf, session } from "./support.js"

describe.each(eras)("losing the process, era %s", (era) => {
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
      assert.strictEqual((yield* lossOf(connection)).message, "was killed by SIGKILL")
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
          assert.strictEqual((yield* lossOf(connection)).message, "was killed by SIGKILL")
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
        error.message.startsWith(`"${process.execPath} `) && error.message.endsWith(`" ${ended}`),
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
      assert.strictEqual(message, `was killed by SIGKILL; stderr: ${lines.slice(30).join(" | ")}`)
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

  it("[C10:unit] no part of a secret is in the tail, however long it is, wherever a line is cut, and whatever divides it", () => {
    const long = Array.from({ length: 600 }, (_, index) => `secret-${index}`).join("/")
    const short = "hush-hush-hush"
    const tailOf = (text: string): string => {
      const seen: Array<string> = []
      const tail = new StderrTail([long, short], (line) => seen.push(line))
      // As it comes from a pipe.
      for (let at = 0; at < text.length; at += 1_000) tail.push(Buffer.from(text.slice(at, at + 1_000)))
      const begun = tail.text
      tail.end()
      assert.deepStrictEqual(seen, [tail.text])
      assert.isAtMost(tail.text.length, 4_096)
      for (const shown of [begun, tail.text]) assert.notMatch(shown, /secret-|hus/)
      return tail.text
    }
    assert.strictEqual(tailOf(`key=${long}.`), "key=***.")
    assert.strictEqual(tailOf(`key=\u001B[31mhush-\u001B[1mhush\u0000-hush\u001B[0m.`), "key=***.")
    for (const before of [4_080, 4_090, 4_095, 4_096, 8_000, 9_000, 10_900]) {
      tailOf(`${"x".repeat(before)}${short}${"y".repeat(100)}`)
      tailOf(`${"x".repeat(before)}${long}${"y".repeat(9_000)}`)
      tailOf(`${long.repeat(3)}${"x".repeat(before)}${short}`)
    }
    // One that is still being written.
    const tail = new StderrTail([long, short], undefined)
    tail.push(Buffer.from("first\nkey=hush-hu"))
    assert.strictEqual(tail.text, "first | key=***")
  })

  it("[W5:unit] a line that is cut says how much is left out, and one that fits is whole", () => {
    const seen: Array<string> = []
    const tail = new StderrTail([], (line) => seen.push(line))
    for (const length of [4_096, 4_097, 70_000]) tail.push(Buffer.from(`${"x".repeat(length)}\n`))
    assert.strictEqual(seen[0], "x".repeat(4_096))
    assert.match(seen[1]!, /^x{4000,}… \(1 more characters\)$/)
    assert.match(seen[2]!, /^x{4000,}… \(65904 more characters\)$/)
    for (const line of seen) assert.strictEqual(line.length, 4_096)
    tail.push(Buffer.from("z".repeat(5_000)))
    assert.match(tail.text, /… \(904 more characters\)$/)
  })

  it("[X3] the tail has no character that controls a terminal, nor have the lines that are handed on", () => {
    const seen: Array<string> = []
    const tail = new StderrTail([], (line) => seen.push(line))
    tail.push(Buffer.from("\u001B]0;title\u0007a\u009B2Jb\u0085\u202Ec\t\u001B[31md\u001B[0m\n\u009D0;x"))
    tail.end()
    assert.deepStrictEqual(seen, ["abc\td", "0;x"])
    assert.strictEqual(tail.text, "abc\td | 0;x")
  })
})
