import { Backend, Sending } from "@mcp-lifeline/core"
import { HttpExchange, HttpFault } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Deferred, Effect } from "effect"
import { gzipSync } from "node:zlib"
import { pairs } from "../../testing/test/support/pairs.js"
import { taking } from "../../testing/test/support/taking.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import * as OlderServer from "./fixtures/OlderServer.js"

const { event, sse, text } = HttpExchange

const maxMessageBytes = 65_536
const long = "x".repeat(maxMessageBytes)

const connect = (url: string) => Harness.connect(HttpConnector.make({ url, maxMessageBytes }))

const tooLong = "longer than 65536 bytes (maxMessageBytes)"

const failsAlone = (says: string, fault: HttpFault.HttpFault) =>
  Effect.gen(function*() {
    const { call, losses, server } = yield* Harness.connected({ maxMessageBytes })
    server.fail("tools/call", fault, 1)
    const error = yield* Effect.flip(call())
    assert.deepStrictEqual([error.fate, error.reason], ["answered", "protocol"])
    assert.include(error.message, says)
    yield* call()
    assert.deepStrictEqual(losses, [])
  })

describe("compressed answers", () => {
  for (const coding of ["gzip", "deflate", "raw", "br"]) {
    for (const streaming of [false, true]) {
      test.scopedLive(`[T13:real] ${coding}, as ${streaming ? "an event stream" : "JSON"}`, function*() {
        const server = yield* Harness.server
        server.streaming = streaming
        server.fail("POST", HttpFault.encoded(coding))
        const { call } = yield* connect(server.url)
        assert.deepStrictEqual((yield* call("there")) as unknown, text("there"))
        assert.strictEqual(server.seen[0]!.headers["accept-encoding"], "gzip, deflate, br")
      })
    }
  }

  test.scopedLive("[T13:real] an event of a compressed stream is handed on before the next comes", function*() {
    const server = yield* Harness.server
    const { call } = yield* connect(server.url)
    server.hook = ({ message, response, rpc }) => {
      if (rpc !== "tools/call") return undefined
      // No end of the stream: what was sent must do.
      sse(response, { "content-encoding": "gzip" }).write(
        gzipSync(event(HttpExchange.result(message, text("now")))).subarray(0, -8)
      )
      return true
    }
    assert.deepStrictEqual((yield* call()) as unknown, text("now"))
  })

  const bomb = gzipSync(Buffer.alloc(100_000_000))
  const once = "understands gzip, deflate or br, once"
  const [json, events] = ["application/json", "text/event-stream"]
  // The bomb in another is small at both ends, and has 100 MB in between.
  const refused: ReadonlyArray<
    readonly [what: string, coding: string, type: string, body: string | Buffer, says: string]
  > = [
    ["[T13:real] a coding that nobody asked for", "zstd", json, "{}", "encoded with zstd"],
    ["[T13:real] what only says that it is compressed", "gzip", json, "{}", "content-encoding"],
    ["[T12:real T13:real] what is short, and long once it is decompressed", "gzip", json, bomb, tooLong],
    ...pairs(["gzip, gzip", "br,gzip", "gzip, identity, GZIP"], [json, events]).map(([codings, type]) =>
      ["[T12:real T13:real] a coding within a coding", codings, type, gzipSync(bomb), once] as const
    )
  ]
  for (const [what, coding, type, body, says] of refused) {
    const headers = { "content-type": type, "content-encoding": coding }
    it.scopedLive(`${what} (${coding}, ${type}): its request alone fails, and hears why`, () =>
      failsAlone(says, ({ response }) => void response.writeHead(200, headers).end(body)))
  }

  test.scopedLive("[T13:real] a coding that nobody asked for is named by the attempt, too", function*() {
    const server = yield* Harness.server
    server.fail("initialize", HttpFault.encoded("zstd"))
    assert.include((yield* Effect.flip(connect(server.url))).message, "encoded with zstd")
  })
})

