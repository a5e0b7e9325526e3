import { InvalidOptions } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Redacted } from "effect"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Environment from "../src/Environment.js"
import { isInherited } from "../src/inherited.js"
import { call, connect, connectOptions, server } from "./support.js"

let directory = ""
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "stdio-"))
})
afterAll(() => rmSync(directory, { recursive: true }))

describe("a process that cannot be started", () => {
  const refusal = (options: StdioConnector.Options) =>
    Effect.scoped(Effect.flip(StdioConnector.make(options).connect(connectOptions)))
  const file = (name: string, content: string, mode: number): string => {
    const path = join(directory, name)
    writeFileSync(path, content)
    chmodSync(path, mode)
    return path
  }

  test.live("[S6] says which option is wrong, with what value, and what to do", function*() {
    const plain = file("plain.sh", "#!/bin/sh\n", 0o644)
    const orphan = file("orphan.sh", "#!/no/such/interpreter\n", 0o755)
    const cases: ReadonlyArray<readonly [StdioConnector.Options, ReadonlyArray<string>]> = [
      [{ command: "no-such-command-4711" }, ['command "no-such-command-4711"', "not found in PATH: install it"]],
      [{ command: "npx -y foo" }, ["arguments belong in args", 'command: "npx", args: ["-y", "foo"]']],
      [{ command: "node 'my server.js' --token=abc" }, ['args: ["my server.js", "--token=***"]']],
      [{ command: `${process.execPath} server.js` }, [`command: "${process.execPath}", args: ["server.js"]`]],
      [{ command: join(directory, "no such") }, [join(directory, "no such"), "does not exist: correct it"]],
      [{ command: "~/server" }, ['"~/server" does not exist: no shell expands ~; give the full path']],
      [server({}, { cwd: "${HOME}/x" }), ['cwd "${HOME}/x" does not exist: no shell expands ${HOME}']],
      [{ command: join(directory, "missing") }, [join(directory, "missing"), "does not exist"]],
      [{ command: plain }, [plain, "not executable", "chmod"]],
      [{ command: orphan }, [orphan, "interpreter"]],
      [{ command: directory }, [directory, "is a directory"]],
      [server({}, { cwd: join(directory, "nowhere") }), ["cwd", join(directory, "nowhere"), "does not exist"]],
      [server({}, { cwd: plain }), ["cwd", plain, "is not a directory"]],
      [{ command: "" }, ["empty"]],
      [server({}, { args: ["a\0b"] }), ["null character"]]
    ]
    for (const [options, words] of cases) {
      const error = yield* refusal(options)
      assert.deepInclude(error, { _tag: "ConnectError", reason: "spawn", permanent: true }, error.message)
      for (const word of words) assert.include(error.message, word)
      assert.notInclude(error.message, "\n")
    }
  })

  test.live("[C10:real] nothing of the arguments or the environment is in the error", function*() {
    const error = yield* refusal({
      command: "no-such-command-4711",
      args: ["--token", "hush-hush"],
      env: { TOKEN: Redacted.make("hush-hush") }
    })
    assert.notInclude(JSON.stringify([error.message, String(error.cause), error, error.stack]), "hush")
    assert.notInclude(JSON.stringify(Object.entries(error.cause ?? {})), "hush")
    const nul = yield* refusal(server({}, { env: { TOKEN: Redacted.make("hush\0hush") } }))
    assert.notInclude(JSON.stringify([nul.message, String(nul.cause)]), "hush")
  })

  const grace = '0 ms to 10 min, as milliseconds or as a text such as "5s" or "5 minutes"'
  const bytes = 'at least 10 MB, as bytes or as a text such as "512 MB" or "1 GiB"'
  it.each<[wrong: object, ...messages: ReadonlyArray<string>]>([
    [{ maxMessageBytes: 0 }, "maxMessageBytes is 0; accepted: a whole number of at least 1024"],
    [{ stdinGrace: "1 hour" }, `stdinGrace is "1 hour"; accepted: ${grace}`],
    [{ termGrace: -1 }, `termGrace is -1; accepted: ${grace}`],
    [{ handleSignals: "yes" }, 'handleSignals is "yes"; accepted: true or false'],
    [{ maxMemory: "1 G" }, `maxMemory is "1 G"; accepted: ${bytes}`],
    [
      { arg: ["y"], stdinGrace: "5s", termGrace: "1h" },
      'arg is not an option of a server that is started; did you mean "args"?',
      `termGrace is "1h"; accepted: ${grace}`
    ]
  ])(
    "[S6 S13] options that are wrong are refused with field, value and range, all together: %j",
    (wrong, ...messages) => {
      try {
        StdioConnector.make({ command: "x", ...wrong })
        assert.fail("accepted")
      } catch (error) {
        assert.instanceOf(error, InvalidOptions)
        assert.deepEqual(error.problems.map(({ message }) => message), messages)
      }
    }
  )
})

