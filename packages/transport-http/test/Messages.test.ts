import { HttpExchange, type HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

const { fault } = HttpExchange
type Turn = HttpExchange.Turn

interface Row {
  readonly answer: (turn: Turn, server: HttpFaultServer.HttpFaultServer) => boolean | undefined
  readonly options?: Partial<HttpConnector.Options>
  readonly says: ReadonlyArray<RegExp>
  readonly never?: ReadonlyArray<RegExp>
  readonly permanent?: boolean
}

const html = { "content-type": "text/html" }
const json = { "content-type": "application/json" }
const rpcError = (message: HttpExchange.Message | undefined, code: number, text: string) =>
  JSON.stringify({ jsonrpc: "2.0", id: message?.id, error: { code, message: text } })
const to = (location: string, status = 307) => ({ response }: Turn) => fault(response, status, { location })

const connecting: Readonly<Record<string, Row>> = {
  "a redirect to another origin": {
    answer: to("http://127.0.0.2:1/new?token=s3cret"),
    says: [/HTTP 307: redirected to http:\/\/127\.0\.0\.2:1\/new, another origin/, /ask who runs the server/],
    never: [/s3cret/]
  },
  "a redirect to a login page of the same origin": {
    answer: to("/login", 302),
    says: [/HTTP 302: redirected to http:\/\/127\.0\.0\.1:\d+\/login/, /POST into GET/],
    never: [/configure/, /another origin/]
  },
  "redirects without an end": {
    answer: to("/mcp"),
    says: [/redirected again and again/, /at the server/],
    never: [/configure/]
  },
  "a redirect that brings credentials": {
    answer: ({ response, url }, server) =>
      fault(response, 307, { location: `http://me:s3cret@127.0.0.1:${server.port}${url}` }),
    says: [/credentials in the address/],
    never: [/s3cret/]
  },
  "a redirect to nowhere": { answer: to("http://["), says: [/not valid/, /at the server/] },
  "401 without credentials": { answer: ({ response }) => fault(response, 401), says: [/none were sent/, /headers/] },
  "401 with credentials": {
    answer: ({ response }) => fault(response, 401),
    options: { headers: { authorization: "Bearer wrong-token" } },
    says: [/refuses the credentials/],
    never: [/wrong-token/]
  },
  "401 to a key in a header of its own": {
    answer: ({ response }) =>
      fault(response, 401, { "www-authenticate": 'Bearer error="invalid_token", error_description="token expired"' }),
    options: { headers: { "X-API-Key": "wrong-key" } },
    says: [/HTTP 401 \(token expired\): the server refuses the credentials \(sent: x-api-key\)/],
    never: [/wrong-key/]
  },
  "403 without credentials": {
    answer: ({ response }) => fault(response, 403),
    says: [/does not allow/, /no credentials/]
  },
  "404": {
    answer: ({ response }) => fault(response, 404, html, "<p>"),
    says: [/HTTP 404: nothing is served/, /check the URL/]
  },
  "405": { answer: ({ response }) => fault(response, 405), says: [/HTTP 405/, /check the URL/] },
  "413": { answer: ({ response }) => fault(response, 413), says: [/HTTP 413: the server refuses the request/] },
  "500": {
    answer: ({ response }) => fault(response, 500, {}, "out of memory"),
    says: [/HTTP 500 \(out of memory\)/, /log/]
  },
  "503": { answer: ({ response }) => fault(response, 503), says: [/not ready/], never: [/check the URL/] },
  "a page": { answer: ({ response }) => fault(response, 200, html, "<p>"), says: [/text\/html/, /MCP endpoint/] },
  "JSON that is none": {
    answer: ({ response }) => fault(response, 200, json, "{"),
    says: [/no response to the request: "\{"/, /MCP endpoint/]
  },
  "initialize is refused in JSON-RPC": {
    answer: ({ message, response }) => fault(response, 200, json, rpcError(message, -32603, "no licence")),
    says: [/refused initialize: no licence/]
  },
  "initialize is not known": {
    answer: ({ message, response }) => fault(response, 200, json, rpcError(message, -32601, "Method not found")),
    says: [/does not know initialize/]
  },
  ...Object.fromEntries(
    ([
      [200, "Invalid Request: Server already initialized", true],
      [400, "Invalid Request: Server already initialized", true],
      [400, "Server already initialized", false],
      [409, "Only one client is supported", false],
      [500, "Already connected to a transport. Call close() before connecting to a new transport", false],
      [500, "Already connected to a transport", true],
      [503, "this server allows only a single session at a time", false]
    ] as const).map(([status, text, isJson]) => [
      `one client is served: ${status} "${text}"${isJson ? " in JSON-RPC" : ""}`,
      {
        answer: ({ message, response }) =>
          fault(response, status, isJson ? json : {}, isJson ? rpcError(message, -32600, text) : text),
        options: { protocol: "2025" },
        says: [/serves one client, and has the session of an earlier one: end that client, or restart/]
      } satisfies Row
    ])
  ),
  "a session id with a space": {
    answer: ({ response }) => fault(response, 200, { ...json, "mcp-session-id": "a b" }, "{}"),
    says: [/session id/, /visible ASCII/]
  },
  "headers over the limit": {
    answer: ({ response }) => fault(response, 200, { "x-long": "x".repeat(20_000) }),
    says: [/headers of the answer are larger/, /--max-http-header-size/],
    never: [/closed/]
  },
  "a connection that is closed": {
    answer: ({ socket }) => (socket.destroy(), true),
    says: [/closed before an answer/, /log/]
  }
}

const wellFormed = (message: string, url: string) => {
  assert.isTrue(message.startsWith(`${url}: `), message)
  assert.strictEqual(message.split(`${url}:`).length, 2, message)
  assert.notInclude(message, "\n")
}

describe("messages", () => {
  for (const [name, { answer, never = [], options, permanent: expected, says }] of Object.entries(connecting)) {
    test.scopedLive(`[T3] connecting: ${name}`, function*() {
      const server = yield* Harness.server
      server.hook = (turn) => answer(turn, server)
      const connector = HttpConnector.make({ url: server.url, transport: "streamable", ...options })
      const { message, permanent } = yield* Effect.flip(Harness.connect(connector))
      wellFormed(message, server.url)
      if (expected !== undefined) assert.strictEqual(permanent, expected)
      for (const text of says) assert.match(message, text)
      for (const text of never) assert.notMatch(message, text)
      yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
    })
  }

  test.scopedLive("[T3] connecting: nothing listens, an unknown name, no TLS, no HTTP", function*() {
    const messageAt = (url: string) =>
      Effect.map(Effect.flip(Harness.connect(HttpConnector.make({ url }))), ({ message }) => {
        wellFormed(message, url)
        return message
      })
    assert.match(
      yield* messageAt(`http://127.0.0.1:${yield* Harness.freePort}/mcp`),
      /is the server running.*ECONNREFUSED/
    )
    assert.match(yield* messageAt("http://no-such-host.invalid/mcp"), /host name.*(ENOTFOUND|EAI_AGAIN)/)
    const server = yield* Harness.server
    assert.match(yield* messageAt(server.url.replace("http:", "https:")), /not with a TLS version.*http:/)
    const secure = yield* Harness.secureServer
    assert.match(yield* messageAt(secure.url), /vouches.*NODE_EXTRA_CA_CERTS/)
    const babbler = yield* Harness.tcp((socket) => socket.once("data", () => socket.end("HELLO\r\n\r\n")))
    assert.match(yield* messageAt(`http://127.0.0.1:${babbler.port}/`), /answers, but not with HTTP/)
  })

  test.scopedLive("[T3] a lost session is called that, also by the stream from the server, and no URL is to be checked", function*() {
    const server = yield* Harness.server
    const { call, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    server.sessions.clear()
    const { message, reason } = yield* Effect.flip(call())
    assert.strictEqual(reason, "session")
    for (const text of [message, losses[0]!.message]) {
      wellFormed(text, server.url)
      assert.match(text, /HTTP 404 \(Session not found\): the server does not know the session any more/)
      assert.notMatch(text, /check the URL/)
    }
    const { lost } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    server.sessions.clear()
    server.dropStreams()
    const loss = yield* lost
    wellFormed(loss.message, server.url)
    assert.match(loss.message, /does not know the session any more/)
  })

  test.scopedLive("[T3] an answer over a limit of the caller's dispatcher, or slower than its limit, is told as what it is", function*() {
    const server = yield* Harness.server
    let headersTimeout = 0
    const dispatcher = (yield* Harness.agent({ maxResponseSize: 2000 })).compose((dispatch) => (options, handler) =>
      dispatch({ ...options, headersTimeout }, handler)
    )
    const { call, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url, dispatcher }))
    const large = yield* Effect.flip(call("x".repeat(4000)))
    assert.deepStrictEqual([large.fate, large.reason], ["answered", "protocol"])
    assert.match(large.message, /larger than the dispatcher accepts/)
    server.hook = ({ rpc }) => rpc === "tools/call"
    headersTimeout = 1000
    const slow = yield* Effect.flip(call())
    assert.deepStrictEqual([slow.fate, slow.reason], ["unknown", "network"])
    assert.match(slow.message, /took longer/)
    assert.deepStrictEqual(losses, [])
  })
})
