// A real server, killed while it works on a call. Run it with `pnpm --filter ./scratchpad kill`.
import { connect } from "@mcp-lifeline/client"
import { StdioFaultServer } from "@mcp-lifeline/testing"

await using client = await connect(StdioFaultServer.command())
client.on("event", (event) => console.log(event._tag))

/** `read` may be carried out twice, `work` may not. */
const call = async (name: "read" | "work") => {
  const calling = client.callTool({ name, arguments: { key: name, millis: 500 } })
  setTimeout(() => process.kill(client.status.peer!.pid!, "SIGKILL"), 100)
  try {
    const { content } = await calling
    console.log(name, content, client.status.generation)
  } catch (error) {
    console.log(name, String(error), client.status.generation)
  }
}
await call("read")
await call("work")
