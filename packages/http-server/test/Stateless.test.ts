import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Effect } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Raw from "./support/RawEndpoint.js"

const { key, meta, send, stateless: version } = Raw

const request = (
  url: string,
  id: number,
  method: string,
  params: Record<string, any> = {},
  headers: Record<string, string> = {},
  more: object = {}
) =>
  send(
    url,
    "POST",
    {
      "MCP-Protocol-Version": version,
      "Mcp-Method": method,
      ...(typeof params["name"] === "string" ? { "Mcp-Name": params["name"] } : {}),
      ...headers
    },
    {
      id,
      method,
      params: { ...params, _meta: meta(more, { elicitation: {} }) }
    }
  )

const echo: Raw.Answer = ({ id, method, params }, { client }) => {
  if (id === undefined || id === null || method === undefined) return
  client.write({
    jsonrpc: "2.0",
    id,
    result: method === "tools/list" ? { tools: [] } : { content: [], said: params.name }
  })
}

const jsonOf = async (answered: Promise<Raw.Answered>) => {
  const { body, status } = await answered
  return { status, ...(JSON.parse(await body) as Raw.Message) }
}

describe("the protocol without sessions over HTTP", () => {
  test.scopedLive("[E8] a request needs no session, is answered in JSON, and leaves nothing behind", function*() {
    const { conversations, requests, url } = yield* Raw.serve(echo)
    yield* Effect.promise(async () => {
      const discovered = await jsonOf(request(url, 1, "server/discover"))
      expect(discovered).toMatchObject({
        status: 200,
        result: { supportedVersions: [version], resultType: "complete" }
      })
      const called = await jsonOf(request(url, 2, "tools/call", { name: "x" }))
      expect(called).toMatchObject({ status: 200, id: 2, result: { said: "x", resultType: "complete" } })
      expect(requests.sessions()).toBe(0)
      expect(conversations.every(({ isClosed }) => isClosed)).toBe(true)
    })
  })

  test.scopedLive("[E8] headers that do not say what the body does are refused, with the codes and statuses of the protocol", function*() {
    const { conversations, url } = yield* Raw.serve(echo)
    yield* Effect.promise(async () => {
      const refused = async (params: object, headers: Record<string, string>, meta: object = {}) => {
        const { error, id, status } = await jsonOf(request(url, 5, "tools/call", params, headers, meta))
        return [status, error?.code, id]
      }
      expect(await refused({ name: "x" }, { "Mcp-Method": "tools/list" })).toEqual([400, -32_020, 5])
      expect(await refused({ name: "x" }, { "Mcp-Name": "y" })).toEqual([400, -32_020, 5])
      expect(await refused({ name: "x" }, { "Mcp-Name": "=?base64?!?=" })).toEqual([400, -32_020, 5])
      expect(await refused({ name: "x" }, { "MCP-Protocol-Version": "2025-11-25" })).toEqual([400, -32_020, 5])
      expect(await refused({ name: "x" }, {}, { [key("clientCapabilities")]: 7 })).toEqual([400, -32_602, 5])
      expect(await refused({ name: "x" }, {}, { [key("protocolVersion")]: undefined })).toEqual([400, -32_602, 5])
      const future = { [key("protocolVersion")]: "2099-01-01" }
      expect(await refused({ name: "x" }, { "MCP-Protocol-Version": "2099-01-01" }, future)).toEqual([
        400,
        -32_022,
        5
      ])
      expect(conversations.flatMap(({ received }) => received)).toEqual([])
      const name = "größe"
      const coded = `=?base64?${Buffer.from(name).toString("base64")}?=`
      expect((await jsonOf(request(url, 6, "tools/call", { name }, { "Mcp-Name": coded }))).result?.said).toBe(name)
      const ping = await jsonOf(request(url, 7, "ping"))
      expect([ping.status, ping.error?.code]).toEqual([404, -32_601])
      expect((await send(url, "GET", { "MCP-Protocol-Version": version })).status).toBe(405)
    })
  })

  test.scopedLive("[E8] a resource that there is not is an error as this revision has it", function*() {
    const error = { code: -32_002, message: "no such resource" }
    const { url } = yield* Raw.serve(({ id }, { client }) => client.write({ jsonrpc: "2.0", id: id ?? 0, error }))
    yield* Effect.promise(async () => {
      const read = await jsonOf(request(url, 3, "resources/read", { uri: "test://no" }, { "Mcp-Name": "test://no" }))
      expect(read.error).toEqual({ ...error, code: -32_602, data: { uri: "test://no" } })
    })
  })

  test.scopedLive("[E8] the v2 client listens to changes until it has enough, and to the end of the gateway", function*() {
    const { conversations, requests, url } = yield* Raw.serve(echo)
    yield* Effect.promise(async () => {
      const client = new Client({ name: "v2", version: "1" }, { versionNegotiation: { mode: { pin: version } } })
      await client.connect(new StreamableHTTPClientTransport(new URL(url)))
      const told: Array<string> = []
      client.setNotificationHandler("notifications/tools/list_changed", () => void told.push("tools"))
      const subscription = await client.listen({ toolsListChanged: true })
      const listening = conversations.filter(({ isClosed }) => !isClosed)
      expect(listening).toHaveLength(1)
      listening[0]?.client.write({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
      listening[0]?.client.write({ jsonrpc: "2.0", method: "notifications/prompts/list_changed" })
      await expect.poll(() => told).toEqual(["tools"])
      await subscription.close()
      await expect.poll(() => listening[0]?.isClosed).toBe(true)
      const second = await client.listen({ toolsListChanged: true })
      await requests.close()
      expect(await second.closed).toBe("graceful")
      await client.close()
    })
  })
})
