/**
 * Serves a server: answers what it asks of a user, a model and a file system, and shows its log.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema
} from "@modelcontextprotocol/sdk/types.js"

const client = new Client({ name: "responder", version: "1.0.0" }, {
  capabilities: { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } }
})
client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///project", name: "work" }] }))
client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
  role: "assistant",
  model: "none",
  content: { type: "text", text: `an answer to ${params.messages.length} message` }
}))
client.setRequestHandler(ElicitRequestSchema, () => ({ action: "decline" }))
const logged = new Promise((resolve) => {
  client.setNotificationHandler(LoggingMessageNotificationSchema, () => resolve("there is a log"))
})
client.onclose = () => console.log("closed")

const server = JSON.parse(process.argv[2] ?? "{}")
const transport = new StdioClientTransport({ ...server, stderr: "ignore" })
await client.connect(transport)

const { tools } = await client.listTools()
for (const name of ["get-roots-list", "trigger-elicitation-request", "trigger-sampling-request"]) {
  if (!tools.some((tool) => tool.name === name)) throw new Error(`there is no ${name}`)
  const { content } = await client.callTool({ name, arguments: { prompt: "say something" } })
  console.log(name, JSON.stringify(content).replaceAll(/\d{4}-\d\d-\d\d[^"]*/g, ""))
}
await client.setLoggingLevel("debug")
await client.callTool({ name: "toggle-simulated-logging", arguments: {} })
console.log(await logged)
await client.close()
