import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect } from "effect"
import { eras } from "../../../testing/test/support/Built.js"
import * as Gateway from "../support/Gateway.js"
import { describe, expect, test } from "../support/vitest.js"

const clientInfo = { name: "a-test", version: "1.2.3" }
const rows = ["first", "second"]

const clients: Readonly<Record<string, (url: URL) => Promise<Pick<ClientV1, "callTool" | "close" | "listTools">>>> = {
  "2025": async (url) => {
    const client = new ClientV1(clientInfo)
    await client.connect(new HttpV1(url) as Transport)
    return client
  },
  "2026": async (url) => {
    const client = new ClientV2(clientInfo, { versionNegotiation: { mode: "auto" } })
    await client.connect(new HttpV2(url))
    expect(client.getNegotiatedProtocolVersion()).toBe("2026-07-28")
    return client as never
  }
}

// A client without a session that nothing tells apart gets no server of its own.
const groups = Object.keys(clients).flatMap((client) =>
  ["2025", "2026"].flatMap((era) =>
    (client === "2025" ? ["shared", "per-client"] : ["shared"]).map((sessions) => ({ client, era, sessions }))
  )
)

describe.concurrent("serve and structured results", () => {
  test.scopedLive.each(groups)(
    "[E8] have the form of the client's revision, and fit the schema in its list: a client of $client, and a $sessions server of $era",
    function*({ client, era, sessions }) {
      const servers = { s: { command: process.execPath, args: [eras, era], lifeline: { sessions } } }
      const { base } = yield* Gateway.serveHere(servers)
      yield* Effect.promise(async () => {
        const one = await clients[client]!(new URL(`${base}/mcp`))
        // The official Clients compare results with the schemas of the last list.
        const { tools } = await one.listTools()
        const isObject = client === "2025" || era === "2025"
        const schema = tools.find(({ name }) => name === "s__rows")?.outputSchema
        expect(schema?.type).toBe(isObject ? "object" : "array")
        const { structuredContent } = await one.callTool({ name: "s__rows" })
        expect(structuredContent).toEqual(isObject ? { result: rows } : rows)
        await one.close()
      })
    }
  )
})
