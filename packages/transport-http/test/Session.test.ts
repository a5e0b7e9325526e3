import { HttpExchange } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

const { fault } = HttpExchange

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

  const refusals: ReadonlyArray<readonly [status: number, body: (said: string) => string]> = [
    [404, (said) => said],
    [410, (said) => JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32000, message: said } })]
  ]
  for (const [status, body] of refusals) {
    test.scopedLive(`[T8 R7:real] HTTP ${status} loses the session, whose id is not repeated by us where the server does`, function*() {
      const { call, connection, losses, server } = yield* Harness.connected()
      const id = connection.sessionId!
      assert.isAtLeast(id.length, 8)
      const said = body(`Session ${id} not found`)
      server.hook = ({ response, rpc }) =>
        rpc === "tools/call" ? fault(response, status, { "content-type": "application/json" }, said) : undefined
      const error = yield* Effect.flip(call())
      assert.deepInclude(error, { fate: "rejected", reason: "session" })
      assert.deepStrictEqual(losses.map((loss) => loss.kind), ["session"])
      for (const text of [error.message, losses[0]!.message]) {
        assert.include(text, "Session *** not found")
        assert.notInclude(text, id)
      }
      assert.strictEqual((yield* Effect.flip(call())).fate, "notSent")
      assert.strictEqual(server.count("tools/call"), 1)
    })
  }
})
