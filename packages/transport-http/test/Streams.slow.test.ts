import { Sending } from "@mcp-lifeline/core"
import { HttpExchange, type HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Deferred, Effect } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

const { event, result, sse, text } = HttpExchange
type Seen = HttpExchange.Seen
type Server = HttpFaultServer.HttpFaultServer

const connect = (server: Server) => Harness.connect(HttpConnector.make({ url: server.url }))
const gets = (server: Server): ReadonlyArray<Seen> => server.seen.filter((one) => one.http === "GET")
const notification = { jsonrpc: "2.0", method: "notifications/tools/list_changed" }

describe("the stream from the server", () => {
  test.scopedLive("[T4] is reopened where it stood, whether it ended or was cut", function*() {
    const server = yield* Harness.server
    const { losses, notifications } = yield* connect(server)
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    const [first] = server.streams.keys()
    first!.write(`retry: 10\n\n${event(notification, "e-1")}`)
    first!.end()
    yield* Effect.promise(() => server.until(() => server.count("GET") === 2))
    const second = gets(server)[1]!
    assert.strictEqual(second.headers["last-event-id"], "e-1")
    assert.strictEqual(notifications.length, 1)

    const [again] = server.streams.keys()
    again!.write(event(notification, "e-2"), () => again!.socket!.destroy())
    yield* Effect.promise(() => server.until(() => server.count("GET") === 3))
    assert.strictEqual(gets(server)[2]!.headers["last-event-id"], "e-2")
    assert.strictEqual(notifications.length, 2)
    assert.deepStrictEqual(losses, [])
  })

  test.scopedLive("[T4] a server that is gone for good is noticed by it, without a call", function*() {
    const server = yield* Harness.server
    const { lost } = yield* connect(server)
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    yield* Effect.promise(() => server.stop())
    assert.strictEqual((yield* lost).kind, "closed")
    yield* Effect.promise(() => server.start())
  })
})

// Where a request fails within a second, it does so here although no time goes by: only the I/O is real.
describe("response streams", () => {
  for (const cut of [false, true]) {
    test.scopedLive(`[C6] with an event id, ${cut ? "cut" : "ended"}: it is resumed with Last-Event-ID after retry`, function*() {
      const server = yield* Harness.server
      const { call, losses } = yield* connect(server)
      let ended = 0
      let waiting: unknown
      server.hook = ({ headers, http, message, response, rpc, socket }) => {
        if (rpc === "tools/call") {
          waiting = result(message, text("at last"))
          sse(response).write(`retry: 300\n${event("", "p-1")}`, () => {
            ended = performance.now()
            if (cut) socket.destroy()
            else response.end()
          })
          return true
        }
        const place = headers["last-event-id"]
        if (http !== "GET" || place === undefined) return undefined
        sse(response).end(place === "p-1" ? event("", "p-2") : event(waiting, "p-3"))
        return true
      }
      assert.deepStrictEqual((yield* call()) as unknown, text("at last"))
      const resumed = gets(server).filter((one) => one.headers["last-event-id"] !== undefined)
      assert.deepStrictEqual(resumed.map((one) => one.headers["last-event-id"]), ["p-1", "p-2"])
      assert.isAtLeast(resumed[0]!.at - ended, 290)
      assert.strictEqual(server.count("tools/call"), 1)
      assert.deepStrictEqual(losses, [])
    })
  }

  test.scopedLive("[C6] progress and messages on a response stream arrive, and a stream left open is closed", function*() {
    const server = yield* Harness.server
    const { connection, notifications } = yield* connect(server)
    const left = yield* Deferred.make<void>()
    server.hook = ({ message, response, rpc }) => {
      if (rpc !== "tools/call") return undefined
      const progressToken = message!.params!["_meta"].progressToken
      sse(response).on("close", () => Deferred.unsafeDone(left, Effect.void))
      response.write(
        event({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress: 1 } })
      )
      response.write("event: other\ndata: not for us\n\n: a comment\n\n")
      response.write(event(notification) + event("{no json"))
      response.write(event(result(message, text("done"))))
      return true
    }
    const progress: Array<number> = []
    const answer = yield* Sending.ask(connection, "tools/call", { name: "echo" }, {
      timeout: 20_000,
      ...Sending.progressTo((one) => progress.push(one.progress))
    })
    assert.deepStrictEqual(answer as unknown, text("done"))
    assert.deepStrictEqual(progress, [1])
    assert.strictEqual(notifications.length, 1)
    yield* Deferred.await(left)
  })
})
