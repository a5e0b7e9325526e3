import type { Hearing, ServerNotification } from "@mcp-lifeline/core"
import { RequestError, Sending } from "@mcp-lifeline/core"
import { Binding } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Fiber, Random, TestClock } from "effect"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Pace from "../src/listenPace.js"
import { parts } from "../src/sdkParts.js"
import { transportOf } from "./scripted.js"

type Sent = { readonly id: number; readonly method: string; readonly params: Record<string, any> }

const subscriptionId = "io.modelcontextprotocol/subscriptionId"

const toolsChanged = {
  jsonrpc: "2.0",
  method: "notifications/tools/list_changed",
  params: { _meta: { [subscriptionId]: 1 } }
}

const all: ServerCapabilities = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  logging: {}
}

const connected = (capabilities: ServerCapabilities = { tools: { listChanged: true } }, draw = 0) =>
  Effect.gen(function*() {
    const sent: Array<Sent> = []
    const cancelled: Array<number> = []
    const heard: Array<Hearing> = []
    const notifications: Array<ServerNotification> = []
    let doubts = 0
    const rejections = new Map<number, (error: unknown) => void>()
    const receive = (message: unknown): void => transport.onmessage?.(message as JSONRPCMessage)
    const { transport } = transportOf((message) => {
      if ("method" in message && message.method === "notifications/cancelled") {
        cancelled.push((message.params as { readonly requestId: number }).requestId)
        return Promise.resolve()
      }
      const request = message as Sent
      sent.push(request)
      const answer = (result: object) =>
        queueMicrotask(() => receive({ jsonrpc: "2.0", id: request.id, result: { resultType: "complete", ...result } }))
      if (request.method === "server/discover") answer({ supportedVersions: ["2026-07-28"], capabilities })
      if (request.method === "tools/list") answer({ tools: [], ttlMs: 0, cacheScope: "private" })
      return request.method === "subscriptions/listen"
        ? new Promise((_, reject) => rejections.set(request.id, reject))
        : Promise.resolve()
    })
    const connection = yield* Binding.make(parts).connectStateless(transport, "http", {
      report: (report) => {
        if (report._tag === "Notification") notifications.push(report.notification)
        if (report._tag === "Hearing") heard.push(report.hearing)
        if (report._tag === "Doubt") doubts++
      }
    }).pipe(Effect.orDie)
    const listens = () => sent.filter(({ method }) => method === "subscriptions/listen")
    const current = () => listens().at(-1)!
    const soon = TestClock.adjust(0)
    yield* soon
    const once = (act: () => void) => Effect.zipRight(Effect.sync(act), soon)
    const acknowledge = (notifications: unknown = current().params["notifications"], id: unknown = current().id) =>
      once(() =>
        receive({
          jsonrpc: "2.0",
          method: "notifications/subscriptions/acknowledged",
          params: { notifications, _meta: { [subscriptionId]: id } }
        })
      )
    const end = once(() => receive({ jsonrpc: "2.0", id: current().id, result: { resultType: "complete" } }))
    const refuse = (code: number) =>
      once(() => receive({ jsonrpc: "2.0", id: current().id, error: { code, message: "no" } }))
    const cut = (error: Partial<ConstructorParameters<typeof RequestError>[0]> = {}) =>
      once(() =>
        rejections.get(current().id)!(
          new RequestError({ fate: "unknown", reason: "network", message: "cut", ...error })
        )
      )
    return {
      acknowledge,
      cancelled,
      connection,
      current,
      cut,
      doubts: () => doubts,
      end,
      heard,
      listens,
      notifications,
      open: () => listens().length - cancelled.length,
      receive,
      refuse,
      sent,
      transport
    }
  }).pipe(Effect.withRandom(Random.fixed([draw])))

const request = { timeout: 60_000 }

