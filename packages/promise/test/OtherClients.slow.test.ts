import { createMCPClient } from "@ai-sdk/mcp"
import { loadMcpTools } from "@langchain/mcp-adapters"
import type { Server, Supervision } from "@mcp-lifeline/client"
import { connect, supervisedTransport } from "@mcp-lifeline/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { assert, describe, it } from "vitest"
import * as Everything from "./fixtures/Everything.js"

interface Target extends AsyncDisposable {
  readonly server: Server
  readonly kill: (supervision: Supervision | undefined) => Promise<void>
}

const targets: Readonly<Record<string, () => Promise<Target>>> = {
  stdio: () =>
    Promise.resolve({
      server: Everything.stdio,
      // A call that is sent before the loss is known may have been carried out, and is not sent again.
      kill: async (supervision) => {
        if (supervision === undefined) assert.fail("not supervised")
        const { generation, peer } = supervision.status
        process.kill(peer?.pid ?? assert.fail("no process"), "SIGKILL")
        for await (const status of supervision.statusChanges()) {
          if (status.state !== "Connected" || status.generation > generation) return
        }
      },
      [Symbol.asyncDispose]: () => Promise.resolve()
    }),
  HTTP: async () => {
    const http = await Everything.HttpServer.start()
    return {
      server: { url: http.url },
      kill: async () => {
        await http.kill()
        await http.start()
      },
      [Symbol.asyncDispose]: () => http.kill()
    }
  }
}

describe.each(Object.keys(targets))("a server over %s that is killed", (kind) => {
  const start = (): Promise<Target> => targets[kind]!()

  it("[F3] @ai-sdk/mcp goes on with the tools that it has", async () => {
    await using target = await start()
    const transport = supervisedTransport(target.server)
    const client = await createMCPClient({ transport })
    try {
      const tools = await client.tools()
      const echo = async (message: string): Promise<unknown> => {
        const tool = tools["echo"] ?? assert.fail("no such tool")
        return await tool.execute({ message }, { toolCallId: "1", messages: [] })
      }
      assert.include(JSON.stringify(await echo("one")), "Echo: one")
      await target.kill(transport.supervision)
      assert.include(JSON.stringify(await echo("two")), "Echo: two")
      assert.isNotEmpty((await client.listResources()).resources)
      assert.isAtLeast(transport.supervision?.status.generation ?? 0, 2)
    } finally {
      await client.close()
    }
    assert.strictEqual(transport.supervision?.status.state, "Closed")
  })

  it("[F3] @langchain/mcp-adapters goes on with the tools that it has", async () => {
    await using target = await start()
    const client = new Client({ name: "an-agent", version: "1.0.0" })
    const transport = supervisedTransport(target.server)
    await client.connect(transport)
    try {
      const tools = await loadMcpTools("everything", client)
      const echo = (message: string): Promise<unknown> =>
        tools.find(({ name }) => name === "echo")?.invoke({ message }) ?? assert.fail("no such tool")
      assert.include(JSON.stringify(await echo("one")), "Echo: one")
      await target.kill(transport.supervision)
      assert.include(JSON.stringify(await echo("two")), "Echo: two")
    } finally {
      await client.close()
    }
  })

  it("[F2:real] @langchain/mcp-adapters takes a supervised client in place of the official one", async () => {
    await using target = await start()
    await using client = await connect(target.server)
    const tools = await loadMcpTools("everything", client as never)
    const echo = (message: string): Promise<unknown> =>
      tools.find(({ name }) => name === "echo")?.invoke({ message }) ?? assert.fail("no such tool")
    assert.include(JSON.stringify(await echo("one")), "Echo: one")
    await target.kill(client)
    assert.include(JSON.stringify(await echo("two")), "Echo: two")
  })
})
