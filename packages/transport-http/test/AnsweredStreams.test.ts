import { HttpExchange, HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import type { Socket } from "node:net"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import { eras } from "./fixtures/Supervised.js"

const maxSockets = 2

describe.concurrent.each(eras)("a server of %s", (era) => {
  test.scopedLive("[T14:real] answered streams that a server leaves open give way to calls that wait for a socket", function*() {
    const server = yield* HttpFaultServer.make({ era })
    const { call } = yield* Harness.connect(HttpConnector.make({ url: server.url, protocol: era, maxSockets }))
    const used = new Set<Socket>()
    server.hook = ({ message, response, rpc, socket }) => {
      if (rpc !== "tools/call") return undefined
      used.add(socket)
      const answer = HttpExchange.result(message, { content: [], resultType: "complete" })
      HttpExchange.sse(response).write(HttpExchange.event(answer))
      return true
    }
    yield* Effect.all(Array.from({ length: 20 }, () => call()), { concurrency: "unbounded" })
    assert.isAtMost([...used].filter((socket) => server.sockets.has(socket)).length, maxSockets)
  })
})
