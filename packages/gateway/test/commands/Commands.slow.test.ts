import { Effect } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { everything, gateway } from "../../../testing/test/support/Built.js"
import { folder } from "../../../testing/test/support/folder.js"
import { ask, isConnected, serve, untilStatus } from "../support/Gateway.js"
import { inTerminal } from "../support/inTerminal.js"
import * as Program from "../support/Program.js"
import { bare } from "../support/Served.js"
import { describe, expect, test } from "../support/vitest.js"

const { resolve } = createRequire(import.meta.url)
const node = process.execPath
const every = { command: node, args: [everything, "stdio"] }
const memory = { command: node, args: [resolve("@modelcontextprotocol/server-memory/dist/index.js")] }

const withInput = (input: string, args: ReadonlyArray<string>, env: Record<string, string>) =>
  Effect.async<{ readonly code: number | null; readonly stdout: string }>((resume) => {
    const environment = { ...process.env, ...env }
    const child = spawn(node, [gateway, ...args], { env: environment, stdio: ["pipe", "pipe", "ignore"] })
    let stdout = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => stdout += chunk)
    child.on("close", (code) => resume(Effect.succeed({ code, stdout })))
    child.stdin.end(input)
  })

describe.concurrent("commands that ask a running gateway", () => {
  test.scopedLive("[G1] each finds the gateway and prints for people, or JSON", function*() {
    const long = "a-server-with-a-long-name"
    const servers = { every, missing: { command: "/no/such/program" }, [long]: { command: "none", disabled: true } }
    const { base, command, env } = yield* serve(servers)
    yield* untilStatus(base, isConnected, "every")
    yield* untilStatus(base, ({ state }) => state === "PermanentlyFailed", "missing")

    const status = yield* command("status")
    expect(status).toMatchObject({ code: 0, stderr: "" })
    expect(status.stdout).toMatch(/│ every +│ Connected +│/)
    expect(status.stdout).toContain("Then reconnect it.")
    expect(status.stdout, "names are whole, so that grep finds them").toMatch(new RegExp(`│ ${long} +│ Disabled +│`))
    expect(status.stdout).not.toContain("\u001B")
    expect(JSON.parse((yield* command("status", "--json")).stdout).servers).toHaveLength(3)

    expect((yield* command("tools", "every")).stdout).toMatch(/│ every__echo +│ Echoes back/)
    expect((yield* command("tools", "every__echo")).stdout).toContain('"message"')
    const echo = expect.objectContaining({ name: "every__echo", server: "every" })
    expect(JSON.parse((yield* command("tools", "--json")).stdout)).toContainEqual(echo)
    expect(yield* command("tools", "nobody")).toMatchObject({ code: 1, stdout: "" })

    const called = yield* command("call", "every__echo", '{"message": "hi"}')
    expect(called).toMatchObject({ code: 0, stdout: "Echo: hi\n", stderr: "" })
    const sum = { code: 0, stdout: expect.stringContaining("The sum of 1 and 2 is 3.") }
    expect(yield* withInput('{"a": 1, "b": 2}', ["call", "every__get-sum", "-", "--json"], env)).toMatchObject(sum)
    expect(yield* command("call", "every__echo")).toMatchObject({ code: 1 })
    const nobody = { code: 1, stdout: "", stderr: expect.stringContaining("nobody__echo") }
    expect(yield* command("call", "nobody__echo")).toMatchObject(nobody)
    expect(yield* command("call", "every__echo", "[]")).toMatchObject({ code: 2, stdout: "" })
  })

  test.scopedLive("[G1] reconnect, disable and enable act on a server, and logs tell of it as it happens", function*() {
    const { base, command, env } = yield* serve({ every })
    yield* untilStatus(base, isConnected, "every")
    const follower = yield* Program.start(["logs", "--follow", "--server", "every"], env)
    yield* follower.prints(/Connected {2}generation 1/)
    const again = { code: 0, stdout: "every: Connected, generation 2\n" }
    expect(yield* command("reconnect", "every")).toMatchObject(again)
    expect(yield* command("disable", "every")).toMatchObject({ code: 0, stdout: "every: Disabled\n" })
    expect(yield* command("enable", "every")).toMatchObject({ code: 0, stdout: "every: Connected, generation 3\n" })
    const nobody = { code: 1, stderr: expect.stringMatching(/^mcp-lifeline: there is no server "nobody"[^\n]*\n$/) }
    expect(yield* command("enable", "nobody")).toMatchObject(nobody)
    yield* follower.prints(/generation 2[^]*Disabled[^]*generation 3/)
    const lines = follower.stdout().trim().split("\n")
    expect(new Set(lines).size).toBe(lines.length)
    const { stdout } = yield* command("logs", "--json", "--limit", "2")
    const last = stdout.trim().split("\n").map((line) => JSON.parse(line))
    const text = expect.any(String)
    const line = { at: expect.any(Number), server: text, level: "info", text, publicText: text }
    expect(last).toEqual([line, line])
  })

  test.scopedLive("[G1] with no gateway the exit code is 3 and the message says what to do; of several one is to be chosen", function*() {
    const first = yield* serve({ memory })
    const second = yield* serve({ memory }, [], first.env)
    const several = yield* first.command("status", "--json")
    expect(several).toMatchObject({ code: 2, stdout: "" })
    expect(several.stderr).toContain(first.base)
    expect(several.stderr).toContain("choose one with --url or --config")
    const pidOf = ({ stdout }: { readonly stdout: string }) => JSON.parse(stdout).gateway.pid
    expect(pidOf(yield* first.command("status", "--json", "--config", second.file))).toBe(second.program.pid)
    expect(pidOf(yield* first.command("status", "--json", "--url", `${first.base}/mcp`))).toBe(first.program.pid)
    // One ends in order and takes itself out, the other cannot.
    second.program.signal("SIGTERM")
    yield* second.program.ended
    expect(pidOf(yield* first.command("status", "--json"))).toBe(first.program.pid)
    const gateways = join(first.env.MCP_LIFELINE_STATE, "gateways")
    expect(readdirSync(gateways)).toHaveLength(1)
    Program.kill(first.program.pid)
    yield* Program.gone(first.program.pid)
    const stderr = "mcp-lifeline: no gateway of this user runs; start one with: mcp-lifeline serve --config FILE\n"
    for (const line of ["status", "top", "tools", "call x", "logs", "reconnect x", "disable x"]) {
      expect(yield* first.command(...line.split(" "))).toEqual({ code: 3, signal: null, stdout: "", stderr })
    }
    expect(readdirSync(gateways)).toEqual([])
    expect(yield* first.command("status", "--url", first.base)).toMatchObject({ code: 3 })
  })

  test.scopedLive("[G1] a token that is given counts, also for a gateway of one's own, however it is chosen", function*() {
    const token = "token-of-the-gateway"
    const { base, env } = yield* serve({ memory }, [], { MCP_LIFELINE_TOKEN: token })
    for (const chosen of [[], ["--url", base]]) {
      const status = (given: string) => Program.run(["status", ...chosen], { ...env, MCP_LIFELINE_TOKEN: given })
      const why = "it does not accept the token in MCP_LIFELINE_TOKEN; give another one, or none"
      const refused = { code: 1, stderr: expect.stringContaining(why) }
      expect(yield* status("another-token-as-long")).toMatchObject(refused)
      expect(yield* status(token)).toMatchObject({ code: 0 })
      expect(yield* status("")).toMatchObject({ code: 0 })
    }
  })

  test.scopedLive("[G1] top shows the servers as they change, and q ends it", function*() {
    const { base, env } = yield* serve({ every })
    const { pid } = yield* untilStatus(base, isConnected, "every")
    const command = `stty cols 150 rows 40; exec ${node} ${gateway} top`
    const top = yield* inTerminal(command, { TERM: "xterm", ...env })
    yield* Program.eventually(() => top.shown().includes("Connected") ? true : undefined)
    Program.kill(pid)
    yield* Program.eventually(() => /│ 2 +│/.test(top.shown()) ? true : undefined)
    top.child.stdin.write("q")
    expect(yield* Effect.promise(() => top.ended)).toBe(0)
    const piped = yield* Program.run(["top"], env)
    expect(piped).toMatchObject({ code: 2, stderr: expect.stringContaining("top needs a terminal") })
  })

  test.live.each(["bash", "zsh", "fish"])("completions for %s know the commands", function*(shell) {
    const { code, stdout } = yield* Program.run(["--completions", shell])
    expect(code).toBe(0)
    for (const name of ["serve", "status", "call", "reconnect"]) expect(stdout).toContain(name)
  })
})

