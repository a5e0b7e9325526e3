/** `node verdicts.mjs [deaf (it ignores pings) | FILE (which it makes before it blocks)]`. Its tools answer with its process id. */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"

const [, , file] = process.argv
const isDeaf = file === "deaf"

/** @type {Readonly<Record<string, (millis: number) => unknown>>} */
const works = {
  pid: () => {},
  /** Other requests are answered meanwhile. */
  sleep: (millis) => sleep(millis),
  /** Nothing is answered meanwhile. */
  spin: (millis) => {
    const end = performance.now() + millis
    while (performance.now() < end);
  },
  /** Nothing is answered any more. */
  block: () => {
    if (file !== undefined) writeFileSync(file, "")
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  },
  child: (millis) => execFileSync("sleep", [String(millis / 1000)])
}

const tools = Object.keys(works).map((name) => ({ name, inputSchema: { type: "object" } }))

/** @param {object} message */
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined || (method === "ping" && isDeaf)) return
  switch (method) {
    case "initialize":
      return send({
        id,
        result: {
          protocolVersion: params.protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: "verdicts", version: "1" }
        }
      })
    case "ping":
      return send({ id, result: {} })
    case "tools/list":
      return send({ id, result: { tools } })
    case "tools/call":
      await works[params.name]?.(params.arguments?.millis ?? 0)
      return send({ id, result: { content: [{ type: "text", text: String(process.pid) }] } })
    default:
      return send({ id, error: { code: -32_601, message: "Method not found" } })
  }
})
