// A server whose name says where it runs, and which variables it has that are called ONE or, in any case, PATH.
const { createInterface } = require("node:readline")

createInterface(process.stdin).on("line", (line) => {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) return
  const variables = Object.entries(process.env).filter(([name]) => /^(one|path)$/i.test(name)).toSorted()
  const name = [process.cwd(), ...variables.map((pair) => pair.join("="))].join("|")
  const result = {
    protocolVersion: params.protocolVersion,
    capabilities: {},
    serverInfo: { name, version: "1" }
  }
  const outcome = method === "initialize" ? { result } : { error: { code: -32601, message: "unknown" } }
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...outcome })}\n`)
})
