import { Effect } from "effect"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { type IncomingMessage, request as httpRequest } from "node:http"
import type { Socket } from "node:net"
import * as RawServer from "../support/RawServer.js"
import * as Served from "../support/Served.js"
import { describe, expect, test } from "../support/vitest.js"

const action = { "X-Lifeline": "1", "Content-Type": "application/json" }

const endpoint = Effect.gen(function*() {
  const echo = RawServer.make("raw", ({ method, params }) =>
    method === "tools/list"
      ? { tools: [{ name: "x", inputSchema: { type: "object" } }] }
      : method === "tools/call"
      ? Served.text(JSON.stringify(params.arguments))
      : undefined)
  const { base } = yield* Served.pool([echo])
  return `${base}/api/call`
})

const call = (url: string, args: string, agent = "modest") =>
  Served.bare(url, "POST", { ...action, "User-Agent": agent }, `{"name":"raw__x","arguments":${args}}`)

/** How many bytes the server of this process has read of each connection that greedy requests came on. */
const arrivals = Effect.acquireRelease(
  Effect.sync(() => {
    const sockets = new Set<Socket>()
    const note = (message: unknown) => {
      const { request, socket } = message as { readonly request: IncomingMessage; readonly socket: Socket }
      if (request.headers["user-agent"] === "greedy") sockets.add(socket)
    }
    subscribe("http.server.request.start", note)
    return {
      read: () => [...sockets].map(({ bytesRead }) => bytesRead),
      end: () => unsubscribe("http.server.request.start", note)
    }
  }),
  ({ end }) => Effect.sync(end)
)

const sendHalf = (url: string, agent: string, bytes: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const sent = httpRequest(url, {
        method: "POST",
        agent: false,
        headers: { ...action, "User-Agent": agent, "Content-Length": bytes }
      })
      sent.on("error", () => undefined)
      sent.write(`{"name":"`.padEnd(bytes - 1, "x"))
      return sent
    }),
    (sent) => Effect.sync(() => sent.destroy())
  )

describe("bodies of requests to the API", () => {
  test.scopedLive("[G1] reach it whole, in one piece or in many, and none is fine where none is needed", function*() {
    const url = yield* endpoint
    const args = JSON.stringify({ text: "ä".repeat(200_000) })
    const { body, status } = yield* call(url, args)
    expect(status).toBe(200)
    expect(JSON.parse(body).content[0].text).toBe(args)
    const again = new URL("/api/servers/raw/reconnect", url).href
    expect((yield* Served.bare(again, "POST", action)).status).toBe(200)
    expect((yield* Served.bare(again, "POST", action, "{}")).status).toBe(200)
    expect((yield* Served.bare(url, "POST", action, "{")).status).toBe(400)
  })

  test.scopedLive("[X1] nested too deeply are refused, and so are those that are too large", function*() {
    const url = yield* endpoint
    const deep = yield* call(url, `${"[".repeat(20_000)}${"]".repeat(20_000)}`)
    expect(deep.status).toBe(400)
    expect(JSON.parse(deep.body))
      .toEqual({ error: { code: "bad_request", message: expect.stringContaining("more than 500 levels deep") } })
    const large = yield* call(url, JSON.stringify("x".repeat(16 * 1024 * 1024)))
    expect(large.status).toBe(413)
    expect(JSON.parse(large.body).error.code).toBe("too_large")
  })

  test.scopedLive("[X5] take a bounded amount of memory; who has more on its way than it may is refused, and others are not", function*() {
    const url = yield* endpoint
    const { read } = yield* arrivals
    const bytes = 16 * 1024 * 1024
    yield* Effect.forEach([1, 2], () => sendHalf(url, "greedy", bytes))
    // Before they are there, another request would take the room of one of them.
    yield* Effect.promise(() => expect.poll(() => read().filter((number) => number >= bytes)).toHaveLength(2))
    const large = JSON.stringify("x".repeat(1024 * 1024))
    expect(yield* call(url, large, "greedy")).toMatchObject({ status: 503, body: expect.stringContaining("too_many") })
    expect((yield* call(url, large, "modest")).status).toBe(400)
    expect((yield* call(url, "{}", "greedy")).status).toBe(200)
  })
})
