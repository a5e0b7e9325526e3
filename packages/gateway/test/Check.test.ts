import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Program from "./support/Program.js"

const script = fileURLToPath(new URL("fixtures/who.mjs", import.meta.url))

/** A file in a folder that goes with the scope. */
const file = (text: string, name = "mcp.json") =>
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lifeline-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  ).pipe(Effect.map((path) => {
    writeFileSync(join(path, name), text)
    return join(path, name)
  }))

const good = (extra: object = {}) =>
  JSON.stringify({ mcpServers: { who: { command: process.execPath, args: [script], ...extra } } })

describe.concurrent("mcp-lifeline check", () => {
  it.scopedLive(
    "[G2] shows what each entry resolves to and what is wrong, and starts nothing",
    () =>
      Effect.gen(function*() {
        const path = yield* file(`{ "lifeline": { "sessions": "per-client" }, "mcpServers": {
  "files": { "command": ["npx", "-y"], "args": ["files", "\${ROOT}"], "env": { "KEY": "s3cret-env-value", "LANG": null }, "trust": true,
    "keepalive": { "method": "none" } },
  "docs": { "url": "https://user:s3cret-user@host.example/mcp?key=s3cret-query", "headers": { "Authorization": "Bearer s3cret-header" },
    "lifeline": { "sessions": "shared", "placement": "one" } },
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
          '         sessions: "shared"',
          '         placement: "one"',
          "off    stdio  x (disabled)",
          '         sessions: "per-client"',
          "bad    cannot be used, see below",
          ""
        ])
        expect(stderr.trimEnd().split("\n")).toEqual([
          `${path}:8: mcpServers.bad.args[0]: has \${NOT_SET_ANYWHERE}, which is not set; set NOT_SET_ANYWHERE in the environment or write `
          + "${NOT_SET_ANYWHERE:-default}",
          expect.stringMatching(/:1: lifeline\.sessions: clients of MCP 2026-07-28 have no sessions, .*: files$/),
          `${path}:2: mcpServers.files.trust: belongs to another program and has no effect here`
        ])
        expect(stdout + stderr).not.toContain("s3cret")
      })
  )

  it.scopedLive(
    "[G2] --json says the same for programs; notices alone are no reason to fail",
    () =>
      Effect.gen(function*() {
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
  )

  it.scopedLive("[G2] --connect tries each server, and says what it is or why it failed", () =>
    Effect.gen(function*() {
      const path = yield* file(JSON.stringify({
        mcpServers: {
          who: { command: process.execPath, args: [script], env: { WHO: "s3cret-value" } },
          lost: { command: "lifeline-no-such-program" },
          silent: {
            command: process.execPath,
            args: ["-e", "setInterval(() => {}, 1000)"],
            timeouts: { connect: "1s" }
          },
          off: { command: "lifeline-no-such-program", disabled: true }
        }
      }))
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
    }))

  it.scopedLive("[C18:real] --connect names options of tools that the server does not have, at their line", () =>
    Effect.gen(function*() {
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
      const { code, stdout } = yield* Program.run(["check", "--connect", "--json", path])
      expect(code).toBe(0)
      const { notices } = JSON.parse(stdout) as { notices: ReadonlyArray<Record<string, unknown>> }
      expect(notices).toEqual([
        { line: 4, key: "mcpServers.a.tools.who.approval_mode", message: expect.stringContaining("another program") },
        { line: 5, key: "mcpServers.a.tools.whom", message: expect.stringContaining('did you mean "who"?') },
        { line: 8, key: "mcpServers.b.lifeline.tools.x*", message: expect.stringContaining("no such tool") }
      ])
    }))

  it.scopedLive(
    "[G2] a value of a variable that sounds like a secret is not shown, wherever it stands",
    () =>
      Effect.gen(function*() {
        const path = yield* file(JSON.stringify({
          servers: { a: { command: "x", args: ["${MY_TOKEN}", "a${input:some-input}b"], cwd: "${env:MY_TOKEN}" } }
        }))
        const env = { MY_TOKEN: "s3cret-token", SOME_INPUT: "s3cret-input" }
        const { code, stderr, stdout } = yield* Program.run(["check", path], env)
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
        expect(stdout).toBe("a  stdio  x *** a***b\n     cwd: ***\n")
      })
  )

  it.scopedLive(
    "[G2] exit codes: 1 for a file that is broken, missing or empty of servers, 2 for a wrong command line",
    () =>
      Effect.gen(function*() {
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
        expect((yield* Program.run(["check"])).code).toBe(2)
        expect((yield* Program.run(["check", "a", "--bogus"])).code).toBe(2)
        const help = yield* Program.run(["check", "--help"])
        expect(help).toMatchObject({ code: 0, stderr: "" })
        expect(help.stdout).toContain("--connect")
      })
  )
})
