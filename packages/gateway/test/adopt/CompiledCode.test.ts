import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { gateway, peer } from "../../../testing/test/support/Built.js"

let base = ""
beforeEach(() => (base = mkdtempSync(join(tmpdir(), "lifeline-adopted-"))))
afterEach(() => rmSync(base, { recursive: true, force: true }))

describe("the first start of wrap after adopt", () => {
  it("[W11:real] finds the program compiled", async () => {
    const state = join(base, "state")
    const own = { HOME: base, USERPROFILE: base, MCP_LIFELINE_STATE: state, NODE_DISABLE_COMPILE_CACHE: "" }
    const env = { ...process.env, ...own }
    const config = join(base, ".cursor", "mcp.json")
    mkdirSync(join(base, ".cursor"))
    writeFileSync(config, JSON.stringify({ mcpServers: { peer: { command: process.execPath, args: [peer] } } }))
    await promisify(execFile)(process.execPath, [gateway, "adopt", "--host", "cursor", "--yes"], { env, cwd: base })
    const code = join(state, "code")
    const [name, ...others] = readdirSync(code)
    expect([name, others]).toEqual([expect.stringMatching(/^program\.cjs-/), []])
    const before = statSync(join(code, name!))
    // What V8 has compiled when it compiles only what runs is a fraction of the text.
    expect(before.size).toBeGreaterThan(2 * statSync(join(gateway, "..", "program.cjs")).size)

    const args = [gateway, "wrap", "--", process.execPath, peer]
    const wrap = spawn(process.execPath, args, { env, stdio: ["pipe", "pipe", "ignore"] })
    const clientInfo = { name: "test", version: "1" }
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo }
    wrap.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })}\n`)
    await once(wrap.stdout, "data")
    wrap.stdin.end()
    await once(wrap, "exit")
    const { ino, mtimeMs, size } = statSync(join(code, name!))
    expect({ ino, mtimeMs, size }).toEqual({ ino: before.ino, mtimeMs: before.mtimeMs, size: before.size })
    expect(readdirSync(code)).toEqual([name])
  }, 60_000)
})
