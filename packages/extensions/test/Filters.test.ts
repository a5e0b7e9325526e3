import { Backend, type Connection, type ConnectOptions, type RemoteError, RequestError } from "@mcp-lifeline/core"
import { Problem } from "@mcp-lifeline/core/options"
import { Filters, Pins, ServerOptions } from "@mcp-lifeline/extensions"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Chunk, Effect, Fiber, Logger, Stream, TestClock } from "effect"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import { decode, FilteredLists } from "../src/filters/FilteredLists.js"

const { tool } = ScriptedConnector

/** Which one does not matter. */
const connection = { isFiltered: false } as Connection

const filtersOf = (options: ServerOptions.ServerOptions) => decode(ServerOptions.filtersOf(options))
const offered = (options: ServerOptions.ServerOptions) => new FilteredLists(filtersOf(options))
const messageOf = (options: unknown) => {
  const problems = ServerOptions.problems(options)
  assert.isTrue(Problem.some(problems))
  return Problem.some(problems) ? Problem.refuse("one", problems).message : ""
}

describe("hide and only", () => {
  it.each<[ServerOptions.ServerOptions["tools"], ReadonlyArray<string>]>([
    [{}, ["read", "write", "write_all", "hide"]],
    [{ hide: ["write"] }, ["read", "write_all", "hide"]],
    [{ hide: ["write*"] }, ["read", "hide"]],
    [{ only: ["r*", "write"] }, ["read", "write"]],
    [{ only: ["*"], hide: ["?ead"] }, ["write", "write_all", "hide"]],
    [{ only: ["write*"], hide: ["write"] }, ["write_all"]],
    [{ only: [] }, []],
    [{ hide: [], only: undefined }, ["read", "write", "write_all", "hide"]],
    // A tool may have such a name: what is an object are the options of that tool.
    [{ hide: { timeout: 5 } }, ["read", "write", "write_all", "hide"]],
    [{ "hide*": { timeout: 5 }, hide: ["hide"] }, ["read", "write", "write_all"]]
  ])("[G19:unit] %j", (tools, expected) => {
    const one = offered({ tools })
    const names = ["read", "write", "write_all", "hide"]
    assert.deepStrictEqual(names.filter((name) => one.has("tools", name)), expected)
    assert.isTrue(one.has("prompts", "write"))
    const isAll = tools?.only === undefined && !(Array.isArray(tools?.hide) && tools.hide.length > 0)
    assert.strictEqual(Filters.fromOptions(ServerOptions.filtersOf({ tools })).length === 0, isAll)
  })

  it("[G19:unit] the lists for all servers and those of a server count together", () => {
    const all = ServerOptions.forAll({
      tools: { hide: ["delete_*"], only: ["a*"], "x": { timeout: 5 } },
      prompts: { hide: ["p"] },
      resources: { only: ["r:*"] }
    })
    const merged = ServerOptions.merge(all, {
      tools: { hide: ["ab"], only: ["*b", "ac", "w"], "x": { retry: "never" } },
      prompts: { only: ["q"] },
      resources: { hide: ["r:1"] }
    })
    assert.deepStrictEqual(merged.tools?.["x"], { timeout: 5, retry: "never" })
    const filters = filtersOf(merged)
    const own = (pattern: string) => ({ pattern, isForAll: false })
    const common = (pattern: string) => ({ pattern, isForAll: true })
    assert.deepStrictEqual(filters, {
      tools: { hide: [own("ab"), common("delete_*")], only: [[own("*b"), own("ac"), own("w")], [common("a*")]] },
      prompts: { hide: [common("p")], only: [[own("q")]] },
      resources: { hide: [own("r:1")], only: [[common("r:*")]] }
    })
    const one = new FilteredLists(filters)
    assert.deepStrictEqual(["ab", "ac", "abb", "w", "a", "delete_b"].filter((name) => one.has("tools", name)), [
      "ac",
      "abb"
    ])
    assert.deepStrictEqual(["r:1", "r:2", "s:1"].filter((uri) => one.has("resources", uri)), ["r:2"])
    const third = ServerOptions.merge(merged, { tools: { hide: ["abb"], only: ["*c"] } })
    const last = offered(third)
    assert.deepStrictEqual(["ab", "ac", "abb", "bc"].filter((name) => last.has("tools", name)), ["ac"])
    assert.deepStrictEqual(ServerOptions.merge(all, {}), all)
    const both = ServerOptions.merge({ prompts: { hide: ["p"] }, resources: { hide: ["r:1"] } }, {
      prompts: { hide: ["q"] },
      resources: { hide: ["r:2"] }
    })
    const three = offered(both)
    assert.deepStrictEqual(["p", "q", "s"].filter((name) => three.has("prompts", name)), ["s"])
    assert.deepStrictEqual(["r:1", "r:2", "r:3"].filter((uri) => three.has("resources", uri)), ["r:3"])
    // Who compares options sees all lists.
    assert.deepStrictEqual(JSON.parse(JSON.stringify(third.tools?.only)), ["*c", ["*b", "ac", "w", ["a*"]]])
    const wrong = ServerOptions.merge(ServerOptions.forAll({ tools: { hide: [5 as never] } }), {
      tools: { hide: ["a"] }
    })
    assert.strictEqual(messageOf(wrong), "one: tools.hide[0] is a number; accepted: a string that is not empty")
  })

  it.each<[unknown, string]>([
    [{ tools: { hide: "write" } }, "tools.hide is a string; accepted: an array of names and patterns"],
    [{ tools: { only: [5] } }, "tools.only[0] is a number; accepted: a string that is not empty"],
    [{ tools: { only: ["a", ["b"]] } }, "tools.only[1] is an array; accepted: a string that is not empty"],
    [{ tools: { hide: [""] } }, "tools.hide[0] is empty; accepted: a string that is not"],
    [{ tools: { other: ["a"] } }, "tools.other is an array; accepted: an object of options"],
    [{ tools: { hide: { timout: 5 } } }, 'tools.hide.timout is not an option of a tool; did you mean "timeout"?'],
    [{ prompts: ["a"] }, "prompts is an array; accepted: an object of options"],
    [{ prompts: { hid: ["a"] } }, 'prompts.hid is not an option of prompts; did you mean "hide"?'],
    [{ resources: { hide: true } }, "resources.hide is a boolean; accepted: an array of names and patterns"]
  ])("[K5 G19:unit] %j is refused, also by a backend whose options nobody has checked", (options, message) => {
    assert.strictEqual(messageOf(options), `one: ${message}`)
    const unchecked = ServerOptions.forBackend(options as ServerOptions.ServerOptions)
    const made = Effect.scoped(Backend.make("one", { connector: ScriptedConnector.make(), ...unchecked }))
    assert.strictEqual(Effect.runSync(Effect.flip(made)).message, `one: ${message}`)
  })

  it("[G19:unit] the list of one stays beside the options that the other gives to a tool of that name", () => {
    const [list, tool] = [{ tools: { hide: ["a"] } }, { tools: { hide: { timeout: 5 } } }]
    assert.deepStrictEqual(ServerOptions.merge(list, tool).tools, { hide: ["a"] })
    assert.deepStrictEqual(ServerOptions.merge(tool, list).tools, { hide: ["a"] })
  })

  it("[C18 G19:unit] options of tools with any name are kept", () => {
    const tools = JSON.parse('{"__proto__":{"timeout":1},"hide":["a"],"b":{"timeout":2}}')
    for (
      const kept of [
        ServerOptions.merge({ tools }, {}),
        ServerOptions.merge({}, { tools }),
        ServerOptions.forAll({ tools }),
        { tools: { ...ServerOptions.forBackend({ tools }).tools, hide: ["a"] } }
      ]
    ) assert.deepStrictEqual(Object.keys(kept.tools ?? {}).toSorted(), ["__proto__", "b", "hide"])
    const own = Filters.make({})
    const { extensions = [] } = ServerOptions.forBackend({ pin: "warn", extensions: [own] })
    assert.deepStrictEqual([extensions.length, extensions.at(-1)], [2, own])
  })

  const template = (uriTemplate: string) => ({ name: uriTemplate, uriTemplate })
  const lists = {
    tools: [],
    prompts: [],
    resources: [{ name: "readme", uri: "file:///readme" }, { name: "key", uri: "file:///etc/key%20a" }],
    resourceTemplates: [template("db://{table}/rows"), template("file:///{+path}"), template("note://{id}")],
    truncated: []
  }

  it.each<[ServerOptions.ServerOptions["resources"], string, boolean]>([
    [{ hide: ["file:///etc/*"] }, "file:///readme", true],
    [{ hide: ["file:///etc/*"] }, "file:///etc/key%20a", false],
    [{ hide: ["file:///etc/*"] }, "file:///tmp/../etc/key", false],
    [{ hide: ["file:///etc/*"] }, "FILE:///etc/key", false],
    [{ hide: ["file:///etc/*"] }, "file:///%65tc/key", false],
    [{ hide: ["file:///etc/*"] }, "file:///tmp%2f..%2fetc/key", false],
    [{ hide: ["file:///readme"] }, "file:///readme#top", false],
    [{ hide: ["db://{table}/rows"] }, "db://users/rows", false],
    [{ hide: ["db://{table}/rows"] }, "db://users/cells", true],
    [{ hide: ["note://{*}"] }, "note://5", false],
    // The pattern fits the text of the template, and no URI that it stands for.
    [{ hide: ["note:*id*"] }, "note://5", false],
    [{ hide: ["note:*id*"] }, "NOTE://5", false],
    [{ hide: ["*path*"] }, "file:///other", false],
    [{ hide: ["*path*"] }, "file:///readme", true],
    [{ only: ["file:///*"] }, "file:///a/b", true],
    [{ only: ["file:///pub/*"] }, "file:///pub/a", true],
    [{ only: ["file:///pub/*"] }, "file:///pub/../etc/key", false],
    [{ only: ["file:///pub/*"] }, "file:///pub/..%2f..%2fetc/key", false],
    [{ only: ["file:///etc/key%20a"] }, "file:///etc/key%20a", true],
    [{ only: ["db://{table}/rows"] }, "db://users/rows", true],
    [{ only: ["db://{table}/rows"] }, "db://users/x/rows", false],
    [{ only: ["db://{table}/rows"] }, "note://5", false],
    [{ only: ["db*"] }, "db://users/rows", true],
    [{ only: [] }, "file:///readme", false],
    [{ only: ["file:///readme"] }, "file:///readme", true]
  ])("[G19:unit] resources %j: %j is offered: %j", (resources, uri, expected) => {
    const one = offered({ resources })
    one.lists(lists, connection)
    assert.strictEqual(one.has("resources", uri), expected)
    assert.strictEqual(one.passes({ method: "notifications/resources/updated", params: { uri } }), expected)
  })
})

