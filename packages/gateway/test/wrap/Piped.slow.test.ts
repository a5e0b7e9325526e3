import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { gateway } from "../../../testing/test/support/Built.js"
import { type Message, stateFolder } from "../support/Host.js"
import { alive } from "../support/Program.js"
import { listing, scripted } from "../support/Scripted.js"

/** A server whose start and whose tool `slow` take so long. */
const slow = (text: string, [start, call]: readonly [number, number]) =>
  scripted(
    `console.error("a line")
    setTimeout(() => send(said(${text})), name === "slow" ? ${call} : 0)`,
    "",
    {
      capabilities: { tools: {} },
      before: `if (method === "initialize") await new Promise((resolve) => setTimeout(resolve, ${start}))
      ${listing("slow", "other")}`
    }
  )
const server = slow('"x"', [2000, 3000])

const requests = [
  {
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "pipe", version: "1" } }
  },
  { method: "notifications/initialized" },
  { id: 2, method: "tools/call", params: { name: "slow", arguments: {} } },
  { id: 3, method: "tools/call", params: { name: "other", arguments: {} } }
].map((message) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`).join("")

/** How long the texts of two answers are, in bytes, and how many are read in a second: twice as many as are too few. */
const [length, rate] = [4 * 2 ** 20, 2 ** 19]

const commands: Readonly<Record<string, (folder: string) => ReadonlyArray<string>>> = {
  wrap: () => ["wrap", ...server],
  "serve --stdio": (folder) => {
    const file = join(folder, "mcp.json")
    const [, command, ...args] = server
    writeFileSync(file, JSON.stringify({ mcpServers: { s: { command, args } }, lifeline: { prefix: "" } }))
    return ["serve", "--stdio", "--config", file, "--linger", "1"]
  }
}

describe.each(Object.entries(commands))("%s", (name, command) => {
  it("[W5] answers each request that was piped in, and ends", async () => {
    using state = stateFolder()
    const child = spawn(process.execPath, [gateway, ...command(state.path)], {
      env: { ...process.env, MCP_LIFELINE_STATE: state.path },
      stdio: ["pipe", "pipe", "inherit"]
    })
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
    child.stdin.end(requests)
    const [code] = await once(child, "close") as [number]
    const answers = text.trim().split("\n").map((line) => JSON.parse(line) as Message)
    const answerTo = (id: number) => answers.find((one) => one.id === id)
    const withA = (member: string, value: unknown) =>
      expect.objectContaining({ result: expect.objectContaining({ [member]: value }) })
    expect([name, code, answerTo(1), answerTo(2), answerTo(3)]).toEqual([
      name,
      0,
      withA("protocolVersion", expect.any(String)),
      withA("content", [expect.anything()]),
      withA("content", [expect.anything()])
    ])
  }, 120_000)
})

describe("a host that reads slowly", () => {
  it("[W5] gets its answer whole, though it has closed its end", async () => {
    using state = stateFolder()
    const child = spawn(process.execPath, [gateway, "wrap", ...slow(`"x".repeat(${length})`, [0, 0])], {
      env: { ...process.env, MCP_LIFELINE_STATE: state.path },
      stdio: ["pipe", "pipe", "inherit"]
    })
    let bytes = 0
    child.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length
      child.stdout.pause()
      setTimeout(() => child.stdout.resume(), 1000 * chunk.length / rate)
    })
    child.stdin.end(requests)
    await once(child, "close")
    expect(bytes).toBeGreaterThan(2 * length)
  }, 120_000)
})

describe.skipIf(process.platform === "win32").each(Object.entries(commands))("%s without its host", (_, command) => {
  // Its stdin is that of the host, which stays open.
  it.each(["pipe", 0] as const)(
    "[W5] goes on where nobody reads stderr, and ends with its host (stdin: %s)",
    async (stdin) => {
      using state = stateFolder()
      const args = JSON.stringify([gateway, ...command(state.path)])
      const host = spawn(process.execPath, [
        "-e",
        `const stdio = [${JSON.stringify(stdin)}, "pipe", "pipe"]
       const child = require("node:child_process").spawn(process.execPath, ${args}, { stdio })
       child.stderr.destroy()
       child.stdin?.write(${JSON.stringify(requests)})
       let text = ""
       child.stdout.on("data", (chunk) => {
         text += chunk
         if (text.includes('"id":2,') && text.includes('"id":3,')) console.log(child.pid, text.includes("error"))
       })`
      ], { env: { ...process.env, MCP_LIFELINE_STATE: state.path }, stdio: ["pipe", "pipe", "inherit"] })
      if (stdin === 0) host.stdin.write(requests)
      const [line] = await once(host.stdout, "data") as [Buffer]
      const [pid, hasFailed] = String(line).trim().split(" ")
      expect([alive(Number(pid)), hasFailed]).toEqual([true, "false"])
      host.kill("SIGKILL")
      await expect.poll(() => alive(Number(pid)), { timeout: 60_000 }).toBe(false)
    },
    120_000
  )
})
