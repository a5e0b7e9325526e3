import { connect } from "@mcp-lifeline/client"
import { textOf } from "../answer.mjs"

/** @type {import("../client.js").Client} */
export const client = {
  id: "lifeline",
  name: "Lifeline, connect",
  package: "@mcp-lifeline/client",
  transports: ["stdio", "http"],
  protocols: ["2025", "2026"],
  documentation: "docs/promise.md",
  open: async (target, { log, timeoutMs }) => {
    const server = target.kind === "http"
      ? { url: target.url }
      : { command: target.command, args: target.args, env: target.env }
    const client = await connect({ ...server, timeouts: { connect: timeoutMs } }, {
      name: "bench",
      logger: (entry) => log(JSON.stringify(entry))
    })
    return {
      call: async (args, { timeoutMs }) =>
        textOf(await client.callTool({ name: "count", arguments: args }, undefined, { timeout: timeoutMs })),
      close: () => client.close()
    }
  }
}