it("[G19:unit] a URI that is too long to be looked up is not offered where some are hidden", () => {
  const uri = `x:${"y".repeat(20_000)}`
  assert.isFalse(offered({ resources: { hide: ["z"] } }).has("resources", uri))
  assert.isTrue(offered({ tools: { hide: ["z"] } }).has("resources", uri))
})

const request = {
  "tools/call": (name: string) => ({ name, arguments: {} }),
  "prompts/get": (name: string) => ({ name }),
  "resources/read": (uri: string) => ({ uri }),
  "resources/subscribe": (uri: string) => ({ uri }),
  "resources/unsubscribe": (uri: string) => ({ uri })
}

const completion = (ref: object) => ({ ref, argument: { name: "a", value: "b" } })

const hiding = {
  tools: { hide: ["delete_*"] },
  prompts: { only: ["ask"] },
  resources: { hide: ["secret://{id}"] }
}

const everything = {
  tools: [tool("read"), tool("delete_all"), tool("delete_one")],
  prompts: [{ name: "ask" }, { name: "other" }],
  resources: [{ name: "a", uri: "open://1" }, { name: "b", uri: "secret://1" }],
  resourceTemplates: [{ name: "o", uriTemplate: "open://{id}" }, { name: "s", uriTemplate: "secret://{id}" }]
}

