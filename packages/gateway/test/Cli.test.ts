import { Effect, Redacted, type Scope } from "effect"
import { realpathSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { dirname, join, resolve } from "node:path"
import { folder } from "../../testing/test/support/folder.js"
import { listening } from "../../testing/test/support/listening.js"
import * as Cli from "../src/Cli.js"
import type { UsageError } from "../src/text/Errors.js"
import * as Program from "./support/Program.js"
import { describe, expect, test } from "./support/vitest.js"

const file = (content: string) =>
  Effect.map(folder, (path) => {
    writeFileSync(join(path, "mcp.json"), content)
    return join(path, "mcp.json")
  })

const parse = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}) =>
  Effect.try({ try: () => Cli.read(args, env), catch: (error) => error as UsageError })

const oneLine = (text: string) => {
  expect(text).toMatch(/^[^\n]+\n$/)
  expect(text).not.toContain("\u001B")
  return text.trimEnd()
}

const serving = ["serve", "--config", "a.json"]
const joining = ["serve", "--stdio", "--config", "a.json"]

describe("mcp-lifeline", () => {
  test.effect.each<[string, ReadonlyArray<string>, command?: string]>([
    ["unknown option --bogus", ["serve", "--bogus"], "serve "],
    ["unknown option --bogus", ["--bogus"]],
    ["unknown option --versoin; did you mean --version?", ["--versoin"]],
    [
      "unknown command bogus; there are: serve, check, status, top, tools, call, logs, reconnect, enable, disable, approve, wrap, adopt, "
      + "login, logout, auth, help",
      ["bogus"]
    ],
    ["unknown command stauts; did you mean status?", ["stauts"]],
    ["unknown command stauts; did you mean status?", ["help", "stauts"]],
    ["unknown argument extra: help takes only COMMAND", ["help", "serve", "extra"], "help "],
    ["--completions must be one of bash, zsh, fish", ["--completions", "toString"]],
    ["--limit must be a whole number from 1 to 500", ["logs", "--limit", "0"], "logs "],
    ["--limit must be a whole number from 1 to 500", ["logs", "--limit", "501"], "logs "],
    ["--url needs a value", ["status", "--url"], "status "],
    ["--url needs a value", ["status", "--url", "--json"], "status "],
    ["--url needs a value", ["status", "--url", "--config=a.json"], "status "],
    ["--url needs a value", ["status", "--url", "--", "x"], "status "],
    ["--json takes no value", ["status", "--json=1"], "status "],
    ["unknown option --bogus", ["tools", "--bogus"], "tools "],
    ["unknown option -x", ["tools", "-x"], "tools "],
    ["unknown argument extra: serve takes none", ["serve", "extra"], "serve "],
    ["unknown argument c: call takes only TOOL and JSON", ["call", "a", "{}", "c"], "call "],
    ["call needs TOOL", ["call"], "call "],
    ["TOOL is empty", ["call", ""], "call "],
    ["--port must be a whole number from 0 to 65535 (0: any free port)", ["serve", "--port", "x"], "serve "],
    ["--port must be a whole number from 0 to 65535 (0: any free port)", ["serve", "--port", "65536"], "serve "],
    ["--log-format x is not known; accepted: text, json", ["serve", "--log-format", "x"], "serve "],
    ["--config needs a value", ["serve", "--config"], "serve "],
    ["--config needs a value", ["serve", "--config="], "serve "],
    ["unknown option --Port; did you mean --port?", ["serve", "--Port", "5"], "serve "],
    ["unknown option --Token; did you mean --token?", ["serve", "--Token=hush"], "serve "],
    ["unknown option --ports; did you mean --port?", ["serve", "--ports", "5"], "serve "],
    ["unknown option -p", ["serve", "-p", "5"], "serve "],
    ["--port appears more than once", ["serve", "--port", "1", "--port", "2"], "serve "],
    ["serve --stdio needs --config FILE: hosts share the gateway of a file", ["serve", "--stdio"], "serve "],
    ["--host cannot be combined with --stdio; keep one of the two", [...joining, "--host", "::1"], "serve "],
    ["a command cannot be combined with --stdio; keep one of the two, or use wrap", [...joining, "--", "x"], "serve "],
    ["--config cannot be combined with a command; keep one of the two", [...serving, "--", "x"], "serve "],
    ["-- is without the command that starts the server", ["serve", "--"], "serve "],
    ["--account needs a value", ["login", "https://docs.example/mcp", "--account"], "login "]
  ])("usage error: %s", function*([message, args, command = ""]) {
    const error = yield* Effect.flip(parse(args))
    expect(error._tag).toBe("UsageError")
    const see = message.endsWith("?") ? " See" : "; see"
    expect(error.message).toBe(`${message}${see} mcp-lifeline ${command}--help`)
  })

  test.effect("a mistake is one line, and controls no terminal", function*() {
    const { message } = yield* Effect.flip(parse(["serve", "--a\u001B[31m\nb"]))
    for (const control of ["\u001B", "\n"]) expect(message).not.toContain(control)
  })

  test.effect("what follows -- is an argument, and a value may begin with a hyphen", function*() {
    expect(yield* parse(["call", "--", "-x"])).toMatchObject({ command: { name: "-x" } })
    expect(yield* parse(["logs", "--server", "-x"])).toMatchObject({ command: { server: "-x" } })
    expect(yield* parse(["logs", "--server=--json"])).toMatchObject({ command: { server: "--json", json: false } })
    expect(yield* parse(["call", "a", "-"])).toMatchObject({ command: { input: "-" } })
  })

  test.effect("--stdio joins the gateway of a file, which lingers for a minute or as long as is said", function*() {
    const join = ["serve", "--stdio", "--config", "/a.json"]
    expect(yield* parse(join)).toEqual({ _tag: "Join", options: { file: resolve("/a.json"), linger: 60 } })
    expect(yield* parse([...join, "--linger", "5"])).toMatchObject({ options: { linger: 5 } })
    expect(yield* parse(join, { MCP_LIFELINE_TOKEN: "letmein" })).toMatchObject({ _tag: "Join" })
    expect(yield* parse([...join, "--help"])).toMatchObject({ _tag: "Text" })
  })

  const helpOf = (...args: ReadonlyArray<string>) =>
    Effect.map(parse(args), (help) => help._tag === "Text" ? help.text : expect.unreachable())

  const tooWide = (text: string) => text.split("\n").filter((line) => line.length > 100)

  test.effect.each(Cli.commands.map(({ name }) => name))(
    "help of %s has a usage, and lines that fit on a terminal",
    function*(command) {
      const text = yield* helpOf(command, "--help")
      expect(text).toContain(`\n  mcp-lifeline ${command}`)
      expect(text).toContain("-h, --help")
      expect(tooWide(text)).toEqual([])
      expect(yield* helpOf(command, "-h")).toBe(text)
      expect(yield* helpOf("help", command)).toBe(text)
    }
  )

  test.effect("the help of the program lists every command, in lines that fit on a terminal", function*() {
    const text = yield* helpOf("help")
    for (const { name, summary } of Cli.commands) {
      expect(text).toMatch(new RegExp(`^  ${name} +${summary.split(" ", 3).join(" ")}`, "m"))
    }
    expect(tooWide(text)).toEqual([])
    for (const args of [[], ["-h"], ["--help"]]) expect(yield* helpOf(...args)).toBe(text)
  })

  test.effect("gives what was asked for, with the defaults", function*() {
    const place = { host: "127.0.0.1", port: 7332, publicUrl: undefined, trustProxy: undefined, isBehindProxy: false }
    const secrets = { token: undefined, tokenFile: undefined, sessionKey: { file: undefined, secret: undefined } }
    const others = { config: undefined, logFormat: "text", audit: undefined, cluster: undefined }
    expect(yield* parse(["serve"])).toEqual({ _tag: "Serve", options: { ...place, ...secrets, ...others } })
    const given = { options: { config: "a.json", host: "::1", port: 0 } }
    expect(yield* parse(["serve", "--config", "a.json", "--port", "0", "--host=::1"])).toMatchObject(given)
  })

  test.effect("[G6:cli] a token is given on the command line, in the environment or as a file; an empty variable is none", function*() {
    const tokenOf = (args: ReadonlyArray<string>, variable?: string) =>
      Effect.map(parse(["serve", "--host", "0.0.0.0", ...args], { MCP_LIFELINE_TOKEN: variable }), (request) => {
        if (request._tag !== "Serve") return undefined
        const { token, tokenFile } = request.options
        return { token: token && Redacted.value(token), tokenFile }
      })
    expect(yield* tokenOf(["--token", "letmein"])).toEqual({ token: "letmein", tokenFile: undefined })
    expect(yield* tokenOf(["--token", "letmein"], "other")).toEqual({ token: "letmein", tokenFile: undefined })
    expect(yield* tokenOf([], "letmein")).toEqual({ token: "letmein", tokenFile: undefined })
    expect(yield* tokenOf(["--token-file", "token"])).toEqual({ token: undefined, tokenFile: "token" })
    expect(yield* tokenOf([], "")).toEqual({ token: undefined, tokenFile: undefined })
    expect((yield* Effect.flip(tokenOf(["--token="]))).message).toContain("--token needs a value")
  })

  test.live("a usage error is one line on standard error, exit code 2", function*() {
    const { code, stderr, stdout } = yield* Program.run(["serve", "--bogus"])
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
    expect(oneLine(stderr)).toBe("mcp-lifeline: unknown option --bogus; see mcp-lifeline serve --help")
  })

  test.live.each<[string, ReadonlyArray<string>, RegExp]>([
    ["--version", ["--version"], /^\d+\.\d+\.\d+/],
    ["no command", [], /^ {2}serve +Serve all servers as one MCP endpoint/m]
  ])("%s goes to standard output, plain where that is no terminal", function*([, args, pattern]) {
    const { code, stderr, stdout } = yield* Program.run(args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toMatch(pattern)
    expect(stdout).not.toContain("\u001B")
  })

  test.scopedLive("a port in use: one line with the remedy, exit code 1, nothing started", function*() {
    const { port } = new URL(yield* listening(createServer()))
    const program = yield* Program.start(["serve", "--port", port])
    expect(yield* program.ended).toEqual({ code: 1, signal: null })
    expect(oneLine(program.stderr())).toBe(
      `mcp-lifeline: port ${port} on 127.0.0.1 is in use; stop the program that has it, or give another with --port `
        + "(0 for any)"
    )
    expect(program.stdout()).toBe("")
    expect(Program.family(program.pid)).toEqual([])
  })

  test.scopedLive("[G1:cli] a port that a gateway of the user has: the line names it", function*() {
    const lazy = yield* file(`{ "mcpServers": { "a": { "command": "cat", "lazy": true } } }`)
    const first = yield* Program.start(["serve", "--port", "0", "--config", lazy])
    const [, url = ""] = yield* first.prints(/(http:\/\/127\.0\.0\.1:\d+)/)
    const { port } = new URL(url)
    const { code, stderr, stdout } = yield* Program.run(["serve", "--port", port])
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(oneLine(stderr)).toMatch(
      new RegExp(
        `^mcp-lifeline: port ${port} on 127\\.0\\.0\\.1 is in use by your own gateway \\(pid ${first.pid}, .*mcp\\.json\\); `
          + `see it with mcp-lifeline status --url ${url},`
      )
    )
  })

  test.scopedLive("[G1:cli] without --config it serves the mcp.json of its folder, and its first lines say so", function*() {
    const folder = realpathSync(dirname(yield* file(`{ "mcpServers": { "own": { "command": "cat" } } }`)))
    const started = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
      const program = yield* Program.start(["serve", "--port", "0", ...args], {}, undefined, folder)
      const lines = /Serving (http:[\w.:/]+)[^]*(Servers: those of [^]*?names another)/
      const [, address = "", about] = yield* program.prints(lines)
      const status = yield* Effect.promise(async () => (await fetch(new URL("/api/status", address))).json())
      expect(status).toMatchObject({ gateway: { config: join(folder, "mcp.json") }, servers: [{ name: "own" }] })
      return about
    })
    const line = `Servers: those of ${join(folder, "mcp.json")}, because no --config FILE names another`
    expect(yield* started()).toBe(line)
    expect(yield* started("--log-format", "json")).toBe(line)
  })

  test.scopedLive("[G2:cli] without --config, a mcp.json that cannot be used is no reason to serve a demo", function*() {
    const folder = dirname(yield* file("{"))
    const { code, stderr, stdout } = yield* Program.run(["serve", "--port", "0"], {}, folder)
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(oneLine(stderr)).toContain("mcp-lifeline: mcp.json:1: not valid JSON: ")
  })

  test.scopedLive("without --config, and in a folder without mcp.json, it says that it serves a demo", function*() {
    const folder = dirname(yield* file("{"))
    rmSync(join(folder, "mcp.json"))
    const program = yield* Program.start(["serve", "--port", "0"], {}, undefined, folder)
    const [line] = yield* program.prints(/Servers: .*/)
    expect(line).toContain(
      "a demo, because this folder contains no mcp.json, and no --config FILE names another; in it calls wait 1 minute"
    )
  })

  test.scopedLive("[G2:cli] while npx fetches the demo's server, it says so", function*() {
    const path = yield* file("")
    const folder = dirname(path)
    rmSync(path)
    const hide = join(folder, "hide.cjs")
    writeFileSync(
      hide,
      `const Module = require("node:module"), resolve = Module._resolveFilename
        Module._resolveFilename = (name, ...rest) => resolve(name.includes("server-everything") ? "not-there" : name, ...rest)`
    )
    writeFileSync(join(folder, "npx"), "#!/bin/sh\necho no registry >&2; exit 1", { mode: 0o755 })
    const env = { NODE_OPTIONS: `--require ${hide}`, PATH: folder }
    const program = yield* Program.start(["serve", "--port", "0"], env, undefined, folder)
    expect(yield* program.ended).toEqual({ code: 1, signal: null })
    expect(program.stdout()).toMatch(/^Fetching the demo's server: @modelcontextprotocol\/server-everything@\S+\n$/)
    expect(program.stderr()).toContain("no registry")
  })

  test.scopedLive.each<[string, Effect.Effect<string, never, Scope.Scope>, (path: string) => string]>([
    [
      "a missing file",
      Effect.succeed("not/there.json"),
      (path) => `mcp-lifeline: ${path}: there is no such file; give one that exists with --config`
    ],
    ["a folder", folder, () => "it is a directory, not a file; give another file with --config"],
    [
      "a broken file",
      file(`{\n  "mcpServers": {\n    "a": [\n  }\n}`),
      (path) => `mcp-lifeline: ${path}:4: not valid JSON: `
    ]
  ])("[G2:cli] %s: one line that says what is wrong with it, exit code 1", function*([, made, message]) {
    const path = yield* made
    const { code, stderr, stdout } = yield* Program.run(["serve", "--port", "0", "--config", path])
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(oneLine(stderr)).toContain(message(path))
  })

  test.scopedLive.each([
    [
      `{"mcpServers": {
        "a": { "command": "x", "lifeline": { "keepalive": { "interval": "1 ms" } } },
        "b": {}
      }}`,
      `~:2: mcpServers.a.lifeline.keepalive.interval: is "1 ms"; accepted: 1 s to 24 h`,
      "~:3: mcpServers.b: has neither command (a program to start) nor url (an address)",
      "mcp-lifeline: ~: none of its servers can be used (see above)"
    ],
    // It would let in everybody.
    [
      `{"mcpServers": {"a": {"command": "x"}}, "lifeline": {"clients": null}}`,
      "mcp-lifeline: ~: it cannot be used before that is corrected (see above)",
      "~:1: lifeline.clients: is null; accepted: an object of clients by name"
    ]
  ])(
    "[G2:cli G22:real] a file that cannot be used: a line for each entry and one more, exit code 1: %s",
    function*([text = "", ...lines]) {
      const path = yield* file(text)
      const { code, stderr } = yield* Program.run(["serve", "--port", "0", "--config", path])
      expect(code).toBe(1)
      expect(stderr.trimEnd().replaceAll(path, "~").split("\n").toSorted()).toEqual(lines.toSorted())
    }
  )
})
