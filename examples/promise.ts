/**
 * The Promise facade: connect, kill the server, call again.
 *
 * Run it with `npx --yes pnpm@10.34.8 --filter @mcp-lifeline/examples run promise`, after
 * `npx --yes pnpm@10.34.8 build`.
 */
import { connect } from "@mcp-lifeline/client"

await using everything = await connect({ command: "npx", args: ["-y", "@modelcontextprotocol/server-everything"] }, {
  timeouts: { wait: "1 minute" } // a call waits this long for the server to come back
})

const echo = async (message: string) => {
  const { content } = await everything.callTool({ name: "echo", arguments: { message } })
  console.log(content, everything.status.generation)
}
await echo("hello")

process.kill(everything.status.peer!.pid!, "SIGKILL")
for await (const { state } of everything.statusChanges()) if (state !== "Connected") break

// The same client goes on: this call waits for the next connection.
await echo("hello again")
