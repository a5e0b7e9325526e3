import { assert, describe, it } from "@effect/vitest"
import { Sending } from "@mcp-lifeline/core"
import { HttpExchange, type HttpFaultServer, TcpProxy } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { taking } from "../../testing/test/support/taking.js"
import * as Harness from "./fixtures/Harness.js"

const { event, fault, result, sse, text } = HttpExchange
type Seen = HttpExchange.Seen
type Server = HttpFaultServer.HttpFaultServer

const connect = (server: Server) => Harness.connect(HttpConnector.make({ url: server.url }))
const gets = (server: Server): ReadonlyArray<Seen> => server.seen.filter((one) => one.http === "GET")
const notification = { jsonrpc: "2.0", method: "notifications/tools/list_changed" }

describe("the stream from the server", () => {
  it.scopedLive("[T4] is reopened where it stood, whether it ended or was cut", () =>
    Effect.gen(function*() {
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
    }))

  it.scopedLive("[T4] is tried again, ever more slowly, while the server fails it, and the session lives", () =>
    Effect.gen(function*() {
      const server = yield* Harness.server
      let failing = 0
      server.hook = ({ http, response, socket }) => {
        if (http !== "GET" || failing === 0) return undefined
        failing--
        if (failing % 2 === 0) return fault(response, 500)
        socket.destroy()
        return true
      }
      const { call, losses } = yield* connect(server)
      yield* Effect.promise(() => server.until(() => server.streams.size === 1))
      failing = 2
      for (const stream of server.streams.keys()) stream.socket!.destroy()
      yield* Effect.promise(() => server.until(() => server.count("GET") === 4))
      const at = gets(server).map((one) => one.at)
      assert.isAtLeast(at[2]! - at[1]!, 990)
      assert.isAtLeast(at[3]! - at[2]!, 1990)
      assert.strictEqual(server.streams.size, 1)
      yield* call()
      assert.deepStrictEqual(losses, [])
    }))

  it.scopedLive("[T4] starts anew when the place to resume from is refused", () =>
    Effect.gen(function*() {
      const server = yield* Harness.server
      server.hook = ({ headers, http, response }) =>
        http === "GET" && headers["last-event-id"] !== undefined ? fault(response, 400, {}, "unknown event") : undefined
      yield* connect(server)
      yield* Effect.promise(() => server.until(() => server.streams.size === 1))
      for (const stream of server.streams.keys()) stream.end(event(notification, "e-1"))
      yield* Effect.promise(() => server.until(() => server.count("GET") === 4))
      const places = gets(server).map((one) => one.headers["last-event-id"])
      assert.deepStrictEqual(places, [undefined, "e-1", "e-1", undefined])
    }))

  it.scopedLive("[T4] a server that is gone for good is noticed by it, without a call", () =>
    Effect.gen(function*() {
      const server = yield* Harness.server
      const { lost } = yield* connect(server)
      yield* Effect.promise(() => server.until(() => server.streams.size === 1))
      yield* Effect.promise(() => server.stop())
      assert.strictEqual((yield* lost).kind, "closed")
      yield* Effect.promise(() => server.start())
    }))
})

