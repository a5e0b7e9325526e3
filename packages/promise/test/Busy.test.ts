import { BackendUnavailable, connectAll, supervisedTransport } from "@mcp-lifeline/client"
import { MemoryConnector } from "@mcp-lifeline/protocol"
import { Client as OfficialClient } from "@modelcontextprotocol/sdk/client/index.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { assert, describe, it } from "vitest"
import { doors } from "./fixtures/Door.js"

const slow = () => {
  const ledger = { now: 0, most: 0, all: 0 }
  const make = (): McpServer => {
    const server = new McpServer({ name: "docs", version: "1.0.0" })
    server.registerTool("work", {}, async () => {
      ledger.all++
      ledger.most = Math.max(ledger.most, ++ledger.now)
      await new Promise((resolve) => setTimeout(resolve, 5))
      ledger.now--
      return { content: [] }
    })
    return server
  }
  return { ledger, connector: MemoryConnector.make({ server: make }) }
}

type Server = { readonly connector: ReturnType<typeof slow>["connector"]; readonly calls: object }

type Use = (server: Server, count: number) => Promise<ReadonlyArray<PromiseSettledResult<unknown>>>

const together = (client: object, name: string, count: number) =>
  Promise.allSettled(Array.from({ length: count }, () => (client as OfficialClient).callTool({ name })))

const ways: ReadonlyArray<readonly [string, Use]> = [
  ...doors.map(([door, open]) =>
    [door, async (server, count) => {
      await using client = await open(server)
      return await together(client, "work", count)
    }] as const satisfies readonly [string, Use]
  ),
  ["connectAll", async (server, count) => {
    await using fleet = await connectAll({ mcpServers: { docs: server } })
    return await together(fleet, "docs__work", count)
  }],
  ["supervisedTransport", async (server, count) => {
    const client = new OfficialClient({ name: "a", version: "1" })
    await client.connect(supervisedTransport(server))
    try {
      return await together(client, "work", count)
    } finally {
      await client.close()
    }
  }]
]

describe.each(ways)("[C13 F4] more calls than calls.maxInFlight, %s", (_, use) => {
  it("are all carried out, in turns", async () => {
    const { connector, ledger } = slow()
    const outcomes = await use({ connector, calls: { maxInFlight: 7 } }, 50)
    assert.deepEqual([...new Set(outcomes.map(({ status }) => status))], ["fulfilled"])
    assert.deepEqual(ledger, { now: 0, most: 7, all: 50 })
  })

  it("are as many as with the official client, by default", async () => {
    const { connector, ledger } = slow()
    const outcomes = await use({ connector, calls: {} }, 1500)
    assert.deepEqual([...new Set(outcomes.map(({ status }) => status))], ["fulfilled"])
    assert.isAtMost(ledger.most, 1000)
  })

  it("fail at once beyond calls.maxWaiting, as busy, and may be repeated", async () => {
    const { connector, ledger } = slow()
    const outcomes = await use({ connector, calls: { maxInFlight: 1, maxWaiting: 2 } }, 5)
    const errors = outcomes.flatMap((one) => one.status === "rejected" ? [one.reason as object] : [])
    assert.lengthOf(errors, 2)
    assert.strictEqual(ledger.all, 3)
    for (const error of errors) {
      assert.match(String(error), /is busy: 2 calls are waiting \(calls\.maxWaiting\)/)
      if (!("_tag" in error)) continue
      assert.deepInclude<object>({ ...error }, { _tag: "BackendUnavailable", state: "Busy", retryable: true })
      if (error instanceof BackendUnavailable) assert.strictEqual(error.code, "ERR_LIFELINE_UNAVAILABLE")
    }
  })
})
