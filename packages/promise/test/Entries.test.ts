import { connect, connectAll, supervisedTransport } from "@mcp-lifeline/client"
import type { Server } from "@mcp-lifeline/client"
import { MemoryConnector } from "@mcp-lifeline/protocol"
import { HttpFaultServer } from "@mcp-lifeline/testing"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { assert, describe, it } from "vitest"
import * as Everything from "./fixtures/Everything.js"
import { rejection } from "./fixtures/rejection.js"

const reconnect = { initialDelay: 50, demandInterval: 50 }

const docs = (): McpServer => {
  const server = new McpServer({ name: "docs", version: "1.0.0" })
  server.registerTool("hello", {}, () => ({ content: [{ type: "text", text: "hello" }] }))
  return server
}

const hello = [{ type: "text", text: "hello" }]

describe("a server that code describes", () => {
  it("[F2:real] a transport of the SDK is made anew for each connection, and closed with it", async () => {
    const made: Array<StdioClientTransport> = []
    const { args, command } = Everything.stdio
    const transport = () => {
      const one = new StdioClientTransport({ command, args: [...args ?? []] })
      made.push(one)
      return one
    }
    await using client = await connect({ transport }, { name: "docs", reconnect })
    const first = made[0]?.pid ?? assert.fail("not started")
    process.kill(first, "SIGKILL")
    for await (const { generation, state } of client.statusChanges()) {
      if (state === "Connected" && generation === 2) break
    }
    assert.isNotEmpty((await client.listTools()).tools)
    await client.close()
    assert.lengthOf(made, 2)
    assert.deepEqual(made.map(({ pid }) => pid), [null, null])
  })

  it("[F2:real] the SDK's own transport over HTTP: a lost session is made anew, and what was refused is sent again", async () => {
    await using server = await HttpFaultServer.open()
    const transport = () => new StreamableHTTPClientTransport(new URL(server.url)) as Transport
    await using client = await connect({ transport }, { reconnect })
    await client.listTools()
    server.sessions.clear()
    assert.isNotEmpty((await client.listTools()).tools)
    assert.strictEqual(client.status.generation, 2)
  })

  it("[F1 F3] a connector is taken by connect, connectAll and supervisedTransport", async () => {
    const server: Server = { connector: MemoryConnector.make({ server: docs }), calls: { failFast: true } }
    await using client = await connect(server)
    assert.deepEqual((await client.callTool({ name: "hello" })).content, hello)
    await using fleet = await connectAll({ mcpServers: { one: server } })
    assert.deepEqual((await fleet.callTool({ name: "one__hello" })).content, hello)
    const official = new Client({ name: "a", version: "1" })
    await official.connect(supervisedTransport(server))
    assert.deepEqual((await official.callTool({ name: "hello" })).content, hello)
    await official.close()
  })

  it("[F3 P4] the lists of a connector's server are read again when it announces a change", async () => {
    let server = docs()
    const connector = MemoryConnector.make({ server: () => server = docs() })
    await using client = await connect({ connector, discovery: { mode: "eager" } })
    const toolsAre = async (count: number) => {
      for await (const { catalog } of client.statusChanges()) if (catalog?.tools === count) return
    }
    await toolsAre(1)
    server.registerTool("bye", {}, () => ({ content: [] }))
    await toolsAre(2)
  })

  it("[F2] every message passes a transport that is given; requests do not pass client.transport", async () => {
    const seen: Array<string> = []
    const [ours, theirs] = InMemoryTransport.createLinkedPair()
    const watch = (transport: Transport, by: string): Transport => {
      const { onmessage, send } = transport
      transport.send = (message, options) => {
        seen.push(`${by} sends ${"method" in message ? message.method : "a response"}`)
        return send.call(transport, message, options)
      }
      transport.onmessage = (message, extra) => {
        seen.push(`${by} gets ${"method" in message ? message.method : "a response"}`)
        onmessage?.(message, extra)
      }
      return transport
    }
    await docs().connect(theirs)
    await using client = await connect({ transport: () => watch(ours, "given") }, {
      capabilities: { roots: { listChanged: true } }
    })
    assert.deepEqual(seen.splice(0), [
      "given sends initialize",
      "given gets a response",
      "given sends notifications/initialized"
    ])
    watch(client.transport ?? assert.fail("no transport"), "client.transport")
    await client.ping()
    assert.deepEqual(seen.splice(0), ["given sends ping", "given gets a response"])
    await client.sendRootsListChanged()
    assert.deepEqual(seen.splice(0), [
      "client.transport sends notifications/roots/list_changed",
      "given sends notifications/roots/list_changed"
    ])
  })

  it("[F1] what stands beside them is refused by name", async () => {
    const transport = () => InMemoryTransport.createLinkedPair()[0]
    const said = async (server: object) => String(await rejection(connect(server as Server, { name: "one" })))
    assert.match(await said({ transport, command: "a" }), /command cannot be combined with transport; keep one of them/)
    assert.match(
      await said({ transport, keepaliv: {} }),
      /keepaliv is not an option of a server; did you mean "keepalive"/
    )
    assert.match(await said({ connector: {} }), /connector is an object; accepted: a Connector of @mcp-lifeline\/core/)
    assert.match(
      await said({ connector: {}, transport, url: "http://a" }),
      /connector is not an option|beside transport/
    )
  })

  it("[F2:real] a fetch sends everything, and its failures are told as undici's are", async () => {
    await using server = await HttpFaultServer.open()
    const sent: Array<string> = []
    const counting: typeof fetch = (url, init) => {
      sent.push(`${init?.method} ${new URL(String(url)).pathname}`)
      return fetch(url, init)
    }
    const client = await connect({ url: server.url, fetch: counting }, { reconnect })
    assert.isNotEmpty((await client.listTools()).tools)
    server.sessions.clear()
    assert.isNotEmpty((await client.listTools()).tools)
    assert.strictEqual(client.status.generation, 2)
    await client.close()
    assert.includeMembers(sent, ["POST /mcp", "DELETE /mcp"])
    const url = `http://127.0.0.1:${await Everything.freePort()}/mcp`
    const error = await rejection(connect({ url, fetch: counting }, { reconnect: { auto: false } }))
    assert.match(String(error), /refused/)
    const both = { url, fetch: counting, dispatcher: { dispatch: () => true } }
    assert.match(String(await rejection(connect(both))), /fetch cannot be combined with dispatcher/)
  })
})