describe.concurrent("the token of the gateway", () => {
  test.scopedLive("[G6] one is made where other machines are let in: it is needed, and stands in no log and no list of processes", function*() {
    const noToken = { MCP_LIFELINE_TOKEN: "" }
    const { base, command, env, program } = yield* serve({ memory }, ["--host", "0.0.0.0"], noToken)
    const gateways = join(env.MCP_LIFELINE_STATE, "gateways")
    const [file = ""] = readdirSync(gateways)
    expect(statSync(join(gateways, file)).mode & 0o777).toBe(0o600)
    const { token, url } = JSON.parse(readFileSync(join(gateways, file), "utf8"))
    expect(url).toBe(base.replace("0.0.0.0", "127.0.0.1"))
    expect(token).toMatch(/^[\w-]{43}$/)
    expect(yield* bare(`${url}/api/status`, "GET", {})).toMatchObject({ status: 401 })
    const ok = { status: 200 }
    expect(yield* bare(`${url}/api/status`, "GET", { authorization: `Bearer ${token}` })).toMatchObject(ok)
    const status = yield* command("status", "--json")
    expect(status.code).toBe(0)
    yield* program.prints(/A token was made for this run/)
    const processes = execFileSync("ps", ["-A", "-ww", "-o", "args="], { encoding: "utf8" })
    expect(program.stdout() + program.stderr() + status.stdout + status.stderr + processes).not.toContain(token)
    program.signal("SIGTERM")
    yield* program.ended
    expect(readdirSync(gateways)).toEqual([])
  })

  test.scopedLive("[G6] it is read from a file, and a file without one is an error that names it", function*() {
    const path = yield* folder
    const [good, bad] = [join(path, "token"), join(path, "empty")]
    writeFileSync(good, "  a-token-of-ours-alone\n")
    writeFileSync(bad, "\n")
    const { base } = yield* serve({ memory }, ["--token-file", good], { MCP_LIFELINE_TOKEN: "another" })
    const asked = (token: string) => bare(`${base}/api/status`, "GET", { authorization: `Bearer ${token}` })
    expect(yield* asked("a-token-of-ours-alone")).toMatchObject({ status: 200 })
    expect(yield* asked("another")).toMatchObject({ status: 401 })
    for (const file of [bad, join(path, "missing")]) {
      const { code, stderr } = yield* Program.run(["serve", "--port", "0", "--token-file", file])
      expect({ code, lines: stderr.trim().split("\n").length }).toEqual({ code: 1, lines: 1 })
      expect(stderr).toContain(file)
    }
    expect((yield* ask(`${base}/api/status`)).status).toBe(401)
  })
})