type Options = Omit<Partial<Backend.BackendOptions>, "tools"> & ServerOptions.ServerOptions

const start = (options: Options = {}) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make()
    script.offer = everything
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel.label === "WARN") lines.push(String(Array.isArray(message) ? message[0] : message))
    })
    const backend = yield* Backend.make("one", {
      connector: script,
      keepalive: { method: "none" },
      ...ServerOptions.forBackend(options)
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    yield* TestClock.adjust("1 second")
    const sent = () =>
      script.ledger.entries.flatMap((entry) =>
        entry._tag === "Sent" && !entry.method.endsWith("/list") ? [entry.method] : []
      )
    return { backend, script, sent, lines }
  })

const statusOf = (backend: Backend.Backend) => Effect.map(backend.status, Filters.statusOf)

const names = (entries: ReadonlyArray<object>) =>
  entries.map((entry) => Object.values(entry).find((value) => typeof value === "string" && value.length > 1) as string)

describe("lists that change", () => {
  const nothing = { tools: [], prompts: [], resources: [], resourceTemplates: [], truncated: [] }

  it("[G19:unit] what a list has decides, whatever the one before had", () => {
    const uri = "x://h/a?q=1"
    const filters = offered({ resources: { hide: ["x://h/a"] } })
    filters.lists(nothing, connection)
    assert.isFalse(filters.has("resources", uri))
    for (const _ of [1, 2]) {
      filters.lists({ ...nothing, resources: [{ name: "a", uri }] }, connection)
      assert.isTrue(filters.has("resources", uri))
      filters.lists(nothing, connection)
      assert.isFalse(filters.has("resources", uri))
    }
  })

  it("[G19:unit] templates that were cut say nothing of patterns that may fit them", () => {
    const filters = offered({ resources: { hide: ["note://*"] } })
    filters.lists({ ...nothing, truncated: ["resourceTemplates"] }, connection)
    assert.deepStrictEqual(filters.unmatched, [])
  })
})

