import type { InvalidOptions } from "@mcp-lifeline/core"
import { HttpExchange } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Fiber } from "effect"
import { readFileSync } from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import { fileURLToPath } from "node:url"
import { listening } from "../../testing/test/support/listening.js"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

const { fault } = HttpExchange

const proxy = Effect.gen(function*() {
  const asked: Array<string> = []
  const sockets = new Set<Net.Socket>()
  const node = Http.createServer((request, response) => {
    asked.push(request.url ?? "")
    const { headers, method } = request
    const onward = Http.request(request.url ?? "", { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on("error", () => response.destroy())
    request.pipe(onward)
  })
  node.on("connect", (request, socket: Net.Socket) => {
    asked.push(request.url ?? "")
    const [host, port] = (request.url ?? "").split(":")
    const onward = Net.connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n")
      onward.pipe(socket).pipe(onward)
    })
    for (const one of [socket, onward]) sockets.add(one.on("error", () => {}))
  })
  const url = yield* listening(node)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
    })
  )
  return { url, asked }
})

const assign = (variables: Record<string, string | undefined>): void => {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}

const environment = (variables: Record<string, string | undefined>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]))
      assign(variables)
      return before
    }),
    (before) => Effect.sync(() => assign(before))
  )

const callTo = (url: string, options: Partial<HttpConnector.Options> = {}) =>
  Effect.scoped(Effect.flatMap(Harness.connect(HttpConnector.make({ url, ...options })), ({ call }) => call()))

const connectTo = `
  import { HttpConnector } from "@mcp-lifeline/transport-http"
  import { Effect } from "effect"
  const connect = HttpConnector.make({ url: process.argv[1] }).connect({ report: () => {} })
  const outcome = await Effect.runPromise(Effect.scoped(Effect.match(connect, {
    onSuccess: (connection) => connection.serverInfo.name,
    onFailure: (error) => error.reason
  })))
  console.log(outcome)`

