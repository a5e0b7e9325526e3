import { HttpFaultServer } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import * as Gateway from "../support/Gateway.js"
import { accept, initialize as asText } from "../support/Served.js"
import { describe, expect, test } from "../support/vitest.js"

const serve = Effect.fnUntraced(function*(args: ReadonlyArray<string>, env: Record<string, string> = {}) {
  const server = yield* HttpFaultServer.make()
  const docs = { url: server.url, headers: { "X-Key": "ours" } }
  const { base, program } = yield* Gateway.serve({ docs }, args, env)
  return { program, server, url: `${base}/mcp` }
})

const initialize = JSON.parse(asText) as object

const post = (url: string, message: object, headers: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const all = { ...accept, ...headers }
    const response = await fetch(url, { method: "POST", headers: all, body: JSON.stringify(message) })
    const session = response.headers.get("mcp-session-id") ?? ""
    return { status: response.status, text: await response.text(), session }
  })

describe.concurrent("what may pass the gateway", () => {
  test.scopedLive("[G9 G6 E9] a client's Authorization header and the protocol's keys of _meta are not passed on, and no page of elsewhere may ask", function*() {
    const { server, url } = yield* serve([])
    const own = { authorization: "Bearer of-the-client", "x-key": "of-the-client" }
    const { session, status } = yield* post(url, initialize, own)
    expect(status).toBe(200)
    const headers = { ...own, "mcp-session-id": session }
    yield* post(url, { jsonrpc: "2.0", method: "notifications/initialized" }, headers)
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": "2025-11-25",
      "io.modelcontextprotocol/clientInfo": { name: "of-the-client", version: "1" },
      "example.com/trace": "passes"
    }
    const params = { name: "docs__echo", arguments: { message: "hi" }, _meta }
    const { text } = yield* post(url, { jsonrpc: "2.0", id: 2, method: "tools/call", params }, headers)
    expect(text).toContain("hi")
    expect(server.seen.length).toBeGreaterThan(0)
    for (const { headers, http } of server.seen) {
      expect(headers["authorization"]).toBeUndefined()
      // A server that starts slowly is asked, without any credentials, whether it is there.
      expect(headers["x-key"]).toBe(http === "OPTIONS" ? undefined : "ours")
    }
    const call = server.seen.map(({ body }) => JSON.stringify(body) ?? "").find((body) => body.includes("tools/call"))
    expect(call).toContain("example.com/trace")
    expect(call).not.toContain("of-the-client")

    // Bound to loopback, it answers no page of elsewhere.
    expect((yield* post(url, initialize, { origin: "https://example.com" })).status).toBe(403)
    for (const path of ["/mcp", "/health", "/metrics"]) {
      const other = new URL(path, url).href
      expect((yield* post(other, initialize, { origin: "https://example.com" })).status).toBe(403)
    }
  })

  test.scopedLive("[G6] bound to all addresses, every route asks for the token, and clients are shown an address that they can use", function*() {
    const { program, url } = yield* serve(["--host", "0.0.0.0"], { MCP_LIFELINE_TOKEN: "a-token-of-ours-alone" })
    const local = url.replace("0.0.0.0", "127.0.0.1")
    for (const path of ["/mcp", "/health", "/metrics"]) {
      expect((yield* post(new URL(path, local).href, initialize)).status).toBe(401)
    }
    expect((yield* post(local, initialize, { authorization: "Bearer another" })).status).toBe(401)
    expect((yield* post(local, initialize, { authorization: "Bearer a-token-of-ours-alone" })).status).toBe(200)

    const { port } = new URL(url)
    yield* program.prints(/write the name of this one instead of 127\.0\.0\.1$/m)
    expect(program.stdout()).toContain(`Status page: http://127.0.0.1:${port}/`)
    expect(program.stdout()).toContain(`"url": "http://127.0.0.1:${port}/mcp"`)
    expect(program.stdout().split("0.0.0.0")).toHaveLength(2)
  })

  test.scopedLive("[G14] one that ends because no client was there says so", function*() {
    const { program, url } = yield* serve(["--linger", "1"])
    yield* post(url, initialize)
    expect(yield* program.ended).toEqual({ code: 0, signal: null })
    expect(program.stdout()).toContain("\nNo client has been connected for 1 s (--linger)\nShutting down\n")
  })
})
