import type { ConnectError } from "@mcp-lifeline/core"
import { SecretCommand } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber, Redacted } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../testing/test/support/folder.js"
import { gone } from "../../testing/test/support/Processes.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"

const node = (script: string): ReadonlyArray<string> => [process.execPath, "-e", script]
const program = JSON.stringify(process.execPath).replaceAll("\\\\", "\\")
const secret = "a-secret-0123456789"

const failure = (options: SecretCommand.Options): Effect.Effect<ConnectError, unknown> =>
  Effect.flip(SecretCommand.make(options))

describe("a secret from a command", () => {
  test.live("[S14:real] is what the command writes, without the line break at its end and with the prefix", function*() {
    const read = (text: string, prefix?: string) =>
      Effect.map(
        SecretCommand.make({ command: node(`process.stdout.write(${JSON.stringify(text)})`), prefix }),
        Redacted.value
      )
    expect(
      yield* Effect.all([read("one\n"), read("one\r\n"), read(" one \n\n"), read("a\nb"), read("one\n", "Bearer ")], {
        concurrency: "unbounded"
      })
    ).toEqual(["one", "one", " one \n", "a\nb", "Bearer one"])
  })

  test.live("[S14:real] a command that fails is named with its exit code, and nothing that it was given or wrote is shown", function*() {
    const say = `console.log('${secret}'); console.error('${secret}');`
    const [exited, silent, long, zero, latin, wide] = yield* Effect.all([
      failure({ command: node(`${say} process.exitCode = 7`) }),
      failure({ command: node(`console.error('${secret}')`) }),
      failure({ command: node("process.stdout.write('x'.repeat(70_000)); setInterval(() => {}, 1000)") }),
      failure({ command: node("process.stdout.write('a\\0b')") }),
      failure({ command: node(`process.stdout.write(Buffer.from('${secret}\\xe9', 'latin1'))`) }),
      failure({ command: node(`process.stdout.write(Buffer.from('\\ufeff${secret}', 'utf16le'))`) })
    ], { concurrency: "unbounded" })
    expect(exited).toMatchObject({ reason: "spawn", permanent: false })
    expect(exited.message).toMatch(/ exited with code 7: run it in a terminal to see what it needs/)
    expect(silent.message).toMatch(/ wrote nothing to stdout: run it in a terminal/)
    expect(long.message).toMatch(/ wrote more than 65536 bytes/)
    expect(zero.message).toMatch(/ wrote a null character/)
    for (const { message } of [latin, wide]) {
      expect(message).toMatch(/ wrote what is not UTF-8: let it write nothing but the secret/)
    }
    for (const error of [exited, silent, long, zero, latin, wide]) {
      expect(error.message.startsWith(program)).toBe(true)
      expect(JSON.stringify(error) + String(error.cause)).not.toContain(secret)
    }
  })

  test.live("[S14:real] a program that is not found is a permanent failure, as waiting does not help", function*() {
    const error = yield* failure({ command: ["no-such-password-manager", "read"] })
    expect(error).toMatchObject({ reason: "spawn", permanent: true })
    expect(error.message).toMatch(/^command "no-such-password-manager" was not found in PATH/)
  })

  test.scopedLive("[S14:real] one that takes too long, or is no longer needed, is ended with what it has started", function*() {
    const path = yield* folder
    const hangs = (name: string) =>
      node(`
        const { pid } = require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" })
        require("fs").writeFileSync(${JSON.stringify(join(path, name))} + ".new", process.pid + " " + pid)
        require("fs").renameSync(${JSON.stringify(join(path, name))} + ".new", ${JSON.stringify(join(path, name))})
        setInterval(() => {}, 1000)`)
    const started = (name: string) =>
      Effect.gen(function*() {
        while (!existsSync(join(path, name))) yield* Effect.sleep("5 millis")
        return readFileSync(join(path, name), "utf8").split(" ").map(Number)
      })
    const slow = yield* Effect.fork(failure({ command: hangs("slow"), timeout: "3 s" }))
    const unneeded = yield* Effect.fork(SecretCommand.make({ command: hangs("unneeded"), timeout: "10 min" }))
    const ofUnneeded = yield* started("unneeded")
    yield* Fiber.interrupt(unneeded)
    yield* Effect.forEach(ofUnneeded, gone)
    const { message, permanent } = yield* Fiber.join(slow)
    expect(message).toMatch(/ did not end within 3 s: if it waits for a person, raise its timeout/)
    expect(permanent).toBe(false)
    if (existsSync(join(path, "slow"))) yield* Effect.forEach(yield* started("slow"), gone)
  })

  it("[S14:unit] options that are wrong are refused, without their values", () => {
    const messages = (options: object) =>
      SecretCommand.problems(options as never).map(({ message, path }) => `${path.join(".")} ${message}`)
    expect(messages({ command: ["op"], timeout: "1s", prefix: "Bearer " })).toEqual([])
    expect(messages({ command: [] })).toEqual([
      "command is no command; accepted: an array of a program and its arguments"
    ])
    expect(messages({ command: ["op", 5], timeout: 0, prefix: 1, shell: true })).toEqual([
      "command.1 is a number; accepted: a string",
      expect.stringMatching(/^timeout is 0; accepted: 1 ms to 10 min/),
      "prefix is a number; accepted: a string",
      expect.stringMatching(/^shell is not an option of a value from a command; there are: command, timeout, prefix/)
    ])
    expect(() => SecretCommand.make({ command: [] })).toThrow(/is no command/)
    expect(SecretCommand.ofLine(`op read "op://My Vault/key"`).command).toEqual(["op", "read", "op://My Vault/key"])
  })
})
