import { HttpExchange } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Deferred, Effect } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

const { fault, sse } = HttpExchange

describe("sessions", () => {
  for (const streaming of [false, true]) {
    test.scopedLive(`[T1] with a session, answers as ${streaming ? "event streams" : "JSON"}`, function*() {
      const server = yield* Harness.server
      server.streaming = streaming
      const { call, connection } = yield* Harness.connect(
        HttpConnector.make({ url: `${server.url.replace("//", "//user:pass%20word@")}?key=in-the-query#top` })
      )
      assert.strictEqual(connection.stateful, true)
      assert.strictEqual(connection.sessionId, [...server.sessions.keys()][0])
      assert.deepStrictEqual(connection.peer, { url: server.url })
      assert.strictEqual(connection.serverInfo.name, "test")
      assert.deepStrictEqual((yield* call("there")) as unknown, { content: [{ type: "text", text: "there" }] })
      const sent = server.seen.at(-1)!
      assert.strictEqual(sent.headers["mcp-session-id"], connection.sessionId)
      assert.strictEqual(sent.headers["mcp-protocol-version"], connection.protocolVersion)
      assert.strictEqual(sent.headers["authorization"], `Basic ${btoa("user:pass word")}`)
      assert.strictEqual(server.requests("initialize")[0]!.headers["mcp-protocol-version"], undefined)
    })
  }

  test.scopedLive("[T1] without a session, and without a stream from the server", function*() {
    const server = yield* Harness.server
    server.stateful = false
    server.offersStream = false
    const { call, connection, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
    assert.strictEqual(connection.stateful, false)
    assert.strictEqual(connection.sessionId, undefined)
    yield* call()
    yield* Effect.promise(() => server.until(() => server.count("GET") === 1))
    assert.isTrue(server.seen.every((one) => one.headers["mcp-session-id"] === undefined))
    assert.deepStrictEqual(losses, [])
  })

  test.scopedLive("[T1] an empty session id is none", function*() {
    const server = yield* Harness.server
    server.stateful = false
    server.hook = ({ response, rpc }) => {
      if (rpc === "initialize") response.setHeader("mcp-session-id", "")
      return undefined
    }
    const { call, connection } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
    assert.strictEqual(connection.stateful, false)
    assert.strictEqual(connection.sessionId, undefined)
    yield* call()
    assert.isTrue(server.seen.every((one) => one.headers["mcp-session-id"] === undefined))
  })

  for (
    const [status, body] of [
      [404, ""],
      [404, "Session not found"],
      [410, '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}']
    ] as const
  ) {
    test.scopedLive(`[R7:real] HTTP ${status} ${body.slice(-40)}: the session is lost, and the call was not carried out`, function*() {
      const server = yield* Harness.server
      const { call, connection } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
      const order: Array<string> = []
      connection.onLost((loss) => order.push(`lost ${loss.kind}`))
      server.hook = ({ response, rpc }) =>
        rpc === "tools/call" ? fault(response, status, { "content-type": "application/json" }, body) : undefined
      const error = yield* call().pipe(
        Effect.flip,
        Effect.tap((error) => Effect.sync(() => order.push(`rejected ${error.reason}`)))
      )
      assert.strictEqual(error.fate, "rejected")
      assert.strictEqual(error.reason, "session")
      assert.deepStrictEqual(order, ["lost session", "rejected session"])
      const refused = yield* Effect.flip(call())
      assert.strictEqual(refused.fate, "notSent")
      assert.strictEqual(server.count("tools/call"), 1)
      assert.isFalse(`${error.message}${JSON.stringify(order)}`.includes(connection.sessionId!))
    })
  }

  test.scopedLive("[T8] a session id that the server repeats in an error is not repeated by us", function*() {
    const server = yield* Harness.server
    const { call, connection, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
    const id = connection.sessionId!
    assert.isAtLeast(id.length, 8)
    server.hook = ({ response, rpc }) =>
      rpc === "tools/call" ? fault(response, 404, {}, `Session ${id} not found`) : undefined
    const error = yield* Effect.flip(call())
    const said = [error.message, ...losses.map((loss) => loss.message)]
    assert.deepStrictEqual(losses.map((loss) => loss.kind), ["session"])
    for (const text of said) {
      assert.include(text, "Session *** not found")
      assert.notInclude(text, id)
    }
  })

  test.scopedLive("[C4] a cancelled call is told to the server, its response stream is closed, and the session lives", function*() {
    const server = yield* Harness.server
    const { call, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
    const closed = yield* Deferred.make<void>()
    server.hook = ({ response, rpc }) => {
      if (rpc !== "tools/call") return undefined
      sse(response).on("close", () => Deferred.unsafeDone(closed, Effect.void))
      return true
    }
    const fiber = yield* Effect.fork(call())
    yield* Effect.promise(() => server.until(() => server.count("tools/call") === 1))
    yield* fiber.interruptAsFork(fiber.id())
    yield* Effect.promise(() => server.until(() => server.count("notifications/cancelled") === 1))
    server.hook = undefined
    yield* Deferred.await(closed)
    yield* call()
    assert.deepStrictEqual(losses, [])
  })
})