describe("network", () => {
  test.scopedLive("[T10] HTTP_PROXY is used, and NO_PROXY spares it, or an option for a network of one's own", function*() {
    const server = yield* Harness.server
    const { asked, url } = yield* proxy
    yield* environment({ HTTP_PROXY: url, http_proxy: url, NO_PROXY: "", no_proxy: "" })
    yield* callTo(server.url)
    assert.isAtLeast(asked.length, 1)
    assert.include(asked[0], `127.0.0.1:${server.port}`)
    assert.strictEqual(server.sessions.size, 0)

    asked.length = 0
    yield* callTo(server.url, { ownNetwork: true })
    assert.deepStrictEqual(asked, [])

    yield* environment({ NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" })
    yield* callTo(server.url)
    assert.deepStrictEqual(asked, [])
    assert.strictEqual(server.count("tools/call"), 3)
  })

  test.scopedLive("[T10] a proxy that is no address is an InvalidOptions that names the variable, unless NO_PROXY spares the server", function*() {
    const server = yield* Harness.server
    for (const value of ["http://", "ftp://user:s3cret@proxy.test", "http://user:s3cret@[", "proxy.test:port"]) {
      yield* Effect.scoped(Effect.gen(function*() {
        yield* environment({ http_proxy: value, no_proxy: "" })
        const refused = yield* Effect.flip(Effect.try(() => HttpConnector.make({ url: server.url })))
        const error = refused.error as InvalidOptions
        assert.deepStrictEqual([error._tag, error.field], ["InvalidOptions", "http_proxy"])
        assert.match(error.message, /http_proxy.*proxy\.example:3128.*NO_PROXY/)
        assert.notInclude(error.message, "s3cret")
        yield* environment({ no_proxy: "example.com 127.0.0.1" })
        yield* Effect.scoped(Harness.connect(HttpConnector.make({ url: server.url })))
      }))
    }
  })

  test.scopedLive("[T10] a proxy that is down, unknown or refuses is named with its variable, not the server blamed", function*() {
    const server = yield* Harness.server
    const failing = (address: string) =>
      Effect.scoped(Effect.gen(function*() {
        yield* environment({ HTTP_PROXY: address, http_proxy: undefined, no_proxy: "" })
        const error = yield* Effect.flip(Harness.connect(HttpConnector.make({ url: server.url })))
        assert.isTrue(error.message.startsWith(`${server.url}: the proxy http://`), error.message)
        assert.include(error.message, "HTTP_PROXY of the environment")
        assert.notInclude(error.message, "s3cret")
        return [error.reason, error.message] as const
      }))
    const port = yield* Harness.freePort
    const [refused, isDown] = yield* failing(`http://me:s3cret@127.0.0.1:${port}`)
    assert.strictEqual(refused, "refused")
    assert.include(isDown, `http://127.0.0.1:${port} (`)
    assert.match(isDown, /refuses connections: is it running/)
    const [unreachable, isUnknown] = yield* failing("http://no-such-proxy.invalid:3128")
    assert.strictEqual(unreachable, "unreachable")
    assert.match(isUnknown, /cannot be reached/)
    const wary = yield* Harness.tcp((socket) =>
      socket.once("data", () => socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"))
    )
    const [, wantsCredentials] = yield* failing(`127.0.0.1:${wary.port}`)
    assert.match(wantsCredentials, /HTTP 407.*credentials/)
    assert.strictEqual(server.seen.length, 0)
  })

  test.scopedLive("[T10] HTTPS_PROXY is used, with a custom CA through NODE_EXTRA_CA_CERTS", function*() {
    const server = yield* Harness.secureServer
    const { asked, url } = yield* proxy
    const NODE_EXTRA_CA_CERTS = fileURLToPath(Harness.certificate)
    const none = { HTTPS_PROXY: "", https_proxy: "", HTTP_PROXY: "", http_proxy: "" }
    assert.strictEqual(yield* Harness.program(connectTo, [server.url], { ...none, NODE_EXTRA_CA_CERTS }), "test")
    const proxied = { ...none, HTTPS_PROXY: url, https_proxy: url, NO_PROXY: "", no_proxy: "", NODE_EXTRA_CA_CERTS }
    assert.strictEqual(yield* Harness.program(connectTo, [server.url], proxied), "test")
    assert.include(asked, `127.0.0.1:${server.port}`)
  })

  test.scopedLive("[T10] a custom CA through a dispatcher of the caller's, which stays his", function*() {
    const server = yield* Harness.secureServer
    const dispatcher = yield* Harness.agent({ connect: { ca: readFileSync(Harness.certificate, "utf8") } })
    const connector = HttpConnector.make({ url: server.url, dispatcher })
    yield* Effect.scoped(Harness.connect(connector))
    assert.isFalse(dispatcher.destroyed)
    yield* Effect.scoped(Harness.connect(connector))
    assert.strictEqual(server.sessions.size, 0)

    const stranger = HttpConnector.make({ url: server.url, dispatcher: yield* Harness.agent() })
    assert.strictEqual((yield* Effect.flip(Harness.connect(stranger))).reason, "tls")
  })

  test.scopedLive("[T6] a server that accepts and says nothing to a TLS handshake: connectTimeout", function*() {
    const hole = yield* Harness.tcp(() => {})
    const failure = (options: Partial<HttpConnector.Options>) =>
      Effect.flip(Harness.connect(HttpConnector.make({ url: `https://127.0.0.1:${hole.port}/mcp`, ...options })))
    // The default is 10 s.
    const byDefault = yield* Effect.fork(failure({}))
    const error = yield* failure({ connectTimeout: "200 millis" })
    assert.deepStrictEqual([error.reason, error.permanent], ["timeout", false])
    assert.isNull(byDefault.unsafePoll())
    yield* Fiber.interrupt(byDefault)
  })

  test.scopedLive("[T9:real] a server of the stateless protocol gets an error that says so", function*() {
    const server = yield* Harness.server
    const error = { code: -32022, message: "Unsupported protocol version", data: { supported: ["2026-07-28"] } }
    server.hook = ({ message, response }) => {
      const body = JSON.stringify({ jsonrpc: "2.0", id: message?.id ?? null, error })
      return fault(response, 400, { "content-type": "application/json" }, body)
    }
    const connector = HttpConnector.make({ url: server.url, protocol: "2025" })
    const { message, permanent, reason } = yield* Effect.flip(Harness.connect(connector))
    assert.deepStrictEqual([reason, permanent], ["incompatible", true])
    assert.include(message, "2026-07-28")
    assert.include(message, 'write protocol: "auto"')
    assert.strictEqual(server.seen.length, 1)
  })
})
