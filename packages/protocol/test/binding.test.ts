import { Sending } from "@mcp-lifeline/core"
import type { ConnectOptions, Loss, ServerNotification } from "@mcp-lifeline/core"
import { MemoryConnector, SdkConnection } from "@mcp-lifeline/protocol"
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import {
  CallToolRequestSchema,
  ErrorCode,
  ListRootsResultSchema,
  ListToolsRequestSchema,
  McpError
} from "@modelcontextprotocol/sdk/types.js"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { readFileSync } from "node:fs"
import { taking } from "../../testing/test/support/taking.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import { scripted } from "./scripted.js"

const options = (more: Partial<ConnectOptions> = {}): ConnectOptions => ({ report: () => {}, ...more })
const timeout = 20_000
const silent = (): Promise<never> => new Promise(() => {})

type CallHandler = Parameters<typeof Server.prototype.setRequestHandler<typeof CallToolRequestSchema>>[1]

const makeServer = (call: CallHandler): Server => {
  const server = new Server(
    { name: "fixture", version: "1.2.3" },
    { capabilities: { tools: { listChanged: true }, logging: {} }, instructions: "be kind" }
  )
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [] }))
  server.setRequestHandler(CallToolRequestSchema, call)
  return server
}

const connectTo = (server: Server, more: Partial<ConnectOptions> = {}) =>
  MemoryConnector.make({ server: () => server }).connect(options(more))

const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })

