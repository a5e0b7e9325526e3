/**
 * A server over stdio with one tool, `count`: it writes the key of each call to a file, and answers with its count, its process, and the process
 * that has started it.
 *
 *     node server.mjs NAME FILE
 */
import { appendFileSync } from "node:fs"
import { createInterface } from "node:readline"

const [, , name = "", file = ""] = process.argv
let count = 0

/** @type {Record<string, (params: any) => object>} */
const methods = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name, version: "1" }
  }),
  "tools/list": () => ({ tools: [{ name: "count", inputSchema: { type: "object" } }] }),
  "tools/call": ({ arguments: { key } }) => {
    appendFileSync(file, `${key}\n`)
    count++
    return { content: [{ type: "text", text: JSON.stringify({ count, pid: process.pid, parent: process.ppid }) }] }
  },
  ping: () => ({})
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) return
  const answer = methods[method]
  const rest = answer === undefined ? { error: { code: -32601, message: method } } : { result: answer(params ?? {}) }
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...rest })}\n`)
})
