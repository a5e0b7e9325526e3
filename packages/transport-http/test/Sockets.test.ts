import { Sending } from "@mcp-lifeline/core"
import { HttpFault } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Deferred, Effect, Fiber } from "effect"
import { createServer } from "node:http"
import type { Socket } from "node:net"
import { json } from "node:stream/consumers"
import { listening } from "../../testing/test/support/listening.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

/** The sockets that calls share by default, those for what does not wait behind them, and those for what has no answer. */
const [forCalls, prompt, answerless] = [64, 8, 32]

const many = 300

describe("sockets", () => {
  test.scopedLive(
    `[T14:real] ${many} requests at once share a bounded number of sockets, and all are answered`,
    function*() {
      const server = yield* Harness.server
      const { connection, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
      let most = 0
      server.hook = () => {
        most = Math.max(most, server.sockets.size)
        return undefined
      }
      const calls = Array.from(
        { length: many },
        (_, i) =>
          Sending.ask(connection, "tools/call", { name: "echo", arguments: { message: `${i}` } }, {
            timeout: 500_000
          })
      )
      const results = yield* Effect.all(calls, { concurrency: "unbounded" })
      const texts = results.map(({ content }) => (content[0] as { readonly text: string }).text)
      assert.deepStrictEqual(texts, calls.map((_, i) => `${i}`))
      assert.isAtMost(most, forCalls + prompt + answerless)
      assert.deepStrictEqual(losses, [])
    },
    600_000
  )

  test.scopedLive("[T14:real K8 C19] a ping, a cancellation and the stream from the server wait behind no call", function*() {
    const server = yield* Harness.server
    server.fail("tools/call", HttpFault.hang())
    const { call, connection } = yield* Harness.connect(HttpConnector.make({ url: server.url, maxSockets: 2 }))
    const calls = yield* Effect.fork(Effect.all([call(), call(), call()], { concurrency: "unbounded" }))
    yield* Effect.promise(() => server.until(() => server.count("tools/call") === 2))
    yield* Sending.ask(connection, "ping", undefined, { timeout: 20_000 })
    server.dropStreams()
    yield* Effect.promise(() => server.until(() => server.count("GET") === 2 && server.streams.size === 1))
    assert.strictEqual(server.count("tools/call"), 2)
    yield* Fiber.interrupt(calls)
    // The third has never left.
    yield* Effect.promise(() => server.until(() => server.count("notifications/cancelled") === 2))
    server.heal()
    yield* call()
    assert.strictEqual(server.count("tools/call"), 3)
  })

  test.scopedLive(
    "[T14:real] an idle socket is closed, however long the server promises to keep it",
    function*() {
      const open = new Set<Socket>()
      const answers: Readonly<Record<string, object>> = {
        initialize: {
          protocolVersion: "2025-11-25",
          capabilities: { tools: {} },
          serverInfo: { name: "s", version: "1" }
        },
        "tools/call": { content: [] }
      }
      const server = createServer(async (request, response) => {
        const { id, method } = request.method === "POST" ? await json(request) as { id?: number; method: string } : {}
        response.setHeader("connection", "keep-alive").setHeader("keep-alive", "timeout=300")
        if (method === undefined) return void response.writeHead(405).end()
        if (id === undefined) return void response.writeHead(202).end()
        response.setHeader("content-type", "application/json")
        response.end(JSON.stringify({ jsonrpc: "2.0", id, result: answers[method] ?? {} }))
      })
      server.keepAliveTimeout = 300_000
      const closed = yield* Deferred.make<void>()
      let isCalled = false
      server.on("connection", (socket) => {
        open.add(socket)
        socket.on("close", () => {
          open.delete(socket)
          if (isCalled && open.size === 0) Deferred.unsafeDone(closed, Effect.void)
        })
      })
      const url = `${yield* listening(server)}/mcp`
      const { call, losses } = yield* Harness.connect(HttpConnector.make({ url, protocol: "2025" }))
      isCalled = true
      yield* call()
      yield* Deferred.await(closed)
      yield* call()
      assert.deepStrictEqual(losses, [])
    },
    300_000
  )

  it("[T14] the bound is checked like other options", () => {
    const make = (options: object) => () => HttpConnector.make({ url: "http://127.0.0.1/mcp", ...options })
    for (const maxSockets of [0, -1, 1.5, Number.NaN, "8"]) assert.throws(make({ maxSockets }), /maxSockets/)
    assert.throws(make({ maxSockets: 8, fetch }), /maxSockets.*fetch/)
    make({ maxSockets: 1 })()
  })
})
