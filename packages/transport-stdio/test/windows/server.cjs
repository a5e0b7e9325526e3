"use strict"
/** An MCP server whose only tool says with what arguments it was started. */
let text = ""
/** @param {{ readonly id?: number, readonly method: string }} request */
const answer = ({ id, method }) => {
  if (id === undefined) return
  const result = method === "initialize"
    ? { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "arguments", version: "1.0.0" } }
    : method === "tools/call"
    ? { content: [{ type: "text", text: JSON.stringify(process.argv.slice(2)) }] }
    : {}
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`)
}
process.stdin.on("data", (chunk) => {
  text += chunk
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
    answer(JSON.parse(text.slice(0, end)))
    text = text.slice(end + 1)
  }
})
