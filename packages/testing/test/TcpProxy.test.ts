import { HttpFaultServer, TcpProxy } from "@mcp-lifeline/testing"
import { Effect, Fiber } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"

const proxied = Effect.gen(function*() {
  const server = yield* HttpFaultServer.make({ stateful: false, streaming: true })
  const proxy = yield* TcpProxy.make(server.url)
  const send = (init: RequestInit) =>
    Effect.tryPromise((signal) =>
      fetch(proxy.url, { ...init, headers: { connection: "close" }, signal }).then((response) => response.text())
    )
  const call = (message = "hi") =>
    send({
      method: "POST",
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: "echo", arguments: { message } }
      })
    })
  return { call, proxy, send, server }
})

describe("TcpProxy", () => {
  test.scopedLive("carries both directions, and has nothing open when both sides have ended", function*() {
    const { call, proxy, server } = yield* proxied
    assert.notStrictEqual(proxy.port, server.port)
    const large = "x".repeat(3_000_000)
    assert.include(yield* call(large), `"text":"${large}"`)
    yield* Effect.promise(() => proxy.until(() => proxy.open === 0))
    assert.strictEqual(proxy.made, 1)
    yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
  })

  test.scopedLive("carries nothing while it is held, and then everything in order; delays what it is told to", function*() {
    const { call, proxy, server } = yield* proxied
    proxy.hold()
    const waiting = yield* Effect.fork(Effect.all([call("one"), call("two")], { concurrency: 2 }))
    yield* Effect.promise(() => proxy.until(() => proxy.made === 2))
    assert.strictEqual(server.seen.length, 0)
    proxy.release()
    assert.match((yield* Fiber.join(waiting)).join(), /"one".*"two"/s)
    proxy.treat = ({ direction }) => ({ delay: direction === "toServer" ? 30 : 20 })
    const before = performance.now()
    assert.include(yield* call(), `"hi"`)
    assert.isAtLeast(performance.now() - before, 49)
  })

  test.scopedLive("loses a request or its answer, and resets in place of it", function*() {
    const { call, proxy, server } = yield* proxied
    for (const direction of ["toServer", "toClient"] as const) {
      const applied = server.applied.length
      const expected = applied + (direction === "toServer" ? 0 : 1)
      proxy.treat = (piece) => piece.direction === direction ? "reset" : "pass"
      yield* Effect.flip(call())
      assert.strictEqual(server.applied.length, expected)
      let lost = false
      proxy.treat = (piece) => {
        lost ||= piece.direction === direction
        return piece.direction === direction ? "lose" : "pass"
      }
      const waiting = yield* Effect.fork(Effect.flip(call()))
      yield* Effect.promise(() => proxy.until(() => lost))
      assert.strictEqual((yield* Fiber.poll(waiting))._tag, "None")
      proxy.cut()
      yield* Fiber.join(waiting)
    }
    proxy.treat = undefined
    assert.include(yield* call(), `"hi"`)
  })

  test.scopedLive("cuts the client's side alone, and the server goes on; refuses, and accepts again on the same port", function*() {
    const { call, proxy, send, server } = yield* proxied
    const stream = yield* Effect.fork(Effect.flip(send({ method: "GET" })))
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    server.notify("notifications/tools/list_changed")
    proxy.cut("client")
    yield* Fiber.join(stream)
    server.notify("notifications/tools/list_changed")
    assert.include(yield* call(), `"hi"`)
    assert.deepStrictEqual([server.streams.size, proxy.open > 0], [1, true])
    const { url } = proxy
    yield* Effect.promise(() => proxy.refuse())
    yield* Effect.flip(call())
    yield* Effect.promise(() => proxy.accept())
    assert.strictEqual(proxy.url, url)
    assert.include(yield* call(), `"hi"`)
    proxy.cut()
    yield* Effect.promise(() => server.until(() => server.streams.size === 0))
  })

  test.scopedLive("carries an event of a stream twice where it is told to, and nothing else", function*() {
    const { call, proxy, server } = yield* proxied
    proxy.treat = () => "twice"
    const controller = new AbortController()
    const response = yield* Effect.promise(() => fetch(proxy.url, { signal: controller.signal }))
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    const [stream] = server.streams.keys()
    const reader = response.body!.getReader()
    let text = ""
    stream!.write("data: one\n\n")
    while (text.split("data: one").length < 3) {
      text += Buffer.from((yield* Effect.promise(() => reader.read())).value!).toString()
    }
    assert.strictEqual(text.replaceAll("\n", ""), "data: onedata: one")
    controller.abort()
    assert.include(yield* call(), `"hi"`)
  })
})
