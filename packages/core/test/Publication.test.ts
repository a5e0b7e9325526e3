import { Backend, type Catalog, type Connector, type Event, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Chunk, Effect, Fiber, Option, Random, Stream, TestClock } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { startBackend } from "../src/backend/start.js"
import { logged } from "./support/Heartbeats.js"

const { tool } = ScriptedConnector

const offer = (...names: ReadonlyArray<string>): ScriptedConnector.Offer => ({
  tools: names.map((name) => tool(name)),
  prompts: [],
  resources: [],
  resourceTemplates: []
})

const start = (connector: Connector, options: Partial<Backend.BackendOptions> = {}) =>
  Effect.gen(function*() {
    const events: Array<Event.Event> = []
    const observer = { changed: () => {}, catalogChanged: () => {}, event: (event: Event.Event) => events.push(event) }
    const backend = yield* startBackend("one", { connector, keepalive: { method: "none" }, ...options }, { observer })
    yield* TestClock.adjust(0)
    return { backend, events }
  })

const seen = (backend: Backend.Backend) => Effect.map(backend.catalog, summary)

const summary = (snapshot: Catalog.Snapshot | undefined) =>
  snapshot && {
    tools: snapshot.tools.map(({ name }) => name),
    generation: snapshot.generation,
    revision: snapshot.revision,
    stale: snapshot.stale
  }

const never: ScriptedConnector.Answer = { answer: "never" }

const remote = (code: number, message = "says the server"): ScriptedConnector.Answer => ({
  answer: "error",
  error: new RequestError({ fate: "answered", reason: "remote", code, message })
})

const but = (
  script: ScriptedConnector.ScriptedConnector,
  change: Partial<Effect.Effect.Success<ReturnType<Connector["connect"]>>>
): Connector => ({
  transport: script.transport,
  target: script.target,
  overlap: script.overlap,
  connect: (options) => Effect.map(script.connect(options), (connection) => ({ ...connection, ...change }))
})

const paged =
  (pages: (page: number) => { readonly tools: ReadonlyArray<unknown>; readonly nextCursor?: string }) =>
  (method: string, params: unknown): ScriptedConnector.Answer | undefined =>
    method === "tools/list"
      ? {
        answer: "result",
        result: pages(Number.parseInt((params as { cursor?: string } | undefined)?.cursor ?? "0", 10))
      }
      : undefined