describe("SdkConnection", () => {
  it("(C1) says who it is by the name and version of the package", () => {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
      version: string
    }
    assert.deepStrictEqual(SdkConnection.clientInfo, { name: "lifeline", version })
  })

  test.scopedLive("(C1) knows the server after initialize and gets answers", function*() {
    const connection = yield* connectTo(makeServer((request) => text(String(request.params.arguments?.["word"]))))
    assert.deepStrictEqual(connection.serverInfo, { name: "fixture", version: "1.2.3" })
    assert.strictEqual(connection.instructions, "be kind")
    assert.strictEqual(connection.protocolVersion, "2025-11-25")
    assert.strictEqual(connection.sessionId, undefined)
    assert.isTrue(connection.stateful)
    assert.deepStrictEqual(connection.capabilities.tools, { listChanged: true })
    assert.deepStrictEqual(yield* Sending.ask(connection, "ping", undefined, { timeout }), {})
    const result = yield* Sending.ask(connection, "tools/call", { name: "say", arguments: { word: "hi" } }, {
      timeout
    })
    assert.deepStrictEqual(result.content, [{ type: "text", text: "hi" }])
  })

  test.scopedLive("sends in the same synchronous step in which the effect is run", function*() {
    const { connection, sent } = yield* scripted(options())
    const before = sent.length
    Effect.runFork(Sending.ask(connection, "ping", undefined, { timeout }))
    assert.strictEqual(sent.length, before + 1)
  })

  test.scopedLive("(C9) an answered error is remote, in the server's own words, whatever its code", function*() {
    // -32000 and -32001 are also what the SDK uses for a closed connection and a timeout of its own.
    for (const code of [ErrorCode.MethodNotFound, -32000, -32001, 7]) {
      const connection = yield* connectTo(makeServer(() => {
        throw Object.assign(new Error("no such thing"), { code, data: { hint: "try" } })
      }))
      const error = yield* Effect.flip(Sending.ask(connection, "tools/call", { name: "x" }, { timeout }))
      assert.deepInclude(error, { fate: "answered", reason: "remote", code, message: "no such thing" })
      assert.deepStrictEqual(error.data, { hint: "try" })
    }
  })

  test.scopedLive("[R7 R12] an error that names the session is the answer to its request, and ends no session", function*() {
    for (
      const [code, message] of [
        [-32001, "Session expired"],
        [-32600, "No valid session ID"],
        [-32602, "browser session not found"],
        [1, "session not found"]
      ] as const
    ) {
      const { answer, connection, transport } = yield* scripted(options())
      const losses: Array<Loss> = []
      connection.onLost((loss) => losses.push(loss))
      const call = () =>
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(Effect.flip(Sending.ask(connection, "ping", undefined, { timeout })))
          yield* Effect.yieldNow()
          answer({ error: { code, message } })
          return yield* Fiber.join(fiber)
        })
      assert.deepInclude(yield* call(), { fate: "answered", reason: "remote", message })
      assert.lengthOf(losses, 0)
      transport.sessionId = "abc"
      assert.deepInclude(yield* call(), { fate: "answered", reason: "remote", code, ifSessionLost: "answered" })
      assert.lengthOf(losses, 0)
    }
  })

  test.scopedLive("a result that does not fit is a protocol error, as is an answer that is no JSON-RPC at all", function*() {
    const { answer, connection } = yield* scripted(options())
    for (
      const [misfit, words] of [
        [{ result: { tools: "many" } }, "does not fit the protocol"],
        [{ result: 5 }, "not a JSON-RPC response"],
        [{ error: { message: "no code" } }, "not a JSON-RPC response"]
      ] as const
    ) {
      const fiber = yield* Effect.fork(Effect.flip(Sending.ask(connection, "tools/list", {}, { timeout })))
      yield* Effect.yieldNow()
      answer(misfit)
      const error = yield* Fiber.join(fiber)
      assert.deepInclude(error, { fate: "answered", reason: "protocol" })
      assert.include(error.message, words)
    }
  })

  test.scopedLive("[P12:real] a result that fits is given as it came, with what no schema knows; defaults are added", function*() {
    const { answer, connection } = yield* scripted(options())
    const ask = <A>(request: Effect.Effect<A, unknown>, result: object) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.fork(request)
        yield* Effect.yieldNow()
        answer({ result })
        return yield* Fiber.join(fiber)
      })
    const tool = { name: "t", inputSchema: { type: "object" }, tomorrow: { x: 1 }, annotations: { strange: true } }
    const listed = yield* ask(Sending.ask(connection, "tools/list", {}, { timeout }), { tools: [tool], more: 1 })
    assert.deepStrictEqual(listed as unknown, { tools: [tool], more: 1 })
    const called = yield* ask(Sending.ask(connection, "tools/call", { name: "t" }, { timeout }), { isError: true })
    assert.deepStrictEqual(called, { isError: true, content: [] })
  })

  test.scopedLive("progress goes on for a task that was begun, and ends with the request where none was", function*() {
    const { answer, connection, receive, sent } = yield* scripted(options())
    const seen: Array<unknown> = []
    const run = (result: object) =>
      Effect.gen(function*() {
        const more = { timeout, ...Sending.progressTo((progress) => seen.push(progress)), task: { ttl: 1000 } }
        const request = Sending.ask(connection, "tools/call", { name: "x", _meta: { kept: 1 } }, more)
        const fiber = yield* Effect.fork(request)
        yield* Effect.yieldNow()
        const { id, params } = sent.at(-1) as { id: number; params: unknown }
        assert.deepStrictEqual(params, { name: "x", _meta: { kept: 1, progressToken: id }, task: { ttl: 1000 } })
        answer({ result })
        yield* Fiber.join(fiber)
        receive({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: id, progress: 2 } })
      })
    yield* run({ content: [] })
    assert.deepStrictEqual(seen, [])
    yield* run({ task: { taskId: "t" } })
    assert.deepStrictEqual(seen, [{ progress: 2 }])
  })

  test.scopedLive("what is thrown by a listener of progress or of notifications, and misfits, stop nothing", function*() {
    const thrower = (): never => {
      throw new Error("listener")
    }
    const { answer, connection, receive, sent } = yield* scripted(options({ report: thrower }))
    const request = Sending.ask(connection, "tools/call", { name: "x" }, { timeout, ...Sending.progressTo(thrower) })
    const fiber = yield* Effect.fork(request)
    yield* Effect.yieldNow()
    const progressToken = (sent.at(-1) as { id: number }).id
    const odd = [
      { method: "notifications/progress", params: { progressToken, progress: 1 } },
      { method: "notifications/progress", params: { progressToken, progress: "much" } },
      { method: "notifications/progress" },
      { method: "notifications/message", params: [1] },
      { method: 5 },
      { method: "notifications/message", params: {} },
      { id: null, error: { code: 1, message: "parse error" } },
      {}
    ]
    for (const message of odd) receive({ jsonrpc: "2.0", ...message } as unknown as JSONRPCMessage)
    answer({ result: { content: [] } })
    assert.deepStrictEqual((yield* Fiber.join(fiber)).content, [])
  })

  test.scopedLive("(C5) a request ends at its timeout with fate unknown, and is cancelled", function*() {
    const { connection, sent } = yield* scripted(options())
    const error = yield* Effect.flip(Sending.ask(connection, "tools/call", { name: "slow" }, { timeout: 20 }))
    assert.deepInclude(error, { fate: "unknown", reason: "timeout" })
    assert.deepInclude(sent.at(-1), { method: "notifications/cancelled" })
  })

  test.scopedLive("(C5) progress starts the timeout anew when asked, up to the total bound", function*() {
    const cancelled = yield* Deferred.make<void>()
    const connection = yield* connectTo(makeServer(async (_, extra) => {
      extra.signal.addEventListener("abort", () => Deferred.unsafeDone(cancelled, Exit.void))
      const timer = setInterval(() => {
        void extra.sendNotification({
          method: "notifications/progress",
          params: { progressToken: extra._meta?.progressToken ?? 0, progress: 1 }
        })
      }, 50)
      extra.signal.addEventListener("abort", () => clearInterval(timer))
      return silent()
    }))
    const began = performance.now()
    const error = yield* Effect.flip(Sending.ask(connection, "tools/call", { name: "slow" }, {
      timeout: 1500,
      resetTimeoutOnProgress: true,
      maxTotalTimeout: 3000,
      progress: true
    }))
    assert.deepInclude(error, { fate: "unknown", reason: "timeout" })
    assert.isAtLeast(performance.now() - began, 2990)
    yield* Deferred.await(cancelled)
  })

  test.scopedLive("(C5) the total bound holds when the progress stops, and timeouts may be endless", function*() {
    const { answer, connection } = yield* scripted(options())
    const endless = { timeout: Number.POSITIVE_INFINITY, resetTimeoutOnProgress: true }
    const error = yield* Effect.flip(Sending.ask(connection, "ping", undefined, { ...endless, maxTotalTimeout: 30 }))
    assert.deepInclude(error, { fate: "unknown", reason: "timeout" })
    const fiber = yield* Effect.fork(Sending.ask(connection, "ping", undefined, endless))
    yield* Effect.sleep(20)
    answer({ result: {} })
    assert.deepStrictEqual(yield* Fiber.join(fiber), {})
  })

  test.scopedLive("(C4) interrupting frees the caller at once, reaches the server, and the session lives on", function*() {
    const started = yield* Deferred.make<void>()
    const aborted = yield* Deferred.make<unknown>()
    const connection = yield* connectTo(makeServer((request, extra) => {
      if (request.params.name === "echo") return text("still here")
      Deferred.unsafeDone(started, Exit.void)
      extra.signal.addEventListener("abort", () => Deferred.unsafeDone(aborted, Exit.succeed(extra.signal.reason)))
      return silent()
    }))
    const fiber = yield* Effect.fork(Sending.ask(connection, "tools/call", { name: "slow" }, { timeout }))
    yield* Deferred.await(started)
    assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    assert.strictEqual(yield* Deferred.await(aborted), "the caller cancelled the request")
    const result = yield* Sending.ask(connection, "tools/call", { name: "echo" }, { timeout })
    assert.deepStrictEqual(result.content, text("still here").content)
  })

  test.scopedLive("(C4) the server is told the reason, whatever it is", function*() {
    const { connection, sent } = yield* scripted(options())
    const unprintable = Object.create(null) as unknown
    const reasons = [new Error("enough"), "a text", { some: "object" }, undefined, unprintable]
    for (const reason of reasons) {
      const request = Sending.ask(connection, "ping", undefined, { timeout, cancelReason: () => reason })
      yield* Effect.flatMap(Effect.fork(request), (fiber) => Effect.delay(Fiber.interrupt(fiber), 1))
    }
    assert.deepStrictEqual(
      sent.flatMap((message) => "params" in message && "reason" in message.params! ? [message.params["reason"]] : []),
      ["Error: enough", "a text", "[object Object]", "the caller cancelled the request", "cancelled"]
    )
  })

  test.scopedLive("[C8 F2] what a server asks reaches its handler before the caller has an answer that came right behind", function*() {
    const happened: Array<string> = []
    const handlers = { roots: Effect.sync(() => ({ roots: [], asked: happened.push("asked") })) }
    const { connection, receive, sent } = yield* scripted(options({ handlers }))
    const first = sent.length
    const call = (name: string) =>
      Effect.andThen(Sending.ask(connection, "ping", undefined, { timeout }), Effect.sync(() => happened.push(name)))
    const fibers = [yield* Effect.fork(call("one")), yield* Effect.fork(call("two"))]
    yield* Effect.yieldNow()
    const ids = sent.slice(first).map((message) => (message as { readonly id: number }).id)
    receive({ jsonrpc: "2.0", id: ids[0]!, result: {} })
    receive({ jsonrpc: "2.0", id: 7, method: "roots/list" })
    receive({ jsonrpc: "2.0", id: ids[1]!, result: {} })
    yield* Fiber.joinAll(fibers)
    assert.deepStrictEqual(happened, ["one", "asked", "two"])
  })

  test.scopedLive("(C8) what was declared is declared as it stands; of the rest, what follows from the handlers", function*() {
    const handlers = { elicitation: () => Effect.never, roots: Effect.never, sampling: () => Effect.never }
    const declared = (more: Partial<ConnectOptions>) =>
      Effect.map(scripted(options(more)), ({ sent }) => {
        const [initialize] = sent as unknown as [{ readonly params: { readonly capabilities: unknown } }]
        return JSON.stringify(initialize.params.capabilities)
      })
    const implied = '{"sampling":{},"elicitation":{"form":{}},"roots":{"listChanged":true}}'
    assert.strictEqual(yield* declared({ handlers }), implied)
    const capabilities = { roots: {}, elicitation: { url: {} }, sampling: { tools: {} } }
    assert.strictEqual(yield* declared({ handlers, capabilities }), JSON.stringify(capabilities))
    assert.strictEqual(
      yield* declared({ handlers: { roots: Effect.never }, capabilities: { sampling: {} } }),
      '{"sampling":{},"roots":{"listChanged":true}}'
    )
  })

  test.scopedLive("(C3) a result schema that is none is refused before anything is sent", function*() {
    const { connection, sent } = yield* scripted(options())
    const before = sent.length
    for (const resultSchema of [{ timeout: 500 }, null, "schema", () => true]) {
      const error = yield* Effect.flip(Sending.ask(connection, "ping", undefined, { timeout, resultSchema }))
      assert.deepInclude(error, { fate: "notSent", reason: "fault" })
      assert.instanceOf(error.cause, TypeError)
    }
    assert.strictEqual(sent.length, before)
  })

  test.scopedLive("(C3) what nobody can classify is a fault, with what was thrown and what is known of the request", function*() {
    const { answer, connection, transport } = yield* scripted(options())
    const thrown = new Error("no idea")
    const resultSchema = {
      safeParse: () => {
        throw thrown
      }
    }
    const fiber = yield* Effect.fork(
      Effect.flip(Sending.ask(connection, "ping", undefined, { timeout, resultSchema }))
    )
    yield* Effect.yieldNow()
    answer({ result: {} })
    assert.deepInclude(yield* Fiber.join(fiber), { fate: "answered", reason: "fault", cause: thrown })
    const fails = (send: () => Promise<void>) => {
      transport.send = send
      return Effect.flip(Sending.ask(connection, "ping", undefined, { timeout }))
    }
    assert.deepInclude(yield* fails(() => Promise.reject(thrown)), {
      fate: "unknown",
      reason: "fault",
      cause: thrown
    })
    assert.deepInclude(
      yield* fails(() => {
        throw thrown
      }),
      { fate: "notSent", reason: "fault", cause: thrown }
    )
  })

  test.scopedLive("an answer that comes after its request has ended changes nothing", function*() {
    const { answer, connection, receive, sent } = yield* scripted(options())
    yield* Effect.flip(Sending.ask(connection, "ping", undefined, { timeout: 5 }))
    const id = sent.findLast((message) => "id" in message && "method" in message)
    assert.isDefined(id)
    receive({ jsonrpc: "2.0", id: (id as { id: number }).id, result: {} } as JSONRPCMessage)
    receive({ jsonrpc: "2.0", id: 4711, result: {} } as JSONRPCMessage)
    const fiber = yield* Effect.fork(Sending.ask(connection, "ping", undefined, { timeout }))
    yield* Effect.yieldNow()
    answer({ result: {} })
    assert.deepStrictEqual(yield* Fiber.join(fiber), {})
  })

  test.scopedLive("progress that came before the answer is reported before it, also from one read", function*() {
    const { answer, connection, receive, sent } = yield* scripted(options())
    const order: Array<string> = []
    const fiber = yield* Effect.fork(
      Sending.ask(connection, "tools/call", { name: "x" }, {
        timeout,
        ...Sending.progressTo((p) => order.push(`${p.progress}`))
      })
        .pipe(Effect.tap(() => Effect.sync(() => order.push("answer"))))
    )
    yield* Effect.yieldNow()
    const progressToken = (sent.at(-1) as { id: number }).id
    for (const progress of [1, 2, 3]) {
      receive({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress } })
    }
    answer({ result: { content: [] } })
    yield* Fiber.join(fiber)
    assert.deepStrictEqual(order, ["1", "2", "3", "answer"])
  })

  test.scopedLive("(P4) every notification but progress is reported, as it came and in order", function*() {
    const got: Array<ServerNotification> = []
    const { connection, receive, answer } = yield* scripted(
      options({ report: taking("Notification", ({ notification }) => got.push(notification)) })
    )
    const methods = [
      "notifications/tools/list_changed",
      "notifications/message",
      "notifications/resources/updated",
      "notifications/prompts/list_changed",
      "notifications/tasks/status",
      "notifications/elicitation/complete",
      "notifications/resources/list_changed",
      "notifications/of/tomorrow"
    ]
    for (const method of methods) receive({ jsonrpc: "2.0", method, params: { unchecked: method } })
    receive({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 99, progress: 1 } })
    const fiber = yield* Effect.fork(Sending.ask(connection, "ping", undefined, { timeout }))
    yield* Effect.yieldNow()
    answer({ result: {} })
    yield* Fiber.join(fiber)
    assert.deepStrictEqual(got.map((n) => n.method), methods)
    assert.deepStrictEqual(got.map((n) => n.params?.["unchecked"]), methods)
  })
})

