import { Backend, type Catalog, Fleet, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, Random, Stream, TestClock } from "effect"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Freshness from "../src/discovery/Freshness.js"
import * as Watched from "./support/Watched.js"

const { tool } = ScriptedConnector

const offer = (name: string): ScriptedConnector.Offer => ({
  tools: [tool(name)],
  prompts: [],
  resources: [],
  resourceTemplates: []
})

const server = (ttlMs: unknown) => {
  const script = ScriptedConnector.make()
  script.otherwise = { stateful: false }
  script.respond = (method) =>
    method === "tools/list" ? { answer: "result", result: { tools: script.offer.tools, ttlMs } } : undefined
  return script
}

const watched = (...args: Parameters<typeof Watched.watched>) =>
  Effect.tap(Watched.watched(...args), () => TestClock.adjust(0))

const sent = (script: ScriptedConnector.ScriptedConnector, method = "tools/list") =>
  script.ledger.entries.filter((entry) => entry._tag === "Sent" && entry.method === method).length

const seen = (snapshot: Catalog.Snapshot | undefined) => ({
  tools: snapshot?.tools.map(({ name }) => name),
  stale: snapshot?.stale,
  revision: snapshot?.revision
})

const everyKind = ["tools", "prompts", "resources", "resourceTemplates"] as const

describe("Freshness", () => {
  const read = (given: { readonly timeToLive?: number; readonly refused?: string }) => ({
    kind: "tools" as const,
    timeToLive: given.timeToLive,
    refused: given.refused
  })

  it("[E5] a list that is refused, and for which the server has never named a time, does not expire", () => {
    const first = Freshness.read(Freshness.none, [read({ refused: "no" })], 0)
    const then = Freshness.read(first, [read({ refused: "no" })], 1000)
    assert.deepStrictEqual(Freshness.expired(then, Number.MAX_SAFE_INTEGER), [])
  })

  it("[E5] one for which it has named a time is asked for again after 5 min, where it is refused then", () => {
    const first = Freshness.read(Freshness.none, [read({ timeToLive: 60_000 })], 0)
    const then = Freshness.read(first, [read({ refused: "no" })], 60_000)
    assert.deepStrictEqual(Freshness.expired(then, 359_999), [])
    assert.deepStrictEqual(Freshness.expired(then, 360_000), ["tools"])
  })
})

