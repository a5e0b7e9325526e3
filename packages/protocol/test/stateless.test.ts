import type { ConnectError, ConnectOptions, Hearing, Loss, RequestEvent, ServerNotification } from "@mcp-lifeline/core"
import { RequestError, Sending } from "@mcp-lifeline/core"
import { Binding } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Deferred, Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { taking } from "../../testing/test/support/taking.js"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { parts } from "../src/sdkParts.js"
import type { Options } from "../src/Session.js"
import { transportOf } from "./scripted.js"

type Sent = { readonly id: number; readonly method: string; readonly params: Record<string, any> }
type Body = { readonly result: object } | { readonly error: object }

const timeout = 60_000
const discovered = {
  resultType: "complete",
  supportedVersions: ["2026-07-28"],
  capabilities: { tools: {}, logging: {} }
}
const complete = { resultType: "complete", content: [] }
const options: ConnectOptions = { report: () => {} }

const connected = (
  answer: (request: Sent, count: number) => Body | RequestError | undefined,
  more: Partial<Options> = {},
  kind: "http" | "stdio" = "http"
) =>
  Effect.gen(function*() {
    const sent: Array<Sent> = []
    const receive = (message: object): void =>
      transport.onmessage?.({ jsonrpc: "2.0", ...message } as unknown as JSONRPCMessage)
    const { closed, transport } = transportOf((message) => {
      const request = message as unknown as Sent
      sent.push(request)
      if (!("id" in message)) return Promise.resolve()
      const count = sent.filter(({ method }) => method === request.method).length
      const body = answer(request, count) ?? (request.method === "server/discover" ? { result: discovered } : undefined)
      if (body instanceof RequestError) return Promise.reject(body)
      if (body !== undefined) queueMicrotask(() => receive({ id: request.id, ...body }))
      return Promise.resolve()
    })
    const connection = yield* Effect.either(
      Binding.make(parts).connectStateless(transport, kind, { ...options, ...more })
    )
    const losses: Array<Loss> = []
    return { closed, connection, losses, receive, sent, transport }
  })

const opened = (...given: Parameters<typeof connected>) =>
  Effect.flatMap(
    connected(...given),
    ({ connection, ...others }) =>
      Effect.map(Effect.orDie(connection), (connection) => {
        connection.onLost((loss) => others.losses.push(loss))
        return { ...others, connection }
      })
  )

