import { Sending } from "@mcp-lifeline/core"
import type { InvalidOptions } from "@mcp-lifeline/core"
import { HttpExchange, TcpProxy } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Fiber, Redacted } from "effect"
import * as SignIn from "../../testing/test/support/SignIn.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import * as OlderServer from "./fixtures/OlderServer.js"

const { fault } = HttpExchange
type Turn = HttpExchange.Turn

const streamable = { transport: "streamable", protocol: "2025" } as const

describe("failures of connecting", () => {
  test.scopedLive("[T3] Retry-After as a date is kept in milliseconds", function*() {
    const server = yield* Harness.server
    server.hook = ({ response }) => fault(response, 503, { "retry-after": new Date(Date.now() + 60_000).toUTCString() })
    const error = yield* Effect.flip(Harness.connect(HttpConnector.make({ url: server.url, ...streamable })))
    assert.isAtLeast(error.retryAfter!, 50_000)
    assert.isAtMost(error.retryAfter!, 60_000)
  })

  test.scopedLive("[T3] with a token provider, a refusal of the token is not permanent", function*() {
    const server = yield* Harness.server
    server.hook = ({ response }) => fault(response, 401)
    const connector = HttpConnector.make({ url: server.url, headerProvider: () => ({ authorization: "Bearer old" }) })
    const error = yield* Effect.flip(Harness.connect(connector))
    assert.deepStrictEqual([error.reason, error.permanent], ["unauthorized", false])
    // What has no session may be refused for that.
    assert.deepStrictEqual([server.count("server/discover"), server.count("initialize")], [1, 2])
  })

  test.scopedLive("[C10:real] no secret is in an error, not even when the server repeats it", function*() {
    const server = yield* Harness.server
    server.hook = ({ headers, response }) =>
      fault(response, 401, {}, `refused: ${headers["authorization"]} ${headers["x-key"]} s3cret-in-query`)
    const connector = HttpConnector.make({
      url: `${server.url}?token=s3cret-in-query`,
      headers: { authorization: "Bearer s3cret-token", "x-key": "s3cret-key" }
    })
    const error = yield* Effect.flip(Harness.connect(connector))
    assert.include(error.message, "refused:")
    assert.notInclude(error.message, "s3cret")
    assert.notInclude(JSON.stringify(error), "s3cret")
    assert.notInclude(connector.target, "s3cret")
  })
})

