import { Sending } from "@mcp-lifeline/core"
import { HttpExchange } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import * as SignIn from "../../testing/test/support/SignIn.js"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import * as OlderServer from "./fixtures/OlderServer.js"

const { fault, sse, text } = HttpExchange
type Turn = HttpExchange.Turn

const sseTo = (url: string, options: Partial<HttpConnector.Options> = {}) =>
  HttpConnector.make({ url, transport: "sse", ...options })

describe("the older HTTP+SSE", () => {
  test.scopedLive("[T1 T2] connects, answers, and leaves no stream and no socket", function*() {
    const server = yield* Harness.server
    OlderServer.speak(server)
    yield* Effect.scoped(Effect.gen(function*() {
      const { call, connection } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
      assert.isTrue(connection.stateful)
      assert.deepStrictEqual((yield* call("there")) as unknown, text("there"))
    }))
    yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
  })

  test.scopedLive("[T2] what a server says beside its 202, however long, keeps no socket", function*() {
    const server = yield* Harness.server
    OlderServer.speak(server, ({ http, response }) => {
      const end = response.end.bind(response) as (body: string) => typeof response
      if (http === "POST") response.end = () => end("accepted ".repeat(30_000))
      return undefined
    })
    const { call } = yield* Harness.connect(sseTo(server.url))
    for (let i = 0; i < 8; i++) assert.deepStrictEqual((yield* call(`${i}`)) as unknown, text(`${i}`))
    // The stream, that of the notification, and those of the calls.
    assert.isAtMost(server.sockets.size, 4)
  })

  const isPosted = ({ http, url }: Turn): boolean => http === "POST" && url.includes("session=")
  const isOpened = ({ http }: Turn): boolean => http === "GET"
  const names = "event: endpoint\ndata: http://127.0.0.2:1/x\n\n"

  const refusals: ReadonlyArray<readonly [string, (turn: Turn) => boolean | undefined, string, RegExp]> = [
    ["401 to the stream", (turn) => isOpened(turn) && fault(turn.response, 401), "unauthorized", /none were sent/],
    [
      "a page",
      ({ response }) => fault(response, 200, { "content-type": "text/html" }, "<p>"),
      "protocol",
      /text\/html/
    ],
    [
      "an address of another origin to post to",
      (turn) => isOpened(turn) && sse(turn.response).write(names),
      "protocol",
      /another origin \(http:\/\/127\.0\.0\.2:1\)/
    ],
    [
      "a stream that ends before it has named an address",
      (turn) => isOpened(turn) && (sse(turn.response).end(), true),
      "closed",
      /before .*address/
    ],
    ["500 to initialize", (turn) => isPosted(turn) && fault(turn.response, 500), "server", /HTTP 500/],
    ["a cut before initialize is answered", (turn) => isPosted(turn) && fault(turn.response, 202), "closed", /stream/]
  ]
  for (
    const [transport, [name, intercept, reason, said]] of refusals.flatMap((one) =>
      [["sse", one], ["auto", one]] as const
    )
  ) {
    test.scopedLive(`[T3] ${name}: ${reason}, and nothing is left (transport ${transport})`, function*() {
      const server = yield* Harness.server
      OlderServer.speak(server, (turn) => {
        const answered = intercept(turn)
        if (name.startsWith("a cut") && isPosted(turn)) server.dropStreams()
        return answered
      })
      const error = yield* Effect.flip(Harness.connect(sseTo(server.url, { transport })))
      assert.strictEqual(error.reason, reason)
      assert.match(error.message, said)
      assert.strictEqual(error.message.split(server.url).length, 2, error.message)
      yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
    })
  }

  test.scopedLive("[T7] one that wants a login is found to be older, and the login is what the error speaks of", function*() {
    const server = yield* Harness.server
    const { finish, logins, provider } = SignIn.askFor(server)
    const guarded = server.hook
    OlderServer.speak(
      server,
      (turn) => turn.http === "POST" && turn.url === "/mcp" ? fault(turn.response, 405) : guarded?.(turn)
    )
    const connector = HttpConnector.make({ url: server.url, authProvider: provider })
    const error = yield* Effect.flip(Harness.connect(connector))
    assert.isDefined(HttpConnector.loginNeeded(error))
    assert.strictEqual(logins.length, 1)
    yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
    yield* Effect.promise(finish)
    const { call } = yield* Harness.connect(connector)
    assert.deepStrictEqual((yield* call("in")) as unknown, text("in"))
  })

  test.scopedLive("[R6:real R7:real] a bare 404 to a request, and to nothing else: the session is lost, and Retry-After is kept", function*() {
    const server = yield* Harness.server
    let lose = false
    OlderServer.speak(
      server,
      ({ message, response, rpc }) => {
        if (rpc === "notifications/progress") return fault(response, 404, {}, "Session not found")
        const error = { code: -32001, message: "Session not found" }
        if (rpc === "ping") {
          return fault(response, 404, {}, JSON.stringify({ jsonrpc: "2.0", id: message?.id, error }))
        }
        return lose && rpc === "tools/call" && fault(response, 404, { "retry-after": "3" }, "Session not found")
      }
    )
    const { call, connection, losses } = yield* Harness.connect(sseTo(server.url))
    yield* Effect.flip(connection.notify("notifications/progress", { progressToken: 1, progress: 1 }))
    const pinged = yield* Effect.flip(Sending.ask(connection, "ping", undefined, { timeout: 60_000 }))
    assert.deepInclude(pinged, { fate: "answered", reason: "remote", ifSessionLost: "rejected" })
    assert.deepStrictEqual(losses, [])
    lose = true
    const error = yield* Effect.flip(call())
    assert.deepStrictEqual([error.fate, error.reason], ["rejected", "session"])
    assert.deepStrictEqual(losses.map(({ kind, retryAfter }) => [kind, retryAfter]), [["session", 3000]])
    assert.include(losses[0]!.message, "does not know the session")
  })

  test.scopedLive("[T7] credentials go with the stream and with each request, and are renewed after a 401", function*() {
    const server = yield* Harness.server
    let valid = "t1"
    OlderServer.speak(
      server,
      ({ headers, response }) => headers["authorization"] !== `Bearer ${valid}` && fault(response, 401)
    )
    let issued = "t1"
    const connector = sseTo(server.url, {
      headerProvider: () => {
        const token = issued
        issued = valid
        return { authorization: `Bearer ${token}` }
      }
    })
    const { call, losses } = yield* Harness.connect(connector)
    valid = "t2"
    assert.deepStrictEqual((yield* call("renewed")) as unknown, text("renewed"))
    assert.deepStrictEqual(losses, [])
  })

  test.scopedLive("[T2] a call that is under way when the connection is closed, and an attempt that is interrupted, leave nothing", function*() {
    const server = yield* Harness.server
    OlderServer.speak(server, ({ rpc }) => rpc === "tools/call")
    yield* Effect.scoped(Effect.gen(function*() {
      const { call } = yield* Harness.connect(sseTo(server.url))
      yield* Effect.fork(call())
      yield* Effect.promise(() => server.until(() => server.count("tools/call") === 1))
    }))
    yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
    for (const silent of ["GET", "POST"]) {
      OlderServer.speak(server, ({ http }) => http === silent)
      const before = server.count(silent)
      const attempt = Effect.scoped(Harness.connect(sseTo(server.url)))
      yield* Effect.raceFirst(attempt, Effect.promise(() => server.until(() => server.count(silent) > before)))
      yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
    }
  })
})
