import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import type { Socket } from "node:net"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

/** After so long without a request, the server, or what lies between, has forgotten a socket without a word; in milliseconds. */
const forgetsAfter = 1_500

describe("sockets without a request", () => {
  test.scopedLive(
    "[T14:real] are not used any more when a server that closes them after 2 s may have done so",
    function*() {
      const server = yield* Harness.server
      const lastUsed = new Map<Socket, number>()
      let forgotten = 0
      server.hook = ({ response }) => {
        const { socket } = response
        if (socket === null) return undefined
        const last = lastUsed.get(socket)
        if (last !== undefined && performance.now() - last > forgetsAfter) {
          forgotten++
          socket.resetAndDestroy()
          return true
        }
        response.on("close", () => lastUsed.set(socket, performance.now()))
        return undefined
      }
      const { call } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
      for (const pause of [0, 200, 800, 1_300, 1_600, 2_000, 2_500]) {
        yield* Effect.sleep(pause)
        yield* Effect.all([call("a"), call("b"), call("c")], { concurrency: "unbounded" })
      }
      assert.strictEqual(forgotten, 0)
      // Others were used again.
      assert.isBelow(lastUsed.size, 21)
    },
    60_000
  )
})
