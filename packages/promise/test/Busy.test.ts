import { BackendUnavailable, connectAll, supervisedTransport } from "@mcp-lifeline/client"
import { MemoryConnector } from "@mcp-lifeline/protocol"
import { Client as OfficialClient } from "@modelcontextprotocol/sdk/client/index.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { assert, describe, it } from "vitest"
import { doors } from "./fixtures/Door.js"
import { rejection } from "./fixtures/rejection.js"

/** A server with a tool that answers once `release` is called, and that lets one call through at a time. */
const slow = () => {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const make = (): McpServer => {
    const server = new McpServer({ name: "docs", version: "1.0.0" })
    server.registerTool("wait", {}, async () => {
      await released
      return { content: [] }
    })
    return server
  }
  return { release, server: { connector: MemoryConnector.make({ server: make }), calls: { maxInFlight: 1 } } }
}

describe("[C13 F4] a call beyond calls.maxInFlight", () => {
  const refused = async (
    client: { readonly callTool: (params: { readonly name: string }) => Promise<{ readonly content: unknown }> },
    name: string,
    release: () => void
  ) => {
    const first = client.callTool({ name })
    const error = await rejection(client.callTool({ name }))
    assert.deepInclude({ ...error as object }, { _tag: "BackendUnavailable", state: "Busy", retryable: true })
    release()
    assert.deepEqual((await first).content, [])
    return error
  }
  const isOfFacade = (error: unknown) => {
    assert.instanceOf(error, BackendUnavailable)
    assert.strictEqual(error.code, "ERR_LIFELINE_UNAVAILABLE")
  }

  it.each(doors)("of %s is a BackendUnavailable, and may be repeated", async (door, open) => {
    const { release, server } = slow()
    await using client = await open(server)
    const error = await refused(client as never, "wait", release)
    if (door === "connect") isOfFacade(error)
  })

  it("of connectAll is a BackendUnavailable, and may be repeated", async () => {
    const { release, server } = slow()
    await using fleet = await connectAll({ mcpServers: { docs: server } })
    isOfFacade(await refused(fleet as never, "docs__wait", release))
  })

  it("of supervisedTransport fails at once and says why", async () => {
    const { release, server } = slow()
    const client = new OfficialClient({ name: "a", version: "1" })
    await client.connect(supervisedTransport(server))
    const first = client.callTool({ name: "wait" })
    const error = await rejection(client.callTool({ name: "wait" }))
    assert.match(String(error), /is busy: 1 calls are in flight/)
    release()
    assert.deepEqual((await first).content, [])
    await client.close()
  })
})
