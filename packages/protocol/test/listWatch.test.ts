import { Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { ListToolsResultSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect, type Fiber, Random, Runtime, TestClock } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { Incoming } from "../src/relay/Incoming.js"
import * as ListChanges from "../src/relay/ListChanges.js"
import * as ListState from "../src/relay/ListState.js"
import * as ListWatch from "../src/relay/ListWatch.js"
import { Relay, type Target } from "../src/relay/Relay.js"

const { tool } = ScriptedConnector

const watched = Effect.gen(function*() {
  const script = ScriptedConnector.make()
  const backend = yield* Backend.make("one", { connector: script, keepalive: { method: "none" } })
  yield* TestClock.adjust(0)
  const runtime = yield* Effect.runtime()
  const changed: Array<ReadonlyArray<string>> = []
  const watch = ListWatch.make({
    target: { fork: (work) => Runtime.runFork(runtime)(work), use: (f) => f(backend), backend: () => backend },
    schemaOf: () => ListToolsResultSchema,
    onChanged: (kinds) => void changed.push(kinds)
  })
  const offer = (...names: ReadonlyArray<string>) => {
    script.offer = { ...script.offer, tools: names.map((name) => tool(name)) }
  }
  const compare = Effect.zipRight(Effect.sync(() => watch.compare()), TestClock.adjust(0))
  offer("a")
  watch.given("tools/list", undefined, yield* backend.listTools())
  yield* Effect.forkScoped(watch.work)
  return { changed, compare, offer, script, watch }
})

const tools = ["tools"]

describe("what is known of a list", () => {
  const [a, b] = [{ name: "a", x: 1 }, { name: "b" }]
  const page = (tools: ReadonlyArray<unknown>, nextCursor?: string, ttlMs?: number) => ({ tools, nextCursor, ttlMs })
  const of = (...pages: ReadonlyArray<ListState.Page>) =>
    pages.reduce<ListState.ListState>((known, one) => ListState.and(known, "tools", one), ListState.none)
  const first = ListState.and(ListState.none, "tools", page([a, b]), 1)

  it.each<[string, boolean, ListState.ListState, ListState.ListState]>([
    ["other pages", false, of(page([a, b])), of(page([a], "1"), page([]), page([b]))],
    ["another order of members", false, of(page([a])), of(page([{ x: 1, name: "a" }]))],
    ["another time to live", false, of(page([a])), of(page([a], undefined, 60_000))],
    ["more entries than were read", false, of(page([a], "1")), first],
    ["another order of entries", true, of(page([a, b])), of(page([b, a]))],
    ["another entry", true, of(page([a])), of(page([{ ...a, x: 2 }]))],
    ["one entry more", true, of(page([a])), of(page([a, b]))],
    ["no end", true, of(page([a])), of(page([a], "1"))],
    ["an end", true, first, of(page([a]))],
    ["a failure", true, of(page([a])), { ...of(page([a])), isDoubtful: true }]
  ])("[P9:unit] %s: differs: %j", (_, differs, one, other) => {
    expect([ListState.differs(one, other), ListState.differs(other, one)]).toEqual([differs, differs])
    const pages = [page([], "1", 90_000), page([], "2"), page([], "3", 60_000)]
    expect(of(...pages)).toMatchObject({ next: "3", timeToLive: 60_000 })
  })
})

describe("lists that nobody announces", () => {
  test.scoped("[P9] each change is told once, also the second, and the one that takes the first back", function*() {
    const { changed, compare, offer } = yield* watched
    yield* compare
    expect(changed).toEqual([])
    for (const [nth, names] of [["a", "b"], ["a", "c"], ["a"]].entries()) {
      offer(...names)
      yield* compare
      expect(changed.length).toBe(nth + 1)
      yield* compare
      expect(changed.length).toBe(nth + 1)
    }
    expect(changed).toEqual([tools, tools, tools])
  })

  test.scoped("[P9] one that can't be read is told once, however often that fails, and once more when it can be read, each time", function*() {
    const { changed, compare, script } = yield* watched
    const error = new RequestError({ fate: "answered", reason: "remote", code: -32_000, message: "no" })
    for (const told of [2, 4]) {
      script.respond = (method) => method === "tools/list" ? { answer: "error", error } : undefined
      yield* compare
      yield* compare
      expect(changed.length).toBe(told - 1)
      script.respond = undefined
      yield* compare
      yield* compare
      expect(changed.length).toBe(told)
    }
  })

  test.scoped("[P9] a change during a comparison is found by the next one, which follows at once, and once", function*() {
    const { changed, compare, offer, script } = yield* watched
    script.respond = (method) => method === "tools/list" ? { answer: "result", after: 1000 } : undefined
    const asked = script.ledger.sent("tools/list").length
    yield* compare
    offer("b")
    yield* compare
    yield* compare
    expect(script.ledger.sent("tools/list").length - asked).toBe(1)
    yield* TestClock.adjust(5000)
    expect(script.ledger.sent("tools/list").length - asked).toBe(2)
    expect(changed).toEqual([tools])
  })

  it.scoped("[P9] are compared at intervals for as long as announcements do not arrive, also the second time", () =>
    Effect.gen(function*() {
      const { changed, offer, watch } = yield* watched
      let told = 0
      for (const round of [1, 2]) {
        watch.heard({ announced: [], unannounced: ["tools"] })
        for (const name of ["b", "c"]) {
          offer(`${name} ${round}`)
          yield* TestClock.adjust("1 hour")
          expect(changed.length).toBe(++told)
        }
        watch.heard({ announced: ["tools"], unannounced: [] })
        yield* TestClock.adjust("1 hour")
        offer(`unheard ${round}`)
        yield* TestClock.adjust("1 hour")
        expect(changed.length).toBe(told)
        watch.heard({ announced: ["tools"], unannounced: [] })
        yield* TestClock.adjust(0)
        expect(changed.length).toBe(++told)
      }
    }).pipe(Effect.withRandom(Random.fixed([0.5]))))
})

describe("announcements of changed lists", () => {
  const change = "notifications/tools/list_changed"

  const client = Effect.gen(function*() {
    const runtime = yield* Effect.runtime()
    const clock = yield* Effect.clock
    const told: Array<number> = []
    const heard: Array<string> = []
    const relay = new Relay("one", {
      onmessage: (message) => {
        if (!("method" in message)) return
        heard.push(message.method)
        if (message.method === change) told.push(clock.unsafeCurrentTimeMillis())
      }
    })
    let last: Fiber.RuntimeFiber<unknown, unknown> | undefined
    const fork: Target["fork"] = (work) => {
      const fiber = Runtime.runFork(runtime)(work)
      last = fiber
      return fiber
    }
    relay.watchLists(fork)
    return { fork, heard, isOver: () => last?.unsafePoll() !== null, relay, told }
  })

  test.scoped("[P11] that go on are passed on ever less often, the first and the last always, and at once again after ten seconds without", function*() {
    const { heard, relay, told } = yield* client
    for (let time = 0; time < 80_000; time += 100) {
      for (let nth = 0; nth < 3; nth++) relay.pass({ method: change })
      yield* TestClock.adjust(100)
    }
    const first = [0, 300, 900, 2100, 4500, 9300, 18_900, 38_100, 76_500]
    expect(told).toEqual(first)
    relay.pass({ method: "notifications/prompts/list_changed" })
    relay.pass({ method: "notifications/message" })
    expect(heard.slice(first.length)).toEqual(["notifications/prompts/list_changed", "notifications/message"])
    yield* TestClock.adjust("1 hour")
    expect(told).toEqual([...first, 136_500])
    for (const nth of [1, 2, 3]) {
      const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      relay.pass({ method: change })
      expect([nth, told.at(-1)]).toEqual([nth, now])
      yield* TestClock.adjust("10 seconds")
    }
  })

  test.scoped("[P11] that are slow to come go on, too; and none that waits outlives its client", function*() {
    const { isOver, relay, told } = yield* client
    for (let time = 0; time < 30; time++) {
      relay.pass({ method: change })
      yield* TestClock.adjust("9 seconds")
    }
    expect(told.length).toBeLessThan(12)
    relay.pass({ method: change })
    const before = told.length
    relay.end()
    yield* TestClock.adjust("1 second")
    expect([isOver(), told.length]).toEqual([true, before])
  })

  test.scoped("[F3] one of a list that is the same says nothing of the next connection: that its list differs is told once", function*() {
    const script = ScriptedConnector.make()
    const incoming = new Incoming()
    const { fork, relay, told } = yield* client
    const backend = yield* Backend.make("one", { connector: incoming.around(script), keepalive: { method: "none" } })
    yield* TestClock.adjust(0)
    const source: ListChanges.Source = {
      fork,
      use: (f) => f(backend),
      backend: () => backend,
      status: () => Effect.runSync(backend.status),
      events: backend.events
    }
    incoming.receiver = {
      ...ListChanges.announce(source, relay, () => ({ tools: { listChanged: true } })),
      asked: () => Promise.reject(new Error("asked"))
    }
    yield* TestClock.adjust("1 minute")
    const hears = (...announced: ReadonlyArray<"tools">) =>
      script.current.options.report({
        _tag: "Hearing",
        hearing: { announced, unannounced: announced.length === 0 ? ["tools"] : [] }
      })
    script.current.notify(change)
    yield* TestClock.adjust("1 minute")
    expect(told.length).toBe(1)
    hears()
    script.offer = { ...script.offer, tools: [tool("other")] }
    hears("tools")
    yield* TestClock.adjust("1 minute")
    expect(told.length).toBe(2)
  })
})