describe("lists that expire", () => {
  test.scoped("[E5] a list is fresh for ttlMs; then it is shown as stale, and read again behind the reader's back", function*() {
    const script = server(60_000)
    const { backend, events } = yield* watched(script)
    script.offer = offer("b")
    yield* TestClock.adjust(59_999)
    assert.deepStrictEqual(seen(yield* backend.catalog), { tools: ["echo"], stale: false, revision: 1 })
    assert.strictEqual(sent(script), 1)
    yield* TestClock.adjust(1)
    assert.isFalse((yield* backend.status).catalog?.stale)
    assert.strictEqual(sent(script), 1)
    assert.deepStrictEqual(seen(yield* backend.catalog), { tools: ["echo"], stale: true, revision: 1 })
    assert.deepStrictEqual(seen(yield* backend.catalog), { tools: ["echo"], stale: true, revision: 1 })
    yield* TestClock.adjust(0)
    assert.deepStrictEqual(seen(yield* backend.catalog), { tools: ["b"], stale: false, revision: 2 })
    assert.strictEqual(sent(script), 2)
    // The same again is no new revision.
    yield* TestClock.adjust(60_000)
    assert.isTrue((yield* backend.catalog)?.stale)
    yield* TestClock.adjust(0)
    assert.deepStrictEqual(seen(yield* backend.catalog), { tools: ["b"], stale: false, revision: 2 })
    const changes = events.flatMap((event) =>
      event._tag === "CatalogChanged" ? [`${event.revision} ${event.stale}`] : []
    )
    assert.deepStrictEqual(changes, ["1 false", "1 true", "2 false", "2 true", "2 false"])
  })

  test.scoped("[E5] the reader waits for nothing: a server that does not answer leaves the list stale, until it does", function*() {
    const script = server(60_000)
    const { backend } = yield* watched(script, { timeouts: { request: 1000 } })
    const respond = script.respond
    script.respond = (method) => method === "tools/list" ? { answer: "never" } : undefined
    yield* TestClock.adjust(60_000)
    for (let i = 0; i < 3; i++) {
      assert.deepStrictEqual(seen(yield* backend.catalog), { tools: ["echo"], stale: true, revision: 1 })
      yield* TestClock.adjust(5000)
    }
    script.respond = respond
    yield* TestClock.adjust("2 minutes")
    assert.isFalse((yield* backend.status).catalog?.stale)
  })

  test.scoped("[E5] however many read while it is being read again, it is read once", function*() {
    const script = server(60_000)
    const { backend } = yield* watched(script)
    const result = { tools: script.offer.tools, ttlMs: 60_000 }
    script.respond = (method) => method === "tools/list" ? { answer: "result", result, after: 2000 } : undefined
    yield* TestClock.adjust(60_000)
    for (let i = 0; i < 3; i++) {
      yield* backend.catalog
      yield* TestClock.adjust(500)
    }
    yield* TestClock.adjust(20_000)
    assert.strictEqual(sent(script), 2)
  })

  test.scoped("[E5] a list that is refused when it has expired keeps its entries, and is asked for again after 5 min", function*() {
    const script = server(60_000)
    const { backend } = yield* watched(script)
    script.respond = (method) =>
      method === "tools/list"
        ? {
          answer: "error",
          error: new RequestError({ fate: "answered", reason: "remote", code: -32603, message: "no" })
        }
        : undefined
    yield* TestClock.adjust(60_000)
    yield* backend.catalog
    yield* TestClock.adjust(0)
    const before = sent(script)
    for (let i = 0; i < 4; i++) {
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual((yield* backend.catalog)?.tools.map(({ name }) => name), ["echo"])
    }
    assert.strictEqual(sent(script), before)
    yield* TestClock.adjust("1 minute")
    yield* backend.catalog
    yield* TestClock.adjust(0)
    assert.strictEqual(sent(script), before + 1)
  })

  it("[E5] ttlMs is taken between 30 s and 24 h, and where it is a number of that kind", () => {
    const day = 24 * 3600_000
    const given: ReadonlyArray<readonly [unknown, number | undefined]> = [
      [0, 30_000],
      [29_999, 30_000],
      [30_001, 30_001],
      [day, day],
      [day + 1, day],
      [1e308, day],
      [-1, undefined],
      [Number.NaN, undefined],
      ["60000", undefined],
      [null, undefined],
      [undefined, undefined]
    ]
    for (const [ttlMs, expected] of given) assert.strictEqual(Freshness.timeToLive(ttlMs), expected, String(ttlMs))
  })

  test.scoped("[E5] of the pages of a list the shortest time counts", function*() {
    const script = server(undefined)
    script.respond = (method, params) =>
      method !== "tools/list"
        ? undefined
        : (params as { readonly cursor?: string } | undefined)?.cursor === undefined
        ? { answer: "result", result: { tools: [tool("a")], nextCursor: "2", ttlMs: 40_000 } }
        : { answer: "result", result: { tools: [tool("b")], ttlMs: 600_000 } }
    const { backend } = yield* watched(script)
    yield* TestClock.adjust(40_000)
    assert.isTrue((yield* backend.catalog)?.stale)
  })

  test.scoped("[E5] the catalogue of a fleet is a reader, too", function*() {
    const script = server(60_000)
    const fleet = yield* Fleet.make({ backends: { one: { connector: script } } })
    yield* TestClock.adjust(0)
    script.offer = offer("b")
    yield* TestClock.adjust(60_000)
    const stale = yield* fleet.catalog
    assert.isTrue(stale.tools.get("one__echo")?.stale)
    yield* TestClock.adjust(0)
    assert.isFalse((yield* fleet.catalog).tools.get("one__b")?.stale)
  })
})

