// A server with one tool, which says with which arguments the server was started, and the version of its file.
const version = "first"
const { createInterface } = require("node:readline")
const tools = [{ name: "started", inputSchema: { type: "object" } }]

createInterface(process.stdin).on("line", (line) => {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) return
  /** @type {Readonly<Record<string, () => object>>} */
  const answers = {
    initialize: () => ({
      protocolVersion: params.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: "tool", version: "1" }
    }),
    "tools/list": () => ({ tools }),
    "tools/call": () => ({ content: [{ type: "text", text: JSON.stringify([version, ...process.argv.slice(2)]) }] })
  }
  const answer = answers[method]
  const outcome = answer === undefined ? { error: { code: -32601, message: "unknown" } } : { result: answer() }
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...outcome })}\n`)
})