describe("a connection without a session", () => {
  const network = new RequestError({ fate: "unknown", reason: "network", message: "reset" })
  const refusals: ReadonlyArray<readonly [string, Body | RequestError, string, string]> = [
    ["cannot be heard", network, "ConnectError", "unreachable"],
    ["knows no server/discover", { error: { code: -32601, message: "no" } }, "SpeaksSessions", ""],
    ["names a revision with sessions", { result: { supportedVersions: ["2025-11-25"] } }, "SpeaksSessions", ""],
    ["speaks only what comes later", { result: { supportedVersions: ["2027-01-01"] } }, "ConnectError", "incompatible"],
    [
      "says of itself what fits nothing",
      { result: { ...discovered, capabilities: { tools: 5 } } },
      "ConnectError",
      "protocol"
    ]
  ]
  for (const [what, answer, tag, reason] of refusals) {
    test.scopedLive(`[E1:unit] is not made where the server ${what}, and nothing is left`, function*() {
      const { closed, connection } = yield* connected(() => answer)
      if (connection._tag === "Right") return assert.fail("connected")
      const error = connection.left as ConnectError
      assert.deepStrictEqual([error._tag as string, error.reason ?? ""], [tag, reason])
      if (tag === "SpeaksSessions") assert.isAbove(String((error as { readonly answer?: string }).answer).length, 3)
      assert.strictEqual(closed(), 1)
    })
  }

  test.scopedLive("[E1:unit] an attempt that is interrupted asks no more", function*() {
    const sent: Array<string> = []
    const { closed, transport } = transportOf((message) => {
      sent.push((message as unknown as Sent).method)
      return Promise.resolve()
    })
    const fiber = yield* Effect.fork(
      Effect.scoped(Binding.make(parts).connectStateless(transport, "http", options))
    )
    while (sent.length === 0) yield* Effect.sleep(1)
    yield* Fiber.interrupt(fiber)
    assert.deepStrictEqual(sent, ["server/discover", "notifications/cancelled"])
    assert.strictEqual(closed(), 1)
  })

  test.scopedLive("[E1:unit] a ping asks server/discover; silence is its timeout, and the connection lives", function*() {
    let answer: Body | RequestError | undefined = { result: discovered }
    const { connection, losses, sent } = yield* opened(({ method }, count) =>
      method !== "server/discover" ? undefined : count === 1 ? { result: discovered } : answer
    )
    assert.deepStrictEqual(yield* Sending.ask(connection, "ping", undefined, { timeout }), {})
    assert.deepStrictEqual(sent.map(({ method }) => method), ["server/discover", "server/discover"])
    answer = network
    assert.strictEqual(yield* Effect.flip(Sending.ask(connection, "ping", undefined, { timeout })), network)
    assert.deepStrictEqual(losses, [])
  })

  const others: ReadonlyArray<readonly [string, Body]> = [
    ["an error", { error: { code: -32601, message: "no" } }],
    ["older versions", { result: { supportedVersions: ["2025-11-25"] } }]
  ]
  for (const [what, answer] of others) {
    test.scopedLive(`[E1:unit] a server that answers a ping with ${what} is lost as a session would be`, function*() {
      const { connection, losses, sent } = yield* opened(({ method }, count) =>
        method === "server/discover" && count > 1 ? answer : undefined
      )
      const error = yield* Effect.flip(Sending.ask(connection, "ping", undefined, { timeout }))
      assert.deepInclude(error, { fate: "rejected", reason: "session" })
      assert.deepStrictEqual(losses.map(({ kind, message }) => [kind, message]), [["session", error.message]])
      const late: Array<Loss> = []
      connection.onLost((loss) => late.push(loss))
      assert.deepStrictEqual(late, losses)
      const count = sent.length
      const refused = yield* Effect.flip(Sending.ask(connection, "tools/list", undefined, { timeout }))
      assert.deepInclude(refused, { fate: "notSent", reason: "lost" })
      assert.deepInclude(yield* Effect.flip(connection.notify("notifications/cancelled", {})), { fate: "notSent" })
      assert.strictEqual(sent.length, count)
    })
  }

  test.scopedLive("[C9] what cannot be asked is refused before anything is sent", function*() {
    const { connection, sent } = yield* opened(({ method }) =>
      method === "server/discover" ? { result: { ...discovered, capabilities: { tools: {} } } } : undefined
    )
    const count = sent.length
    const task = yield* Effect.flip(
      Sending.ask(connection, "tools/call", { name: "x" }, { timeout, task: { ttl: 5 } })
    )
    assert.deepInclude(task, { fate: "notSent", reason: "fault" })
    const schema = yield* Effect.flip(
      Sending.ask(connection, "tools/call", { name: "x" }, { timeout, resultSchema: 5 })
    )
    assert.deepInclude(schema, { fate: "notSent", reason: "fault" })
    const level = yield* Effect.flip(Sending.ask(connection, "logging/setLevel", { level: "debug" }, { timeout }))
    assert.deepInclude(level, { fate: "answered", code: -32601 })
    assert.strictEqual(sent.length, count)
  })

  test.scopedLive("[E2] notifications go in their envelope, but not those that only a session has; one that fails was not sent", function*() {
    const { connection, sent, transport } = yield* opened(() => undefined)
    yield* connection.notify("notifications/initialized")
    yield* connection.notify("notifications/roots/list_changed")
    yield* connection.notify("notifications/custom", { a: 1 })
    assert.deepStrictEqual(sent.map(({ method }) => method), ["server/discover", "notifications/custom"])
    assert.deepInclude(sent.at(-1)!.params, { a: 1 })
    assert.property(sent.at(-1)!.params["_meta"], "io.modelcontextprotocol/protocolVersion")
    transport.send = () => Promise.reject(new Error("no pipe"))
    const error = yield* Effect.flip(connection.notify("notifications/custom", { a: 1 }))
    assert.deepInclude(error, { fate: "notSent", reason: "fault", message: "no pipe" })
  })

  test.live("[C9] a transport that closes is the loss, an own close is none; calls end with their words", function*() {
    for (const own of [false, true]) {
      const scope = yield* Scope.make()
      const { connection, losses, transport } = yield* Scope.extend(opened(() => undefined), scope)
      const call = yield* Effect.fork(Effect.flip(Sending.ask(connection, "tools/list", undefined, { timeout })))
      yield* Effect.yieldNow()
      if (own) yield* Scope.close(scope, Exit.void)
      else transport.onclose?.()
      const message = own ? "the connection was closed" : "the transport was closed"
      assert.deepInclude(yield* Fiber.join(call), { fate: "unknown", reason: "lost", message })
      assert.deepStrictEqual(losses, own ? [] : [{ kind: "closed", message }])
      yield* Scope.close(scope, Exit.void)
    }
  })

  test.scopedLive("[E4] what comes where no stream was asked for is handed on or dropped, and stops nothing", function*() {
    const got: Array<ServerNotification> = []
    const subscriptionId = "io.modelcontextprotocol/subscriptionId"
    const { receive } = yield* opened(() => undefined, {
      report: taking("Notification", ({ notification }) => got.push(notification))
    })
    receive({ method: "notifications/subscriptions/acknowledged" })
    receive({ method: "notifications/message", params: { a: 1 } })
    receive({ method: "notifications/tools/list_changed", params: { _meta: { [subscriptionId]: 1 } } })
    assert.deepStrictEqual(got, [
      { jsonrpc: "2.0", method: "notifications/message", params: { a: 1 } } as ServerNotification,
      { method: "notifications/tools/list_changed", params: {} }
    ])
  })
})