describe("the life of a server without sessions", () => {
  test.scoped("[E5] nothing is sent to one that is idle, whatever time its lists have", function*() {
    const script = server(60_000)
    const { backend } = yield* watched(script, { keepalive: {} })
    const before = script.ledger.entries.length
    yield* TestClock.adjust("24 hours")
    assert.strictEqual(script.ledger.entries.length, before)
    const { keepalive, state } = yield* backend.status
    assert.strictEqual(state, "Connected")
    assert.deepInclude(keepalive, { state: "off", reason: "the server keeps no session" })
  })

  test.scoped("[E5] a doubt is settled by probes at once: answered, nothing is lost; unanswered, the connection is", function*() {
    const script = server(undefined)
    const { backend, states } = yield* watched(script, {
      keepalive: { timeout: 1000, suspectInterval: 1000 },
      reconnect: { initialDelay: 100 }
    })
    script.current.options.report({ _tag: "Doubt" })
    yield* TestClock.adjust(0)
    assert.strictEqual(sent(script, "ping"), 1)
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(sent(script, "ping"), 1)
    const respond = script.respond
    script.respond = (method, ...rest) =>
      method === "ping" || method.endsWith("/list") ? { answer: "never" } : respond?.(method, ...rest)
    script.current.options.report({ _tag: "Doubt" })
    script.current.options.report({ _tag: "Doubt" })
    yield* TestClock.adjust(4999)
    assert.strictEqual((yield* backend.status).state, "Connected")
    yield* TestClock.adjust(1000)
    assert.strictEqual(sent(script, "ping"), 4)
    assert.include(states(), "Reconnecting")
  })

  test.scoped("[E5] keepalive.method none: a doubt sends nothing", function*() {
    const script = server(undefined)
    yield* watched(script)
    script.current.options.report({ _tag: "Doubt" })
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(sent(script, "ping"), 0)
  })

  test.scoped("[E5] a doubt of a connection that was replaced probes nothing", function*() {
    const script = server(undefined)
    yield* watched(script, { keepalive: {}, reconnect: { initialDelay: 10 } })
    const first = script.current
    first.lose()
    yield* TestClock.adjust("1 minute")
    assert.notStrictEqual(script.current, first)
    first.options.report({ _tag: "Doubt" })
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(sent(script, "ping"), 0)
  })
})