describe("what is nested deeply", () => {
  const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`
  const json = { "content-type": "application/json" }

  test.scopedLive("[P12:real] a tool is left out and reported, a result comes as it is, and the connection lives", function*() {
    const server = yield* Harness.server
    server.hook = ({ message, response, rpc }) => {
      const answer = (result: string) =>
        HttpExchange.fault(response, 200, json, `{"jsonrpc":"2.0","id":${String(message?.id)},"result":${result}}`)
      if (rpc === "tools/list") {
        const schema = `{"type":"object","properties":{"deep":{"enum":${nested(6000)}}}}`
        return answer(
          `{"tools":[{"name":"deep","inputSchema":${schema}},{"name":"echo","inputSchema":{"type":"object"}}]}`
        )
      }
      return rpc === "tools/call" ? answer(`{"content":[],"structuredContent":{"deep":${nested(9000)}}}`) : undefined
    }
    const backend = yield* Backend.make("test", { connector: HttpConnector.make({ url: server.url }) })
    yield* backend.refresh
    const { problems, tools } = (yield* backend.catalog)!
    assert.deepStrictEqual([tools.map(({ name }) => name), problems.map(({ name }) => name)], [["echo"], ["deep"]])
    assert.isDefined((yield* backend.callTool({ name: "echo" })).structuredContent)
    server.hook = undefined
    yield* backend.callTool({ name: "echo" })
    assert.strictEqual((yield* backend.status).generation, 1)
  })
})

describe("messages that are too long", () => {
  for (const streaming of [false, true]) {
    test.scopedLive(`[T12:real] an answer as ${streaming ? "an event" : "JSON"} fails only its own request; one within the bound passes`, function*() {
      const server = yield* Harness.server
      server.streaming = streaming
      server.tools.set("long", { run: () => text(long) })
      const { call, connection, losses } = yield* connect(server.url)
      const fits = "x".repeat(maxMessageBytes - 1000)
      const [error, other] = yield* Effect.all([
        Effect.flip(Sending.ask(connection, "tools/call", { name: "long" }, { timeout: 20_000 })),
        call(fits)
      ], { concurrency: "unbounded" })
      assert.deepStrictEqual([error.fate, error.reason], ["answered", "protocol"])
      assert.include(error.message, tooLong)
      assert.deepStrictEqual(other as unknown, text(fits))
      assert.deepStrictEqual(losses, [])
    })
  }

  test.scopedLive("[T12:real] ProtocolError for the caller", function*() {
    const server = yield* Harness.server
    server.tools.set("long", { run: () => text(long) })
    const backend = yield* Backend.make("test", {
      connector: HttpConnector.make({ url: server.url, maxMessageBytes })
    })
    const error = yield* Effect.flip(backend.callTool({ name: "long" }))
    assert.strictEqual(error._tag, "ProtocolError")
    assert.strictEqual((yield* backend.status.get).generation, 1)
  })

  test.scopedLive("[T12:real] a notification on the stream from the server is dropped, and what follows is not", function*() {
    const server = yield* Harness.server
    const first = yield* Deferred.make<unknown>()
    const { losses } = yield* Harness.connect(HttpConnector.make({ url: server.url, maxMessageBytes }), {
      report: taking(
        "Notification",
        ({ notification }) => Deferred.unsafeDone(first, Effect.succeed(notification.params?.["data"]))
      )
    })
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    server.notify("notifications/message", { level: "info", data: long })
    server.notify("notifications/message", { level: "info", data: "short" })
    assert.strictEqual(yield* Deferred.await(first), "short")
    assert.strictEqual(server.count("GET"), 1)
    assert.deepStrictEqual(losses, [])
  })

  test.scopedLive("[T12:real] an endless line on the stream from the server is cut off, and the stream opened again", function*() {
    const server = yield* Harness.server
    let sent = 0
    server.fail("GET", HttpFault.endlessLine((bytes) => (sent = bytes)), 1)
    const { call, losses } = yield* connect(server.url)
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    yield* call()
    // What was read, and what the kernel's buffers take.
    assert.isBelow(sent, 30_000_000)
    assert.deepStrictEqual(losses, [])
  })

  it.scopedLive("[T12:real] an endless line in place of an answer ends its request", () =>
    failsAlone(tooLong, HttpFault.endlessLine()))

  it.scopedLive("[T12:real] endless headers end their request", () =>
    failsAlone("headers of the answer are larger", ({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\n")
      const more = () => {
        while (!socket.destroyed && socket.write(`x-${"y".repeat(1000)}: z\r\n`)) {}
      }
      socket.on("drain", more)
      more()
    }))

  test.scopedLive("[T12:real] the older HTTP+SSE: an answer fails only its own request", function*() {
    const server = yield* Harness.server
    OlderServer.speak(server)
    const { call, losses } = yield* Harness.connect(
      HttpConnector.make({ url: server.url, transport: "sse", maxMessageBytes })
    )
    const error = yield* Effect.flip(call(long))
    assert.deepStrictEqual([error.fate, error.reason], ["answered", "protocol"])
    assert.include(error.message, tooLong)
    assert.deepStrictEqual((yield* call("short")) as unknown, text("short"))
    assert.deepStrictEqual(losses, [])
  })

  it("[T12] the bound is checked like other options", () => {
    for (const wrong of [0, 1023, Number.NaN, "1 MB"]) {
      const made = () => HttpConnector.make({ url: "http://127.0.0.1/mcp", maxMessageBytes: wrong as number })
      assert.throws(made, /maxMessageBytes/)
    }
  })
})
