import { Effect, Fiber, Redacted } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { call, connect, erasBySize, lossOf, serverOf } from "./support.js"

describe.each(erasBySize)("losing the process, era %s", (era) => {
  const server = serverOf(era)

  test.scopedLive("[S3] an exit is seen when it happens: calls in flight end at once, with code and stderr", function*() {
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
  })

  test.scopedLive("[S3] an exit during initialize is a ConnectError with code and stderr", function*() {
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
  })

  test.scopedLive("[C10:real] configured secrets are masked in the tail, in what is handed on, and in the target", function*() {
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
  })

  test.scopedLive("[C10:real] secrets among the arguments are masked in what the server writes", function*() {
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
  })
})
