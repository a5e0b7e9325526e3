import { Backend } from "@mcp-lifeline/core"
import { TcpProxy } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Everything from "./fixtures/Everything.js"
import * as Harness from "./fixtures/Harness.js"

describe("the reference server", () => {
  test.scopedLive("[T1] Streamable HTTP: calls, and a session that is ended at close", function*() {
    const server = yield* Everything.make("streamableHttp")
    const id = yield* Effect.scoped(Effect.gen(function*() {
      const { call, connection } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
      assert.strictEqual(connection.stateful, true)
      const answer = yield* call("real")
      assert.include(JSON.stringify(answer), "real")
      return connection.sessionId!
    }))
    assert.include(server.output(), `Received session termination request for session ${id}`)
  })

  test.scopedLive("[R7:real] a restart loses the session, which is refused with 400: the next call finds out, and succeeds on a new one", function*() {
    const server = yield* Everything.make("streamableHttp")
    const proxy = yield* TcpProxy.make(server.url)
    const backend = yield* Backend.make("reference", { connector: HttpConnector.make({ url: proxy.url }) })
    const call = backend.callTool({ name: "echo", arguments: { message: "again" } })
    yield* call
    // The call is the first to notice, however long the restart takes: the stream, which is opened again by itself, does not arrive.
    proxy.treat = ({ direction, text }) => direction === "toServer" && text.startsWith("GET ") ? "lose" : "pass"
    yield* server.restart
    yield* call
    assert.strictEqual((yield* backend.status).generation, 2)
  })

  for (const transport of ["auto", "sse"] as const) {
    test.scopedLive(`[T1] the older HTTP+SSE, with transport ${transport}`, function*() {
      const server = yield* Everything.make("sse")
      const { call, connection, lost } = yield* Harness.connect(HttpConnector.make({ url: server.url, transport }))
      assert.strictEqual(connection.stateful, true)
      assert.include(JSON.stringify(yield* call("older")), "older")
      yield* server.restart
      assert.strictEqual((yield* lost).kind, "closed")
    })
  }
})