describe("a server that wants input first", () => {
  const wants = { resultType: "input_required", inputRequests: { a: { method: "roots/list" } }, requestState: "s" }
  const roots = { roots: [{ uri: "file:///a" }] }
  const handlers = { roots: Effect.succeed(roots) }
  const call = { name: "x" }

  test.scopedLive("[E3] gets it with the request, which is sent again", function*() {
    const { connection, receive, sent } = yield* opened(
      ({ method }, count) => method === "tools/call" && count === 1 ? { result: wants } : undefined,
      { handlers }
    )
    const fiber = yield* Effect.fork(
      Sending.ask(connection, "tools/call", call, { timeout, maxTotalTimeout: timeout })
    )
    while (sent.filter(({ method }) => method === "tools/call").length < 2) yield* Effect.sleep(1)
    yield* Effect.sleep(20)
    receive({ id: sent.at(-1)!.id, result: complete })
    assert.deepInclude(yield* Fiber.join(fiber), { content: [] })
    const again = sent.at(-1)!
    assert.deepInclude(again.params, { name: "x", requestState: "s", inputResponses: { a: roots } })
  })

  test.scopedLive("[E3] is told no more after ten rounds", function*() {
    const { connection, sent } = yield* opened(
      ({ method }) => method === "tools/call" ? { result: wants } : undefined,
      { handlers }
    )
    const error = yield* Effect.flip(Sending.ask(connection, "tools/call", call, { timeout }))
    assert.deepInclude(error, { fate: "answered", reason: "protocol" })
    assert.lengthOf(sent.filter(({ method }) => method === "tools/call"), 11)
  })

  const limits = [
    ["its timeout", { timeout: 600 }],
    ["the bound of the whole", { timeout: 3_600_000, maxTotalTimeout: 600 }],
    ["the bound of the whole, where progress moves the timeout", {
      timeout: 3_600_000,
      maxTotalTimeout: 600,
      resetTimeoutOnProgress: true
    }]
  ] as const
  for (const [what, limit] of limits) {
    test.scoped(`[E3 C5:virtual] the user has as long as it takes, and the server what it has left: ${what}`, function*() {
      const user = yield* Deferred.make<typeof roots>()
      const asking: Array<string> = []
      const { connection, receive, sent } = yield* opened(() => undefined, {
        handlers: { roots: Deferred.await(user) }
      })
      const calls = () => sent.filter(({ method }) => method === "tools/call")
      const options = { ...limit, onevent: ({ _tag }: RequestEvent) => asking.push(_tag) }
      const fiber = yield* Effect.fork(Effect.flip(Sending.ask(connection, "tools/call", call, options)))
      yield* TestClock.adjust(400)
      receive({ id: calls()[0]!.id, result: wants })
      yield* TestClock.adjust(86_400_000)
      assert.deepStrictEqual(asking, ["Asked"])
      yield* Deferred.succeed(user, roots)
      yield* TestClock.adjust(199)
      assert.lengthOf(calls(), 2)
      assert.deepStrictEqual(asking, ["Asked", "Answered"])
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust(1)
      assert.deepInclude(yield* Fiber.join(fiber), { fate: "unknown", reason: "timeout" })
    })
  }

  for (const round of [1, 2]) {
    test.scopedLive(`[E3 C19] given up before it has left, it was ${round === 1 ? "withdrawn" : "not, since the server has had it"}: round ${round}`, function*() {
      const { connection, sent, transport } = yield* opened(
        ({ method }, count) => method === "tools/call" && count < round ? { result: wants } : undefined,
        { handlers }
      )
      let withdrawn = 0
      const options = {
        timeout,
        onevent: ({ _tag }: RequestEvent) => void (withdrawn += Number(_tag === "Withdrawn"))
      }
      const fiber = yield* Effect.fork(Sending.ask(connection, "tools/call", call, options))
      while (sent.filter(({ method }) => method === "tools/call").length < round) yield* Effect.sleep(1)
      Object.assign(transport, { withdraw: () => true })
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(withdrawn, round === 1 ? 1 : 0)
    })
  }

  test.scopedLive("[E3] one without a limit waits for its answer as long as that takes", function*() {
    const { connection } = yield* opened(
      ({ method }, count) => method !== "tools/call" ? undefined : { result: count === 1 ? wants : complete },
      { handlers: { roots: Effect.delay(Effect.succeed(roots), 30) } }
    )
    for (const limit of [{ timeout: Infinity }, { timeout: 10_000, resetTimeoutOnProgress: true }]) {
      assert.deepInclude(yield* Sending.ask(connection, "tools/call", call, limit), { content: [] })
    }
  })

  test.scopedLive("[E3] is heard by the client itself where that speaks this protocol", function*() {
    const relay = {
      protocolVersion: undefined,
      request: () => Promise.reject(new Error("nobody is asked")),
      isStateless: true,
      isRaw: true
    }
    const { connection } = yield* opened(
      ({ method }) => method === "tools/call" ? { result: { ...wants, content: [] } } : undefined,
      { relay }
    )
    const result: unknown = yield* Sending.ask(connection, "tools/call", call, { timeout })
    assert.deepInclude(result, { resultType: "input_required", requestState: "s" })
  })

  test.scopedLive("[C4] one that is given up is cancelled for the reason of its caller", function*() {
    const { connection, sent } = yield* opened(() => undefined)
    const fiber = yield* Effect.fork(
      Sending.ask(connection, "tools/call", call, { timeout, cancelReason: () => "enough" })
    )
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(fiber)
    assert.deepInclude(sent.at(-1)!.params, { requestId: sent.at(-2)!.id, reason: "enough" })
  })
})

