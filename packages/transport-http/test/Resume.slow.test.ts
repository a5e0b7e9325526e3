import { Backend } from "@mcp-lifeline/core"
import { HttpExchange, HttpFaultServer, TcpProxy } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Everything from "./fixtures/Everything.js"
import { seen, textOf, until } from "./fixtures/Supervised.js"

const { event, sse } = HttpExchange

const through = (url: string, options: Omit<Backend.BackendOptions, "connector"> = {}) =>
  Effect.gen(function*() {
    const proxy = yield* TcpProxy.make(url)
    const backend = yield* Backend.make("test", {
      connector: HttpConnector.make({ url: proxy.url, transport: "streamable" }),
      keepalive: { method: "none" },
      ...options,
      reconnect: { initialDelay: 100, maxDelay: 200, demandInterval: 100, stableAfter: 0 }
    })
    yield* backend.firstOutcome
    /** The network is gone until `back`, and whoever uses it learns so at once. */
    const gone = Effect.promise(async () => {
      await proxy.refuse()
      proxy.cut("client")
    })
    return { backend, gone, back: Effect.promise(() => proxy.accept()), proxy }
  })

const notice = (backend: Backend.Backend) =>
  Effect.zipRight(Effect.ignore(backend.healthCheck), until(backend, ({ state }) => state !== "Connected"))

/** A call that may be carried out once; its server has it, and we have read the first of the answer's stream: a progress. */
const begun = (backend: Backend.Backend, tool: Parameters<Backend.Backend["callTool"]>[0]) =>
  Effect.gen(function*() {
    const first = yield* Deferred.make<void>()
    const onprogress = () => Deferred.unsafeDone(first, Effect.void)
    const call = yield* Effect.fork(backend.callTool(tool, { idempotent: false, onprogress }))
    yield* Deferred.await(first)
    return call
  })

const working = (backend: Backend.Backend, seconds: number) =>
  begun(backend, { name: "trigger-long-running-operation", arguments: { duration: seconds, steps: seconds * 5 } })

const begin = ({ message, response }: HttpExchange.Turn): true => {
  const params = { progressToken: message?.params?.["_meta"].progressToken, progress: 1 }
  sse(response).write(event({ jsonrpc: "2.0", method: "notifications/progress", params }, String(message?.id)))
  return true
}

describe.concurrent("T11: sessions and the network", () => {
  test.scopedLive("[T11:real] a network that is gone for a while does not cost the session of a server that we did not write", function*() {
    const server = yield* Everything.make("streamableHttp")
    let prepared = 0
    const { back, backend, gone } = yield* through(server.url, {
      onConnected: () => Effect.sync(() => void prepared++)
    })
    const before = yield* backend.status
    yield* gone
    yield* notice(backend)
    yield* Effect.sleep(500)
    yield* back
    const after = yield* until(backend, ({ state }) => state === "Connected")
    assert.deepInclude(after, { generation: before.generation + 1, resumed: true, sessionId: before.sessionId })
    assert.strictEqual(prepared, 1)
    assert.include(textOf(yield* backend.callTool({ name: "echo", arguments: { message: "here" } })), "here")
    assert.notInclude(server.output(), "termination")
  })

  test.scopedLive("[T11:real] an answer that was given meanwhile reaches its call, which was sent once", function*() {
    const server = yield* Everything.make("streamableHttp")
    const { back, backend, gone } = yield* through(server.url)
    const call = yield* working(backend, 4)
    yield* gone
    yield* notice(backend)
    yield* Effect.sleep(4500)
    assert.isNull(call.unsafePoll())
    yield* back
    assert.include(textOf(yield* Fiber.join(call)), "completed")
    assert.strictEqual((yield* backend.status).resumed, true)
  })

  test.scopedLive("[T11:real] after a black hole that outlasts the question for it, it goes on, and no session is left over", function*() {
    const server = yield* HttpFaultServer.make()
    const { backend, proxy } = yield* through(server.url, {
      keepalive: { method: "none", timeout: 300, failureThreshold: 1 }
    })
    const { sessionId } = yield* backend.status
    proxy.hold()
    yield* notice(backend)
    // It comes back while a new session is asked for, in place of the old one that has not answered.
    yield* Effect.sleep(6500)
    proxy.release()
    const after = yield* until(backend, ({ state }) => state === "Connected")
    assert.deepInclude(after, { resumed: true, sessionId })
    // A new session that was made all the same is given back, perhaps after the old one has gone on.
    yield* seen(server, () => server.sessions.size === 1)
  })

  test.scopedLive("[T11:real] a session of which a gateway says nothing but 503 is replaced by a new one", function*() {
    const server = yield* HttpFaultServer.make()
    const { back, backend, gone } = yield* through(server.url)
    const [old] = [...server.sessions.keys()]
    yield* gone
    yield* notice(backend)
    server.hook = ({ headers, response }) => {
      if (headers["mcp-session-id"] !== old) return undefined
      response.writeHead(503).end()
      return true
    }
    yield* back
    assert.strictEqual((yield* until(backend, ({ state }) => state === "Connected")).resumed, false)
  })

  test.scopedLive("[T11:real C5] a call that is cancelled while the network is gone is cancelled on the server once it is back", function*() {
    const server = yield* HttpFaultServer.make()
    const { back, backend, gone } = yield* through(server.url)
    server.hook = (turn) => turn.rpc === "tools/call" ? begin(turn) : undefined
    const call = yield* begun(backend, { name: "echo" })
    yield* gone
    yield* notice(backend)
    yield* Fiber.interrupt(call)
    yield* back
    assert.strictEqual((yield* until(backend, ({ state }) => state === "Connected")).resumed, true)
    yield* Effect.promise(() => server.until(() => server.count("notifications/cancelled") === 1))
    const [cancelled] = server.requests("notifications/cancelled")
    const [called] = server.requests("tools/call")
    assert.strictEqual(cancelled?.message?.params?.["requestId"], called?.message?.id)
  })

  test.scopedLive("[T11:real C6] an answer that a server gives later, and not on the stream that was opened for it, is fetched", function*() {
    const server = yield* Everything.make("streamableHttp")
    const { back, backend, gone } = yield* through(server.url)
    const call = yield* working(backend, 5)
    for (let loss = 0; loss < 2; loss++) {
      if (loss > 0) yield* Effect.sleep(800)
      yield* gone
      yield* notice(backend)
      yield* back
      assert.strictEqual((yield* until(backend, ({ state }) => state === "Connected")).resumed, true)
    }
    assert.include(textOf(yield* Fiber.join(call)), "completed")
  })

  test.scopedLive("[T11:real T4] what a server says later, and not on the stream that was opened where it was cut, is fetched", function*() {
    const server = yield* Everything.make("streamableHttp")
    const { back, backend, gone } = yield* through(server.url)
    let messages = 0
    yield* Effect.forkScoped(
      Stream.runForEach(backend.notifications, ({ method }) =>
        Effect.sync(() => {
          if (method === "notifications/message") messages++
        }))
    )
    yield* backend.callTool({ name: "toggle-simulated-logging" })
    const more = (than: number) => Effect.repeat(Effect.sleep(100), { until: () => messages > than })
    yield* more(0)
    yield* gone
    yield* notice(backend)
    yield* back
    assert.strictEqual((yield* until(backend, ({ state }) => state === "Connected")).resumed, true)
    yield* more(messages + 1)
  })
})