describe("Publication", () => {
  test.scoped("[P1] a snapshot is one value of one generation, with everything that the server said of itself, a revision, and no way to change it", function*() {
    const script = ScriptedConnector.make()
    script.offer = {
      tools: [tool("echo")],
      prompts: [{ name: "greet" }],
      resources: [{ name: "readme", uri: "file:///readme" }],
      resourceTemplates: [{ name: "files", uriTemplate: "file:///{path}" }]
    }
    const { backend } = yield* start(but(script, { instructions: "be kind" }))
    const first = yield* backend.catalog
    expect(first).toEqual({
      generation: 1,
      revision: 1,
      stale: false,
      tools: [tool("echo")],
      prompts: [{ name: "greet" }],
      resources: [{ name: "readme", uri: "file:///readme" }],
      resourceTemplates: [{ name: "files", uriTemplate: "file:///{path}" }],
      instructions: "be kind",
      capabilities: expect.objectContaining({ tools: { listChanged: true } }),
      serverInfo: { name: "scripted", version: "1.0.0" },
      protocolVersion: "2025-11-25",
      problems: [],
      truncated: []
    })
    script.offer = offer("echo", "more")
    yield* backend.refresh
    expect((yield* backend.catalog)?.revision).toBe(2)
    expect(first?.tools).toHaveLength(1)
  })

  test.scoped("[P1] lists that are read one after another are published together", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method) =>
      method === "resources/templates/list"
        ? { answer: "result", result: { resourceTemplates: [] }, after: 500 }
        : undefined
    const { backend } = yield* start(script)
    yield* TestClock.adjust(499)
    expect(yield* backend.catalog).toBeUndefined()
    yield* TestClock.adjust(1)
    expect(yield* seen(backend)).toMatchObject({ tools: ["echo"], revision: 1 })
  })

  test.scoped("[P1] a reading that finds the same is no new revision", function*() {
    const script = ScriptedConnector.make()
    const { backend, events } = yield* start(script)
    const before = yield* backend.catalog
    expect(yield* backend.refresh).toBe(before)
    expect(events.filter(({ _tag }) => _tag === "CatalogChanged")).toHaveLength(1)
  })

  test.scoped("[P2] the last good snapshot stays, marked stale, wherever the backend may come back by itself or by a command", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* start(script, {
      reconnect: { maxAttempts: 1, initialDelay: 1000 },
      lifecycle: { idleRelease: "1 minute" }
    })
    const good = { tools: ["echo"], generation: 1, revision: 1, stale: false }
    const stale = { ...good, stale: true }
    const expectState = (state: string, catalog: unknown) =>
      Effect.gen(function*() {
        expect((yield* backend.status).state).toBe(state)
        expect(yield* seen(backend)).toEqual(catalog)
      })
    yield* expectState("Connected", good)
    yield* TestClock.adjust("1 minute")
    yield* expectState("Idle", stale)
    script.script({ connect: "hang" })
    const call = yield* Effect.fork(Effect.exit(backend.callTool({ name: "echo" })))
    yield* TestClock.adjust(0)
    yield* expectState("Connecting", stale)
    yield* backend.disconnect
    yield* Fiber.join(call)
    yield* expectState("Disconnected", stale)
    yield* backend.reconnect
    yield* TestClock.adjust(0)
    yield* expectState("Connected", { ...good, generation: 2, revision: 2 })
    script.current.lose()
    yield* TestClock.adjust(0)
    yield* expectState("Reconnecting", { ...stale, generation: 2, revision: 2 })
    script.failNext(1)
    yield* TestClock.adjust(1000)
    yield* expectState("Dormant", { ...stale, generation: 2, revision: 2 })
  })

  test.scoped("[P2] a new generation is stale until its own lists are read", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* start(script)
    script.respond = (method) =>
      method === "tools/list" ? { answer: "result", result: { tools: [tool("new")] }, after: 300 } : undefined
    yield* backend.reconnect
    yield* TestClock.adjust(299)
    expect((yield* backend.status).generation).toBe(2)
    expect(yield* seen(backend)).toEqual({ tools: ["echo"], generation: 1, revision: 1, stale: true })
    yield* TestClock.adjust(1)
    expect(yield* seen(backend)).toEqual({ tools: ["new"], generation: 2, revision: 2, stale: false })
  })

  test.scoped("[P2] it is withdrawn in Disabling, Disabled, PermanentlyFailed and Closed, and comes with the next reading", function*() {
    const script = ScriptedConnector.make({ overlap: false })
    script.otherwise = { close: 2000 }
    const { backend } = yield* start(script, { reconnect: { maxAttempts: 1 } })
    const disable = yield* Effect.fork(backend.disable)
    yield* TestClock.adjust(0)
    expect((yield* backend.status).state).toBe("Disabling")
    expect(yield* backend.catalog).toBeUndefined()
    yield* TestClock.adjust(2000)
    yield* Fiber.join(disable)
    expect((yield* backend.status).state).toBe("Disabled")
    expect(yield* backend.catalog).toBeUndefined()
    expect(yield* Effect.flip(backend.refresh)).toMatchObject({ _tag: "BackendUnavailable", state: "Disabled" })
    yield* backend.enable
    yield* TestClock.adjust(0)
    expect(yield* seen(backend)).toEqual({ tools: ["echo"], generation: 2, revision: 2, stale: false })
    script.failNext(1, { permanent: true, reason: "spawn", message: "no such command" })
    script.current.lose()
    yield* TestClock.adjust(5000)
    expect((yield* backend.status).state).toBe("PermanentlyFailed")
    expect(yield* backend.catalog).toBeUndefined()
  })

  test.scoped("[P3] a refresh that gets no answer keeps the last good snapshot, fails, and counts as one failure", function*() {
    const script = ScriptedConnector.make()
    const { backend, events } = yield* start(script, { timeouts: { request: 1000 } })
    const before = yield* backend.catalog
    script.offer = offer("other")
    script.respond = (method) =>
      method === "prompts/list" ? never : method === "ping" ? { answer: "result", after: 10 } : undefined
    const refresh = yield* Effect.fork(Effect.flip(backend.refresh))
    yield* TestClock.adjust(1000)
    expect(yield* Fiber.join(refresh)).toMatchObject({ _tag: "RequestTimeout" })
    expect(yield* backend.catalog).toBe(before)
    expect((yield* backend.status).failures).toBe(1)
    expect(events.at(-1)).toMatchObject({ _tag: "DiscoveryFailed", generation: 1 })
    script.respond = undefined
    yield* backend.refresh
    expect(yield* seen(backend)).toMatchObject({ tools: ["other"], revision: 2 })
    expect((yield* backend.status).failures).toBe(0)
  })

  test.scoped("[P3] a list that the server refuses keeps its last good entries, says so, and holds up no other list", function*() {
    const script = ScriptedConnector.make()
    script.offer = { ...offer("echo"), prompts: [{ name: "greet" }] }
    const { backend, events } = yield* start(script)
    script.offer = { ...offer("other"), prompts: [{ name: "part" }] }
    script.respond = (method) => method === "tools/list" ? remote(-32603, "out of order") : undefined
    yield* backend.refresh
    expect(yield* backend.catalog).toMatchObject({
      tools: [{ name: "echo" }],
      prompts: [{ name: "part" }],
      problems: [{ backend: "one", kind: "tools", message: "tools/list of one: out of order" }]
    })
    expect(events.filter(({ _tag }) => _tag === "DiscoveryFailed")).toHaveLength(1)
    script.respond = undefined
    yield* backend.refresh
    expect(yield* backend.catalog).toMatchObject({ tools: [{ name: "other" }], problems: [] })
  })

  test.scoped.each<[string, ReadonlyArray<string>]>([
    ["notifications/tools/list_changed", ["tools/list"]],
    ["notifications/prompts/list_changed", ["prompts/list"]],
    ["notifications/resources/list_changed", ["resources/list", "resources/templates/list"]]
  ])(
    "[P4] %s, however many arrive, is one reading of what it names, and one more for those that came meanwhile",
    function*([notification, methods]) {
      const script = ScriptedConnector.make()
      const { backend } = yield* start(script)
      yield* TestClock.adjust(300)
      const read = () => script.ledger.entries.flatMap((entry) => entry._tag === "Sent" ? [entry.method] : [])
      const initial = read().length
      script.respond = (method) => method === methods[0] ? { answer: "result", after: 100 } : undefined
      for (let i = 0; i < 50; i++) script.current.notify(notification)
      yield* TestClock.adjust(50)
      expect(read().slice(initial)).toEqual([methods[0]])
      for (let i = 0; i < 50; i++) script.current.notify(notification)
      yield* TestClock.adjust(2000)
      expect(read().slice(initial)).toEqual([...methods, ...methods])
      script.current.notify(notification)
      yield* TestClock.adjust(2000)
      expect(read().slice(initial)).toEqual([...methods, ...methods, ...methods])
      expect((yield* backend.status).catalog?.revision).toBe(1)
    }
  )

  test.scoped("[P4] a change that is announced while the lists are read is not missed", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method) => method === "resources/templates/list" ? { answer: "result", after: 100 } : undefined
    const { backend } = yield* start(script)
    script.offer = offer("echo", "late")
    script.current.notify("notifications/tools/list_changed")
    yield* TestClock.adjust(400)
    expect(yield* seen(backend)).toMatchObject({ tools: ["echo", "late"] })
  })

  it.scoped("[P4] a reading that fails is tried again with backoff, without another notification", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const { backend } = yield* start(script, { timeouts: { request: 1000 } })
      yield* TestClock.adjust(300)
      script.offer = offer("new")
      script.respond = (method) => method === "tools/list" ? never : undefined
      script.current.notify("notifications/tools/list_changed")
      yield* TestClock.adjust(1000)
      script.respond = undefined
      yield* TestClock.adjust(749)
      expect(yield* seen(backend)).toMatchObject({ tools: ["echo"] })
      yield* TestClock.adjust(1)
      expect(yield* seen(backend)).toMatchObject({ tools: ["new"], stale: false })
    }).pipe(Effect.withRandom(Random.fixed([0.5]))))

  test.scoped("[P4] the reading of an old generation publishes nothing, nor do its notifications", function*() {
    const script = ScriptedConnector.make()
    const { backend, events } = yield* start(script)
    const [old] = script.connections
    script.respond = (method, _, connection) =>
      method === "tools/list" && connection === old
        ? { answer: "result", result: { tools: [tool("old")] }, after: 1000 }
        : method === "tools/call"
        ? { answer: "result", after: 5000 }
        : undefined
    old?.notify("notifications/tools/list_changed")
    const refresh = yield* Effect.fork(Effect.exit(backend.refresh))
    // a call that drains keeps the old connection able to answer
    const draining = yield* Effect.fork(backend.callTool({ name: "slow" }))
    yield* TestClock.adjust(500)
    script.offer = offer("new")
    yield* backend.reconnect
    yield* TestClock.adjust(0)
    const after = { tools: ["new"], generation: 2, revision: 2, stale: false }
    expect(yield* seen(backend)).toEqual(after)
    const reads = script.ledger.sent("tools/list", 1).length
    old?.notify("notifications/tools/list_changed")
    yield* TestClock.adjust(10_000)
    yield* Fiber.join(refresh)
    yield* Fiber.join(draining)
    expect(yield* seen(backend)).toEqual(after)
    expect(script.ledger.sent("tools/list", 1)).toHaveLength(reads)
    expect(events.filter(({ _tag }) => _tag === "CatalogChanged").length).toBeLessThanOrEqual(3)
  })

  test.scoped("[X1:virtual P12] an entry whose name or URI is too long is left out and reported, and hides nothing else", function*() {
    const long = (length: number) => "x".repeat(length)
    const script = ScriptedConnector.make()
    script.offer = {
      tools: [1024, 1_000_000].map((length) => tool(long(length))),
      prompts: [1024, 1025].map((length) => ({ name: long(length) })),
      resources: [16_384, 16_385].map((length) => ({ name: "r", uri: long(length) })),
      resourceTemplates: [2048, 2049].map((length) => ({ name: "t", uriTemplate: long(length) }))
    }
    const { backend } = yield* start(script)
    const { problems, prompts, resourceTemplates, resources, tools } = (yield* backend.catalog)!
    expect([tools, prompts, resources, resourceTemplates].map((list) => list.length)).toEqual([1, 1, 1, 1])
    expect(tools[0]?.name).toHaveLength(1024)
    expect(problems.map(({ kind }) => kind)).toEqual(["tools", "prompts", "resources", "resourceTemplates"])
    for (const { message, name } of problems) {
      expect(message).toContain("more than")
      expect(message.length + name.length).toBeLessThan(1000)
    }
  })

  test.scoped("[X1:virtual] of any number of bad entries a hundred are reported one by one, and the others by their number", function*() {
    const script = ScriptedConnector.make()
    // More than can be spread into the arguments of a function.
    const entries = [...Array.from({ length: 300_000 }, () => ({})), tool("fine")]
    script.respond = (method) => method === "tools/list" ? { answer: "result", result: { tools: entries } } : undefined
    const { backend } = yield* start(script)
    const { problems, tools } = (yield* backend.catalog)!
    expect(tools.map(({ name }) => name)).toEqual(["fine"])
    expect(problems).toHaveLength(101)
    expect(problems.at(-1)?.message).toContain("299900 more entries of tools")
  })

  test.scoped("[P12:virtual] an entry that is nested too deeply is left out and reported, and hides nothing else", function*() {
    const nested = (levels: number): object => {
      let value = {}
      for (let i = 1; i < levels; i++) value = { of: value }
      return value
    }
    const deep = (name: string, levels: number) => ({
      ...tool(name),
      inputSchema: { type: "object" as const, properties: { of: nested(levels) } }
    })
    const script = ScriptedConnector.make()
    script.offer = {
      ...script.offer,
      tools: [tool("before"), deep("deep", 6000), deep("just too deep", 498), deep("deepest", 497), tool("after")]
    }
    const { backend } = yield* start(script)
    const { problems, tools } = (yield* backend.catalog)!
    expect(tools.map(({ name }) => name)).toEqual(["before", "deepest", "after"])
    expect(problems.map(({ kind, name }) => [kind, name])).toEqual([["tools", "deep"], ["tools", "just too deep"]])
    expect(problems[0]?.message).toContain("more than 500 levels deep (discovery.maxDepth)")
    script.offer = { ...script.offer, tools: [tool("after")] }
    yield* backend.refresh
    expect(yield* backend.catalog).toMatchObject({ tools: [{ name: "after" }], problems: [] })
  })

  test.scoped("[P5] lists are read to the end, page by page", function*() {
    const script = ScriptedConnector.make()
    script.respond = paged((page) => ({
      tools: [tool(`tool-${page}`)],
      ...(page < 4 ? { nextCursor: String(page + 1) } : {})
    }))
    const { backend } = yield* start(script)
    expect(yield* seen(backend)).toMatchObject({ tools: ["tool-0", "tool-1", "tool-2", "tool-3", "tool-4"] })
    expect(script.ledger.sent("tools/list")).toHaveLength(5)
  })

  test.scoped.each<[string, ReturnType<typeof paged>, number, number, string]>([
    [
      "a list without an end, by pages",
      paged((page) => ({ tools: [tool(`tool-${page}`)], nextCursor: String(page + 1) })),
      7,
      7,
      "tools/list of one does not end: read 7 pages (discovery.maxPages)"
    ],
    [
      "a cursor that comes again, at once",
      paged((page) => ({ tools: [tool(`tool-${page}`)], nextCursor: "1" })),
      2,
      2,
      "tools/list of one repeats a cursor: the list ends there"
    ],
    [
      "huge pages, by entries",
      paged((page) => ({
        tools: Array.from({ length: 30 }, (_, i) => tool(`tool-${page}-${i}`)),
        nextCursor: String(page + 1)
      })),
      50,
      2,
      "tools/list of one is too long: took 50 entries (discovery.maxEntries)"
    ],
    [
      "one page that is too long, by entries",
      paged(() => ({ tools: Array.from({ length: 51 }, (_, i) => tool(`tool-${i}`)) })),
      50,
      1,
      "tools/list of one is too long: took 50 entries (discovery.maxEntries)"
    ]
  ])("[P5] %s: bounded, and said", function*([, respond, entries, pages, message]) {
    const script = ScriptedConnector.make()
    script.respond = respond
    const { backend } = yield* start(script, { discovery: { maxPages: 7, maxEntries: 50 } })
    const catalog = yield* backend.catalog
    expect(catalog?.tools).toHaveLength(entries)
    expect(catalog?.problems).toEqual([{ backend: "one", kind: "tools", name: "", message }])
    expect(catalog?.truncated).toEqual(["tools"])
    expect((yield* backend.status).catalog).toMatchObject({ tools: entries, truncated: ["tools"] })
    expect(script.ledger.sent("tools/list")).toHaveLength(pages)
  })

  test.scoped.each(
    [
      ["texts", 12_000_000, () => "x".repeat(12_000_000), 2],
      ["small values", 3_000_000, () => Array.from({ length: 750_000 }, () => 0), 2],
      ["names of fields", 12_000_000, () => ({ ["x".repeat(12_000_000)]: 1 }), 2]
    ] as const
  )(
    "[P5] %s: however few pages and entries they are in, no more is kept of one list than its share",
    function*([, , make, fit]) {
      const value = make()
      for (const isPaged of [true, false]) {
        const script = ScriptedConnector.make()
        const entry = (i: number) => ({ ...tool(`tool-${i}`), annotations: { value } })
        script.respond = paged((page) =>
          isPaged
            ? { tools: [entry(page)], nextCursor: `${page + 1}` }
            : { tools: Array.from({ length: 50 }, (_, i) => entry(i)) }
        )
        const { backend } = yield* start(script)
        const catalog = yield* backend.catalog
        expect(catalog?.tools.length).toBe(fit)
        expect(catalog?.truncated).toEqual(["tools"])
        expect(catalog?.problems).toEqual([{
          backend: "one",
          kind: "tools",
          name: "",
          message: `tools/list of one is too large: took ${fit} entries, of 32 MiB together`
        }])
        expect(script.ledger.sent("tools/list").length).toBe(isPaged ? fit + 1 : 1)
      }
    }
  )

  test.scoped("[P5] the cursors of a list have no more room than its entries", function*() {
    const script = ScriptedConnector.make()
    script.respond = paged((page) => ({
      tools: [tool(`tool-${page}`)],
      nextCursor: `${page + 1}${"x".repeat(12_000_000)}`
    }))
    const { backend } = yield* start(script)
    const catalog = yield* backend.catalog
    expect(catalog?.problems).toMatchObject([{ message: expect.stringContaining("is too large: took 3 entries") }])
    expect(catalog?.truncated).toEqual(["tools"])
    expect(script.ledger.sent("tools/list").length).toBe(3)
  })

  test.scoped("[P5] a list that is exactly as long as is accepted is complete", function*() {
    const script = ScriptedConnector.make()
    script.respond = paged(() => ({ tools: Array.from({ length: 50 }, (_, i) => tool(`tool-${i}`)) }))
    const { backend } = yield* start(script, { discovery: { maxEntries: 50 } })
    expect(yield* backend.catalog).toMatchObject({ problems: [], truncated: [] })
  })

  test.scoped("[P5] a list is said to be cut for as long as it is, whatever becomes of the others", function*() {
    const script = ScriptedConnector.make()
    script.offer = { ...offer("a", "b", "c"), resources: [{ name: "r", uri: "file:///r" }] }
    const { backend } = yield* start(script, { discovery: { maxEntries: 2 } })
    const truncated = Effect.map(backend.status, ({ catalog }) => catalog?.truncated)
    expect(yield* truncated).toEqual(["tools"])
    script.offer = { ...script.offer, resources: ["1", "2", "3"].map((uri) => ({ name: "r", uri })) }
    script.current.notify("notifications/resources/list_changed")
    yield* TestClock.adjust("1 second")
    expect(yield* truncated).toEqual(["tools", "resources"])
    script.offer = { ...script.offer, ...offer("a", "b") }
    yield* backend.refresh
    expect(yield* truncated).toEqual([])
  })

  test.scoped("[P5] only lists that the server has a capability for are asked", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* start(but(script, { capabilities: { prompts: {} } }))
    const asked = script.ledger.entries.flatMap((entry) => entry._tag === "Sent" ? [entry.method] : [])
    expect(asked).toEqual(["prompts/list"])
    expect(yield* backend.catalog).toMatchObject({ tools: [], prompts: [], resources: [], problems: [] })
  })

  test.scoped("[P5] entries that cannot be used are named, and hide no others", function*() {
    const script = ScriptedConnector.make()
    script.respond = paged(() => ({
      tools: [
        null,
        "text",
        {},
        { name: "" },
        { name: 5 },
        tool("echo"),
        { ...tool("echo"), title: "again" },
        tool("last")
      ]
    }))
    const { backend } = yield* start(script)
    const catalog = yield* backend.catalog
    expect(catalog?.tools).toEqual([tool("echo"), tool("last")])
    expect(catalog?.problems.map(({ message, name }) => [name, message])).toEqual([
      ...Array.from({ length: 5 }, () => ["", "one has an entry of tools without a name"]),
      ["echo", 'one names tools "echo" twice; the first is used']
    ])
  })

  test.scoped.each<[string, unknown]>([["an empty object", {}], ["a word", "tools"], ["no list", { tools: "many" }]])(
    "[P5] an answer that is %s is a problem of that list, not of the connection",
    function*([, result]) {
      const script = ScriptedConnector.make()
      script.respond = (method) => method === "tools/list" ? { answer: "result", result } : undefined
      const { backend } = yield* start(script)
      expect(yield* backend.catalog).toMatchObject({
        tools: [],
        problems: [{ kind: "tools", message: "tools/list of one: the answer has no list of tools" }]
      })
      expect((yield* backend.status).state).toBe("Connected")
    }
  )

  test.scoped("[P8] after a reconnect to a server that has a new tool, the tool is listed without any action", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* start(script)
    const found = yield* backend.catalog.changes.pipe(
      Stream.filter((snapshot) => snapshot?.tools.some(({ name }) => name === "new") === true),
      Stream.runHead,
      Effect.fork
    )
    script.offer = offer("echo", "new")
    script.current.lose()
    yield* TestClock.adjust(1000)
    expect(yield* seen(backend)).toEqual({ tools: ["echo", "new"], generation: 2, revision: 2, stale: false })
    expect(Option.isSome(yield* Fiber.join(found))).toBe(true)
  })

  test.scoped("[P9] refresh reads all lists now and gives what is then published", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* start(script)
    script.offer = { ...offer("new"), prompts: [{ name: "greet" }] }
    expect(yield* backend.refresh).toMatchObject({
      tools: [{ name: "new" }],
      prompts: [{ name: "greet" }],
      revision: 2
    })
    expect(yield* seen(backend)).toMatchObject({ tools: ["new"] })
  })

  test.scoped("[P9] a refresh whose connection is lost, or whose lists are not answered before that, reads those of the next", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* start(script)
    script.respond = (method, _, connection) =>
      method === "tools/list" && connection.id === 0 ? { answer: "never" } : undefined
    const refreshing = yield* Effect.fork(backend.refresh)
    yield* TestClock.adjust(0)
    script.offer = offer("new")
    script.current.lose()
    yield* TestClock.adjust("5 seconds")
    expect(yield* Fiber.join(refreshing)).toMatchObject({ generation: 2, tools: [{ name: "new" }] })
  })

  test.scoped("[P9] refreshInterval reads them again at its pace, and only while there is a connection", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* start(script, { discovery: { refreshInterval: "1 minute" } })
    script.offer = offer("new")
    yield* TestClock.adjust(59_999)
    expect(yield* seen(backend)).toMatchObject({ tools: ["echo"] })
    yield* TestClock.adjust(1)
    expect(yield* seen(backend)).toMatchObject({ tools: ["new"], revision: 2 })
    yield* TestClock.adjust(60_000)
    expect(script.ledger.sent("tools/list")).toEqual([0, 60_000, 120_000])
    yield* backend.disconnect
    yield* TestClock.adjust("1 hour")
    expect(script.ledger.sent("tools/list")).toHaveLength(3)
  })

  it.scoped("[P11] a server that announces a change whenever a list is read is read ever less often, with one warning for all its life; and the change after ten seconds without one at once", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make()
        script.respond = (method, _, connection) => {
          if (method === "tools/list") connection.notify("notifications/tools/list_changed")
          return undefined
        }
        const { backend } = yield* start(script)
        yield* TestClock.adjust(200_000)
        const times = [0, 300, 900, 2100, 4500, 9300, 18_900, 38_100, 76_500, 136_500, 196_500]
        expect(script.ledger.sent("tools/list")).toEqual(times)
        const warning =
          "WARN one: the server keeps announcing that its lists have changed, sooner than 10s after they were read. They are " +
          "read less and less often, in the end once in 1m; a server should announce a change only where there is one"
        expect(lines.filter((line) => line.includes("announc"))).toEqual([warning])
        script.respond = undefined
        yield* TestClock.adjust(70_000)
        script.current.notify("notifications/tools/list_changed")
        yield* TestClock.adjust(0)
        expect(script.ledger.sent("tools/list")).toEqual([...times, 256_500, 270_000])
        script.respond = (method, _, connection) => {
          if (method === "tools/list") connection.notify("notifications/tools/list_changed")
          return undefined
        }
        script.current.lose("session")
        yield* TestClock.adjust("1 hour")
        expect((yield* backend.status).generation).toBe(2)
        expect(lines.filter((line) => line.includes("announc"))).toEqual([warning])
      })
    ))

  it.scoped("[P11] a change that is announced too soon is read as soon as it may be, with all that is announced by then; refresh reads at once", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make()
        const { backend } = yield* start(script, { discovery: { minRefreshInterval: "1 second" } })
        yield* TestClock.adjust(400)
        script.offer = offer("new")
        for (let i = 0; i < 100; i++) script.current.notify("notifications/tools/list_changed")
        yield* TestClock.adjust(599)
        expect(yield* seen(backend)).toMatchObject({ tools: ["echo"] })
        script.current.notify("notifications/prompts/list_changed")
        yield* TestClock.adjust(1)
        expect(yield* seen(backend)).toMatchObject({ tools: ["new"] })
        expect(script.ledger.sent("prompts/list")).toEqual([0, 1000])
        yield* TestClock.adjust(10)
        yield* backend.refresh
        expect(script.ledger.sent("tools/list")).toEqual([0, 1000, 1010])
        yield* TestClock.adjust("1 minute")
        script.current.notify("notifications/tools/list_changed")
        yield* TestClock.adjust(0)
        expect(script.ledger.sent("tools/list")).toHaveLength(4)
        expect(lines.filter((line) => line.includes("announced"))).toEqual([])
      })
    ))

  it.scoped("[P11] announcements at a pace that is allowed, and readings that fail, are no reason to warn", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make()
        const { backend } = yield* start(script, {
          reconnect: { initialDelay: 10, maxDelay: 10 }
        })
        for (let i = 1; i < 50; i++) {
          yield* TestClock.adjust("10 seconds")
          script.current.notify("notifications/tools/list_changed")
          yield* TestClock.adjust(0)
          expect(script.ledger.sent("tools/list")).toHaveLength(i + 1)
        }
        yield* TestClock.adjust("10 seconds")
        const before = script.ledger.sent("tools/list").length
        script.respond = (method) =>
          method === "tools/list"
            ? {
              answer: "error",
              error: new RequestError({ fate: "unknown", reason: "network", message: "reset" })
            }
            : undefined
        script.current.notify("notifications/tools/list_changed")
        yield* TestClock.adjust(30_000)
        expect(script.ledger.sent("tools/list").length - before).toBe(101)
        expect((yield* backend.status).generation).toBe(1)
        expect(lines.filter((line) => line.includes("announced"))).toEqual([])
      })
    ))

  test.scoped("[P9] without refreshInterval lists are read once", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* start(script)
    const changes = yield* backend.catalog.changes.pipe(Stream.take(1), Stream.runCollect)
    expect(Chunk.size(changes)).toBe(1)
    yield* TestClock.adjust("1 day")
    expect(script.ledger.sent("tools/list")).toEqual([0])
  })

  test.scoped("[P9] with discovery.mode learn nothing is read until somebody asks for the catalogue, and then on every connection", function*() {
    const asks: ReadonlyArray<(backend: Backend.Backend) => Effect.Effect<unknown, unknown>> = [
      (backend) => backend.catalog,
      (backend) => Stream.runHead(backend.catalog.changes),
      (backend) => backend.refresh
    ]
    for (const ask of asks) {
      const script = ScriptedConnector.make()
      const reads = () => script.ledger.sent("tools/list").length
      const { backend } = yield* start(script, { discovery: { mode: "learn", refreshInterval: "1 minute" } })
      yield* backend.firstOutcome
      script.current.notify("notifications/tools/list_changed")
      yield* TestClock.adjust("1 hour")
      expect([reads(), (yield* backend.status).catalog]).toEqual([0, undefined])
      yield* ask(backend)
      yield* TestClock.adjust(0)
      expect([reads(), (yield* backend.status).catalog?.tools]).toEqual([1, 1])
      yield* TestClock.adjust("1 minute")
      expect(reads()).toBe(2)
      script.current.notify("notifications/tools/list_changed")
      yield* TestClock.adjust(300)
      expect(reads()).toBe(3)
      script.current.lose()
      yield* TestClock.adjust("5 seconds")
      expect(yield* seen(backend)).toMatchObject({ tools: ["echo"], generation: 2, stale: false })
    }
  })

  test.scoped("[P9] with discovery.mode learn, asked for while there is no connection, the lists are read on the next one", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* start(script, { discovery: { mode: "learn" }, lifecycle: { lazy: true } })
    expect(yield* backend.catalog).toBeUndefined()
    yield* backend.reconnect
    yield* TestClock.adjust(0)
    expect(yield* seen(backend)).toMatchObject({ tools: ["echo"], generation: 1 })
    expect(script.ledger.sent("tools/list")).toHaveLength(1)
  })
})

