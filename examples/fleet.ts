/**
 * The servers of an mcp.json as one: a server that is down, as `docs` is here, holds up nothing.
 *
 * Run it with `npx --yes pnpm@10.34.8 --filter @mcp-lifeline/examples run fleet`, after `npx --yes pnpm@10.34.8 build`.
 */
import { connectAll, type FleetConfig } from "@mcp-lifeline/client"
import { readFile } from "node:fs/promises"

const config = JSON.parse(await readFile(new URL("fleet.mcp.json", import.meta.url), "utf8")) as FleetConfig

await using fleet = await connectAll(config, { keepalive: { interval: "1 minute" }, waitTimeout: "1 minute" })
for (const [name, { state }] of Object.entries(fleet.status)) console.log(name, state)

const { tools } = await fleet.listTools()
console.log(tools.some(({ name }) => name === "everything__echo"))
const { content } = await fleet.callTool({ name: "everything__echo", arguments: { message: "hello" } })
console.log(content)

try {
  await fleet.client("docs").listTools()
} catch (error) {
  console.log((error as Error).name)
}

// The file has changed: only the difference is started and stopped.
console.log(await fleet.apply({ mcpServers: { everything: config.mcpServers["everything"]! } }))
