/**
 * An agent without a model: works through a plan of tool calls, looks at each result, and gives up on an error.
 */
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { connect } from "./official.js"

const textOf = (result: CallToolResult): string =>
  result.content.map((part) => part.type === "text" ? part.text : `(${part.type})`).join("\n")

const client = await connect(JSON.parse(process.argv[2] ?? "{}"))
const { tools } = await client.listTools()
const can = new Set(tools.map(({ name }) => name))

const plan = ["readme", "changelog", "license", "readme"]
for (const key of plan) {
  if (!can.has("look")) throw new Error("this server cannot look")
  const result = await client.callTool({ name: "look", arguments: { key } }, undefined, {
    timeout: 10_000,
    resetTimeoutOnProgress: true,
    onprogress: ({ progress }) => {
      if (progress > 1) console.log(`${key}: ${progress}`)
    }
  }) as CallToolResult
  console.log(`${key}: ${textOf(result) === "" ? "nothing" : "something"}`)
}
await client.close()
console.log("done")