describe("failures of requests", () => {
  const answers = (status: number, headers: Record<string, string> = {}, body?: string) => ({ response }: Turn) =>
    fault(response, status, headers, body)
  const json = { "content-type": "application/json" }
  const asksToWait = { "retry-after": "2" }
  const cases: ReadonlyArray<readonly [string, (turn: Turn) => true, string, string, number?]> = [
    ["401", answers(401), "rejected", "unauthorized"],
    ["429 with seconds", answers(429, asksToWait), "rejected", "rateLimited", 2000],
    ["503 with Retry-After", answers(503, asksToWait), "rejected", "server", 2000],
    ["502", answers(502, {}, "<html>"), "unknown", "server"],
    ["a socket closed before headers", ({ socket }) => (socket.destroy(), true), "unknown", "network"],
    ["wrong content type", answers(200, { "content-type": "text/plain" }, "hi"), "answered", "protocol"],
    ["a redirect to another origin", answers(308, { location: "http://127.0.0.2:1/x" }), "answered", "protocol"],
    [
      "a response to something else",
      answers(200, json, '{"jsonrpc":"2.0","id":999,"result":{}}'),
      "answered",
      "protocol"
    ]
  ]
  for (const [name, answer, fate, reason, retryAfter] of cases) {
    test.scopedLive(`[T3] ${name}: ${fate}, ${reason}, and the session lives`, function*() {
      const { call, losses, server } = yield* Harness.connected(streamable)
      server.hook = (turn) => turn.rpc === "tools/call" ? answer(turn) : undefined
      const error = yield* Effect.flip(call())
      assert.strictEqual(error._tag, "RequestError")
      assert.deepStrictEqual([error.fate, error.reason], [fate, reason])
      assert.strictEqual(error.retryAfter, retryAfter)
      assert.strictEqual(server.count("tools/call"), 1)
      server.hook = undefined
      yield* call()
      assert.deepStrictEqual(losses, [])
    })
  }

  test.scopedLive("[T3] refused: the server is gone, and the request was not sent", function*() {
    const { call, connection, losses, server } = yield* Harness.connected(streamable)
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    yield* Effect.promise(() => server.stop())
    // The first may still go out on a socket of which we have not yet heard that it is closed.
    const first = yield* Effect.flip(call())
    const error = first.reason === "network" ? yield* Effect.flip(call()) : first
    assert.deepStrictEqual([error.fate, error.reason], ["notSent", "lost"])
    assert.deepStrictEqual(losses.map((loss) => loss.kind), ["closed"])
    assert.notInclude(losses[0]!.message, connection.sessionId!)
    yield* Effect.promise(() => server.start())
  })

  for (const transport of ["streamable", "sse"] as const) {
    test.scopedLive(`[T3] parameters that are no JSON are not sent, now or later (${transport})`, function*() {
      const server = yield* Harness.server
      if (transport === "sse") OlderServer.speak(server)
      const connector = HttpConnector.make({ url: server.url, transport, protocol: "2025" })
      const { call, connection, losses } = yield* Harness.connect(connector)
      const parameters = { name: "echo", arguments: { number: 1n } }
      const error = yield* Effect.flip(Sending.ask(connection, "tools/call", parameters, { timeout: 20_000 }))
      assert.deepStrictEqual([error.fate, error.reason], ["notSent", "fault"])
      assert.instanceOf(error.cause, TypeError)
      yield* call()
      assert.strictEqual(server.count("tools/call"), 1)
      assert.deepStrictEqual(losses, [])
    })
  }

  test.scopedLive("[C3:real] an error that is none of the network is a fault, which is not sent again", function*() {
    const server = yield* Harness.server
    const thrown = new TypeError("a broken dispatcher")
    let isBroken = false
    const dispatcher = (yield* Harness.agent()).compose((dispatch) => (options, handler) => {
      if (isBroken) throw thrown
      return dispatch(options, handler)
    })
    const { connection } = yield* Harness.connect(HttpConnector.make({ url: server.url, dispatcher }))
    isBroken = true
    const error = yield* Effect.flip(Sending.ask(connection, "tools/list", {}, { timeout: 20_000 }))
    assert.deepStrictEqual([error.fate, error.reason], ["unknown", "fault"])
    assert.include(error.message, "a broken dispatcher")
    isBroken = false
  })

  test.scopedLive("[T6] a network that is gone for a while costs what timed out meanwhile, and not the session", function*() {
    const server = yield* Harness.server
    const proxy = yield* TcpProxy.make(server.url)
    const { call, connection, losses } = yield* Harness.connect(HttpConnector.make({ url: proxy.url, ...streamable }))
    proxy.hold()
    const error = yield* Effect.flip(Sending.ask(connection, "tools/list", {}, { timeout: 200 }))
    assert.deepStrictEqual([error.fate, error.reason], ["unknown", "timeout"])
    const patient = yield* Effect.fork(call("patient"))
    assert.strictEqual(server.applied.length, 0)
    proxy.release()
    assert.include(JSON.stringify(yield* Fiber.join(patient)), "patient")
    assert.strictEqual(server.applied.length, 1)
    assert.deepStrictEqual(losses, [])
  })
})