describe("a backend", () => {
  test.scoped("[G19:virtual] lists, pages and the catalogue have only what is offered", function*() {
    const { backend, script } = yield* start(hiding)
    const catalog = yield* backend.catalog
    assert.deepStrictEqual(names(catalog!.tools), ["read"])
    assert.deepStrictEqual(names(catalog!.prompts), ["ask"])
    assert.deepStrictEqual(catalog!.resources.map(({ uri }) => uri), ["open://1"])
    assert.deepStrictEqual(catalog!.resourceTemplates.map(({ uriTemplate }) => uriTemplate), ["open://{id}"])
    assert.deepStrictEqual((yield* statusOf(backend))?.hidden, {
      tools: 2,
      prompts: 1,
      resources: 1,
      resourceTemplates: 1
    })
    assert.deepStrictEqual(names((yield* backend.listTools()).tools), ["read"])
    assert.deepStrictEqual(names((yield* backend.listPrompts()).prompts), ["ask"])
    assert.deepStrictEqual((yield* backend.listResources()).resources.map(({ uri }) => uri), ["open://1"])
    assert.strictEqual((yield* backend.listResourceTemplates()).resourceTemplates.length, 1)
    script.respond = (method) =>
      method === "tools/list"
        ? { answer: "result", result: { tools: [tool("delete_one")], nextCursor: "2" } }
        : undefined
    assert.deepStrictEqual(yield* backend.listTools(), { tools: [], nextCursor: "2" })
  })

  test.scoped("[G19:virtual] what is hidden is refused as if the server did not have it, and never sent", function*() {
    const { backend, sent } = yield* start(hiding)
    const refused = (
      method: keyof typeof request | "completion/complete",
      params: object
    ): Effect.Effect<RemoteError> => Effect.flip(backend.request(method, params as never)) as Effect.Effect<RemoteError>
    const errors = yield* Effect.forEach([
      refused("tools/call", request["tools/call"]("delete_all")),
      refused("tools/call", { ...request["tools/call"]("delete_none"), task: { ttl: 5 } }),
      refused("prompts/get", request["prompts/get"]("other")),
      refused("resources/read", request["resources/read"]("secret://1")),
      refused("resources/read", request["resources/read"]("secret://2")),
      refused("resources/subscribe", request["resources/subscribe"]("secret://1")),
      refused("resources/unsubscribe", request["resources/unsubscribe"]("secret://1")),
      refused("completion/complete", completion({ type: "ref/prompt", name: "other" })),
      refused("completion/complete", completion({ type: "ref/resource", uri: "secret://{id}" })),
      refused("completion/complete", completion({ type: "ref/resource", uri: "secret://5" })),
      // A server may make a text of it.
      refused("tools/call", { name: ["delete_all"] }),
      refused("resources/read", { uri: ["secret://1"] })
    ], (error) => error)
    assert.deepStrictEqual(errors.map(({ _tag, code, data, message }) => [_tag, code, message, data]), [
      ["RemoteError", -32602, "Unknown tool: delete_all", undefined],
      ["RemoteError", -32602, "Unknown tool: delete_none", undefined],
      ["RemoteError", -32602, "Unknown prompt: other", undefined],
      ["RemoteError", -32002, "Resource not found", { uri: "secret://1" }],
      ["RemoteError", -32002, "Resource not found", { uri: "secret://2" }],
      ["RemoteError", -32002, "Resource not found", { uri: "secret://1" }],
      ["RemoteError", -32002, "Resource not found", { uri: "secret://1" }],
      ["RemoteError", -32602, "Unknown prompt: other", undefined],
      ["RemoteError", -32602, "Unknown resource: secret://{id}", undefined],
      ["RemoteError", -32602, "Unknown resource: secret://5", undefined],
      ["RemoteError", -32602, "Unknown tool: ", undefined],
      ["RemoteError", -32002, "Resource not found", { uri: "" }]
    ])
    // A server may carry out a request that comes as a notification.
    yield* backend.notify("tools/call", request["tools/call"]("delete_all"))
    assert.deepStrictEqual(sent(), [])
    yield* backend.callTool(request["tools/call"]("read"))
    yield* backend.request("resources/read", request["resources/read"]("open://1"))
    yield* backend.complete(completion({ type: "ref/prompt", name: "ask" }) as never)
    yield* backend.complete(completion({ type: "ref/resource", uri: "open://{id}" }) as never)
    assert.deepStrictEqual(sent(), ["tools/call", "resources/read", "completion/complete", "completion/complete"])
  })

  test.scoped("[G19:virtual] a call of a hidden tool does not wait for a connection, and asks for none", function*() {
    const { backend, script } = yield* start({ ...hiding, lifecycle: { lazy: true } })
    const error = yield* Effect.flip(backend.callTool({ name: "delete_all" }))
    assert.strictEqual(error.message, "Unknown tool: delete_all")
    assert.strictEqual(script.connections.length, 0)
  })

  test.scoped("[G19:virtual] an update of a hidden resource reaches nobody", function*() {
    const { backend, script } = yield* start(hiding)
    const seen = yield* Effect.fork(Stream.runCollect(Stream.take(backend.notifications, 2)))
    yield* TestClock.adjust(0)
    for (const uri of ["secret://1", "open://1", "SECRET://2", "open://2"]) {
      script.current.notify("notifications/resources/updated", { uri })
    }
    const got = Chunk.toReadonlyArray(yield* Fiber.join(seen))
    assert.deepStrictEqual(got.map(({ params }) => params?.["uri"]), ["open://1", "open://2"])
  })

  test.scoped("[G19:virtual] a catalogue from an earlier run shows what is offered now", function*() {
    const remembered = {
      ...everything,
      serverInfo: { name: "s", version: "1" },
      capabilities: {},
      instructions: undefined,
      protocolVersion: "2025-11-25"
    }
    const kept: Array<ReadonlyArray<string>> = []
    const { backend } = yield* start({
      ...hiding,
      lifecycle: { lazy: true },
      catalogMemory: { remembered, keep: ({ tools }) => kept.push(names(tools)) }
    })
    assert.deepStrictEqual(names((yield* backend.catalog)!.tools), ["read"])
    assert.isUndefined((yield* statusOf(backend))?.hidden)
    yield* backend.ping()
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual(kept, [["read"]])
  })

  test.scoped("[G19:virtual] a pattern that fits nothing is a warning, once the lists are known", function*() {
    const { backend, lines, script } = yield* start({
      tools: { hide: ["delete_*", "delet_all"], only: ["*"], "delete_one": { timeout: "1s" } },
      prompts: { hide: ["nothing"] },
      resources: { only: ["open://{id}", "note:*"] }
    })
    const filters = yield* statusOf(backend)
    assert.deepStrictEqual(
      filters?.unmatched.map(({ kind, meant, option, pattern }) => [kind, option, pattern, meant]),
      [
        ["tools", "hide", "delet_all", "delete_all"],
        ["prompts", "hide", "nothing", undefined],
        ["resources", "only", "note:*", undefined]
      ]
    )
    const warning = [
      '"delet_all" fits no tool of the server, so it hides nothing (tools.hide); did you mean "delete_all"?',
      '"nothing" fits no prompt of the server, so it hides nothing (prompts.hide)',
      '"note:*" fits no resource of the server, so it offers nothing (resources.only)'
    ].join(". ")
    assert.strictEqual(filters?.warning, warning)
    assert.deepStrictEqual(lines, [`one: ${warning}`])
    // What is probably meant changes, and what fits nothing does not.
    const listed = (...tools: ReadonlyArray<string>) => {
      script.offer = { ...everything, tools: tools.map((name) => tool(name)) }
      script.current.notify("notifications/tools/list_changed")
      return TestClock.adjust("1 second")
    }
    yield* listed("read", "delete_one")
    assert.strictEqual(lines.length, 1)
    yield* listed("delet_all", "delete_one")
    yield* listed("read", "delete_one")
    assert.strictEqual(lines.length, 2)
    yield* backend.disable
    assert.deepStrictEqual(yield* statusOf(backend), { hidden: undefined, unmatched: [], warning: undefined })
  })

  test.scoped("[H7:virtual] that more is hidden is a change of the status", function*() {
    const { backend, script } = yield* start(hiding)
    const seen: Array<number | undefined> = []
    const hidden = Stream.map(backend.status.changes, (status) => Filters.statusOf(status)?.hidden?.tools)
    yield* Effect.forkScoped(Stream.runForEach(hidden, (tools) => Effect.sync(() => seen.push(tools))))
    yield* TestClock.adjust(0)
    script.offer = { ...everything, tools: [...everything.tools, tool("delete_more")] }
    script.current.notify("notifications/tools/list_changed")
    yield* TestClock.adjust("1 second")
    assert.strictEqual((yield* statusOf(backend))?.hidden?.tools, 3)
    assert.include(seen, 3)
    const { offers } = yield* backend.extension(Filters.Filters)
    assert.deepStrictEqual([offers("tools", "delete_more"), offers("tools", "other")], [false, true])
  })

  test.scoped("[G19 P3:virtual] a list that is refused later stays what the server gave, with what is hidden of it", function*() {
    const { backend, script } = yield* start(hiding)
    script.respond = (method) =>
      method === "tools/list"
        ? {
          answer: "error",
          error: new RequestError({ fate: "answered", reason: "remote", code: -32603, message: "no" })
        }
        : undefined
    script.offer = { ...everything, prompts: [{ name: "ask" }, { name: "more" }, { name: "other" }] }
    for (const kind of ["tools", "prompts"]) script.current.notify(`notifications/${kind}/list_changed`)
    yield* TestClock.adjust("1 second")
    assert.deepInclude((yield* statusOf(backend))?.hidden, { tools: 2, prompts: 2 })
    assert.deepStrictEqual(names((yield* backend.catalog)!.tools), ["read"])
  })

  test.scoped("[G24 G19:virtual] how hidden tools differ from those that were approved is of no interest", function*() {
    const { backend, script } = yield* start({ ...hiding, pin: "warn" })
    script.offer = { ...everything, tools: everything.tools.map((one) => ({ ...one, description: "It is new." })) }
    script.current.notify("notifications/tools/list_changed")
    yield* TestClock.adjust("1 second")
    const pins = Pins.statusOf(yield* backend.status)
    assert.deepStrictEqual(pins?.changes.map(({ tool }) => tool), ["read"])
  })

  test.scoped("[G19:virtual] lists that were cut say nothing of what fits nothing", function*() {
    const { backend, lines } = yield* start({ tools: { hide: ["none"] }, discovery: { maxEntries: 2 } })
    assert.deepStrictEqual((yield* statusOf(backend))?.unmatched, [])
    assert.isFalse(lines.some((line) => line.includes("fits no")))
  })
})

test.scoped("[G19:virtual] lists of a backend elsewhere say nothing of what the server has", function*() {
  const script = ScriptedConnector.make()
  const connector = {
    ...script,
    connect: (options: ConnectOptions) =>
      Effect.map(script.connect(options), (connection) => Object.assign(connection, { isFiltered: true }))
  }
  const { backend, lines } = yield* start({ connector, tools: { hide: ["delete_all"] } })
  const filters = yield* statusOf(backend)
  assert.deepStrictEqual([lines, filters?.unmatched], [[], []])
  assert.isUndefined(filters?.hidden)
})
