import { InvalidOptions } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber, Redacted } from "effect"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Environment from "../src/Environment.js"
import { isInherited } from "../src/inherited.js"
import { call, children, connect, connectOptions, livingIn, server } from "./support.js"

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

  test.live("[S6] a program that is no MCP server: the error names the command and what it wrote", function*() {
    const usage = "console.log('usage: foo [options]\\n\\n  --help\\n  --port'); console.error('no command given')"
    const node = JSON.stringify(process.execPath).slice(1, -1)
    const error = yield* refusal({ command: process.execPath, args: ["-e", usage] })
    assert.deepInclude(error, { reason: "closed", permanent: false })
    assert.include(error.message, `"${node} -e `)
    assert.match(
      error.message,
      /exited with code 0 before it answered initialize; 3 lines on stdout were not JSON-RPC, first "usage: foo \[options\]"; stderr: no command given: check that command and args start an MCP server over stdio$/
    )
  })

  it("[S6] options out of their range are refused with field, value and range", () => {
    for (
      const [field, options] of [
        ["maxMessageBytes", { maxMessageBytes: 0 }],
        ["stdinGrace", { stdinGrace: "1 hour" }],
        ["termGrace", { termGrace: "1 day" }],
        ["termGrace", { termGrace: -1 }],
        ["handleSignals", { handleSignals: "yes" as never }]
      ] as const
    ) {
      try {
        StdioConnector.make({ command: "x", ...options })
        assert.fail("accepted")
      } catch (error) {
        assert.instanceOf(error, InvalidOptions)
        assert.strictEqual(error.field, field)
        assert.include(error.message, "; accepted: ")
      }
    }
  })

  it("[S6] an option that does not exist is refused with the one that was meant, and all problems come together", () => {
    try {
      StdioConnector.make({ command: "x", arg: ["y"], stdinGrace: "5s", termGrace: "1h" } as StdioConnector.Options)
      assert.fail("accepted")
    } catch (error) {
      assert.instanceOf(error, InvalidOptions)
      assert.deepEqual(error.problems.map(({ message }) => message), [
        'arg is not an option of a server that is started; did you mean "args"?',
        'termGrace is "1h"; accepted: 0 ms to 10 min, as milliseconds or as a text such as "5s" or "5 minutes"'
      ])
    }
  })
})

describe("starting a process", () => {
  test.scopedLive("starts in the directory that is asked for, without a shell", function*() {
    const connection = yield* connect(server({}, {
      args: [...StdioFaultServer.command().args, "$(exit 9)", "; exit 9"],
      cwd: directory
    }))
    assert.include(yield* call(connection, "cwd"), directory)
  })

  test.live("[S2] an attempt that is interrupted leaves no process", function*() {
    const before = new Set(children())
    const fiber = yield* Effect.fork(Effect.scoped(connect(server({ neverReady: true }))))
    const news = () => children().filter((pid) => !before.has(pid))
    while (news().length === 0) yield* Effect.sleep("5 millis")
    const started = news()
    assert.lengthOf(started, 1)
    yield* Fiber.interrupt(fiber)
    assert.deepStrictEqual(livingIn(started[0] ?? 0), [])
  })

  it("says what it leads to, without secrets", () => {
    const target = (args: ReadonlyArray<string>) =>
      StdioConnector.make({ command: "npx", args, env: { X: Redacted.make("verysecret") } }).target
    assert.strictEqual(target(["-y", "some-server", "stdio"]), "npx -y some-server stdio")
    assert.strictEqual(target(["--api-key", "abc", "--token=abc", "verysecret"]), "npx --api-key *** --token=*** ***")
    assert.strictEqual(target(["https://u:p@host/x?key=1"]), "npx https://***@host/x?key=***")
    assert.strictEqual(
      target(["run", "-e", "API_KEY=abc", "-eGITHUB_PAT=abc", "--env=MODE=x", "auth/image"]),
      "npx run -e API_KEY=*** -eGITHUB_PAT=*** --env=MODE=x auth/image"
    )
    assert.strictEqual(
      target(["https://host/mcp", "--header", "Authorization: Bearer abc", "--header=X-Api-Key:abc", "Bearer abc"]),
      "npx https://host/mcp --header Authorization: Bearer *** --header=X-Api-Key:*** Bearer ***"
    )
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