describe("credentials", () => {
  test.scopedLive("[T7] a header provider is evaluated for each request, and once more after a 401", function*() {
    const server = yield* Harness.server
    let valid = "t1"
    let issued = "t1"
    let asked = 0
    server.hook = ({ headers, response }) =>
      headers["authorization"] === `Bearer ${valid}` ? undefined : fault(response, 401)
    const { call, losses } = yield* Harness.connect(HttpConnector.make({
      url: server.url,
      protocol: "2025",
      headers: { authorization: "Bearer static", "x-static": "kept" },
      headerProvider: () => {
        asked++
        const token = issued
        // The token is renewed only after it was handed out once more.
        issued = valid
        return Promise.resolve({ Authorization: `Bearer ${token}` })
      }
    }))
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    assert.strictEqual(asked, 3)
    valid = "t2"
    yield* call()
    assert.strictEqual(asked, 5)
    assert.strictEqual(server.count("tools/call"), 2)
    assert.strictEqual(server.seen.at(-1)!.headers["authorization"], "Bearer t2")
    assert.strictEqual(server.seen.at(-1)!.headers["x-static"], "kept")
    assert.deepStrictEqual(losses, [])
  })

  test.scopedLive("[T7] static headers and headers from an Effect go with every request", function*() {
    const server = yield* Harness.server
    yield* Effect.scoped(Effect.gen(function*() {
      const { call } = yield* Harness.connect(HttpConnector.make({
        url: server.url,
        headers: { "X-One": "1" },
        headerProvider: Effect.succeed({ "x-two": "2" })
      }))
      yield* call()
      yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    }))
    assert.isAtLeast(server.seen.length, 5)
    for (const { headers } of server.seen) assert.deepStrictEqual([headers["x-one"], headers["x-two"]], ["1", "2"])
  })

  test.scopedLive("[T7] a provider that fails means that nothing was sent", function*() {
    let broken = false
    const headerProvider = () => broken ? Promise.reject(new Error("vault is closed")) : {}
    const { call, server } = yield* Harness.connected({ headerProvider })
    broken = true
    const error = yield* Effect.flip(call())
    assert.deepStrictEqual([error.fate, error.reason], ["notSent", "unauthorized"])
    assert.strictEqual(server.count("tools/call"), 0)
    broken = false
  })

  test.scopedLive("[T7] a 401 in the middle of a session runs OAuth once for all that were refused, and they succeed", function*() {
    const server = yield* Harness.server
    const { demand, grant, provider } = SignIn.askFor(server)
    const grants = () => server.seen.filter(({ url }) => url === "/token").length
    const prepareTokenRequest = () => new URLSearchParams({ grant_type: "client_credentials" })
    const authProvider = Object.assign(provider, { redirectUrl: undefined, prepareTokenRequest })
    const headers = { authorization: "Bearer static" }
    const { call, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url, headers, authProvider }))
    assert.strictEqual(grants(), 1)
    demand.token = grant.token = "token-2"
    yield* Effect.all([call(), call(), call()], { concurrency: 3 })
    assert.strictEqual(grants(), 2)
    assert.deepStrictEqual(losses, [])
  })
})

