import { HttpFault, HttpFaultServer, ReservedPort } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"

const client = (server: HttpFaultServer.HttpFaultServer) => {
  let session: string | null = null
  const send = async (body: object | undefined, init: RequestInit = {}) =>
    fetch(server.url, {
      method: "POST",
      ...(body === undefined ? {} : { body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...body }) }),
      headers: session === null ? {} : { "mcp-session-id": session },
      ...init
    })
  return {
    send,
    rpc: (method: string, params: object = {}, init?: RequestInit) => send({ method, params }, init),
    call: (name = "echo") => send({ method: "tools/call", params: { name, arguments: { message: "hi" } } }),
    connect: async () => {
      session = (await send({ method: "initialize", params: { protocolVersion: "2025-06-18" } })).headers
        .get("mcp-session-id")
      return session
    }
  }
}

const connected = (options?: HttpFaultServer.Options) =>
  Effect.gen(function*() {
    const server = yield* HttpFaultServer.make(options)
    const user = client(server)
    yield* Effect.promise(() => user.connect())
    return { server, ...user }
  })

const bodyOf = (response: Response) => Effect.promise(() => response.text())
const failureOf = (request: Promise<unknown>) => Effect.flip(Effect.tryPromise(() => request))

describe("HttpFaultServer", () => {
  it("serves without Effect, and counts what it saw", async () => {
    await using server = await HttpFaultServer.open()
    const { call, connect, rpc, send } = client(server)
    assert.strictEqual((await call()).status, 404)
    const session = await connect()
    assert.isTrue(server.sessions.has(session!))
    assert.include(await (await call()).text(), `"text":"hi"`)
    await rpc("ping")
    await send(undefined, { method: "OPTIONS", headers: { authorization: "Bearer token" } })
    assert.deepStrictEqual(
      ["POST", "initialize", "tool:echo", "ping", "OPTIONS", "DELETE"].map((kind) => server.count(kind)),
      [4, 1, 2, 1, 1, 0]
    )
    assert.strictEqual(server.requests("OPTIONS")[0]?.headers["authorization"], "Bearer token")
    assert.deepStrictEqual(server.applied.map(({ arguments: given, session, tool }) => [given, session, tool]), [
      [{ message: "hi" }, session!, "echo"]
    ])
    await send(undefined, { method: "DELETE" })
    assert.strictEqual(server.sessions.size, 0)
  })

  it("listens on a port that its caller holds, one server after the other", async () => {
    await using held = await ReservedPort.open()
    for (let i = 0; i < 2; i++) {
      await using server = await HttpFaultServer.open({ port: held.port })
      assert.strictEqual(server.port, held.port)
      assert.isNotNull(await client(server).connect())
    }
  })

  test.scopedLive("refuses while it is stopped, is back on the same port, and knows its sessions but after a restart", function*() {
    const { call, server } = yield* connected()
    const { url } = server
    yield* Effect.promise(() => server.stop())
    yield* failureOf(call())
    yield* Effect.promise(() => server.start())
    assert.strictEqual(server.url, url)
    assert.strictEqual((yield* Effect.promise(() => call())).status, 200)
    yield* Effect.promise(() => server.restart())
    assert.strictEqual((yield* Effect.promise(() => call())).status, 404)
    server.lostSession = 400
    const refused = yield* Effect.promise(() => call())
    assert.strictEqual(refused.status, 400)
    assert.include(yield* bodyOf(refused), "session")
  })

  test.scopedLive("ends a session that idles, and its stream; each request of its own begins the time anew", function*() {
    const { rpc, send, server } = yield* connected({ idleTtl: 3000 })
    const stream = yield* Effect.promise(() => send(undefined, { method: "GET" }))
    for (let i = 0; i < 4; i++) {
      yield* Effect.sleep(900)
      assert.strictEqual((yield* Effect.promise(() => rpc("ping"))).status, 200)
    }
    assert.deepStrictEqual(server.sessions.expired, [])
    yield* bodyOf(stream)
    assert.strictEqual(server.sessions.expired.length, 1)
    assert.strictEqual((yield* Effect.promise(() => rpc("ping"))).status, 404)
  })

  test.scopedLive("fails before or after it has carried out what was asked, so many times, and not what was not meant", function*() {
    const { call, rpc, server } = yield* connected()
    server.fail("tool:echo", HttpFault.reset(), 1)
    yield* failureOf(call())
    assert.strictEqual(server.applied.length, 0)
    for (const fault of [HttpFault.reset, HttpFault.close, HttpFault.cut]) {
      const before = server.applied.length
      server.fail("tool:echo", fault({ carriedOut: true }), 1)
      yield* failureOf(call().then((response) => response.text()))
      assert.strictEqual(server.applied.length, before + 1)
    }
    server.fail("tool:echo", HttpFault.end(), 1)
    assert.notInclude(yield* bodyOf(yield* Effect.promise(() => call())), "data:")

    const takeAway = server.fail("tool:echo", HttpFault.status(503, { retryAfter: 7, body: "busy" }))
    const busy = yield* Effect.promise(() => call())
    assert.deepStrictEqual([busy.status, busy.headers.get("retry-after")], [503, "7"])
    assert.strictEqual((yield* Effect.promise(() => rpc("ping"))).status, 200)
    takeAway()
    assert.strictEqual((yield* Effect.promise(() => call())).status, 200)
    server.fail(({ session }) => session !== undefined, HttpFault.status(401))
    assert.strictEqual((yield* Effect.promise(() => rpc("ping"))).status, 401)
    server.heal()
    assert.strictEqual((yield* Effect.promise(() => rpc("ping"))).status, 200)
  })

  test.scopedLive("hangs before headers and after them", function*() {
    const { rpc, server } = yield* connected()
    server.fail("ping", HttpFault.hang("beforeHeaders"), 1)
    server.fail("ping", HttpFault.hang("afterHeaders"), 1)
    const first = new AbortController()
    const silent = yield* Effect.fork(failureOf(rpc("ping", {}, { signal: first.signal })))
    yield* Effect.promise(() => server.until(() => server.count("ping") === 1))
    first.abort()
    yield* silent
    const second = new AbortController()
    const headers = yield* Effect.promise(() => rpc("ping", {}, { signal: second.signal }))
    assert.strictEqual(headers.headers.get("content-type"), "text/event-stream")
    second.abort()
    yield* failureOf(headers.text())
  })

  test.scopedLive("answers late, in drops, hugely, or under another type", function*() {
    const { call, server } = yield* connected()
    const expected = yield* bodyOf(yield* Effect.promise(() => call()))
    server.fail("tool:echo", HttpFault.late(50), 1)
    server.fail("tool:echo", HttpFault.drip({ bytes: 10, everyMillis: 5 }), 1)
    assert.strictEqual(yield* bodyOf(yield* Effect.promise(() => call())), expected)
    assert.strictEqual(yield* bodyOf(yield* Effect.promise(() => call())), expected)
    server.fail("tool:echo", HttpFault.huge(5_000_001), 1)
    const huge = JSON.parse(yield* bodyOf(yield* Effect.promise(() => call())))
    assert.strictEqual(huge.result.content[0].text.length, 5_000_001)
    server.fail("tool:echo", HttpFault.contentType("text/html"), 1)
    const html = yield* Effect.promise(() => call())
    assert.strictEqual(html.headers.get("content-type"), "text/html")
  })

  test.scopedLive("knows no ping, offers no stream, keeps no session, never ends its list, as it is told", function*() {
    const server = yield* HttpFaultServer.make({ stateful: false, offersStream: false, pings: false, endless: true })
    const { connect, rpc, send } = client(server)
    assert.isNull(yield* Effect.promise(() => connect()))
    assert.include(yield* bodyOf(yield* Effect.promise(() => rpc("ping"))), "-32601")
    assert.strictEqual((yield* Effect.promise(() => send(undefined, { method: "GET" }))).status, 405)
    for (const cursor of [undefined, "41"]) {
      const page = JSON.parse(yield* bodyOf(yield* Effect.promise(() => rpc("tools/list", { cursor }))))
      assert.strictEqual(page.result.nextCursor, String(Number(cursor ?? 0) + 1))
    }
  })

  test.scopedLive("streams progress before the response, and notifications on the streams to clients", function*() {
    const run = ({ progress }: HttpFaultServer.Call) => (progress(1, 2, "half"), { content: [] })
    const { rpc, send, server } = yield* connected({ streaming: true, tools: { work: { run } } })
    const answer = yield* bodyOf(
      yield* Effect.promise(() => rpc("tools/call", { name: "work", _meta: { progressToken: 9 } }))
    )
    assert.match(answer, /"progressToken":9,"progress":1,"total":2,"message":"half".*\n\ndata: .*"content":\[\]/)
    const stream = yield* Effect.promise(() => send(undefined, { method: "GET" }))
    server.notify("notifications/tools/list_changed")
    const first = yield* Effect.promise(() => stream.body!.getReader().read())
    assert.include(Buffer.from(first.value!).toString(), "list_changed")
    server.dropStreams()
    yield* Effect.promise(() => server.until(() => server.streams.size === 0))
  })
})
