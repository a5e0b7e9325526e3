import { Backend, Sending } from "@mcp-lifeline/core"
import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Deferred, Effect, Fiber, Redacted } from "effect"
import type { ServerResponse } from "node:http"
import { taking } from "../../testing/test/support/taking.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import * as StatelessServer from "./fixtures/StatelessServer.js"
import { reconnect, textOf } from "./fixtures/Supervised.js"

const { answering, to } = StatelessServer
const version = "2026-07-28"

const connected = Effect.gen(function*() {
  const server = yield* StatelessServer.make()
  const watched = yield* Harness.connect(HttpConnector.make({ url: server.url, protocol: "2026" }))
  return { server, ...watched }
})

const supervise = (url: string, protocol: "auto" | "2026") =>
  Backend.make("test", {
    connector: HttpConnector.make({ url, protocol }),
    reconnect,
    timeouts: { wait: "5 minutes" }
  }).pipe(Effect.tap((backend) => backend.firstOutcome))

const echo = (message: string) => ({ name: "echo", arguments: { message } })

describe("the protocol without sessions", () => {
  test.scopedLive("[E2] is connected by server/discover, and each request says what it is", function*() {
    const { call, connection, server } = yield* connected
    assert.deepStrictEqual(server.methods, ["server/discover"])
    assert.strictEqual(connection.protocolVersion, version)
    assert.deepStrictEqual(connection.serverInfo, { name: "stateless", version: "1.2.3" })
    assert.deepStrictEqual(connection.capabilities, { tools: {} })
    assert.strictEqual(connection.instructions, "Ask away.")
    assert.strictEqual(connection.stateful, false)
    assert.strictEqual(connection.sessionId, undefined)
    const result = yield* call("there")
    assert.deepInclude(result, { content: [{ type: "text", text: "there" }], resultType: "complete" })
    const { body, headers, verb } = server.seen.at(-1)!
    assert.strictEqual(verb, "POST")
    assert.strictEqual(headers["mcp-protocol-version"], version)
    assert.strictEqual(headers["mcp-method"], "tools/call")
    assert.strictEqual(headers["mcp-name"], "echo")
    assert.strictEqual(headers["mcp-session-id"], undefined)
    assert.deepStrictEqual(body.params?._meta, {
      "io.modelcontextprotocol/protocolVersion": version,
      "io.modelcontextprotocol/clientInfo": { name: "lifeline", version: "0.0.0" },
      "io.modelcontextprotocol/clientCapabilities": {}
    })
  })

  test.scopedLive("[E2] the reserved keys of _meta are of this hop; others are handed on", function*() {
    const { connection, server } = yield* connected
    const meta = { "io.modelcontextprotocol/protocolVersion": "2025-11-25", "example.com/trace": "7" }
    yield* Sending.ask(connection, "tools/call", { ...echo("x"), _meta: meta }, { timeout: 20_000 })
    const sent = server.seen.at(-1)!.body.params?._meta
    assert.strictEqual(sent?.["io.modelcontextprotocol/protocolVersion"], version)
    assert.strictEqual(sent?.["example.com/trace"], "7")
  })

  test.scopedLive("[E2] a name that is no plain text stands in its header in base64", function*() {
    const { connection, server } = yield* connected
    const headers = { é: "=?base64?w6k=?=", "=?base64?eA==?=": "=?base64?PT9iYXNlNjQ/ZUE9PT89?=" }
    for (const [name, header] of Object.entries(headers)) {
      yield* Sending.ask(connection, "tools/call", { name, arguments: { message: "x" } }, { timeout: 20_000 })
      assert.strictEqual(server.seen.at(-1)!.headers["mcp-name"], header)
    }
  })

  test.scopedLive("[E2] parameters stand in headers where the schema of the tool says so; a tool that says it wrongly is left out", function*() {
    const { connection, server } = yield* connected
    const schema = (properties: Record<string, unknown>) => ({ type: "object", properties })
    const inHeader = (type: string, header: string) => ({ type, "x-mcp-header": header })
    const schemas = {
      echo: {
        region: inHeader("string", "Region"),
        deep: schema({ count: inHeader("integer", "Count"), flag: inHeader("boolean", "F") })
      },
      number: { a: inHeader("number", "A") },
      items: { a: { type: "array", items: inHeader("string", "A") } },
      space: { a: inHeader("string", "A b") },
      twice: { a: inHeader("string", "A"), b: inHeader("string", "a") }
    }
    server.tools = Object.entries(schemas).map(([name, properties]) => ({ name, inputSchema: schema(properties) }))
    const call = Sending.ask(connection, "tools/call", {
      name: "echo",
      arguments: { region: "Zürich", deep: { count: 7, flag: null } }
    }, { timeout: 20_000 })
    const refuses = to("tools/call", answering(400, { error: { code: -32020, message: "headers" } }))
    server.hook = (seen, response) => seen.headers["mcp-param-count"] === undefined && refuses(seen, response)
    // The tools have not been listed: the server refuses, and the call is sent again with what the list says.
    yield* call
    assert.deepStrictEqual(server.methods, ["server/discover", "tools/call", "tools/list", "tools/call"])
    const { headers } = server.seen.at(-1)!
    assert.strictEqual(headers["mcp-param-region"], "=?base64?WsO8cmljaA==?=")
    assert.strictEqual(headers["mcp-param-count"], "7")
    assert.strictEqual(headers["mcp-param-f"], undefined)
    const { tools } = yield* Sending.ask(connection, "tools/list", {}, { timeout: 20_000 })
    assert.deepStrictEqual(tools.map(({ name }) => name), ["echo"])
  })

  test.scopedLive("[E2] closing the response cancels a request, on a timeout, too; nothing else is sent", function*() {
    const { connection, losses, server } = yield* connected
    const fiber = yield* Effect.fork(Sending.ask(connection, "tools/call", { name: "hang" }, { timeout: 60_000 }))
    yield* server.until(() => server.calls === 1)
    yield* Fiber.interrupt(fiber)
    yield* server.until(() => server.cancelled.length === 1)
    const error = yield* Effect.flip(Sending.ask(connection, "tools/call", { name: "hang" }, { timeout: 2000 }))
    assert.strictEqual(error.reason, "timeout")
    assert.strictEqual(error.fate, "unknown")
    yield* server.until(() => server.cancelled.length === 2)
    assert.deepStrictEqual(server.methods, ["server/discover", "tools/call", "tools/call"])
    assert.deepStrictEqual(losses, [])
  })

  test.scopedLive("[E2] 404 with -32601 is an unknown method, and nothing is lost", function*() {
    const { call, connection, losses } = yield* connected
    const error = yield* Effect.flip(Sending.ask(connection, "prompts/list", {}, { timeout: 20_000 }))
    assert.strictEqual(error.fate, "answered")
    assert.strictEqual(error.reason, "remote")
    assert.strictEqual(error.code, -32601)
    assert.strictEqual(error.ifSessionLost, undefined)
    assert.deepStrictEqual(losses, [])
    yield* call()
  })

  test.scopedLive("[E2] progress comes on the stream of its request; structured results are any JSON", function*() {
    const { connection } = yield* connected
    const heard: Array<unknown> = []
    yield* Sending.ask(connection, "tools/call", { name: "progress" }, {
      timeout: 20_000,
      ...Sending.progressTo((progress) => heard.push(progress))
    })
    assert.deepStrictEqual(heard, [{ progress: 1, message: "half" }])
    const result = yield* Sending.ask(connection, "tools/call", { name: "list" }, { timeout: 20_000 })
    assert.deepStrictEqual(result.structuredContent as unknown, [1, 2])
  })

  test.scopedLive("[E3] what the server wants before it answers is given by the handlers, and the call is sent again", function*() {
    const server = yield* StatelessServer.make()
    const { connection } = yield* Harness.connect(HttpConnector.make({ url: server.url, protocol: "2026" }), {
      handlers: {
        elicitation: ({ message }) => Effect.succeed({ action: "accept", content: { said: message } }),
        sampling: () =>
          Effect.succeed({ role: "assistant", model: "m", content: { type: "text", text: "sampled" } } as const),
        roots: Effect.succeed({ roots: [{ uri: "file:///r" }] })
      }
    })
    const asked = {
      a: {
        method: "elicitation/create",
        params: { message: "Name?", requestedSchema: { type: "object", properties: {} } }
      },
      b: { method: "sampling/createMessage", params: { messages: [], maxTokens: 5 } },
      c: { method: "roots/list" }
    }
    const result = yield* Sending.ask(connection, "tools/call", {
      name: "ask",
      arguments: { asked, rounds: 3 }
    }, { timeout: 20_000 })
    assert.deepStrictEqual(JSON.parse(textOf(result)), {
      a: { action: "accept", content: { said: "Name?" } },
      b: { role: "assistant", model: "m", content: { type: "text", text: "sampled" } },
      c: { roots: [{ uri: "file:///r" }] }
    })
    assert.strictEqual(server.calls, 4)
    const ids = server.seen.map(({ body }) => (body as { readonly id?: unknown }).id)
    assert.strictEqual(new Set(ids).size, ids.length)
    assert.deepStrictEqual(server.seen[0]!.body.params?._meta?.["io.modelcontextprotocol/clientCapabilities"], {
      elicitation: { form: {} },
      sampling: {},
      roots: {}
    })
  })

  test.scopedLive("[E3] a server that only wants to be asked again is asked again, at most 10 times", function*() {
    const { connection, server } = yield* connected
    const ask = (rounds: number) =>
      Sending.ask(connection, "tools/call", { name: "ask", arguments: { rounds } }, { timeout: 20_000 })
    assert.strictEqual(textOf(yield* ask(1)), "null")
    const error = yield* Effect.flip(ask(100))
    assert.strictEqual(error.fate, "answered")
    assert.include(error.message, "10 times")
    assert.strictEqual(server.calls, 2 + 11)
  })

  test.scopedLive("[E3] without a handler the call fails with what was asked for; so it does where the handler fails", function*() {
    const server = yield* StatelessServer.make()
    const connector = HttpConnector.make({ url: server.url, protocol: "2026" })
    const params = { message: "Which name?", requestedSchema: { type: "object", properties: {} } }
    const result = {
      resultType: "input_required",
      inputRequests: { a: { method: "elicitation/create", params } }
    }
    server.hook = to("tools/call", answering(200, { result }))
    const none = yield* Harness.connect(connector)
    const unanswered = yield* Effect.flip(none.call())
    assert.strictEqual(unanswered.fate, "answered")
    assert.include(unanswered.message, "elicitation/create")
    assert.include(unanswered.message, "Which name?")
    const failing = yield* Harness.connect(connector, {
      handlers: { elicitation: () => Effect.fail("no one") }
    })
    assert.include((yield* Effect.flip(failing.call())).message, "failed: no one")
    // The time in which the user is asked is not that of the call, and the caller can give it up.
    const isAsked = yield* Deferred.make<void>()
    const elicitation = () => Effect.zipRight(Deferred.succeed(isAsked, undefined), Effect.never)
    const slow = yield* Harness.connect(connector, { handlers: { elicitation } })
    const asking = yield* Effect.fork(Sending.ask(slow.connection, "tools/call", echo("x"), { timeout: 200 }))
    yield* Deferred.await(isAsked)
    yield* Effect.sleep("300 millis")
    assert.isNull(asking.unsafePoll())
    yield* Fiber.interrupt(asking)
  })

  for (const legacy of ["stateless", "reject"] as const) {
    test.scopedLive(`[E2:real] a process that is killed in the middle of a call, and started again; older clients: ${legacy}`, function*() {
      const server = yield* StatelessServer.spawn(legacy)
      const backend = yield* supervise(server.url, "auto")
      const pid = textOf(yield* backend.callTool({ name: "pid" }))
      const hanging = yield* Effect.fork(Effect.flip(backend.callTool({ name: "hang" })))
      yield* server.calledHang
      yield* server.restart
      assert.strictEqual((yield* Fiber.join(hanging))._tag, "ResultUnknown")
      assert.notStrictEqual(textOf(yield* backend.callTool({ name: "pid" })), pid)
      // Its socket is gone; whether its return was noticed as a loss is a matter of what came first.
      const { protocolVersion, state } = yield* backend.status.get
      assert.deepStrictEqual([state, protocolVersion], ["Connected", version])
    })
  }
})