describe("lists whose changes nobody announces", () => {
  const unheard = { announced: [], unannounced: ["tools"] } as const
  const heard = { announced: ["tools"], unannounced: [] } as const

  test.scoped("[E4] are polled as their ttlMs says, at most a fifth later, and only those", function*() {
    const script = server(60_000)
    const { backend } = yield* watched(script)
    script.current.options.report({ _tag: "Hearing", hearing: unheard })
    yield* TestClock.adjust(59_999)
    assert.strictEqual(sent(script), 1)
    const prompts = sent(script, "prompts/list")
    script.offer = offer("b")
    yield* TestClock.adjust(12_001)
    assert.strictEqual(sent(script), 2)
    assert.deepStrictEqual(seen(yield* backend.catalog), { tools: ["b"], stale: false, revision: 2 })
    yield* TestClock.adjust("1 hour")
    const polls = sent(script) - 2
    assert.isAtLeast(polls, 50)
    assert.isAtMost(polls, 60)
    assert.strictEqual(sent(script, "prompts/list"), prompts)
  })

  for (
    const [ttlMs, refreshInterval, least, most] of [
      [0, undefined, 30_000, 36_000],
      [undefined, undefined, 300_000, 360_000],
      [3_600_000, undefined, 300_000, 360_000],
      [3_600_000, 1_200_000, 1_200_000, 1_200_000]
    ] as const
  ) {
    test.scoped(`[E4] within bounds: ttlMs ${ttlMs}, refreshInterval ${refreshInterval}`, function*() {
      const script = server(ttlMs)
      yield* watched(script, { discovery: { refreshInterval } })
      script.current.options.report({ _tag: "Hearing", hearing: unheard })
      yield* TestClock.adjust(least - 1)
      assert.strictEqual(sent(script), 1)
      yield* TestClock.adjust(most - least + 1)
      assert.strictEqual(sent(script), 2)
    })
  }

  test.scoped("[E4] are read again for who asks a fleet for them, once in 30 s, and are waited for as long as 2.5 s", function*() {
    const script = server(undefined)
    const fleet = yield* Fleet.make({ backends: { one: { connector: script, keepalive: { method: "none" } } } })
    yield* TestClock.adjust(0)
    script.current.options.report({ _tag: "Hearing", hearing: unheard })
    const names = Effect.map(fleet.catalog, ({ tools }) => [...tools.keys()].join())
    yield* TestClock.adjust(29_999)
    script.offer = offer("b")
    assert.strictEqual(yield* names, "one__echo")
    yield* TestClock.adjust(1)
    const [first, second] = yield* Effect.all([names, names], { concurrency: 2 })
    assert.deepStrictEqual([first, second, sent(script)], ["one__b", "one__b", 2])
    const slow = { tools: [tool("c")] }
    script.respond = (method) => method === "tools/list" ? { answer: "result", result: slow, after: 5000 } : undefined
    yield* TestClock.adjust("30 seconds")
    const asked = yield* Effect.fork(names)
    yield* TestClock.adjust(2500)
    assert.strictEqual(yield* Fiber.join(asked), "one__b")
    yield* TestClock.adjust(2500)
    assert.strictEqual(yield* names, "one__c")
    script.current.options.report({ _tag: "Hearing", hearing: heard })
    yield* TestClock.adjust("1 hour")
    const before = sent(script)
    yield* names
    assert.strictEqual(sent(script), before)
  })

  test.scoped("[E4] are read again in the background for who asks a backend for them, after 30 s", function*() {
    const script = server(undefined)
    const { backend } = yield* watched(script)
    script.current.options.report({ _tag: "Hearing", hearing: unheard })
    yield* TestClock.adjust(30_000)
    script.offer = offer("b")
    assert.deepStrictEqual(seen(yield* backend.catalog), { tools: ["echo"], stale: false, revision: 1 })
    yield* TestClock.adjust(0)
    assert.deepStrictEqual(seen(yield* backend.catalog), { tools: ["b"], stale: false, revision: 2 })
  })

  test.scoped("[E4] no more once changes are announced again: then they are read once, since some may have been missed", function*() {
    const script = server(undefined)
    yield* watched(script)
    script.current.options.report({ _tag: "Hearing", hearing: unheard })
    yield* TestClock.adjust("1 minute")
    script.current.options.report({ _tag: "Hearing", hearing: heard })
    script.current.options.report({ _tag: "Hearing", hearing: heard })
    yield* TestClock.adjust(300)
    assert.strictEqual(sent(script), 2)
    yield* TestClock.adjust("1 day")
    assert.strictEqual(sent(script), 2)
    script.current.options.report({ _tag: "Hearing", hearing: unheard })
    yield* TestClock.adjust("6 minutes")
    assert.strictEqual(sent(script), 3)
  })

  test.scoped("[E4] what a connection finds out before it is installed counts; that of a replaced one does not", function*() {
    const script = server(undefined)
    yield* watched(script, {
      reconnect: { initialDelay: 10 },
      onConnected: () =>
        Effect.sync(() => {
          if (script.connections.length === 1) script.current.options.report({ _tag: "Hearing", hearing: unheard })
        })
    })
    yield* TestClock.adjust("6 minutes")
    assert.strictEqual(sent(script), 2)
    const first = script.current
    first.lose()
    yield* TestClock.adjust("1 second")
    const before = sent(script)
    first.options.report({ _tag: "Hearing", hearing: unheard })
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(sent(script), before)
  })

  it.scoped("[E4] backends that connect together do not poll together", () =>
    Effect.gen(function*() {
      const scripts = Array.from({ length: 20 }, () => server(undefined))
      for (const script of scripts) {
        yield* Backend.make("one", { connector: script, keepalive: { method: "none" } })
      }
      yield* TestClock.adjust(0)
      for (const script of scripts) script.current.options.report({ _tag: "Hearing", hearing: unheard })
      yield* TestClock.adjust(300_000)
      const early = scripts.filter((script) => sent(script) === 2).length
      yield* TestClock.adjust(30_000)
      const half = scripts.filter((script) => sent(script) === 2).length
      assert.isBelow(early, 3)
      assert.isAbove(half, 3)
      assert.isBelow(half, 18)
    }).pipe(Effect.withRandom(Random.make("polls"))))

  test.scoped("[E4] a connection that hears of everything, and says so, is not polled", function*() {
    const script = server(60_000)
    const { backend } = yield* watched(script)
    script.current.options.report({ _tag: "Hearing", hearing: { announced: everyKind, unannounced: [] } })
    yield* TestClock.adjust("1 minute")
    const before = script.ledger.entries.length
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(script.ledger.entries.length, before)
    assert.strictEqual(yield* Stream.runCount(Stream.take(backend.catalog.changes, 1)), 1)
  })
})