describe("the end of a connection", () => {
  test.scopedLive("fail ends every pending request with the message of the loss and refuses new ones, without closing", function*() {
    const { connection, closed, sent } = yield* scripted(options())
    const losses: Array<Loss> = []
    connection.onLost((loss) => losses.push(loss))
    const fibers = yield* Effect.forEach(
      [1, 2, 3],
      () => Effect.fork(Effect.flip(Sending.ask(connection, "tools/call", { name: "x" }, { timeout })))
    )
    yield* Effect.yieldNow()
    connection.fail({ kind: "health", message: "three in a row" })
    connection.fail({ kind: "closed", message: "another reason" })
    for (const error of yield* Effect.forEach(fibers, Fiber.join)) {
      assert.deepInclude(error, { fate: "unknown", reason: "lost", message: "three in a row" })
    }
    const count = sent.length
    const later = yield* Effect.flip(Sending.ask(connection, "ping", undefined, { timeout }))
    assert.deepInclude(later, { fate: "notSent", reason: "lost", message: "three in a row" })
    const notified = yield* Effect.flip(connection.notify("notifications/roots/list_changed"))
    assert.deepInclude(notified, { fate: "notSent", reason: "lost" })
    assert.strictEqual(sent.length, count)
    assert.strictEqual(closed(), 0)
    assert.lengthOf(losses, 0)
  })

  test.scopedLive("fail leaves a send that is just being rejected its own fate", function*() {
    const { connection, hold, transport } = yield* scripted(options())
    const reject = hold()
    const fiber = yield* Effect.fork(Effect.flip(Sending.ask(connection, "ping", undefined, { timeout })))
    yield* Effect.yieldNow()
    connection.onLost((loss) => connection.fail(loss))
    transport.onlost?.({ kind: "session", message: "404" })
    reject({ fate: "rejected", reason: "session", message: "404" })
    assert.deepInclude(yield* Fiber.join(fiber), { fate: "rejected", reason: "session" })
  })

  test.scopedLive("a rejected send ends its request at once, with its fate", function*() {
    const { connection, hold } = yield* scripted(options())
    const reject = hold()
    const fiber = yield* Effect.fork(Effect.flip(Sending.ask(connection, "ping", undefined, { timeout })))
    yield* Effect.yieldNow()
    reject({ fate: "unknown", reason: "rateLimited", message: "429", retryAfter: 5 })
    assert.deepInclude(yield* Fiber.join(fiber), { fate: "unknown", reason: "rateLimited", retryAfter: 5 })
  })

  test.scopedLive("onLost is called once, at once if it is late, and pending requests have ended", function*() {
    const { connection, transport } = yield* scripted(options())
    const early: Array<string> = []
    const late: Array<string> = []
    connection.onLost((loss) => early.push(loss.message))
    const fiber = yield* Effect.fork(Effect.flip(Sending.ask(connection, "ping", undefined, { timeout })))
    yield* Effect.yieldNow()
    transport.onlost?.({ kind: "closed", message: "exited with code 1" })
    transport.onlost?.({ kind: "closed", message: "again" })
    transport.onclose?.()
    assert.deepInclude(yield* Fiber.join(fiber), { fate: "unknown", reason: "lost", message: "exited with code 1" })
    assert.deepStrictEqual(early, ["exited with code 1"])
    connection.onLost((loss) => late.push(loss.message))
    assert.deepStrictEqual(late, ["exited with code 1"])
  })

  test.scopedLive("(R6) the first loss counts, also where an answer that waits says of another one", function*() {
    const handlers = { roots: Effect.succeed({ roots: [] }) }
    const { answer, connection, receive, transport } = yield* scripted(options({ handlers }))
    Object.assign(transport, { sessionId: "abc" })
    const losses: Array<Loss> = []
    connection.onLost((loss) => losses.push(loss))
    yield* Effect.fork(Effect.exit(Sending.ask(connection, "ping", undefined, { timeout })))
    yield* Effect.yieldNow()
    // The client answers this in a later tick, and what follows waits for it.
    receive({ jsonrpc: "2.0", id: 9, method: "roots/list" })
    answer({ error: { code: -32001, message: "Session expired" } })
    const loss: Loss = { kind: "closed", message: "HTTP 503", retryAfter: 7000 }
    transport.onlost?.(loss)
    assert.deepStrictEqual(losses, [loss])
  })

  test.scopedLive("a server in memory that closes is a loss", function*() {
    const server = makeServer(silent)
    const connection = yield* connectTo(server)
    const lost = yield* Deferred.make<Loss>()
    connection.onLost((loss) => Deferred.unsafeDone(lost, Exit.succeed(loss)))
    const fiber = yield* Effect.fork(Effect.flip(Sending.ask(connection, "tools/call", { name: "x" }, { timeout })))
    yield* Effect.yieldNow()
    yield* Effect.promise(() => server.close())
    assert.strictEqual((yield* Deferred.await(lost)).kind, "closed")
    assert.deepInclude(yield* Fiber.join(fiber), { fate: "unknown", reason: "lost" })
  })

  test.live("the scope's own close is no loss, ends pending requests, and closes the server", function*() {
    const server = makeServer(silent)
    let serverClosed = 0
    server.onclose = () => {
      serverClosed++
    }
    const scope = yield* Scope.make()
    const connection = yield* connectTo(server).pipe(Scope.extend(scope))
    const losses: Array<Loss> = []
    connection.onLost((loss) => losses.push(loss))
    const fiber = yield* Effect.fork(Effect.flip(Sending.ask(connection, "tools/call", { name: "x" }, { timeout })))
    yield* Effect.yieldNow()
    yield* Scope.close(scope, Exit.void)
    assert.deepInclude(yield* Fiber.join(fiber), { fate: "unknown", reason: "lost" })
    assert.lengthOf(losses, 0)
    assert.isAbove(serverClosed, 0)
  })
})