describe("the lists that were given", () => {
  const announcing = {
    ...discovered,
    capabilities: { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { listChanged: true } }
  }
  const lists = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] as const
  const kinds = ["tools", "prompts", "resources", "resourceTemplates"]
  for (const [index, method] of lists.entries()) {
    test.scopedLive(`[E4] before the stream was open may have changed since: ${method}`, function*() {
      const heard: Array<Hearing> = []
      const empty = { tools: [], prompts: [], resources: [], resourceTemplates: [], ttlMs: 0, cacheScope: "private" }
      const { connection, receive, sent } = yield* opened(
        (request) =>
          request.method === "server/discover"
            ? { result: announcing }
            : request.method === method
            ? { result: { resultType: "complete", ...empty } }
            : undefined,
        { report: taking("Hearing", ({ hearing }) => heard.push(hearing)) }
      )
      yield* Sending.ask(connection, method, undefined, { timeout })
      while (!sent.some((one) => one.method === "subscriptions/listen")) yield* Effect.sleep(1)
      const listen = sent.find((one) => one.method === "subscriptions/listen")!
      receive({
        method: "notifications/subscriptions/acknowledged",
        params: { ...listen.params, _meta: { "io.modelcontextprotocol/subscriptionId": listen.id } }
      })
      assert.deepStrictEqual(heard, [{ announced: [kinds[index]], unannounced: [] } as unknown as Hearing])
    })
  }
})
