import type { ServerNotification } from "@mcp-lifeline/core"
import { Backend } from "@mcp-lifeline/core"
import { TcpProxy } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Fiber, Stream } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import * as StatelessServer from "./fixtures/StatelessServer.js"
import { reconnect, textOf, until } from "./fixtures/Supervised.js"

const { answering, to } = StatelessServer

const announcing = {
  tools: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  logging: {}
}

const make = (options: StatelessServer.Options = {}) =>
  StatelessServer.make(true, { capabilities: announcing, ...options })

const supervise = (url: string, options: Partial<HttpConnector.Options> = {}) =>
  Effect.gen(function*() {
    const backend = yield* Backend.make("test", {
      connector: HttpConnector.make({ url, protocol: "2026", ...options }),
      reconnect
    })
    const heard: Array<ServerNotification> = []
    yield* Effect.forkScoped(Stream.runForEach(backend.notifications, (one) => Effect.sync(() => heard.push(one))))
    yield* backend.firstOutcome
    return { backend, heard }
  })

const untilListed = (backend: Backend.Backend, isSo: (names: ReadonlyArray<string>) => boolean) =>
  backend.catalog.changes.pipe(
    Stream.filter((snapshot) => snapshot?.stale === false && isSo(snapshot.tools.map(({ name }) => name))),
    Stream.runHead
  )

const untilTools = (backend: Backend.Backend, name: string) => untilListed(backend, (names) => names.includes(name))

const tool = (name: string) => ({ name, inputSchema: { type: "object" } })

const listens = (server: StatelessServer.StatelessServer) =>
  server.methods.filter((method) => method === "subscriptions/listen").length