const refusing = (code: number, status: number, supported: ReadonlyArray<string>, speaks?: string) =>
  Effect.tap(Harness.server, (server) =>
    Effect.sync(() => {
      server.hook = ({ message, response }) => {
        if (message?.method !== "initialize" || message.params?.["protocolVersion"] === speaks) return false
        const error = { code, message: "Unsupported protocol version", data: { supported } }
        const headers = status === 200 ? { "mcp-session-id": "refused" } : {}
        response.writeHead(status, { "content-type": "application/json", ...headers })
          .end(JSON.stringify({ jsonrpc: "2.0", id: message.id, error }))
        return true
      }
    }))

describe("the era of a server", () => {
  test.scopedLive("[E1:real] auto, which is the default, speaks 2026-07-28 where the server does, for one request more than none", function*() {
    for (const protocol of ["auto", undefined] as const) {
      const server = yield* StatelessServer.make(false)
      const { connection } = yield* Harness.connect(HttpConnector.make({ url: server.url, protocol }))
      assert.strictEqual(connection.protocolVersion, version)
      assert.deepStrictEqual(server.methods, ["server/discover"])
    }
  })

  test.scopedLive("[E1:real] auto: a server with sessions is asked once, and that it has them is remembered", function*() {
    const server = yield* Harness.server
    const connector = HttpConnector.make({ url: server.url, protocol: "auto" })
    for (let i = 0; i < 2; i++) {
      const { call, connection } = yield* Harness.connect(connector)
      assert.strictEqual(connection.stateful, true)
      yield* call()
    }
    assert.strictEqual(server.seen.filter(({ rpc }) => rpc === "server/discover").length, 1)
  })

  test.scopedLive("[E1:real] auto: what was remembered is forgotten where initialize is refused", function*() {
    const server = yield* StatelessServer.make(false)
    const connector = HttpConnector.make({ url: server.url, protocol: "auto" })
    server.hook = to("server/discover", answering(400))
    const older = yield* Harness.connect(connector)
    assert.notStrictEqual(older.connection.protocolVersion, version)
    // The server is replaced by one that speaks 2026-07-28 only.
    const error = { code: -32022, message: "Unsupported", data: { supported: [version] } }
    server.hook = to("initialize", answering(400, { error }))
    const refusal = yield* Effect.flip(Effect.scoped(Harness.connect(connector)))
    assert.strictEqual(refusal.reason, "incompatible")
    const newer = yield* Harness.connect(connector)
    assert.strictEqual(newer.connection.protocolVersion, version)
  })

  for (const code of [-32602, -32022]) {
    test.scopedLive(`[E1:real] a server that refuses the version with ${code} and names others gets initialize once more`, function*() {
      for (const protocol of ["auto", "2025"] as const) {
        for (const status of [200, 400]) {
          const server = yield* refusing(code, status, ["draft", "2024-11-05", "2025-06-18"], "2025-06-18")
          const connector = HttpConnector.make({ url: server.url, protocol })
          for (let i = 0; i < 2; i++) {
            server.seen.length = 0
            const { call, connection } = yield* Harness.connect(connector)
            assert.strictEqual(connection.protocolVersion, "2025-06-18")
            assert.strictEqual(connection.stateful, true)
            yield* call()
            const seen = server.seen.filter(({ http }) => http !== "GET")
            assert.deepStrictEqual(
              seen.map(({ headers, http, rpc, session }) => [rpc ?? http, session, headers["mcp-protocol-version"]]),
              [
                ...(protocol === "auto" && i === 0 ? [["server/discover", undefined, version]] : []),
                ["initialize", undefined, undefined],
                // A session that begins with a refusal ends: initialize goes to none.
                ...(status === 200 ? [["DELETE", "refused", undefined]] : []),
                ["initialize", undefined, undefined],
                ["notifications/initialized", connection.sessionId, "2025-06-18"],
                ["tools/call", connection.sessionId, "2025-06-18"]
              ]
            )
          }
        }
      }
    })
  }

  test.scopedLive("[E1:real] auto: a server that names other versions with sessions only is taken for none without", function*() {
    const cases = [
      [["2023-01-01"], "incompatible", 1],
      [["2025-06-18"], "protocol", 2]
    ] as const
    for (const [supported, reason, times] of cases) {
      const server = yield* refusing(-32602, 400, supported)
      const error = yield* Effect.flip(
        Effect.scoped(Harness.connect(HttpConnector.make({ url: server.url, protocol: "auto" })))
      )
      assert.strictEqual(error.reason, reason)
      assert.deepStrictEqual(server.seen.map(({ rpc }) => rpc), [
        "server/discover",
        ...Array<string>(times).fill("initialize")
      ])
    }
  })

  test.scopedLive("[E1:real] auto: 401, 403, 429, 5xx and a refused connection are no verdict; initialize decides, except after 429 and Retry-After", function*() {
    const server = yield* StatelessServer.make(false)
    const connector = HttpConnector.make({ url: server.url, protocol: "auto" })
    for (const status of [401, 403, 408, 425, 429, 500, 502, 503, 504]) {
      for (const asksToWait of [false, true]) {
        server.seen.length = 0
        server.hook = (_, response) => {
          response.writeHead(status, asksToWait ? { "retry-after": "1" } : {}).end()
          return true
        }
        yield* Effect.flip(Effect.scoped(Harness.connect(connector)))
        assert.deepStrictEqual(
          server.methods,
          asksToWait || status === 429 ? ["server/discover"] : ["server/discover", "initialize"],
          `${status} ${asksToWait}`
        )
      }
    }
    yield* server.stop
    const error = yield* Effect.flip(Effect.scoped(Harness.connect(connector)))
    assert.strictEqual(error.reason, "refused")
    server.hook = undefined
    yield* server.start
    const { connection } = yield* Harness.connect(connector)
    assert.strictEqual(connection.protocolVersion, version)
  })

  const plain = (status: number, type: string, body: string): HttpFault.HttpFault =>
    HttpFault.status(status, { headers: { "content-type": type }, body })
  const json = "application/json"
  const events = "text/event-stream"
  const other = '{"jsonrpc":"2.0","id":"another","result":{}}'
  const sent = (write: (response: ServerResponse) => void): HttpFault.HttpFault => ({ response }) => write(response)
  const answered = (status: number, answer: object): HttpFault.HttpFault => (turn, carryOut) =>
    plain(status, json, JSON.stringify({ jsonrpc: "2.0", id: turn.message?.id, ...answer }))(turn, carryOut)
  const nothing: Readonly<Record<string, HttpFault.HttpFault>> = {
    "an empty event stream": HttpFault.end(),
    "an event stream without a byte": plain(200, events, ""),
    "a stream that is cut": HttpFault.cut(),
    "a reset": HttpFault.reset(),
    "a closed socket": HttpFault.close(),
    "half a body": sent((response) => {
      response.writeHead(200, { "content-type": json, "content-length": "100" })
      response.write('{"jsonrpc":', () => response.socket?.destroy())
    }),
    "what is not HTTP": sent((response) => void response.socket?.end("what?\r\n\r\n")),
    "silence": HttpFault.hang(),
    "an event stream in silence": HttpFault.hang("afterHeaders"),
    "comments only": sent((response) => {
      const timer = setInterval(() => response.write(": here\n\n"), 20)
      response.writeHead(200, { "content-type": events }).on("close", () => clearInterval(timer))
    }),
    "the answer to another request": plain(200, json, other),
    "the answer to another request, in a stream that ends": plain(200, events, `data: ${other}\n\n`),
    "the answer to another request, in a stream that stays": sent((response) => {
      response.writeHead(200, { "content-type": events }).write(`data: ${other}\n\n`)
    }),
    "a notification": plain(200, json, '{"jsonrpc":"2.0","method":"notifications/message","params":{}}'),
    "no body": plain(200, json, ""),
    "no JSON": plain(200, json, "{what"),
    "null": plain(200, json, "null"),
    "an empty batch": plain(200, json, "[]"),
    "a page": plain(200, "text/html", "<p>Hello</p>"),
    "202": HttpFault.status(202),
    "204": HttpFault.status(204),
    "what names no revision in common, though it does": answered(400, {
      error: { code: -32022, message: "Unsupported", data: { supported: [version] } }
    }),
    "capabilities that are none": answered(200, {
      result: { supportedVersions: [version], capabilities: { tools: 7 } }
    }),
    "401 and words": HttpFault.status(401, { body: "Unauthorized: No valid session ID provided" }),
    "403 and words": HttpFault.status(403, { body: "Forbidden" }),
    "500 and words": HttpFault.status(500, { body: "Cannot read properties of undefined" }),
    ...Object.fromEntries(
      [401, 408, 425, 500, 502, 503, 504].map((status) => [String(status), HttpFault.status(status)])
    )
  }
  for (const [what, fault] of Object.entries(nothing)) {
    test.scopedLive(`[E1:real] auto: after ${what}, initialize decides in the same attempt, which is remembered`, function*() {
      const server = yield* Harness.server
      server.fail("server/discover", fault)
      let renewals = 0
      const authorization = Harness.authorization({
        tokens: () => Effect.succeed({ access: Redacted.make("the token"), refresh: undefined }),
        renew: () => Effect.sync(() => ++renewals > 100)
      })
      const connector = HttpConnector.make({ url: server.url, protocol: "auto", authorization })
      const { call, connection } = yield* Harness.connect(connector, { timeout: 600 })
      assert.isDefined(connection.sessionId)
      yield* call()
      const asked = server.count("server/discover")
      yield* Harness.connect(connector, { timeout: 600 })
      assert.deepStrictEqual([server.count("server/discover"), server.count("initialize")], [asked, 2])
      assert.strictEqual(renewals, 0)
    })
  }

  test.scopedLive("[E1:real] auto: what was not initialized is not remembered", function*() {
    const server = yield* Harness.server
    server.fail("server/discover", HttpFault.hang())
    server.fail("initialize", HttpFault.status(503))
    const connector = HttpConnector.make({ url: server.url, protocol: "auto" })
    const attempt = Effect.flip(Effect.scoped(Harness.connect(connector, { timeout: 600 })))
    assert.strictEqual((yield* attempt).reason, "server")
    assert.strictEqual((yield* attempt).reason, "server")
    assert.deepStrictEqual([server.count("server/discover"), server.count("initialize")], [2, 2])
  })

  test.scopedLive("[E1:real] auto: a server without sessions that answers slowly is waited for after it has refused initialize", function*() {
    const server = yield* HttpFaultServer.make({ era: "2026" })
    server.fail("server/discover", async ({ response }, carryOut) => {
      const { body, headers, status } = await carryOut()
      await server.until(() => server.count("initialize") === 1)
      setTimeout(() => response.writeHead(status, headers).end(body), 100)
    })
    const connector = HttpConnector.make({ url: server.url, protocol: "auto" })
    const { call, connection } = yield* Harness.connect(connector, { timeout: 600 })
    assert.strictEqual(connection.protocolVersion, version)
    yield* call()
  })

  test.scopedLive("[E1:real] auto: a server that has spoken both is asked again after it has failed", function*() {
    const server = yield* StatelessServer.make(false)
    const connector = HttpConnector.make({ url: server.url, protocol: "auto" })
    const connect = Effect.map(
      Effect.scoped(Harness.connect(connector)),
      ({ connection }) => connection.protocolVersion
    )
    assert.strictEqual(yield* connect, version)
    server.hook = to("server/discover", answering(502))
    assert.notStrictEqual(yield* connect, version)
    server.hook = undefined
    assert.strictEqual(yield* connect, version)
  })

  test.scopedLive("[E1:real G25] auto: nobody who logs in is overtaken by initialize, and the attempt says what it waits for", function*() {
    const server = yield* Harness.server
    server.fail(
      ({ headers }) => headers.authorization === undefined,
      HttpFault.status(401, { headers: { "www-authenticate": "Bearer" } })
    )
    let access: Redacted.Redacted<string> | undefined
    let isRunning = false
    const said: Array<readonly [boolean | undefined, string | undefined]> = []
    let say = () => {}
    const authorization = {
      tokens: () => Effect.sync(() => access && { access, refresh: undefined }),
      renew: () =>
        Effect.gen(function*() {
          isRunning = true
          say()
          yield* Effect.sleep(4000)
          access = Redacted.make("the token")
          isRunning = false
          say()
          return true
        }),
      isRunning: () => isRunning
    }
    const report = taking("Attempt", ({ describe, isSigningIn }) => {
      say = () => void said.push([isSigningIn?.(), describe()])
    })
    const connector = HttpConnector.make({ url: server.url, authorization })
    // It waits a third of that for `server/discover`.
    const { call } = yield* Harness.connect(connector, { timeout: 9000, report })
    yield* call()
    assert.deepStrictEqual(said.map(([isSigningIn]) => isSigningIn), [true, false])
    assert.match(said[0]?.[1] ?? "", /a login waits for a person/)
    assert.notMatch(said[1]?.[1] ?? "", /login/)
    assert.strictEqual(
      server.requests("initialize").every(({ headers }) => headers.authorization !== undefined),
      true
    )
  })

  test.scopedLive("[E1:real] auto: a server that says how to log in means that, and is not asked twice", function*() {
    const server = yield* Harness.server
    server.fail("POST", HttpFault.status(401, { headers: { "www-authenticate": "Bearer" } }))
    let renewals = 0
    const authorization = Harness.authorization({ renew: () => Effect.sync(() => ++renewals > 100) })
    const error = yield* Effect.flip(Harness.connect(HttpConnector.make({ url: server.url, authorization })))
    assert.deepStrictEqual([error.reason, error.permanent], ["unauthorized", false])
    assert.deepStrictEqual([server.seen.map(({ rpc }) => rpc), renewals], [["server/discover"], 1])
  })

  test.scopedLive("[E1:real] auto: where initialize is refused as well, the credentials are what the error speaks of, once each", function*() {
    const server = yield* Harness.server
    server.fail("POST", HttpFault.status(401, { body: "who are you?" }))
    const error = yield* Effect.flip(
      Harness.connect(HttpConnector.make({ url: server.url, transport: "streamable" }))
    )
    assert.deepStrictEqual([error.reason, error.permanent], ["unauthorized", true])
    assert.include(error.message, "who are you?")
    assert.deepStrictEqual(server.seen.map(({ rpc }) => rpc), ["server/discover", "initialize"])
  })

  test.scopedLive("[E1:real] auto: where initialize is not understood, what the error speaks of is the first refusal", function*() {
    const server = yield* StatelessServer.make(false)
    const [failed, refused] = [answering(500), answering(400)]
    server.hook = (seen, response) => (seen.body.method === "server/discover" ? failed : refused)(seen, response)
    const error = yield* Effect.flip(
      Harness.connect(HttpConnector.make({ url: server.url, transport: "streamable" }))
    )
    assert.deepStrictEqual([error.reason, error.permanent], ["server", false])
  })

  test.scopedLive("[E1:real] auto: a server that comes back without this protocol is connected with a session", function*() {
    const server = yield* StatelessServer.make(false)
    const older = yield* Harness.server
    const backend = yield* supervise(server.url, "auto")
    yield* backend.callTool(echo("1"))
    server.hook = ({ body, headers }, response) => {
      void fetch(older.url, {
        method: "POST",
        headers: Object.fromEntries(
          ["accept", "content-type", "mcp-session-id", "mcp-protocol-version"].flatMap((name) =>
            headers[name] === undefined ? [] : [[name, String(headers[name])]]
          )
        ),
        body: JSON.stringify(body)
      }).then(async (answer) => {
        response.writeHead(answer.status, Object.fromEntries(answer.headers))
        response.end(await answer.text())
      })
      return true
    }
    assert.strictEqual(textOf(yield* backend.callTool(echo("2"))), "2")
    assert.strictEqual((yield* backend.status.get).generation, 2)
  })

  test.scopedLive("[E1:real] 2026: a server with sessions only is refused with what to do", function*() {
    const server = yield* Harness.server
    const connector = HttpConnector.make({ url: server.url, protocol: "2026" })
    const error = yield* Effect.flip(Harness.connect(connector))
    assert.strictEqual(error.reason, "incompatible")
    assert.isTrue(error.permanent)
    assert.include(error.message, 'write protocol: "auto"')
    assert.strictEqual(server.seen.length, 1)
  })

  test.scopedLive("[E1:real] 2025 sends the same bytes as before there were eras, and auto one request more, before them", function*() {
    for (const protocol of ["2025", "auto"] as const) {
      const { call, server } = yield* Harness.connected({ protocol })
      yield* Effect.promise(() => server.until(() => server.count("GET") === 1))
      yield* call()
      const id = [...server.sessions.keys()][0]!
      const sent = server.seen.map(({ body, headers, http }) => {
        const others = { ...headers }
        delete others.connection
        delete others.host
        delete others["content-length"]
        return [http, JSON.stringify(others).replace(id, "<id>"), body.replace(/"id":\d+/, '"id":N')]
      })
      if (protocol === "auto") assert.include(sent.shift()?.[2], '"method":"server/discover"')
      const own = '"user-agent":"mcp-lifeline"'
      const session = '"mcp-session-id":"<id>","mcp-protocol-version":"2025-11-25"'
      const json = '"content-type":"application/json","accept":"application/json, text/event-stream"'
      assert.deepStrictEqual(sent, [
        [
          "POST",
          `{"accept-encoding":"gzip, deflate, br",${own},${json}}`,
          '{"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"lifeline","version":"0.0.0"}},"jsonrpc":"2.0","id":N}'
        ],
        [
          "POST",
          `{"accept-encoding":"gzip, deflate, br",${own},${session},${json}}`,
          '{"method":"notifications/initialized","jsonrpc":"2.0"}'
        ],
        ["GET", `{"accept-encoding":"identity",${own},${session},"accept":"text/event-stream"}`, ""],
        [
          "POST",
          `{"accept-encoding":"gzip, deflate, br",${own},${session},${json}}`,
          '{"method":"tools/call","params":{"name":"echo","arguments":{"message":"hi"}},"jsonrpc":"2.0","id":N}'
        ]
      ])
    }
  })

  it("[E1:real] an option that is no era, or has no transport, is refused by name", () => {
    const url = "http://127.0.0.1:1/mcp"
    const fields = (options: Record<string, unknown>) =>
      HttpConnector.problems({ url, ...options } as HttpConnector.Options).map(({ path }) => path.join("."))
    assert.deepStrictEqual(fields({ protocol: "2024" }), ["protocol"])
    assert.deepStrictEqual(fields({ protocol: "2026", transport: "sse" }), ["protocol"])
    assert.deepStrictEqual(fields({ protocol: "auto", transport: "sse" }), [])
  })
})
