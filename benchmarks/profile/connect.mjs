/**
 * A program that makes calls through the facade, as many as its parent asks for.
 *
 *     node connect.mjs memory
 *     node connect.mjs stdio PROGRAM [ARGUMENT..]
 *     node connect.mjs http URL
 */
import { connect } from "@mcp-lifeline/client"
import { MemoryConnector } from "@mcp-lifeline/protocol"
import * as Echo from "../fixtures/echo.mjs"

const [transport, target = "", ...args] = process.argv.slice(2)
const client = await (transport === "memory"
  ? connect({ connector: MemoryConnector.make({ server: Echo.make }) })
  : transport === "http"
  ? connect({ url: target })
  : connect({ command: process.execPath, args: [target, ...args] }))
const params = { name: "echo", arguments: { message: "hi" } }

process.on("message", async (/** @type {unknown} */ calls) => {
  if (typeof calls !== "number") return
  for (let i = 0; i < calls; i++) await client.callTool(params)
  process.send?.({ question: "calls" })
})
process.once("disconnect", () => void client.close())
process.send?.({ question: "ready" })