describe("the stream of changes over HTTP", () => {
  test.scopedLive("[E4:real] brings changed lists and resources; it is one POST, which waits behind nothing", function*() {
    const server = yield* make()
    const { backend, heard } = yield* supervise(server.url, { maxSockets: 1 })
    yield* server.until(() => server.listening === 1)
    yield* backend.subscribeResource("test:a")
    const hanging = yield* Effect.fork(backend.callTool({ name: "hang" }))
    yield* server.until(() => server.calls === 1)
    server.notify.resourceUpdated("test:b")
    server.notify.resourceUpdated("test:a")
    server.tools = [tool("later")]
    yield* Fiber.interrupt(hanging)
    server.notify.toolsChanged()
    yield* untilTools(backend, "later")
    assert.deepStrictEqual(heard.map(({ method, params }) => [method, params]), [
      ["notifications/resources/updated", { uri: "test:a" }],
      ["notifications/tools/list_changed", {}]
    ])
    const seen = server.seen.filter(({ body }) => body.method === "subscriptions/listen")
    assert.isTrue(
      seen.every(({ headers, verb }) =>
        verb === "POST" && headers["mcp-method"] === "subscriptions/listen" &&
        headers["accept-encoding"] === "identity" && headers["mcp-protocol-version"] === "2026-07-28"
      )
    )
    assert.strictEqual(server.listening, 1)
    assert.isFalse(server.methods.includes("resources/subscribe"))
  })

  test.scopedLive("[E4:real] ends with its connection", function*() {
    const server = yield* make()
    const { connection } = yield* Effect.scoped(Effect.tap(
      Harness.connect(HttpConnector.make({ url: server.url, protocol: "2026" })),
      () => server.until(() => server.listening === 1)
    ))
    yield* server.until(() => server.listening === 0)
    assert.strictEqual(connection.protocolVersion, "2026-07-28")
  })

  test.scopedLive("[E4:real] cut by the network, it is opened again, and what changed meanwhile is read", function*() {
    const server = yield* make()
    const proxy = yield* TcpProxy.make(server.url)
    const { backend, heard } = yield* supervise(proxy.url)
    yield* server.until(() => server.listening === 1)
    server.tools = [tool("subscribed")]
    yield* backend.subscribeResource("test:a")
    yield* untilTools(backend, "subscribed")
    for (const sides of ["both", "client"] as const) {
      const before = listens(server)
      server.tools = [tool(sides)]
      proxy.cut(sides)
      yield* untilTools(backend, sides)
      assert.strictEqual(listens(server), before + 1)
    }
    server.notify.resourceUpdated("test:a")
    yield* Effect.iterate(0, { while: () => heard.length === 0, body: () => Effect.as(Effect.sleep(5), 0) })
    assert.strictEqual(heard[0]?.method, "notifications/resources/updated")
    const { generation, state } = yield* backend.status
    assert.deepStrictEqual([generation, state], [1, "Connected"])
  })

  test.scopedLive("[E4:real] ended by the server as the protocol says, it is opened again, never two at once", function*() {
    const server = yield* make()
    const { backend } = yield* supervise(server.url)
    yield* server.until(() => server.listening === 1)
    server.tools = [tool("later")]
    yield* server.endStreams
    yield* untilTools(backend, "later")
    assert.strictEqual(listens(server), 2)
    assert.strictEqual(server.mostListening, 1)
    server.tools = [tool("last")]
    server.notify.toolsChanged()
    yield* untilTools(backend, "last")
  })

  test.scopedLive("[E4:real] a process that is killed while idle, and started again: its stream and its subscriptions come back", function*() {
    const server = yield* StatelessServer.spawn("reject")
    const { backend, heard } = yield* supervise(server.url)
    yield* backend.subscribeResource("test:a")
    const pid = textOf(yield* backend.callTool({ name: "pid" }))
    yield* server.restart
    yield* untilListed(backend, (names) => !names.includes(`of-${pid}`))
    const touched = Effect.zipRight(backend.callTool({ name: "touch" }), Effect.sleep(20))
    yield* Effect.iterate(0, { while: () => heard.length === 0, body: () => Effect.as(touched, 0) })
    assert.deepStrictEqual(heard[0], { method: "notifications/resources/updated", params: { uri: "test:a" } })
  })

  test.scopedLive("[E5:real] a server that goes away is noticed by its stream, though nobody calls it", function*() {
    const server = yield* make()
    const { backend } = yield* supervise(server.url)
    yield* server.until(() => server.listening === 1)
    yield* server.stop
    yield* until(backend, ({ state }) => state === "Reconnecting")
    yield* server.start
    yield* until(backend, ({ state }) => state === "Connected")
    yield* server.until(() => server.listening === 1)
  })

  test.scopedLive("[E4:real] a server that has none, as 404 with -32601 or promises nothing, is asked once", function*() {
    const server = yield* make()
    const error = { code: -32601, message: "Method not found" }
    server.hook = to("subscriptions/listen", answering(404, { error }))
    const { backend } = yield* supervise(server.url)
    yield* server.until(() => listens(server) === 1)
    assert.strictEqual((yield* Effect.flip(backend.subscribeResource("test:a")))._tag, "RemoteError")
    server.hook = undefined
    const other = yield* StatelessServer.make(true)
    const promises = { supportedVersions: ["2026-07-28"], capabilities: announcing }
    const result = { resultType: "complete", ...promises, ttlMs: 0, cacheScope: "public" }
    other.hook = to("server/discover", answering(200, { result }))
    // It says that it announces changes, and then promises none.
    yield* supervise(other.url)
    yield* other.until(() => listens(other) === 1)
    yield* Effect.sleep(1500)
    assert.strictEqual(listens(server), 1)
    assert.strictEqual(listens(other), 1)
  })

  test.scopedLive("[E4:real] malformed frames and endless lines hurt nobody: what follows is heard, or the stream is opened again", function*() {
    const server = yield* make()
    const { backend, heard } = yield* Effect.gen(function*() {
      let first = true
      server.hook = ({ body }, response) => {
        if (body.method !== "subscriptions/listen" || !first) return false
        first = false
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write('data: {\n\ndata: 7\n\ndata: [1]\n\nevent: x\ndata: {}\n\ndata: {"method":7}\n\n: \xff\n\n')
        const event = (method: string, params?: unknown) =>
          response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", method, params })}\n\n`)
        event("notifications/subscriptions/acknowledged", { notifications: null, _meta: 7 })
        event("notifications/subscriptions/acknowledged", {
          notifications: { toolsListChanged: true },
          _meta: { "io.modelcontextprotocol/subscriptionId": body.id }
        })
        event("notifications/resources/updated")
        event("notifications/tools/list_changed", { _meta: { "io.modelcontextprotocol/subscriptionId": {} } })
        const line = "x".repeat(4096)
        response.write("data: ")
        const timer = setInterval(() => response.write(line), 1)
        response.on("close", () => clearInterval(timer))
        return true
      }
      return yield* supervise(server.url, { maxMessageBytes: 65_536 })
    })
    yield* server.until(() => listens(server) === 2)
    assert.deepStrictEqual(heard.map(({ method }) => method), [
      "notifications/resources/updated",
      "notifications/tools/list_changed"
    ])
    server.tools = [tool("later")]
    const notified = Effect.zipRight(Effect.sync(() => server.notify.toolsChanged()), Effect.sleep(50))
    yield* Effect.raceFirst(untilTools(backend, "later"), Effect.forever(notified))
    assert.strictEqual((yield* backend.status).generation, 1)
  })

  test.scopedLive("[E5:real] comments prove life: nothing else is sent to an idle server", function*() {
    const server = yield* make({ keepAliveMs: 20, ttlMs: 60_000 })
    const { backend } = yield* supervise(server.url)
    yield* server.until(() => server.listening === 1)
    const lists = ["tools/list", "resources/list", "resources/templates/list"]
    yield* server.until(() => lists.every((method) => server.methods.includes(method)))
    yield* untilTools(backend, "echo")
    const before = server.seen.length
    yield* Effect.sleep(1000)
    assert.strictEqual(server.seen.length, before)
    assert.isFalse((yield* backend.catalog)?.stale)
    assert.strictEqual((yield* backend.status).keepalive.state, "off")
  })

  test.scopedLive("[E5:real] log messages come on the stream of their request, from the level on that was set", function*() {
    const server = yield* make()
    const { backend, heard } = yield* supervise(server.url)
    yield* backend.setLoggingLevel("error")
    yield* backend.callTool({ name: "log" })
    assert.deepStrictEqual(heard.map(({ params }) => params?.["level"]), ["error"])
    yield* backend.reconnect
    yield* backend.callTool({ name: "log" })
    assert.deepStrictEqual(heard.map(({ params }) => params?.["level"]), ["error", "error"])
  })
})
