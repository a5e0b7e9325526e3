import { Bytes } from "@mcp-lifeline/core/text"
import { Effect } from "effect"
import { type ClientRequest, request as httpRequest } from "node:http"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Raw from "./support/RawEndpoint.js"

const { begin, send } = Raw

const headers = { Accept: "application/json, text/event-stream", "Content-Type": "application/json" }

const sendHalf = (url: string, session: Readonly<Record<string, string>>, bytes: number) =>
  Effect.acquireRelease(
    Effect.async<ClientRequest>((resume) => {
      const sent = httpRequest(url, {
        method: "POST",
        agent: false,
        headers: { ...headers, ...session, "Content-Length": bytes * 2 }
      })
      sent.on("error", () => undefined)
      sent.write(`{"id":5,"jsonrpc":"2.0","method":"tools/call","params":{"x":"`.padEnd(bytes, "x"), () =>
        resume(Effect.succeed(sent)))
    }),
    (sent) =>
      Effect.sync(() => sent.destroy())
  )

const call = (id: number, bytes = 0) => ({ id, method: "ping", params: { x: "x".repeat(bytes) } })

const said = async (answered: Promise<Raw.Answered>) => {
  const { body, headers, status } = await answered
  const { error, id } = JSON.parse(await body) as Raw.Message
  return { status, id, message: error?.message, again: headers["retry-after"] }
}

const limits = { maxBodyBytes: Bytes(200_000), maxBodiesBytes: Bytes(400_000) }

describe("bodies that are on their way", () => {
  test.scopedLive("[X5 G17] take a bounded amount of memory; who has more of them than it may is refused, and others are not", function*() {
    const { url } = yield* Raw.serve(undefined, { limits })
    const [greedy, modest] = yield* Effect.promise(async () => [await begin(url), await begin(url)] as const)
    yield* sendHalf(url, greedy, 180_000)
    yield* Effect.promise(async () => {
      await expect.poll(() => said(send(url, "POST", greedy, call(7, 90_000)))).toMatchObject({
        status: 503,
        id: 7,
        again: "1",
        message: expect.stringContaining("send this one again")
      })
      expect((await send(url, "POST", modest, call(8, 90_000))).status).toBe(200)
      expect((await send(url, "POST", greedy, call(9, 10_000))).status).toBe(200)
      expect(
        (await send(url, "POST", {}, Raw.initialize(undefined, { experimental: { x: { y: "x".repeat(90_000) } } })))
          .status
      )
        .toBe(200)
    })
  })

  test.scopedLive("[X5] clients without sessions are told apart by what they are", function*() {
    const { url } = yield* Raw.serve(undefined, { limits })
    yield* sendHalf(url, { "User-Agent": "greedy" }, 180_000)
    const large = Raw.initialize(undefined, { experimental: { x: { y: "x".repeat(90_000) } } })
    yield* Effect.promise(async () => {
      await expect.poll(() => said(send(url, "POST", { "User-Agent": "greedy" }, large))).toMatchObject({
        status: 503,
        id: 0
      })
      expect((await send(url, "POST", { "User-Agent": "modest" }, large)).status).toBe(200)
    })
  })

  test.scopedLive("[X5 G18] of a session that nobody knows, a body is not kept, and its request is answered", function*() {
    const { conversations, url } = yield* Raw.serve(undefined, { limits })
    const unknown = { "Mcp-Session-Id": "unknown" }
    yield* Effect.forEach([1, 2, 3], () => sendHalf(url, unknown, 180_000))
    yield* Effect.promise(async () => {
      expect(await said(send(url, "POST", unknown, call(7, 150_000)))).toMatchObject({ status: 404, id: 7 })
      expect(conversations).toHaveLength(0)
    })
    // Not even all of it is read: the answer comes while the rest is still missing.
    const endless = yield* sendHalf(url, unknown, 300_000)
    expect(yield* Effect.promise(() => new Promise((resolve) => endless.once("response", resolve)))).toMatchObject({
      statusCode: 404
    })
  })
})

const modern = (url: string, client: string, id: number, method = "tools/call") =>
  send(url, "POST", { "MCP-Protocol-Version": Raw.stateless, "Mcp-Method": method, "Mcp-Name": "x" }, {
    id,
    method,
    params: {
      ...(method === "tools/call" ? { name: "x" } : { notifications: { toolsListChanged: true } }),
      _meta: Raw.meta({ [Raw.key("clientInfo")]: { name: client, version: "1" } })
    }
  })

describe("requests of clients without sessions that are open", () => {
  test.scopedLive("[X5 G17] one client cannot take all that there may be, and streams of changes take nothing from calls", function*() {
    const { conversations, url } = yield* Raw.serve(undefined, { limits: { maxCalls: 4 } })
    const isOpen = () => conversations.filter(({ isClosed, received }) => !isClosed && received.length > 0).length
    yield* Effect.promise(async () => {
      const streams = await Promise.all([1, 2, 3, 4].map((id) => modern(url, "greedy", id, "subscriptions/listen")))
      expect(streams.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      expect(await said(modern(url, "greedy", 5, "subscriptions/listen"))).toMatchObject({
        status: 429,
        id: 5,
        again: "1",
        message: "This client has 4 streams of changes, the maximum while all clients without sessions have 4"
      })
      expect((await modern(url, "modest", 5, "subscriptions/listen")).status).toBe(200)
      const calls = [1, 2, 3, 4].map((id) => modern(url, "greedy", id))
      await expect.poll(isOpen).toBe(9)
      expect(await said(modern(url, "greedy", 5))).toMatchObject({
        status: 429,
        message: expect.stringMatching(/^This client has 4 requests that are not answered yet/)
      })
      void modern(url, "modest", 6)
      await expect.poll(isOpen).toBe(10)
      // What is over counts no more: a stream that its client leaves, and a call that is answered.
      for (const stream of streams.slice(0, 2)) stream.cut()
      await expect.poll(async () => (await modern(url, "greedy", 9, "subscriptions/listen")).status).toBe(200)
      for (const { client, received } of conversations) {
        const id = received.find(({ method }) => method === "tools/call")?.id
        if (id !== undefined) client.write({ jsonrpc: "2.0", id: id!, result: {} })
      }
      await Promise.all(calls)
      void modern(url, "greedy", 10)
      await expect.poll(() => conversations.at(-1)?.received.at(-1)?.method).toBe("tools/call")
    })
  })
})
