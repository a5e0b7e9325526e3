import { connect } from "@mcp-lifeline/client"
import { textOf } from "../answer.mjs"
import { entryOf } from "../target.mjs"

/** @type {import("../client.js").Client} */
export const client = {
  id: "lifeline",
  name: "Lifeline, connect",
  package: "@mcp-lifeline/client",
  transports: ["stdio", "http"],
  protocols: ["2025", "2026"],
  documentation: "docs/promise.md",
  open: async (target, { log, timeoutMs }) => {
    const client = await connect({ ...entryOf(target), timeouts: { connect: timeoutMs } }, {
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