describe("requests of the server", () => {
  const asked = (code: (server: Server) => Promise<unknown>): Server => {
    const server: Server = makeServer(async () => {
      try {
        return text(JSON.stringify(await code(server)))
      } catch (error) {
        return text(`refused ${(error as McpError).code} ${(error as McpError).message}`)
      }
    })
    return server
  }
  const outcome = (server: Server, more: Partial<ConnectOptions>) =>
    Effect.flatMap(
      connectTo(server, more),
      (connection) => Sending.ask(connection, "tools/call", { name: "x" }, { timeout })
    )
      .pipe(Effect.map((result) => (result.content[0] as { text: string }).text))

  const sample = (server: Server) =>
    server.createMessage({
      messages: [{ role: "user", content: { type: "text", text: "1 + 1" } }],
      maxTokens: 9
    })
  const elicit = (server: Server) =>
    server.elicitInput({ message: "name?", requestedSchema: { type: "object", properties: {} } })
  const sampling = () =>
    Effect.succeed({ role: "assistant" as const, model: "m", content: { type: "text" as const, text: "2" } })

  test.scopedLive("(C8) the capabilities follow from the handlers, and more may be declared", function*() {
    const none = makeServer(silent)
    yield* connectTo(none)
    assert.deepStrictEqual(none.getClientCapabilities(), {})
    const all = makeServer(silent)
    yield* connectTo(all, {
      clientInfo: { name: "host", version: "9" },
      capabilities: { sampling: { tools: {} }, experimental: { x: {} } },
      handlers: {
        sampling,
        elicitation: () => Effect.succeed({ action: "decline" as const }),
        roots: Effect.succeed({ roots: [] })
      }
    })
    assert.deepStrictEqual(all.getClientCapabilities(), {
      sampling: { tools: {} },
      elicitation: { form: {} },
      roots: { listChanged: true },
      experimental: { x: {} }
    })
    assert.deepStrictEqual(all.getClientVersion(), { name: "host", version: "9" })
  })

  test.scopedLive("(C8) sampling, elicitation and roots are answered by their handlers", function*() {
    assert.include(yield* outcome(asked(sample), { handlers: { sampling } }), '"text":"2"')
    const elicitation = () => Effect.succeed({ action: "accept" as const, content: { name: "Ada" } })
    assert.include(yield* outcome(asked(elicit), { handlers: { elicitation } }), "Ada")
    const roots = Effect.succeed({ roots: [{ uri: "file:///project", name: "work" }] })
    const list = (server: Server) => server.request({ method: "roots/list" }, ListRootsResultSchema)
    assert.include(yield* outcome(asked(list), { handlers: { roots } }), "file:///project")
  })

  test.scopedLive("(C8) without a handler the server gets method not found", function*() {
    const list = (server: Server) => server.request({ method: "roots/list" }, ListRootsResultSchema)
    assert.include(yield* outcome(asked(list), {}), `refused ${ErrorCode.MethodNotFound}`)
  })

  test.scopedLive("(C8) a failure of a handler is answered as a JSON-RPC error, a defect without its text", function*() {
    const refuse = (failure: unknown) => ({ handlers: { sampling: () => Effect.fail(failure) } })
    assert.strictEqual(
      yield* outcome(asked(sample), refuse(new Error("no model here"))),
      "refused -32603 MCP error -32603: no model here"
    )
    assert.strictEqual(
      yield* outcome(asked(sample), refuse(new McpError(-1, "User rejected"))),
      "refused -1 MCP error -1: User rejected"
    )
    assert.strictEqual(
      yield* outcome(asked(sample), { handlers: { sampling: () => Effect.die("private") } }),
      "refused -32603 MCP error -32603: Internal error"
    )
  })

  test.scopedLive("(C8) a handler is interrupted when the server cancels, and when the connection fails", function*() {
    let started = 0
    let interrupted = 0
    const bothStarted = yield* Deferred.make<void>()
    const oneInterrupted = yield* Deferred.make<void>()
    const bothInterrupted = yield* Deferred.make<void>()
    const roots = Effect.suspend(() => {
      if (++started === 2) Deferred.unsafeDone(bothStarted, Exit.void)
      return Effect.never
    }).pipe(Effect.onInterrupt(() =>
      Effect.sync(() => {
        interrupted++
        if (interrupted === 1) Deferred.unsafeDone(oneInterrupted, Exit.void)
        if (interrupted === 2) Deferred.unsafeDone(bothInterrupted, Exit.void)
      })
    ))
    const { connection, receive } = yield* scripted(options({ handlers: { roots } }))
    yield* Effect.forEach([7, 8], (id) => Effect.sync(() => receive({ jsonrpc: "2.0", id, method: "roots/list" })))
    yield* Deferred.await(bothStarted)
    receive({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7 } })
    yield* Deferred.await(oneInterrupted)
    connection.fail({ kind: "closed", message: "over" })
    yield* Deferred.await(bothInterrupted)
  })
})
