import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { connect, supervisedTransport } from "../../../promise/src/index.js"
import { everything } from "../../../testing/test/support/Built.js"
import { serveHere } from "../support/Gateway.js"
import { options, stateFolder, wrap } from "../support/Host.js"
import * as TestClient from "../support/TestClient.js"

const server = { command: process.execPath, args: [everything, "stdio"] }
const timeouts = { request: "10 seconds" } as const
const tool = { name: "trigger-elicitation-request", arguments: {} }
const capabilities = { elicitation: {} }

/** The user thinks for longer than the server has. */
const answered = async () => {
  await new Promise((resolve) => setTimeout(resolve, 11_000))
  return { action: "accept" as const, content: { name: "Ada" } }
}

const asked = () => {
  const client = new Client({ name: "test", version: "1" }, { capabilities })
  client.setRequestHandler(ElicitRequestSchema, answered)
  return client
}

const doors: Readonly<Record<string, () => Promise<unknown>>> = {
  connect: async () => {
    const client = await connect(server, { timeouts, handlers: { elicitation: answered } })
    const result = await client.callTool(tool)
    await client.close()
    return result
  },
  supervisedTransport: async () => {
    const client = asked()
    await client.connect(supervisedTransport(server, { timeouts }))
    const result = await client.callTool(tool)
    await client.close()
    return result
  },
  wrap: async () => {
    using state = stateFolder()
    await using host = wrap([...options("timeouts.request=10s"), "--", server.command, ...server.args], {
      state: state.path
    })
    await host.initialize(capabilities)
    const result = host.result("tools/call", tool)
    const question = await host.until(() => host.messages.find(({ method }) => method === "elicitation/create"))
    host.send({ jsonrpc: "2.0", id: question.id, result: await answered() })
    return await result
  },
  serve: () =>
    Effect.gen(function*() {
      const { base } = yield* serveHere({ s: { ...server, lifeline: { sessions: "per-client", timeouts } } })
      return yield* Effect.promise(async () => {
        const client = await TestClient.open(`${base}/mcp`, asked())
        const result = await client.callTool({ ...tool, name: `s__${tool.name}` })
        await client.close()
        return result
      })
    }).pipe(Effect.scoped, Effect.runPromise)
}

describe.concurrent.each(Object.entries(doors))("through %s", (_, call) => {
  it("[C21:real] the time in which the user is asked is not that of the call", async () => {
    expect(JSON.stringify(await call())).toContain("Ada")
  })
})
