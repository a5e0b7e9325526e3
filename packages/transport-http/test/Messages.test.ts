import { HttpExchange, type HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

const { fault, sse } = HttpExchange
type Turn = HttpExchange.Turn

interface Row {
  readonly answer: (turn: Turn, server: HttpFaultServer.HttpFaultServer) => boolean | undefined
  readonly options?: Partial<HttpConnector.Options>
  readonly is: readonly [reason: string, permanent?: "for good" | "for now", retryAfter?: number]
  readonly says?: ReadonlyArray<RegExp>
  readonly never?: ReadonlyArray<RegExp>
}

const html = { "content-type": "text/html" }
const json = { "content-type": "application/json" }
const rpcError = (message: HttpExchange.Message | undefined, code: number, text: string) =>
  JSON.stringify({ jsonrpc: "2.0", id: message?.id, error: { code, message: text } })
const answers = (status: number, headers: Record<string, string> = {}, body?: string) => ({ response }: Turn) =>
  fault(response, status, headers, body)
const refuses = (code: number, text: string, status = 200) => ({ message, response }: Turn) =>
  fault(response, status, json, rpcError(message, code, text))
const to = (location: string, status = 307) => answers(status, { location })

const servesOne: ReadonlyArray<readonly [reason: string, status: number, said: string, isJson?: true]> = [
  ["protocol", 200, "Invalid Request: Server already initialized", true],
  ["protocol", 400, "Invalid Request: Server already initialized", true],
  ["protocol", 400, "Server already initialized"],
  ["protocol", 409, "Only one client is supported"],
  ["server", 500, "Already connected to a transport. Call close() before connecting to a new transport"],
  ["server", 500, "Already connected to a transport", true],
  ["server", 503, "this server allows only a single session at a time"]
]

const connecting: Readonly<Record<string, Row>> = {
  "a redirect to another origin": {
    answer: to("http://127.0.0.2:1/new?token=s3cret"),
    is: ["redirect"],
    says: [/HTTP 307: redirected to http:\/\/127\.0\.0\.2:1\/new, another origin/, /ask who runs the server/],
    never: [/s3cret/]
  },
  "a redirect to a login page of the same origin": {
    answer: to("/login", 302),
    is: ["redirect"],
    says: [/HTTP 302: redirected to http:\/\/127\.0\.0\.1:\d+\/login/, /POST into GET/],
    never: [/configure/, /another origin/]
  },
  "redirects without an end": {
    answer: to("/mcp"),
    is: ["redirect"],
    says: [/redirected again and again/, /at the server/],
    never: [/configure/]
  },
  "a redirect that brings credentials": {
    answer: (turn, { port }) => to(`http://me:s3cret@127.0.0.1:${port}${turn.url}`)(turn),
    is: ["redirect"],
    says: [/credentials in the address/],
    never: [/s3cret/]
  },
  "a redirect to nowhere": { answer: to("http://["), is: ["redirect"], says: [/not valid/, /at the server/] },
  "401 without credentials": {
    answer: answers(401),
    is: ["unauthorized", "for good"],
    says: [/none were sent/, /headers/]
  },
  "401 with credentials": {
    answer: answers(401),
    options: { headers: { authorization: "Bearer wrong-token" } },
    is: ["unauthorized", "for good"],
    says: [/refuses the credentials/],
    never: [/wrong-token/]
  },
  "401 to a key in a header of its own": {
    answer: answers(401, { "www-authenticate": 'Bearer error="invalid_token", error_description="token expired"' }),
    options: { headers: { "X-API-Key": "wrong-key" } },
    is: ["unauthorized", "for good"],
    says: [/HTTP 401 \(token expired\): the server refuses the credentials \(sent: x-api-key\)/],
    never: [/wrong-key/]
  },
  "403": { answer: answers(403), is: ["forbidden", "for good"], says: [/does not allow/, /no credentials/] },
  "404": {
    answer: answers(404, html, "<p>"),
    is: ["notFound"],
    says: [/HTTP 404: nothing is served/, /check the URL/]
  },
  "405": { answer: answers(405), is: ["protocol"], says: [/HTTP 405/, /check the URL/] },
  "413": { answer: answers(413), is: ["protocol"], says: [/HTTP 413: the server refuses the request/] },
  "429": { answer: answers(429, { "retry-after": "7" }), is: ["rateLimited", "for now", 7000] },
  "500": { answer: answers(500, {}, "out of memory"), is: ["server"], says: [/HTTP 500 \(out of memory\)/, /log/] },
  "503": {
    answer: answers(503, { "retry-after": "120" }),
    is: ["server", "for now", 120_000],
    says: [/not ready/],
    never: [/check the URL/]
  },
  "a page": { answer: answers(200, html, "<p>"), is: ["protocol"], says: [/text\/html/, /MCP endpoint/] },
  "JSON that is none": {
    answer: answers(200, json, "{"),
    is: ["protocol"],
    says: [/no response to the request: "\{"/, /MCP endpoint/]
  },
  "initialize is refused in JSON-RPC": {
    answer: refuses(-32603, "no licence"),
    is: ["protocol"],
    says: [/refused initialize: no licence/]
  },
  "initialize is not known": {
    answer: refuses(-32601, "Method not found"),
    is: ["incompatible", "for good"],
    says: [/does not know initialize/]
  },
  ...Object.fromEntries(
    servesOne.map(([reason, status, said, isJson]) => [
      `one client is served: ${status} "${said}"${isJson === true ? " in JSON-RPC" : ""}`,
      {
        answer: isJson === true ? refuses(-32600, said, status) : answers(status, {}, said),
        is: [reason],
        says: [/serves one client, and has the session of an earlier one: end that client, or restart/]
      } satisfies Row
    ])
  ),
  "a session id with a space": {
    answer: answers(200, { ...json, "mcp-session-id": "a b" }, "{}"),
    is: ["protocol"],
    says: [/session id/, /visible ASCII/]
  },
  "headers over the limit": {
    answer: answers(200, { "x-long": "x".repeat(20_000) }),
    is: ["protocol"],
    says: [/headers of the answer are larger/, /--max-http-header-size/],
    never: [/closed/]
  },
  "a connection that is closed": {
    answer: ({ socket }) => (socket.destroy(), true),
    is: ["closed"],
    says: [/closed before an answer/, /log/]
  },
  "a stream that ends without the response": { answer: ({ response }) => (sse(response).end(), true), is: ["closed"] },
  "a body that is cut": {
    answer: ({ response, socket }) => {
      response.writeHead(200, { ...json, "content-length": "100" }).write("{", () => socket.destroy())
      return true
    },
    is: ["closed"]
  }
}

const wellFormed = (message: string, url: string) => {
  assert.isTrue(message.startsWith(`${url}: `), message)
  assert.strictEqual(message.split(`${url}:`).length, 2, message)
  assert.notInclude(message, "\n")
}

describe("messages", () => {
  for (const [name, { answer, is, never = [], options, says = [] }] of Object.entries(connecting)) {
    test.scopedLive(`[T3] connecting: ${name}`, function*() {
      const server = yield* Harness.server
      server.hook = (turn) => answer(turn, server)
      const connector = HttpConnector.make({ url: server.url, transport: "streamable", protocol: "2025", ...options })
      const { _tag, message, permanent, reason, retryAfter } = yield* Effect.flip(Harness.connect(connector))
      assert.strictEqual(_tag, "ConnectError")
      assert.deepStrictEqual([reason, permanent, retryAfter], [is[0], is[1] === "for good", is[2]])
      assert.strictEqual(server.seen.length, name === "redirects without an end" ? 6 : 1)
      wellFormed(message, server.url)
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
    const { call, losses, server } = yield* Harness.connected()
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