describe("the stream of changes", () => {
  test.scoped("[E4] is opened once, for what the server says that it announces", function*() {
    const { acknowledge, current, heard, listens } = yield* connected(all)
    assert.deepStrictEqual(current().params["notifications"], {
      toolsListChanged: true,
      promptsListChanged: true,
      resourcesListChanged: true
    })
    assert.strictEqual(current().params["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28")
    yield* acknowledge()
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(listens().length, 1)
    // The core takes a connection to hear what the server says that it announces.
    assert.deepStrictEqual(heard, [])
  })

  test.scoped("[E4] is not opened where the server announces nothing", function*() {
    const { listens } = yield* connected({ tools: {}, resources: { subscribe: true } })
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(listens().length, 0)
  })

  test.scoped("[E4] what comes on it comes where notifications come, without what concerns this hop", function*() {
    const { acknowledge, notifications, receive } = yield* connected()
    yield* acknowledge()
    const changed = (meta: object) => ({
      jsonrpc: "2.0",
      method: "notifications/tools/list_changed",
      params: { _meta: meta }
    })
    receive(changed({ [subscriptionId]: 1 }))
    receive(changed({ [subscriptionId]: 1, "example.com/trace": "7" }))
    assert.deepStrictEqual(notifications, [
      { method: "notifications/tools/list_changed", params: {} },
      { method: "notifications/tools/list_changed", params: { _meta: { "example.com/trace": "7" } } }
    ])
  })

  test.scoped("[E4] a list that came before it was acknowledged is read again, once: it may have changed since", function*() {
    const { acknowledge, connection, heard } = yield* connected()
    yield* Sending.ask(connection, "tools/list", undefined, request)
    yield* acknowledge()
    yield* acknowledge()
    assert.deepStrictEqual(heard, [{ announced: ["tools"], unannounced: [] }])
  })

  for (const draw of [0, 1 - Number.EPSILON]) {
    test.scoped(`[E4] cut, it is opened again with a jittered backoff, and what may have been missed is read once (draw ${draw})`, function*() {
      const { acknowledge, cut, doubts, heard, listens, open } = yield* connected(undefined, draw)
      yield* acknowledge()
      yield* TestClock.adjust(10_000)
      yield* cut()
      const wait = draw === 0 ? 500 : 1000
      yield* TestClock.adjust(wait - 1)
      assert.strictEqual(listens().length, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(listens().length, 2)
      assert.deepStrictEqual(heard, [])
      yield* acknowledge()
      assert.deepStrictEqual(heard, [{ announced: ["tools"], unannounced: [] }])
      assert.strictEqual(open(), 2)
      assert.strictEqual(doubts(), 0)
    })
  }

  test.scoped("[E4] that does not live long, it is opened less and less often; after five lists are polled, and it is tried now and then", function*() {
    const { acknowledge, cut, doubts, heard, listens } = yield* connected()
    for (const wait of [1000, 2000, 4000, 8000]) {
      yield* cut()
      yield* TestClock.adjust(wait - 1)
      const before = listens().length
      yield* TestClock.adjust(1)
      assert.strictEqual(listens().length, before + 1, String(wait))
    }
    assert.deepStrictEqual(heard, [])
    yield* cut()
    assert.strictEqual(doubts(), 5)
    assert.deepStrictEqual(heard, [{ announced: [], unannounced: ["tools"] }])
    yield* TestClock.adjust(0.75 * 300_000 - 1)
    assert.strictEqual(listens().length, 5)
    yield* TestClock.adjust(1)
    assert.strictEqual(listens().length, 6)
    yield* acknowledge()
    assert.deepStrictEqual(heard.at(-1), { announced: ["tools"], unannounced: [] })
    yield* TestClock.adjust(10_000)
    yield* cut()
    yield* TestClock.adjust(500)
    assert.strictEqual(listens().length, 7)
  })

  it("[E4] no wait is longer than 30 s, or falls short of half of it", () => {
    for (let short = 0; short < 100; short++) {
      for (const draw of [0, 0.5, 0.999]) {
        const wait = Pace.delay(short, draw)
        assert.isAtLeast(wait, 500)
        assert.isAtMost(wait, 30_000)
        assert.isAtMost(Pace.floor(short), 30_000)
      }
    }
  })

  test.scoped("[E4] ended properly after it has lived, it is opened again at once", function*() {
    const { acknowledge, end, heard, listens } = yield* connected()
    for (let i = 1; i <= 3; i++) {
      yield* acknowledge()
      yield* TestClock.adjust(10_000)
      yield* end
      assert.strictEqual(listens().length, i + 1)
    }
    assert.strictEqual(heard.length, 2)
  })

  test.scoped("[E4] ended properly before it has lived for ten seconds, it is opened less and less often", function*() {
    const { acknowledge, end, listens } = yield* connected()
    for (const [nth, pause] of [1000, 2000].entries()) {
      yield* acknowledge()
      yield* TestClock.adjust(9000)
      yield* end
      // The least time from one opening to the next is over, but for the second one.
      assert.strictEqual(listens().length, nth + 2, String(pause))
    }
    yield* acknowledge()
    yield* TestClock.adjust(1)
    yield* end
    yield* TestClock.adjust(3998)
    assert.strictEqual(listens().length, 3)
    yield* TestClock.adjust(1)
    assert.strictEqual(listens().length, 4)
  })

  test.scoped("[E4] a server that ends it at once is asked less and less often: no busy loop", function*() {
    const { acknowledge, end, heard, listens } = yield* connected()
    const opened: Array<number> = []
    for (let i = 0; i < 5; i++) {
      yield* acknowledge()
      yield* end
      const before = listens().length
      let waited = 0
      while (listens().length === before && waited < 20_000) {
        yield* TestClock.adjust(1000)
        waited += 1000
      }
      opened.push(waited)
    }
    assert.deepStrictEqual(opened, [1000, 2000, 4000, 8000, 20_000])
    assert.deepStrictEqual(heard.at(-1), { announced: [], unannounced: ["tools"] })
  })

  for (const how of ["end", "fail"] as const) {
    test.scoped(`[E4] one that announced something is opened again at once, a second after it was last (${how})`, function*() {
      const { acknowledge, current, cut, end, listens, receive } = yield* connected()
      const announce = () =>
        receive({
          jsonrpc: "2.0",
          method: "notifications/tools/list_changed",
          params: { _meta: { [subscriptionId]: current().id } }
        })
      for (const life of [4000, 300, 4000, 300, 4000, 300]) {
        yield* acknowledge()
        yield* TestClock.adjust(life)
        announce()
        const before = listens().length
        yield* how === "end" ? end : cut()
        yield* TestClock.adjust(Math.max(0, 970 - life))
        if (life < 1000) assert.strictEqual(listens().length, before)
        yield* TestClock.adjust(20)
        assert.strictEqual(listens().length, before + 1)
      }
    })
  }

  test.scoped("[E4] where the server has none, lists are polled, and it is not asked again", function*() {
    const { heard, listens, refuse } = yield* connected(all)
    yield* refuse(-32601)
    yield* TestClock.adjust("1 day")
    assert.strictEqual(listens().length, 1)
    assert.deepStrictEqual(heard, [
      { announced: [], unannounced: ["tools", "prompts", "resources", "resourceTemplates"] }
    ])
  })

  for (
    const [what, promised] of [["nothing of it", {}], ["no truth", {
      toolsListChanged: "yes"
    }]] as const
  ) {
    test.scoped(`[E4] a server that promises ${what} is not asked again; whether it ends the stream or not`, function*() {
      for (const ends of [true, false]) {
        const { acknowledge, cancelled, end, heard, listens } = yield* connected()
        yield* acknowledge(promised)
        if (ends) yield* end
        yield* TestClock.adjust("1 day")
        assert.strictEqual(listens().length, 1)
        assert.isAtMost(cancelled.length, 1)
        assert.deepStrictEqual(heard, [{ announced: [], unannounced: ["tools"] }])
      }
    })
  }

  test.scoped("[E4] what it promises only in part is polled for the rest", function*() {
    const { acknowledge, heard, listens } = yield* connected(all)
    yield* acknowledge({ promptsListChanged: true, toolsListChanged: false })
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(listens().length, 1)
    assert.deepStrictEqual(heard, [{
      announced: [],
      unannounced: ["tools", "resources", "resourceTemplates"]
    }])
  })

  test.scoped("[E4] one that is never acknowledged is closed before another is opened", function*() {
    const { cancelled, doubts, listens, open } = yield* connected()
    yield* TestClock.adjust(29_999)
    assert.deepStrictEqual([listens().length, open()], [1, 1])
    yield* TestClock.adjust(1)
    assert.deepStrictEqual(cancelled, [listens()[0]!.id])
    assert.strictEqual(doubts(), 1)
    yield* TestClock.adjust(1000)
    assert.deepStrictEqual([listens().length, open()], [2, 1])
  })

  test.scoped("[E4] a server that acknowledges again and again, or another request, changes nothing", function*() {
    const { acknowledge, heard, notifications } = yield* connected()
    yield* acknowledge(7)
    yield* acknowledge({}, 4711)
    yield* acknowledge()
    for (let i = 0; i < 1000; i++) yield* Effect.fork(acknowledge({}))
    yield* acknowledge({})
    assert.deepStrictEqual(heard, [])
    assert.deepStrictEqual(notifications, [])
  })

  test.scoped("[E4] what a server asks to wait is waited, at most 10 min", function*() {
    for (const [retryAfter, wait] of [[20_000, 20_000], [86_400_000, 600_000]] as const) {
      const { cut, listens } = yield* connected()
      yield* cut({ fate: "rejected", reason: "rateLimited", retryAfter })
      yield* TestClock.adjust(wait - 1)
      assert.strictEqual(listens().length, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(listens().length, 2)
    }
  })

  test.scoped("[E4] of a connection that has ended it is not opened again", function*() {
    const { acknowledge, connection, listens } = yield* connected(all)
    yield* acknowledge()
    const waiting = yield* Effect.fork(
      Effect.flip(Sending.ask(connection, "resources/subscribe", { uri: "a:a" }, request))
    )
    yield* TestClock.adjust(0)
    connection.fail({ kind: "closed", message: "over" })
    assert.strictEqual((yield* Fiber.join(waiting)).reason, "lost")
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(listens().length, 1)
  })

  test.scoped("[E5] comments prove life; a server that falls silent after it has sent some is in doubt", function*() {
    const { acknowledge, cancelled, current, doubts, listens, transport } = yield* connected()
    yield* acknowledge()
    for (let i = 0; i < 100; i++) {
      yield* TestClock.adjust(15_000)
      transport.onbeat?.(current().id)
    }
    assert.strictEqual(listens().length, 1)
    yield* TestClock.adjust(44_999)
    assert.strictEqual(doubts(), 0)
    yield* TestClock.adjust(1)
    assert.strictEqual(doubts(), 1)
    assert.strictEqual(cancelled.length, 1)
    yield* TestClock.adjust(500)
    assert.strictEqual(listens().length, 2)
  })

  test.scoped("[E5] a server that never comments is not in doubt for its silence", function*() {
    const { acknowledge, doubts, listens, receive } = yield* connected()
    yield* acknowledge()
    for (let i = 0; i < 3; i++) {
      receive(toolsChanged)
      yield* TestClock.adjust(1000)
    }
    yield* TestClock.adjust("1 day")
    assert.strictEqual(doubts(), 0)
    assert.strictEqual(listens().length, 1)
  })
})

describe("subscriptions to resources", () => {
  const subscribe = (connection: Effect.Effect.Success<ReturnType<typeof connected>>["connection"], uri: string) =>
    Sending.ask(connection, "resources/subscribe", { uri }, request)

  test.scoped("[E4] are part of the stream, which is closed and opened for them; they end when the server has promised them", function*() {
    const { acknowledge, connection, current, listens, open, sent } = yield* connected(all)
    yield* acknowledge()
    const fibers = yield* Effect.forEach(["a:1", "a:2", "a:1"], (uri) => Effect.fork(subscribe(connection, uri)))
    yield* TestClock.adjust(20)
    assert.strictEqual(listens().length, 2)
    assert.strictEqual(open(), 1)
    assert.deepStrictEqual(current().params["notifications"]["resourceSubscriptions"], ["a:1", "a:2"])
    assert.isNull(fibers[0]!.unsafePoll())
    yield* acknowledge()
    yield* Fiber.joinAll(fibers)
    yield* subscribe(connection, "a:2")
    assert.strictEqual(listens().length, 2)
    assert.isTrue(sent.every(({ method }) => !method.startsWith("resources/")))
  })

  test.scoped("[E4] are gathered for a second where the stream was opened again for others before, also the second time", function*() {
    const { acknowledge, connection, current, listens } = yield* connected(all)
    yield* acknowledge()
    yield* Effect.fork(subscribe(connection, "a:1"))
    yield* TestClock.adjust(20)
    for (const [nth, uri] of ["a:2", "a:3"].entries()) {
      yield* acknowledge()
      yield* Effect.fork(subscribe(connection, uri))
      yield* TestClock.adjust(999)
      assert.strictEqual(listens().length, 2 + nth)
      yield* TestClock.adjust(1)
      assert.strictEqual(listens().length, 3 + nth)
    }
    assert.deepStrictEqual(current().params["notifications"]["resourceSubscriptions"], ["a:1", "a:2", "a:3"])
  })

  test.scoped("[E4] are asked for again with each stream", function*() {
    const { acknowledge, connection, current, cut } = yield* connected(all)
    const fiber = yield* Effect.fork(subscribe(connection, "a:1"))
    yield* TestClock.adjust(20)
    yield* acknowledge()
    yield* Fiber.join(fiber)
    yield* cut()
    yield* TestClock.adjust(2000)
    assert.deepStrictEqual(current().params["notifications"]["resourceSubscriptions"], ["a:1"])
  })

  test.scoped("[E4] that are taken back are announced no more", function*() {
    const { acknowledge, cancelled, connection, listens, notifications, receive } = yield* connected({
      resources: { subscribe: true }
    })
    const updated = (uri: string) =>
      receive({
        jsonrpc: "2.0",
        method: "notifications/resources/updated",
        params: { uri, _meta: { [subscriptionId]: 1 } }
      })
    const fibers = yield* Effect.forEach(["a:1", "a:2"], (uri) => Effect.fork(subscribe(connection, uri)))
    yield* TestClock.adjust(20)
    yield* acknowledge()
    yield* Fiber.joinAll(fibers)
    yield* Sending.ask(connection, "resources/unsubscribe", { uri: "a:1" }, request)
    updated("a:1")
    updated("a:2")
    assert.deepStrictEqual(notifications, [{ method: "notifications/resources/updated", params: { uri: "a:2" } }])
    assert.strictEqual(cancelled.length, 0)
    yield* Sending.ask(connection, "resources/unsubscribe", { uri: "a:2" }, request)
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(cancelled.length, 1)
    assert.strictEqual(listens().length, 1)
  })

  test.scoped("[E4] that the server does not promise fail, and are not asked for again", function*() {
    const { acknowledge, connection, current, cut } = yield* connected(all)
    const fiber = yield* Effect.fork(Effect.flip(subscribe(connection, "a:1")))
    yield* TestClock.adjust(20)
    yield* acknowledge({ toolsListChanged: true, resourceSubscriptions: ["a:9"] })
    const error = yield* Fiber.join(fiber)
    assert.deepInclude(error, { fate: "answered", reason: "remote", code: -32602 })
    assert.include(error.message, "a:1")
    yield* cut()
    yield* TestClock.adjust(2000)
    assert.isUndefined(current().params["notifications"]["resourceSubscriptions"])
  })

  test.scoped("[E4] fail at once where the server has no stream, or none that lives", function*() {
    const none = yield* connected(all)
    yield* none.refuse(-32601)
    assert.strictEqual((yield* Effect.flip(subscribe(none.connection, "a:1"))).code, -32601)
    const failing = yield* connected(all)
    const early = yield* Effect.fork(Effect.flip(subscribe(failing.connection, "a:1")))
    for (let i = 0; i < 5; i++) {
      yield* TestClock.adjust(10_000)
      yield* failing.cut()
    }
    for (const error of [yield* Fiber.join(early), yield* Effect.flip(subscribe(failing.connection, "a:2"))]) {
      assert.strictEqual(error.fate, "answered")
      assert.include(error.message, "subscriptions/listen")
    }
  })

  test.scoped("[E4] that are given up while they wait are not asked for again", function*() {
    const { connection, current, cut } = yield* connected(all)
    const waiting = yield* Effect.fork(Effect.flip(Sending.ask(connection, "resources/subscribe", { uri: "a:1" }, {
      timeout: 100
    })))
    const given = yield* Effect.fork(subscribe(connection, "a:2"))
    yield* TestClock.adjust(100)
    assert.strictEqual((yield* Fiber.join(waiting)).reason, "timeout")
    yield* Fiber.interrupt(given)
    yield* cut()
    yield* TestClock.adjust(2000)
    assert.isUndefined(current().params["notifications"]["resourceSubscriptions"])
  })
})

describe("what ends a stream, and what does not", () => {
  const subscribe = (connection: Effect.Effect.Success<ReturnType<typeof connected>>["connection"], uri: string) =>
    Sending.ask(connection, "resources/subscribe", { uri }, request)
  const both: ServerCapabilities = { tools: { listChanged: true }, resources: { subscribe: true } }

  test.scoped("[E4] one of two that wait for a subscription gives it up: the other gets it", function*() {
    const { acknowledge, connection, current } = yield* connected(both)
    yield* acknowledge()
    const first = yield* Effect.fork(subscribe(connection, "a:1"))
    const second = yield* Effect.fork(subscribe(connection, "a:1"))
    yield* TestClock.adjust(0)
    yield* Fiber.interrupt(first)
    yield* TestClock.adjust(20)
    assert.deepStrictEqual(current().params["notifications"], {
      toolsListChanged: true,
      resourceSubscriptions: ["a:1"]
    })
    yield* acknowledge()
    yield* Fiber.join(second)
  })

  test.scoped("[E4] one list and one subscription are two things to listen for", function*() {
    const { acknowledge, cancelled, connection, end, listens } = yield* connected(both)
    const fiber = yield* Effect.fork(subscribe(connection, "a:1"))
    yield* TestClock.adjust(20)
    yield* acknowledge()
    yield* Fiber.join(fiber)
    const count = listens().length
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(listens().length, count)
    assert.strictEqual(cancelled.length, count - 1)
    yield* end
    assert.strictEqual(listens().length, count + 1)
  })

  test.scoped("[E4] where a server has promised nothing, a subscription is reason to ask it again", function*() {
    for (const ends of [false, true]) {
      const { acknowledge, connection, current, end, listens } = yield* connected(both)
      yield* acknowledge({})
      if (ends) yield* end
      yield* TestClock.adjust("1 hour")
      const before = listens().length
      const fiber = yield* Effect.fork(subscribe(connection, "a:1"))
      yield* TestClock.adjust(1500)
      assert.strictEqual(listens().length, before + 1)
      assert.deepStrictEqual(current().params["notifications"]["resourceSubscriptions"], ["a:1"])
      yield* acknowledge()
      yield* Fiber.join(fiber)
    }
  })

  test.scoped("[E4] after many short streams one that is open again takes subscriptions", function*() {
    const { acknowledge, connection, cut, listens } = yield* connected(both)
    for (let i = 0; i < 5; i++) {
      yield* TestClock.adjust(10_000)
      yield* cut()
    }
    yield* TestClock.adjust(0.75 * 300_000)
    assert.strictEqual(listens().length, 6)
    const fiber = yield* Effect.fork(subscribe(connection, "a:1"))
    yield* TestClock.adjust(1500)
    yield* acknowledge()
    yield* Fiber.join(fiber)
  })

  test.scoped("[E4] the rest after many short streams is jittered", function*() {
    const { cut, listens } = yield* connected(undefined, 1 - Number.EPSILON)
    for (let i = 0; i < 5; i++) {
      yield* TestClock.adjust(30_000)
      yield* cut()
    }
    yield* TestClock.adjust(299_998)
    assert.strictEqual(listens().length, 5)
    yield* TestClock.adjust(2)
    assert.strictEqual(listens().length, 6)
  })

  test.scoped("[E4] what a server promises that it was not asked for counts for nothing", function*() {
    const { acknowledge, connection, listens } = yield* connected(both)
    yield* acknowledge({ toolsListChanged: true, resourceSubscriptions: ["a:9"] })
    const fiber = yield* Effect.fork(subscribe(connection, "a:9"))
    yield* TestClock.adjust(0)
    assert.isNull(fiber.unsafePoll())
    yield* TestClock.adjust(1500)
    assert.strictEqual(listens().length, 2)
    yield* acknowledge()
    yield* Fiber.join(fiber)
  })

  test.scoped("[E4] an acknowledgement may name its request as a text, or not at all", function*() {
    for (const named of [true, false]) {
      const { connection, current, receive } = yield* connected(both)
      const fiber = yield* Effect.fork(subscribe(connection, "a:1"))
      yield* TestClock.adjust(1500)
      const { id, params: { notifications } } = current()
      const _meta = named ? { [subscriptionId]: String(id) } : {}
      receive({
        jsonrpc: "2.0",
        method: "notifications/subscriptions/acknowledged",
        params: { notifications, _meta }
      })
      yield* Fiber.join(fiber)
    }
  })

  test.scoped("[E5] one comment, or those of other requests, make no rhythm that could be missed", function*() {
    const { acknowledge, current, doubts, listens, transport } = yield* connected()
    yield* acknowledge()
    transport.onbeat?.(current().id)
    for (let i = 0; i < 3; i++) {
      yield* TestClock.adjust(1000)
      transport.onbeat?.(4711)
    }
    yield* TestClock.adjust("1 day")
    assert.deepStrictEqual([doubts(), listens().length], [0, 1])
    const none = yield* connected()
    yield* none.refuse(-32601)
    none.transport.onbeat?.(none.current().id)
    none.receive(toolsChanged)
    assert.lengthOf(none.notifications, 1)
  })

  test.scoped("[E5] what a server announces proves life as its comments do", function*() {
    const { acknowledge, current, doubts, receive, transport } = yield* connected()
    yield* acknowledge()
    for (let i = 0; i < 3; i++) {
      transport.onbeat?.(current().id)
      yield* TestClock.adjust(15_000)
    }
    for (let i = 0; i < 10; i++) {
      receive(toolsChanged)
      yield* TestClock.adjust(15_000)
    }
    assert.strictEqual(doubts(), 0)
    yield* TestClock.adjust(30_000)
    assert.strictEqual(doubts(), 1)
  })

  test.scoped("[E4] what a server announces of a resource that nobody asked for here is handed on", function*() {
    const { acknowledge, notifications, receive } = yield* connected(both)
    yield* acknowledge()
    for (const params of [{ uri: "a:7" }, {}]) {
      receive({
        jsonrpc: "2.0",
        method: "notifications/resources/updated",
        params: { ...params, _meta: { [subscriptionId]: 1 } }
      })
    }
    assert.deepStrictEqual(notifications.map(({ params }) => params), [{ uri: "a:7" }, {}])
  })

  test.scoped("[E4] a refusal that a lost session may have given is a doubt; another is none", function*() {
    for (const [error, expected] of [[{ ifSessionLost: "rejected" }, 1], [{}, 0]] as const) {
      const { cut, doubts } = yield* connected()
      yield* cut({ fate: "answered", reason: "remote", code: -32000, ...error })
      assert.strictEqual(doubts(), expected)
    }
  })
})

describe("what each request says", () => {
  test.scoped("[E5] the level of log messages is said in each request from then on", function*() {
    const { connection, sent } = yield* connected(all)
    yield* Sending.ask(connection, "logging/setLevel", { level: "warning" }, request)
    yield* Sending.ask(connection, "tools/list", undefined, request)
    const key = "io.modelcontextprotocol/logLevel"
    assert.strictEqual(sent.at(-1)!.params["_meta"][key], "warning")
    yield* Sending.ask(connection, "tools/list", { _meta: { [key]: "debug" } }, request)
    assert.strictEqual(sent.at(-1)!.params["_meta"][key], "debug")
    assert.isTrue(sent.every(({ method }) => method !== "logging/setLevel"))
    const without = yield* connected({ tools: {} })
    const error = yield* Effect.flip(Sending.ask(without.connection, "logging/setLevel", { level: "info" }, request))
    assert.strictEqual(error.code, -32601)
  })

  test.scoped("[E2] a refused version that the server says to support is sent again in place, once", function*() {
    const { connection, receive, sent } = yield* connected({ tools: {} })
    const call = yield* Effect.fork(Sending.ask(connection, "tools/call", { name: "a" }, request))
    yield* TestClock.adjust(0)
    const refuse = (supported: ReadonlyArray<string>) =>
      Effect.zipRight(
        Effect.sync(() =>
          receive({
            jsonrpc: "2.0",
            id: sent.at(-1)!.id,
            error: { code: -32022, message: "Unsupported", data: { supported } }
          })
        ),
        TestClock.adjust(0)
      )
    yield* refuse(["2026-07-28"])
    const calls = () => sent.filter(({ method }) => method === "tools/call")
    assert.strictEqual(calls().length, 2)
    assert.notStrictEqual(calls()[0]!.id, calls()[1]!.id)
    yield* refuse(["2026-07-28"])
    assert.strictEqual((yield* Effect.flip(Fiber.join(call))).code, -32022)
    assert.strictEqual(calls().length, 2)
    const other = yield* Effect.fork(Effect.flip(Sending.ask(connection, "tools/call", { name: "a" }, request)))
    yield* TestClock.adjust(0)
    yield* refuse(["2027-01-01"])
    yield* Fiber.join(other)
    assert.strictEqual(calls().length, 3)
  })
})
