import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { connectOptions, server, temporary } from "./support.js"

export const sdkServer = (legacy: "serve" | "reject", onStart: () => void, startDelay = 0): StdioConnector.Options => ({
  command: process.execPath,
  args: [
    "--input-type=module",
    "-e",
    `
import { McpServer } from "@modelcontextprotocol/server"
import { serveStdio } from "@modelcontextprotocol/server/stdio"
console.error("started")
await new Promise((resolve) => setTimeout(resolve, ${startDelay}))
serveStdio(() => {
  const server = new McpServer({ name: "both", version: "1" })
  server.registerTool("pid", {}, () => ({ content: [{ type: "text", text: String(process.pid) }] }))
  return server
}, { legacy: "${legacy}" })
`
  ],
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  stderr: (line) => {
    if (line === "started") onStart()
  }
})

export const journaled = (faults: StdioFaultServer.Options) =>
  Effect.gen(function*() {
    const journal = join(yield* temporary, "journal")
    const connector = StdioConnector.make(server({ ...faults, journal }))
    const connect = connector.connect(connectOptions)
    const count = (event: string) => StdioFaultServer.count(journal, event)
    return {
      connector,
      counts: () => ({ start: count("start"), discover: count("discover"), initialize: count("initialize") }),
      version: Effect.scoped(Effect.map(connect, ({ protocolVersion }) => protocolVersion)),
      refusal: Effect.scoped(Effect.flip(connect))
    }
  })