describe("options", () => {
  const refused = (options: HttpConnector.Options) => {
    try {
      HttpConnector.make(options)
    } catch (error) {
      return error as InvalidOptions
    }
    return assert.fail("accepted")
  }

  it("[C9] an address or a header that is none is refused by name, without its value", () => {
    for (const url of ["no URL", "ftp://host/secret", "/mcp"]) {
      const error = refused({ url })
      assert.deepStrictEqual([error._tag, error.field], ["InvalidOptions", "url"])
      assert.notInclude(error.message, url)
    }
    const error = refused({ url: "http://127.0.0.1/", headers: { "x-key": Redacted.make("secret\nvalue") } })
    assert.deepStrictEqual([error._tag, error.field], ["InvalidOptions", "headers.x-key"])
    assert.notInclude(error.message, "secret")
  })

  it("[C9] an option that is out of range or does not exist is refused, all of them together", () => {
    const error = refused({ url: "http://127.0.0.1/", closeTimeout: -1, header: {} } as HttpConnector.Options)
    assert.deepStrictEqual(error.problems.map(({ message }) => message), [
      'closeTimeout is -1; accepted: 0 ms to 1 h, as milliseconds or as a text such as "5s" or "5 minutes"',
      'header is not an option of a server with a url; did you mean "headers"?'
    ])
  })

  test.scopedLive("[T3] a header of a provider that is none: nothing is sent", function*() {
    const server = yield* Harness.server
    const connector = HttpConnector.make({ url: server.url, headerProvider: () => ({ "x-key": "secret\nvalue" }) })
    const error = yield* Effect.flip(Harness.connect(connector))
    assert.include(error.message, '"x-key" is not a valid HTTP header')
    assert.include(error.message, "header provider")
    assert.notInclude(error.message, "secret")
    assert.strictEqual(server.seen.length, 0)
  })

  test.scopedLive("[T3 C2] a header or token that turns invalid in a session fails the request, which nobody sends again", function*() {
    const server = yield* Harness.server
    const { provider } = SignIn.askFor(server)
    server.hook = undefined
    let value = "good"
    const tokens = () => ({ access_token: value, token_type: "bearer" })
    const sources = {
      "x-key": { headerProvider: () => ({ "x-key": value }) },
      authorization: { authProvider: Object.assign(provider, { tokens }) }
    }
    for (const [name, source] of Object.entries(sources)) {
      const { call, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url, ...source }))
      value = "secret\nvalue"
      const error = yield* Effect.flip(call())
      assert.deepStrictEqual([error.fate, error.reason], ["notSent", "unauthorized"])
      assert.include(error.message, `"${name}" is not a valid HTTP header`)
      assert.notInclude(error.message, "secret")
      assert.deepStrictEqual(losses, [])
      assert.strictEqual(server.count("tools/call"), 0)
      value = "good"
    }
  })
})

describe("heartbeat", () => {
  for (const authenticated of [true, false]) {
    test.scopedLive(`[K16] OPTIONS ${authenticated ? "with" : "without"} the backend's headers`, function*() {
      const headers = { authorization: "Bearer mine", "x-tenant": "a" }
      const { connection, server } = yield* Harness.connected({ headers })
      yield* connection.heartbeat!({ authenticated })
      const sent = server.seen.find((one) => one.http === "OPTIONS")!
      assert.strictEqual(sent.headers["authorization"], authenticated ? "Bearer mine" : undefined)
      assert.strictEqual(sent.headers["x-tenant"], authenticated ? "a" : undefined)
    })
  }

  test.scopedLive("[K16] what a server says to OPTIONS, however long, keeps no socket", function*() {
    const { connection, server } = yield* Harness.connected()
    server.hook = ({ http, response }) =>
      http === "OPTIONS" ? fault(response, 200, {}, "allowed ".repeat(30_000)) : undefined
    for (let i = 0; i < 8; i++) yield* connection.heartbeat!({ authenticated: false })
    // One for calls, one for notifications, and for what does not wait behind them: the stream, and the two that may overlap.
    assert.isAtMost(server.sockets.size, 5)
  })

  test.scopedLive("[K2:real] any answer below 500 is a success, 5xx and a refused connection are not; 429 is an objection", function*() {
    const { connection, losses, server } = yield* Harness.connected()
    let status = 204
    server.hook = ({ http, response }) =>
      http === "OPTIONS" ? fault(response, status, { "retry-after": "3", location: "/" }) : undefined
    const heartbeat = connection.heartbeat!({ authenticated: true })
    for (status of [200, 204, 307, 400, 401, 404, 405]) yield* heartbeat
    status = 500
    assert.strictEqual((yield* Effect.flip(heartbeat)).reason, "server")
    status = 429
    assert.deepInclude(yield* Effect.flip(heartbeat), { reason: "rateLimited", retryAfter: 3000 })
    yield* Effect.promise(() => server.stop())
    assert.strictEqual((yield* Effect.flip(heartbeat)).reason, "network")
    assert.strictEqual((yield* Effect.flip(heartbeat)).fate, "notSent")
    assert.deepStrictEqual(losses, [])
    yield* Effect.promise(() => server.start())
  })
})
