import { Effect } from "effect"
import { createServer } from "node:http"
import { text } from "node:stream/consumers"
import { listening } from "../../../testing/test/support/listening.js"

export interface Arrived {
  readonly id?: number | string
  readonly method: string
  readonly params?: Readonly<Record<string, any>>
}

const tool = (name: string) => ({ name, inputSchema: { type: "object" } })

/** A page of each list, by the method that reads it. */
export type Lists = Readonly<Record<string, (cursor: unknown) => object>>

const lists: Lists = {
  "tools/list": (cursor) =>
    cursor === undefined
      ? { tools: [tool("read"), tool("delete_all")], nextCursor: "2" }
      : { tools: [tool("delete_one"), tool("write")] },
  "prompts/list": () => ({ prompts: [{ name: "ask" }, { name: "other" }] }),
  "resources/list": () => ({ resources: [{ name: "a", uri: "open://1" }, { name: "b", uri: "secret://1" }] }),
  "resources/templates/list": () => ({
    resourceTemplates: [{ name: "o", uriTemplate: "open://{id}" }, { name: "s", uriTemplate: "secret://{id}" }]
  })
}

const results: Readonly<Record<string, (params: Readonly<Record<string, any>>) => object>> = {
  "tools/call": ({ name }) => ({ content: [{ type: "text", text: `did ${name}` }] }),
  "prompts/get": ({ name }) => ({ messages: [{ role: "user", content: { type: "text", text: `prompt ${name}` } }] }),
  "resources/read": ({ uri }) => ({ contents: [{ uri, text: `text of ${uri}` }] }),
  "completion/complete": () => ({ completion: { values: ["done"] } }),
  "resources/subscribe": () => ({}),
  "resources/unsubscribe": () => ({}),
  "logging/setLevel": () => ({}),
  ping: () => ({})
}

const capabilities = { tools: {}, prompts: {}, resources: { subscribe: true }, completions: {} }
const serverInfo = { name: "full", version: "1" }

const answerOf = ({ id, method, params = {} }: Arrived, era: "2025" | "2026", lists: Lists): object => {
  const of = (result: object) => ({
    jsonrpc: "2.0",
    id,
    result: era === "2026" ? { resultType: "complete", ttlMs: 60_000, cacheScope: "private", ...result } : result
  })
  if (era === "2026" && method === "server/discover") {
    return of({ supportedVersions: ["2026-07-28"], capabilities, serverInfo })
  }
  if (era === "2025" && method === "initialize") {
    return of({ protocolVersion: params["protocolVersion"], capabilities, serverInfo })
  }
  const result = lists[method]?.(params["cursor"]) ?? results[method]?.(params)
  return result === undefined
    ? { jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } }
    : of(result)
}

export const serve = Effect.fnUntraced(function*(era: "2025" | "2026", more: Lists = {}) {
  const arrived: Array<Arrived> = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      if (request.method !== "POST") return void response.writeHead(405).end()
      const message = JSON.parse(body) as Arrived
      arrived.push(message)
      if (message.id === undefined) return void response.writeHead(202).end()
      const answer = JSON.stringify(answerOf(message, era, { ...lists, ...more }))
      response.writeHead(200, { "Content-Type": "application/json" }).end(answer)
    })
  })
  return { url: `${yield* listening(server)}/mcp`, arrived }
})