describe("starting a process", () => {
  test.scopedLive("starts in the directory that is asked for, without a shell", function*() {
    const connection = yield* connect(server({}, {
      args: [...StdioFaultServer.command().args, "$(exit 9)", "; exit 9"],
      cwd: directory
    }))
    assert.include(yield* call(connection, "cwd"), directory)
  })

  it("says what it leads to, without secrets", () => {
    const target = (args: ReadonlyArray<string>) =>
      StdioConnector.make({ command: "npx", args, env: { X: Redacted.make("verysecret") } }).target
    assert.strictEqual(target(["-y", "some-server", "stdio"]), "npx -y some-server stdio")
    assert.strictEqual(target(["--api-key", "abc", "--token=abc", "verysecret"]), "npx --api-key *** --token=*** ***")
    const connector = StdioConnector.make({ command: "npx" })
    assert.deepInclude(connector, { transport: "stdio", overlap: false })
  })
})

describe("the environment", () => {
  const ours = {
    HOME: "/h",
    PATH: "/bin",
    LC_ALL: "C",
    TZ: "UTC",
    TERM: "() { :; }; evil",
    AWS_SECRET_ACCESS_KEY: "no",
    NODE_OPTIONS: "--inspect"
  }

  it("[S5:virtual] has the safe variables, no shell functions, and what is configured", () => {
    const env = { TOKEN: Redacted.make("t"), PATH: "/mine" }
    assert.deepStrictEqual(Environment.make({ env }, ours, "linux"), {
      HOME: "/h",
      PATH: "/mine",
      LC_ALL: "C",
      TZ: "UTC",
      TOKEN: "t"
    })
    assert.notProperty(Environment.make({ env: { PATH: null } }, { PATH: "/bin" }, "linux"), "PATH")
    assert.deepStrictEqual(Environment.make({ env, inheritEnv: true }, ours, "linux"), {
      ...ours,
      PATH: "/mine",
      TOKEN: "t"
    })
    assert.deepStrictEqual(Environment.make({}, { Path: "C:\\", HOME: "x", SystemRoot: "w" }, "win32"), {
      Path: "C:\\",
      SystemRoot: "w"
    })
  })

  test.scopedLive("[S5] the process sees only safe variables and what is configured, or all when asked", function*() {
    process.env["LIFELINE_TEST_PRIVATE"] = "private"
    yield* Effect.addFinalizer(() => Effect.sync(() => delete process.env["LIFELINE_TEST_PRIVATE"]))
    const seenWith = (options: Partial<StdioConnector.Options>) =>
      Effect.scoped(Effect.flatMap(connect(server({}, options)), (connection) => call(connection, "env"))).pipe(
        Effect.map((text) => JSON.parse(text) as Record<string, string>)
      )
    const env = { TOKEN: Redacted.make("tok"), PLAIN: "p" }
    const safe = yield* seenWith({ env })
    assert.deepInclude(safe, { TOKEN: "tok", PLAIN: "p", PATH: process.env["PATH"] })
    assert.notProperty(safe, "LIFELINE_TEST_PRIVATE")
    const isExpected = (name: string) => isInherited(name, process.platform) || name in env
    assert.deepStrictEqual(Object.keys(safe).filter((name) => !isExpected(name)), [])
    assert.deepInclude(yield* seenWith({ env, inheritEnv: true }), { TOKEN: "tok", LIFELINE_TEST_PRIVATE: "private" })
  })
})
