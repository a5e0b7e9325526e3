"use strict"
/**
 * An MCP server with a tree of processes: a child, one in a group of its own, and one whose parent has exited. Its tool says the ids of all.
 *
 *     node tree.cjs server plain|stubborn|tidy [file]
 */
const { spawn } = require("node:child_process")
const { writeFileSync } = require("node:fs")
const [role = "", kind = "", file = ""] = process.argv.slice(2)

/** @param {string} role @param {import("node:child_process").SpawnOptions} options */
const start = (role, options) => {
  const child = spawn(process.execPath, [__filename, role], { windowsHide: true, ...options })
  child.unref()
  return child
}
/** @param {boolean} detached */
const startIdle = (detached) => start("idle", { detached, stdio: "ignore" })

const serve = () => {
  const between = start("between", { stdio: ["ignore", "pipe", "ignore"] })
  const pids = new Promise((resolve) => {
    let text = ""
    between.stdout?.on("data", (chunk) => {
      text += chunk
    })
    between.on("close", () => resolve([process.pid, startIdle(false).pid, startIdle(true).pid, Number(text)]))
  })
  let text = ""
  /** @param {{ readonly id?: number, readonly method: string }} request */
  const answer = async ({ id, method }) => {
    if (id === undefined) return
    const result = method === "initialize"
      ? { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "tree", version: "1.0.0" } }
      : method === "tools/list"
      ? { tools: [{ name: "tree", inputSchema: { type: "object" } }] }
      : method === "tools/call"
      ? { content: [{ type: "text", text: JSON.stringify(await pids) }] }
      : {}
    process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`)
  }
  process.stdin.on("data", (chunk) => {
    text += chunk
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      void answer(JSON.parse(text.slice(0, end)))
      text = text.slice(end + 1)
    }
  })
  if (kind === "stubborn") setInterval(() => {}, 1000)
  if (kind === "tidy") process.stdin.on("end", () => setTimeout(() => writeFileSync(file, "ended"), 500))
}

if (role === "idle") setInterval(() => {}, 1000)
else if (role === "between") process.stdout.write(String(startIdle(true).pid))
else serve()
