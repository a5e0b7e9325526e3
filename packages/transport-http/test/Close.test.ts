import { HttpExchange } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

const { fault } = HttpExchange

describe("close", () => {
  test.scopedLive("[T2] ends the session with its id, version and credentials, and leaves no socket and no stream", function*() {
    const server = yield* Harness.server
    server.hook = ({ socket }) => void Harness.keepIdle(socket)
    const scope = yield* Scope.make()
    const { call, connection } = yield* Harness.connect(
      HttpConnector.make({ url: server.url, headers: { authorization: "Bearer secret-token" } })
    ).pipe(Scope.extend(scope))
    yield* call()
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    yield* Scope.close(scope, Exit.void)
    const last = server.seen.at(-1)
    assert.strictEqual(last?.http, "DELETE")
    assert.strictEqual(last?.headers["mcp-session-id"], connection.sessionId)
    assert.strictEqual(last?.headers["mcp-protocol-version"], connection.protocolVersion)
    assert.strictEqual(last?.headers["authorization"], "Bearer secret-token")
    yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
    assert.strictEqual(server.sessions.size, 0)
    assert.strictEqual(server.streams.size, 0)
    assert.strictEqual(server.count("DELETE"), 1)
  })

  test.scopedLive("[T2] is content with 405, and sends nothing for a session that is lost or that never was", function*() {
    const server = yield* Harness.server
    server.hook = ({ http, response }) => http === "DELETE" ? fault(response, 405) : undefined
    yield* Effect.scoped(Harness.connect(HttpConnector.make({ url: server.url })))
    assert.strictEqual(server.count("DELETE"), 1)

    yield* Effect.scoped(Effect.gen(function*() {
      const { call } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
      server.sessions.clear()
      yield* Effect.flip(call())
    }))
    assert.strictEqual(server.count("DELETE"), 1)

    server.stateful = false
    yield* Effect.scoped(Harness.connect(HttpConnector.make({ url: server.url })))
    assert.strictEqual(server.count("DELETE"), 1)
    yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
  })

  test.scoped("[T2] waits for an answer to DELETE no longer than its bound", function*() {
    const server = yield* Harness.server
    server.hook = ({ http }) => http === "DELETE"
    const scope = yield* Scope.make()
    yield* Harness.connect(HttpConnector.make({ url: server.url, closeTimeout: "200 millis" })).pipe(
      Scope.extend(scope)
    )
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    yield* Effect.promise(() => server.until(() => server.count("DELETE") === 1))
    yield* TestClock.adjust(199)
    assert.isNull(closing.unsafePoll())
    yield* TestClock.adjust(1)
    yield* Fiber.join(closing)
    yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
    assert.strictEqual(server.count("DELETE"), 1)
  })

  test.scopedLive("[T2] aborts what is under way, and what an interrupted attempt had begun", function*() {
    const server = yield* Harness.server
    server.hook = ({ rpc }) => rpc === "tools/call"
    yield* Effect.scoped(Effect.gen(function*() {
      const { call } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
      yield* Effect.fork(call())
      yield* Effect.promise(() => server.until(() => server.count("tools/call") === 1))
    }))
    yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
    assert.strictEqual(server.sessions.size, 0)

    server.hook = ({ rpc }) => rpc === "initialize"
    const attempt = yield* Effect.scoped(Harness.connect(HttpConnector.make({ url: server.url }))).pipe(
      Effect.timeoutOption("300 millis")
    )
    assert.strictEqual(attempt._tag, "None")
    yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
  })

  const late: Readonly<Record<string, (turn: HttpExchange.Turn) => boolean | undefined>> = {
    "a server that refuses notifications/initialized": ({ response, rpc }) =>
      rpc === "notifications/initialized" && fault(response, 500),
    "a server that closes the connection then": ({ rpc, socket }) =>
      rpc === "notifications/initialized" && (socket.destroy(), true),
    "a server that answers in a protocol version that nobody speaks": ({ message, rpc }) => {
      if (rpc === "initialize") Object.assign(message?.params ?? {}, { protocolVersion: "1999-01-01" })
      return undefined
    }
  }
  for (const [name, hook] of Object.entries(late)) {
    test.scopedLive(`[T2] an attempt that fails after its session was made ends it, and leaves no socket: ${name}`, function*() {
      const server = yield* Harness.server
      server.hook = hook
      yield* Effect.flip(Harness.connect(HttpConnector.make({ url: server.url })))
      assert.strictEqual(server.count("initialize"), 1)
      assert.strictEqual(server.count("DELETE"), 1)
      assert.strictEqual(server.sessions.size, 0)
      yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
    })
  }

  test.scopedLive("[T2] an attempt that fails or is interrupted holds nothing of a dispatcher that it does not own", function*() {
    const server = yield* Harness.server
    // One socket: what an attempt has left open would keep the next from its turn.
    const dispatcher = yield* Harness.agent({ connections: 1, pipelining: 1 })
    const connector = HttpConnector.make({ url: server.url, dispatcher, transport: "streamable" })
    const endless = (status: number, type: string) => ({ response, rpc }: HttpExchange.Turn) => {
      if (rpc !== "initialize") return undefined
      response.writeHead(status, { "content-type": type }).write("x")
      return true
    }
    const answers = [
      endless(500, "text/plain"),
      endless(200, "text/html"),
      endless(200, "text/event-stream"),
      endless(200, "application/json"),
      ({ rpc }: HttpExchange.Turn) => rpc === "initialize"
    ]
    for (const answer of answers) {
      server.hook = answer
      yield* Effect.scoped(Harness.connect(connector)).pipe(Effect.timeout("1200 millis"), Effect.flip)
    }
    server.hook = undefined
    server.offersStream = false
    yield* Effect.scoped(Effect.flatMap(Harness.connect(connector), ({ call }) => call()))
    assert.isAtMost(server.sockets.size, 1)
  })

  test.scopedLive("[T2] ends its streams and calls also on a dispatcher that it does not own", function*() {
    const server = yield* Harness.server
    const dispatcher = yield* Harness.agent()
    server.hook = ({ http, response, rpc }) =>
      http === "DELETE" ? fault(response, 405) : rpc === "tools/call" ? true : undefined
    let answering = 0
    yield* Effect.scoped(Effect.gen(function*() {
      const { call } = yield* Harness.connect(HttpConnector.make({ url: server.url, dispatcher }))
      yield* Effect.fork(call())
      yield* Effect.promise(() => server.until(() => server.streams.size === 1 && server.count("tools/call") === 1))
      answering = server.sockets.size
    }))
    yield* Effect.promise(() => server.until(() => server.streams.size === 0 && server.sockets.size < answering))
  })

  it.effect("[T2] a process that has closed its connection ends by itself", () =>
    Effect.gen(function*() {
      const server = yield* Harness.server
      const source = `
        import { Sending } from "@mcp-lifeline/core"
        import { HttpConnector } from "@mcp-lifeline/transport-http"
        import { Effect } from "effect"
        const connect = HttpConnector.make({ url: process.argv[1] }).connect({ report: () => {} })
        await Effect.runPromise(Effect.scoped(Effect.flatMap(connect, (connection) =>
          Sending.ask(connection, "tools/call", { name: "echo" }, { timeout: 20_000 }))))
        console.log("closed")`
      const written = yield* Harness.program(source, [server.url])
      assert.strictEqual(written, "closed")
      assert.strictEqual(server.sessions.size, 0)
    }).pipe(Effect.scoped))
})