// Where a request fails within a second, it does so here although no time goes by: only the I/O is real.
describe("response streams", () => {
  it.scoped("[C6] cut by a network that does not tell the server: the request fails within a second, the session lives", () =>
    Effect.gen(function*() {
      const server = yield* Harness.server
      const proxy = yield* TcpProxy.make(server.url)
      server.streaming = true
      const { call, losses } = yield* Harness.connect(HttpConnector.make({ url: proxy.url }))
      proxy.treat = ({ direction, text }) => direction === "toClient" && text.includes(`"hi"`) ? "cut" : "pass"
      const error = yield* Effect.flip(call())
      assert.deepStrictEqual([error.fate, error.reason], ["unknown", "network"])
      proxy.treat = undefined
      assert.include(JSON.stringify(yield* call()), `"hi"`)
      assert.strictEqual(server.applied.length, 2)
      assert.deepStrictEqual(losses, [])
    }))

  for (const cut of [false, true]) {
    it.scoped(`[C6] without an event id, ${cut ? "cut" : "ended"}: the request fails within a second, others do not`, () =>
      Effect.gen(function*() {
        const server = yield* Harness.server
        const { call, connection, losses } = yield* connect(server)
        let finish: (() => void) | undefined
        server.hook = ({ message, response, rpc, socket }) => {
          if (rpc === "tools/call") {
            sse(response)
            const end = () => cut ? socket.destroy() : response.end()
            response.write(
              event({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: 1 } }),
              end
            )
            return true
          }
          if (rpc !== "tools/list") return undefined
          sse(response)
          finish = () => response.end(event(result(message, { tools: [] })))
          return true
        }
        const other = yield* Effect.fork(Sending.ask(connection, "tools/list", {}, { timeout: 20_000 }))
        yield* Effect.promise(() => server.until(() => server.count("tools/list") === 1))
        const error = yield* Effect.flip(call())
        assert.deepStrictEqual([error.fate, error.reason], ["unknown", "network"])
        finish!()
        yield* other
        assert.deepStrictEqual(losses, [])
      }))

    it.scopedLive(`[C6] with an event id, ${cut ? "cut" : "ended"}: it is resumed with Last-Event-ID after retry`, () =>
      Effect.gen(function*() {
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
      }))
  }

  it.scopedLive("[C6] a server that has its clients ask again and again for a slow answer is asked until it has it", () =>
    Effect.gen(function*() {
      const server = yield* Harness.server
      const { call, losses } = yield* connect(server)
      let waiting: unknown
      let polls = 0
      server.hook = ({ headers, http, message, response, rpc }) => {
        if (rpc === "tools/call") {
          waiting = result(message, text("at last"))
          sse(response).end(`retry: 50\n${event("", "p-1")}`)
          return true
        }
        if (http !== "GET" || headers["last-event-id"] !== "p-1") return undefined
        polls++
        sse(response).end(polls < 8 ? ": nothing yet\n\n" : event(waiting, "p-2"))
        return true
      }
      assert.deepStrictEqual((yield* call()) as unknown, text("at last"))
      assert.strictEqual(polls, 8)
      assert.strictEqual(server.count("tools/call"), 1)
      assert.deepStrictEqual(losses, [])
    }))

  for (const [status, reason] of [[405, "network"], [500, "network"], [404, "session"]] as const) {
    it.scoped(`[C6] resuming is refused with ${status}: the request fails within a second of that`, () =>
      Effect.gen(function*() {
        const server = yield* Harness.server
        const { call, losses } = yield* connect(server)
        server.hook = ({ headers, http, response, rpc }) => {
          if (rpc === "tools/call") {
            sse(response).end(`retry: 50\n${event("", "p-1")}`)
            return true
          }
          if (http !== "GET" || headers["last-event-id"] === undefined) return undefined
          // A session that lives is not lost with its stream.
          if (reason === "session") server.sessions.clear()
          return fault(response, status)
        }
        const failing = yield* Effect.fork(Effect.flip(call()))
        const isResumed = () => gets(server).some((one) => one.headers["last-event-id"] !== undefined)
        while (!isResumed()) yield* TestClock.adjust(50)
        const error = yield* Fiber.join(failing)
        assert.deepStrictEqual([error.fate, error.reason], ["unknown", reason])
        assert.deepStrictEqual(losses.map((loss) => loss.kind), reason === "session" ? ["session"] : [])
      }))
  }

  it.scopedLive("[C6] the server is gone when it is to be resumed: the connection is lost, the fate unknown", () =>
    Effect.gen(function*() {
      const server = yield* Harness.server
      const arrived = yield* Deferred.make<void>()
      const { call, connection, lost, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url }), {
        report: taking("Notification", () => Deferred.unsafeDone(arrived, Effect.void))
      })
      server.hook = ({ response, rpc }) => {
        if (rpc !== "tools/call") return undefined
        sse(response).write(`retry: 50\n${event(notification, "p-1")}`)
        return true
      }
      const fiber = yield* Effect.fork(Effect.flip(call()))
      yield* Deferred.await(arrived)
      yield* Effect.promise(() => server.stop())
      connection.fail(yield* lost)
      const error = yield* fiber
      assert.deepStrictEqual([error.fate, error.reason], ["unknown", "lost"])
      assert.deepStrictEqual(losses.map((loss) => loss.kind), ["closed"])
      yield* Effect.promise(() => server.start())
    }))

  it.scopedLive("[C6] progress and messages on a response stream arrive, and a stream left open is closed", () =>
    Effect.gen(function*() {
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
        onprogress: (one) => progress.push(one.progress)
      })
      assert.deepStrictEqual(answer as unknown, text("done"))
      assert.deepStrictEqual(progress, [1])
      assert.strictEqual(notifications.length, 1)
      yield* Deferred.await(left)
    }))
})
