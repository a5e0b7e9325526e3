import * as Grant from "@mcp-lifeline/sign-in/Grant"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Redacted } from "effect"
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import * as Signer from "../../../sign-in/test/support/Signer.js"
import { gateway } from "../../../testing/test/support/Built.js"
import { folder } from "../../../testing/test/support/folder.js"
import { listening } from "../../../testing/test/support/listening.js"
import { wrap } from "../support/Host.js"
import * as Program from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

const script = fileURLToPath(new URL("../fixtures/who.mjs", import.meta.url))

const file = (text: string, name = "mcp.json") =>
  Effect.map(folder, (path) => {
    writeFileSync(join(path, name), text)
    return join(path, name)
  })

const answerTo = ({ id, method, params }: any) => {
  const about = { capabilities: { tools: {} }, serverInfo: { name: "guarded", version: "1" } }
  const results = { initialize: { protocolVersion: params?.protocolVersion, ...about }, "tools/list": { tools: [] } }
  const result = results[method as keyof typeof results]
  const answer = result === undefined ? { error: { code: -32_601, message: "Method not found" } } : { result }
  return JSON.stringify({ jsonrpc: "2.0", id, ...answer })
}

const guarded = (authorization: string) =>
  listening(createServer((request, response) =>
    void AuthServer.bodyOf(request).then((body) => {
      if (request.headers.authorization !== authorization) return response.writeHead(403).end()
      if (request.method !== "POST") return response.writeHead(405).end()
      const message = JSON.parse(body)
      if (message.id === undefined) return response.writeHead(202).end()
      return response.writeHead(200, { "content-type": "application/json" }).end(answerTo(message))
    })
  )).pipe(Effect.map((url) => `${url}/mcp`))

/** Saves a login at a server in a state folder. */
const saved = (state: string, server: string, token: string) => {
  const issuer = "https://login.test"
  return Effect.flatMap(StateFolder.StateFolder, (folder) =>
    Grant.save(Grant.grants(folder), {
      server,
      account: "default",
      issuer,
      method: "browser",
      metadata: { issuer, token_endpoint: `${issuer}/token` },
      client: { origin: "registered", id: "c", redirects: [] },
      access: Redacted.make(token),
      obtainedAt: Date.now()
    })).pipe(Effect.provide(StateFolder.layerAt(state)))
}

const configured = (mcpServers: object, lifeline: object = {}) => file(JSON.stringify({ lifeline, mcpServers }))

const good = (extra: object = {}) =>
  JSON.stringify({ mcpServers: { who: { command: process.execPath, args: [script], ...extra } } })

