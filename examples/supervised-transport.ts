/**
 * The official Client, which knows nothing of lost connections, over a transport that survives them.
 *
 * Run it with `npx --yes pnpm@10.34.8 --filter @mcp-lifeline/examples run supervised-transport`, after
 * `npx --yes pnpm@10.34.8 build`.
 */
import { supervisedTransport } from "@mcp-lifeline/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"

const transport = supervisedTransport({ command: "npx", args: ["-y", "@modelcontextprotocol/server-everything"] }, {
  timeouts: { wait: "1 minute" } // a call waits this long for the server to come back
})
const client = new Client({ name: "an-agent", version: "1.0.0" })
await client.connect(transport)

const echo = async (message: string) => {
  const { content } = await client.callTool({ name: "echo", arguments: { message } })
  console.log(content, transport.supervision?.status.generation)
}
await echo("hello")

const { status } = transport.supervision!
process.kill(status.peer!.pid!, "SIGKILL")
for await (const { state } of transport.supervision!.statusChanges()) if (state !== "Connected") break

await echo("hello again")
await client.close()
