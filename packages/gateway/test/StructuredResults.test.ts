import { describe, expect, it } from "@effect/vitest"
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect } from "effect"
import { eras } from "../../testing/test/support/Built.js"
import * as Gateway from "./support/Gateway.js"

const clientInfo = { name: "a-test", version: "1.2.3" }
const rows = ["first", "second"]

/** The official Clients of either form, over HTTP. */
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

const pairs = Object.keys(clients).flatMap((client) => ["2025", "2026"].map((era) => ({ client, era })))

describe.concurrent.each(pairs)("serve between a client of $client and a server of $era", ({ client, era }) => {
  it.scopedLive.each([["for all clients", "shared"], ["of its own", "per-client"]] as const)(
    "[E8] a structured result has the form of the client's revision, and fits the schema in its list: a server %s",
    ([, sessions]) =>
      Effect.gen(function*() {
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
      })
  )
})