describe.concurrent("mcp-lifeline check", () => {
  test.scopedLive(
    "[G2] shows what each entry resolves to and what is wrong, and starts nothing",
    function*() {
      const path = yield* file(`{ "lifeline": { "sessions": "per-client" }, "mcpServers": {
"files": { "command": ["npx", "-y"], "args": ["files", "\${ROOT}"], "env": { "KEY": "s3cret-env-value", "LANG": null }, "trust": true,
  "keepalive": { "method": "none" } },
"docs": { "url": "https://user:s3cret-user@host.example/mcp?key=s3cret-query", "headers": { "Authorization": "Bearer s3cret-header" },
  "protocol": "2025", "http": { "maxSockets": 2 }, "lifeline": { "sessions": "shared", "placement": "one", "prefix": "d_" } },
"many": { "command": "x", "maxMemory": "1 GB", "stdio": { "termGrace": "1 s" },
  "includeTools": ["read(a)", "write"] },
"off": { "command": "x", "enabled": false },
"bad": { "command": "x",
  "args": ["\${NOT_SET_ANYWHERE}"] }
} }`)
      const { code, stderr, stdout } = yield* Program.run(["check", path], { ROOT: "/data" })
      expect(code).toBe(1)
      expect(stdout.split("\n")).toEqual([
        "files  stdio  npx -y files /data",
        "         env: KEY=***, LANG is unset",
        '         keepalive.method: "none"',
        '         sessions: "per-client"',
        "docs   http   https://host.example/mcp",
        "         headers: Authorization=***",
        '         protocol: "2025"',
        "         http.maxSockets: 2",
        '         sessions: "shared"',
        '         placement: "one"',
        '         prefix: "d_"',
        "many   stdio  x",
        '         tools.only: ["read(a)","write"]',
        '         maxMemory: "1 GB"',
        '         stdio.termGrace: "1 s"',
        '         sessions: "per-client"',
        "off    stdio  x (disabled)",
        '         sessions: "per-client"',
        "bad    cannot be used, see below",
        ""
      ])
      expect(stderr.trimEnd().split("\n")).toEqual([
        `${path}:10: mcpServers.bad.args[0]: has \${NOT_SET_ANYWHERE}, which is not set; set NOT_SET_ANYWHERE in the environment or write `
        + "${NOT_SET_ANYWHERE:-default}",
        expect.stringMatching(/:1: lifeline\.sessions: clients of MCP 2026-07-28 have no sessions, .*: files, many$/),
        `${path}:2: mcpServers.files.trust: belongs to another program and has no effect here`
      ])
      expect(stdout + stderr).not.toContain("s3cret")
    }
  )

  test.scopedLive("[G2] a server that only Zed starts is no reason to fail", function*() {
    const text = `{ "context_servers": { "ext": { "source": "extension", "settings": {} } } }`
    const path = yield* file(text, "settings.json")
    const why = "is a server of an extension of Zed, which only Zed starts; it is left out here"
    const stderr = `${path}:1: context_servers.ext: ${why}\n`
    const expected = { code: 0, stdout: "ext  cannot be used, see below\n", stderr }
    expect(yield* Program.run(["check", path])).toMatchObject(expected)
  })

  test.scopedLive("[G2] --json says the same for programs; notices alone are no reason to fail", function*() {
    const path = yield* file(good({ trust: true }))
    const { code, stdout } = yield* Program.run(["check", path, "--json"])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      file: path,
      ok: true,
      servers: [{ name: "who", state: "enabled", line: 1, transport: "stdio", env: {} }],
      problems: [],
      notices: [{ line: 1, key: "mcpServers.who.trust" }]
    })
  })

  test.scopedLive("[G2] --connect tries each server, and says what it is or why it failed", function*() {
    const [node, lost] = [process.execPath, { command: "lifeline-no-such-program" }]
    const silent = { command: node, args: ["-e", "setInterval(() => {}, 1000)"], timeouts: { connect: "1s" } }
    const path = yield* configured({
      who: { command: node, args: [script], env: { WHO: "s3cret-value" } },
      lost,
      silent,
      off: { ...lost, disabled: true }
    })
    const { code, stdout } = yield* Program.run(["check", "--connect", "--json", path])
    expect(code).toBe(1)
    const { servers } = JSON.parse(stdout) as { servers: ReadonlyArray<Record<string, unknown>> }
    expect(servers.map(({ connected, name }) => [name, connected])).toEqual([
      ["who", { ok: true, server: "who 1", protocol: "2025-11-25", tools: 1 }],
      ["lost", { ok: false, error: expect.stringContaining("lifeline-no-such-program") }],
      ["silent", { ok: false, error: expect.any(String) }],
      ["off", undefined]
    ])
    expect(stdout).not.toContain("s3cret")
    const fine = yield* Program.run(["check", "--connect", yield* file(good())])
    expect(fine.code).toBe(0)
    expect(fine.stdout).toMatch(/^ +connected: who 1, MCP 2025-11-25, tools: 1$/m)
  })

  test.scopedLive("[G2] --connect looks behind wrap, which answers for a server that is gone, and in front of it", function*() {
    const path = yield* file("")
    const server = join(dirname(path), "who.mjs")
    const behind = ["wrap", "--", process.execPath, server]
    const entry = { command: process.execPath, args: [gateway, ...behind] }
    const moved = { ...entry, command: "/gone/bin/node" }
    writeFileSync(path, JSON.stringify({ mcpServers: { who: entry, moved } }))
    const state = { MCP_LIFELINE_STATE: join(dirname(path), "state") }
    const check = Effect.map(Program.run(["check", "--connect", "--json", path], state), ({ code, stdout }) => {
      const { servers } = JSON.parse(stdout) as { servers: ReadonlyArray<Record<string, any>> }
      return { code, servers: servers.map(({ behindWrap, connected }) => ({ behindWrap, connected })) }
    })
    copyFileSync(script, server)
    yield* Effect.promise(async () => {
      await using host = wrap(behind.slice(1), { state: state.MCP_LIFELINE_STATE })
      await host.initialize()
      await host.result("tools/list")
    })
    const behindWrap = `${process.execPath} ${server}`
    const fine = { ok: true, server: "who 1", protocol: "2025-11-25", tools: 1 }
    const why = /^the server answers, but wrap in front of it does not start: .*\/gone\/bin\/node/
    const unstarted = { behindWrap, connected: { ok: false, error: expect.stringMatching(why) } }
    expect(yield* check).toEqual({ code: 1, servers: [{ behindWrap, connected: fine }, unstarted] })
    rmSync(server)
    const gone = { behindWrap, connected: { ok: false, error: expect.stringContaining("exited with code 1") } }
    expect(yield* check).toEqual({ code: 1, servers: [gone, gone] })
  })

  test.scopedLive("[G2] [W7] --connect looks behind what adopt writes, with its headers, cwd, environment and secrets", function*() {
    const url = yield* guarded("Bearer s3cret-value")
    const path = yield* file("")
    const headers = { Authorization: "Bearer s3cret-value" }
    const local = { command: process.execPath, args: ["who.mjs"], cwd: dirname(path) }
    copyFileSync(script, join(dirname(path), "who.mjs"))
    writeFileSync(path, JSON.stringify({ mcpServers: { docs: { url, headers }, local } }))
    const adopted = yield* Program.run(["adopt", path, "--yes"])
    expect({ code: adopted.code, stderr: adopted.stderr }).toEqual({ code: 0, stderr: "" })
    const { mcpServers } = JSON.parse(readFileSync(path, "utf8"))
    expect(Object.keys(mcpServers.docs)).toEqual(["command", "args", "env"])
    const read = ["--secret", `TOKEN=${process.execPath} -p "'s3cret-value'"`]
    const args = [gateway, "wrap", ...read, "--header", "Authorization: Bearer ${TOKEN}", url]
    const secret = { command: process.execPath, args }
    const wrong = { ...mcpServers.docs, env: { MCP_LIFELINE_HEADER_AUTHORIZATION: "Bearer another-s3cret" } }
    writeFileSync(path, JSON.stringify({ mcpServers: { ...mcpServers, secret, wrong } }))
    const { code, stderr, stdout } = yield* Program.run(["check", "--connect", "--json", path])
    const { problems, servers } = JSON.parse(stdout)
    expect({ code, problems }).toEqual({ code: 1, problems: [] })
    const shown = ({ behindWrap, connected, name }: any) => [name, behindWrap, connected.ok, connected.server]
    expect(servers.map(shown)).toEqual([
      ["docs", url, true, "guarded 1"],
      ["local", `${process.execPath} who.mjs`, true, "who 1"],
      ["secret", url, true, "guarded 1"],
      ["wrong", url, false, undefined]
    ])
    expect(stdout + stderr).not.toContain("s3cret")
  })

  test.scopedLive("[G2] --connect starts what is behind wrap with all that wrap would have, and opens no browser", function*() {
    const url = yield* guarded("Bearer s3cret-value")
    const login = yield* AuthServer.make
    const browser = yield* Signer.browser(false)
    const path = yield* file("")
    const folder = join(dirname(path), "sub")
    mkdirSync(folder)
    writeFileSync(join(folder, "secret.mjs"), 'console.log("s3cret-value")')
    writeFileSync(join(folder, "headers.txt"), "Authorization: Bearer s3cret-value")
    const needs = `process.env.LIFELINE_TEST || process.exit(3); await import(${JSON.stringify(script)})`
    yield* saved(join(folder, "state"), url, "s3cret-value")
    const node = process.execPath
    const entry = (args: ReadonlyArray<string>, extra: object = {}) => ({
      ...{ command: node, args: [gateway, "wrap", ...args] },
      ...extra
    })
    const header = ["--header", "Authorization: Bearer ${TOKEN}", url]
    const behind = ["--", process.execPath, "--input-type=module", "-e", needs]
    const mcpServers = {
      inherited: entry(behind, { stdio: { inheritEnv: true } }),
      apart: entry(behind),
      secret: entry([`--secret=TOKEN=${process.execPath} secret.mjs`, ...header], { cwd: "sub" }),
      lines: entry(["--header-file", "headers.txt", url], { cwd: "sub" }),
      command: entry(header, { env: { TOKEN: { command: [process.execPath, "sub/secret.mjs"] } } }),
      state: entry([url], { cwd: "sub", env: { MCP_LIFELINE_STATE: "state" } }),
      browser: entry(["--browser", login.url], { env: { BROWSER: browser.command, CI: "" } }),
      hidden: { command: "sh", args: ["-c", `cd . && '${process.execPath}' '${gateway}' wrap -- node '${script}'`] }
    }
    writeFileSync(path, JSON.stringify({ mcpServers }))
    const { stderr, stdout } = yield* Program.run(["check", "--connect", "--json", path], { LIFELINE_TEST: "set" })
    const { problems, servers } = JSON.parse(stdout)
    expect(problems).toEqual([])
    const connect = { inherited: true, secret: true, lines: true, command: true, state: true }
    const connected = Object.fromEntries(servers.map(({ connected, name }: any) => [name, connected?.ok]))
    expect(connected).toEqual({ ...connect, apart: false, browser: false, hidden: undefined })
    expect(servers[6].connected.error).toContain("login")
    expect(browser.opened()).toEqual([])
    expect(stdout + stderr).not.toContain("s3cret")
  })

  test.scopedLive("[C18:real] --connect names options of tools that the server does not have, at their line", function*() {
    const who = JSON.stringify({ command: process.execPath, args: [script] }).slice(0, -1)
    const lines = [
      '{ "lifeline": { "tools": { "nobody": {} } }, "mcpServers": {',
      `  "a": ${who},`,
      '    "tools": {',
      '      "who": { "timeout": "1 min", "approval_mode": "approve" },',
      '      "whom": { "retry": "never" } } },',
      `  "b": ${who}, "lifeline": {`,
      '    "tools": {',
      '      "x*": {} } } }',
      "} }"
    ]
    const path = yield* file(lines.join("\n"))
    const oneLine = yield* file(good({ lifeline: { tools: { whom: {}, hide: ["x"] } } }))
    const tools = `${oneLine}:1: mcpServers.who.lifeline.tools`
    const { stderr } = yield* Program.run(["check", "--connect", oneLine])
    expect(stderr.split("\n").slice(1)).toEqual([
      `${tools}.whom: has no effect: the server has no such tool; did you mean "who"?`,
      `${tools}.hide: "x" fits no tool of the server, so it hides nothing (tools.hide)`,
      ""
    ])
    const { code, stdout } = yield* Program.run(["check", "--connect", "--json", path])
    expect(code).toBe(0)
    const { notices } = JSON.parse(stdout) as { notices: ReadonlyArray<Record<string, unknown>> }
    expect(notices).toEqual([
      { line: 4, key: "mcpServers.a.tools.who.approval_mode", message: expect.stringContaining("another program") },
      { line: 5, key: "mcpServers.a.tools.whom", message: expect.stringContaining('did you mean "who"?') },
      { line: 8, key: "mcpServers.b.lifeline.tools.x*", message: expect.stringContaining("no such tool") }
    ])
  })

  test.scopedLive("[G2] a value of a variable that sounds like a secret is not shown, wherever it stands", function*() {
    const a = { command: "x", args: ["${MY_TOKEN}", "a${input:some-input}b"], cwd: "${env:MY_TOKEN}" }
    const path = yield* file(JSON.stringify({ servers: { a } }))
    const env = { MY_TOKEN: "s3cret-token", SOME_INPUT: "s3cret-input" }
    const { code, stderr, stdout } = yield* Program.run(["check", path], env)
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toBe("a  stdio  x *** a***b\n     cwd: ***\n")
  })

  test.scopedLive("[G2] the secrets of a command line are not shown, also where it is one word for a shell", function*() {
    const line = (words: string) => ({ command: "sh", args: ["-c", words] })
    const path = yield* configured({
      words: { command: "mcp-lifeline", args: ["wrap", "--header", "X: s3cret-one ${WHO}", "http://h/"] },
      line: line("mcp-lifeline wrap --header 'X: s3cret-two' http://h/"),
      joined: line("cd /x && mcp-lifeline wrap --header='X: Bearer s3cret-three' http://h/"),
      after: line("mcp-lifeline wrap -- node a.mjs --api-key s3cret-four"),
      other: line("server --token 's3cret-five five'"),
      variable: line("TOKEN=abc/s3cret-six mcp-lifeline wrap -- node")
    })
    const { code, stderr, stdout } = yield* Program.run(["check", path], { WHO: "me-myself" })
    expect(code).toBe(0)
    expect(stdout + stderr).not.toContain("s3cret")
    expect(stdout).toContain("mcp-lifeline wrap --header 'X: ***' http://h/")
  })

  test.scopedLive("[G2] [G22] names what is wrong with the tokens of all clients, for which serve would not start", function*() {
    const token = "s3cret-of-16-characters"
    const inFiles = { b: { tokenFile: "b.token" }, c: { tokenFile: "gone" }, d: { tokenFile: "empty" } }
    const clients = { a: { token }, ...inFiles, e: { token: "another-s3cret-of-them" } }
    const path = yield* configured({ x: { command: "x" } }, { clients })
    writeFileSync(join(dirname(path), "b.token"), token)
    writeFileSync(join(dirname(path), "empty"), "\n")
    const { code, stderr, stdout } = yield* Program.run(["check", path])
    expect(code).toBe(1)
    const at = `${path}:1: lifeline.clients`
    const empty = `names ${join(dirname(path), "empty")}, which contains no token`
    expect(stderr.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/: lifeline\.clients\.c\.tokenFile: names \S+gone, which cannot be read: /),
      `${at}.d.tokenFile: ${empty}; write one into it, on one line and without spaces`,
      `${at}.b: has the same token as a; give each its own: openssl rand -base64 32`
    ])
    expect(stdout + stderr).not.toContain("s3cret")
  })

  test.scopedLive("[G2] exit codes: 1 for a file that is broken, missing or empty of servers, 2 for a wrong command line", function*() {
    const broken = yield* file("[mcp_servers.a\n", "config.toml")
    const first = yield* Program.run(["check", broken])
    expect(first).toMatchObject({ code: 1, stdout: "" })
    expect(first.stderr).toMatch(/config\.toml:1: not valid TOML: /)
    const missing = yield* Program.run(["check", "not/there.json"])
    expect(missing).toMatchObject({ code: 1, stdout: "" })
    expect(missing.stderr).toBe("mcp-lifeline: not/there.json: there is no such file; give one that exists\n")
    const empty = yield* Program.run(["check", yield* file(`{"mcpServers": {}}`)])
    expect(empty.code).toBe(1)
    expect(empty.stderr).toMatch(/mcp\.json:1: names no servers; add one$/m)
    const none = yield* Program.run(["check"], {}, dirname(broken))
    expect(none).toMatchObject({ code: 1, stdout: "" })
    expect(none.stderr).toContain("this folder contains no mcp.json")
    const here = yield* Program.run(["check"], {}, dirname(yield* file(good())))
    expect(here).toMatchObject({ code: 0, stderr: "" })
    expect(here.stdout).toContain("who")
    expect((yield* Program.run(["check", "a", "--bogus"])).code).toBe(2)
    const help = yield* Program.run(["check", "--help"])
    expect(help).toMatchObject({ code: 0, stderr: "" })
    expect(help.stdout).toContain("--connect")
  })
})