describe("lists that go wrong", () => {
  test.scoped("[P4] an entry that is no JSON keeps no later list from being published", function*() {
    const script = ScriptedConnector.make()
    let names = ["one"]
    script.respond = (method) =>
      method === "tools/list"
        ? { answer: "result", result: { tools: names.map((name) => ({ ...tool(name), _meta: { size: 1n } })) } }
        : undefined
    const { backend } = yield* start(script)
    for (const more of [["one", "two"], ["three"]]) {
      names = more
      yield* backend.refresh
      expect((yield* seen(backend))?.tools).toEqual(more)
    }
  })
})

describe("a catalogue from before", () => {
  const remembered: Catalog.Remembered = {
    ...offer("old"),
    prompts: [{ name: "greet" }],
    serverInfo: { name: "docs", version: "1" },
    capabilities: { tools: {} },
    instructions: "be kind",
    protocolVersion: "2025-11-25"
  }

  test.scoped("[P2] is shown as stale until the server has given another, which is kept", function*() {
    const kept: Array<Catalog.Snapshot> = []
    const connector = ScriptedConnector.make().script({ after: 1000 })
    connector.offer = offer("new")
    const catalogMemory = { remembered, keep: (snapshot: Catalog.Snapshot) => void kept.push(snapshot) }
    const { backend } = yield* start(connector, { catalogMemory })
    expect(yield* backend.catalog).toMatchObject({
      ...remembered,
      generation: 0,
      revision: 0,
      stale: true,
      problems: [],
      truncated: []
    })
    expect((yield* backend.status).catalog).toMatchObject({ tools: 1, stale: true })
    expect(kept).toEqual([])
    yield* TestClock.adjust(1000)
    expect(yield* seen(backend)).toEqual({ tools: ["new"], generation: 1, revision: 1, stale: false })
    expect(kept.map(summary)).toEqual([yield* seen(backend)])
    yield* backend.refresh
    expect(kept).toHaveLength(1)
  })

  for (const [option, tools] of [["lazy", ["old"]], ["disabled", undefined]] as const) {
    test.scoped(`[P2] of a ${option} backend is ${tools === undefined ? "withdrawn" : "shown"}`, function*() {
      const { backend } = yield* start(ScriptedConnector.make(), {
        lifecycle: { [option]: true },
        catalogMemory: { remembered, keep: () => undefined }
      })
      expect((yield* seen(backend))?.tools).toEqual(tools)
    })
  }

  test.scoped("[C3] gives no tool the right to be called twice", function*() {
    const connector = ScriptedConnector.make()
    const old = { ...remembered, tools: [tool("old", { readOnlyHint: true })] }
    let calls = 0
    connector.respond = (method) => {
      if (method.endsWith("/list")) return never
      if (method === "ping") return undefined
      calls++
      connector.current.lose()
      return never
    }
    const { backend } = yield* start(connector, { catalogMemory: { remembered: old, keep: () => undefined } })
    const failure = yield* Effect.fork(Effect.flip(backend.callTool({ name: "old" })))
    yield* TestClock.adjust("1 minute")
    expect(yield* Fiber.join(failure)).toMatchObject({ _tag: "ResultUnknown" })
    expect(calls).toBe(1)
  })

  test.scoped("[L19] is used, and nothing breaks, where keeping it throws", function*() {
    const keep = () => {
      throw new Error("the disk is full")
    }
    const { backend } = yield* start(ScriptedConnector.make(), { catalogMemory: { remembered, keep } })
    expect(yield* seen(backend)).toMatchObject({ tools: ["echo"], stale: false })
  })
})
