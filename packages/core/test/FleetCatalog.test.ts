import { type Catalog, Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import type { Tool } from "@modelcontextprotocol/sdk/types.js"
import { Chunk, Effect, Fiber, Stream, TestClock } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import * as Template from "../src/catalog/Template.js"
import { CatalogIndex } from "../src/fleet/CatalogIndex.js"
import * as Claim from "../src/fleet/Claim.js"
import { difference } from "../src/fleet/FleetCatalog.js"
import * as Names from "../src/fleet/names.js"
import { snapshot } from "./support/Snapshot.js"

const { tool } = ScriptedConnector

const tools = (...names: ReadonlyArray<string>): Catalog.Snapshot =>
  snapshot({ tools: names.map((name) => tool(name)) })

const union = (snapshots: Record<string, Catalog.Snapshot | undefined>) => {
  const index = new CatalogIndex()
  const owners = Object.entries(snapshots).map(([id, snapshot]) => {
    const owner = new Claim.Source(id)
    index.offer(owner, snapshot)
    return owner
  })
  index.arrange(owners)
  return index.catalog
}

const acceptable = /^[A-Za-z0-9_-]{1,64}$/

const keepalive = { method: "none" } as const

const fleetOf = <const Names extends string>(offers: Record<Names, Partial<ScriptedConnector.Offer>>) =>
  Effect.gen(function*() {
    const scripts = Object.fromEntries(
      Object.entries<Partial<ScriptedConnector.Offer>>(offers).map(([id, offer]) => {
        const script = ScriptedConnector.make()
        script.offer = { tools: [], prompts: [], resources: [], resourceTemplates: [], ...offer }
        return [id, script]
      })
    ) as Record<Names, ScriptedConnector.ScriptedConnector>
    const backends = Object.entries<ScriptedConnector.ScriptedConnector>(scripts).map(([id, connector]) => ({
      id,
      connector,
      keepalive
    }))
    const fleet = yield* Fleet.make({ backends })
    yield* fleet.ready
    return { backends, fleet, scripts }
  })

const asked = (script: ScriptedConnector.ScriptedConnector) => {
  const params: Array<unknown> = []
  script.respond = (method, given) => {
    if (!method.endsWith("/list")) params.push(given)
    return undefined
  }
  return params
}

describe("the catalogue of a fleet", () => {
  it("[P6] tools and prompts are offered as <backend>__<name>, and keep everything else", () => {
    const full: Tool = { ...tool("echo", { readOnlyHint: true }), title: "Echo", description: "says it again" }
    const { problems, prompts, tools } = union({
      docs: snapshot({ tools: [full], prompts: [{ name: "greet", description: "hi" }] }),
      files: snapshot({ tools: [tool("echo")] })
    })
    expect([...tools]).toEqual([
      ["docs__echo", { backend: "docs", original: "echo", stale: false, value: { ...full, name: "docs__echo" } }],
      ["files__echo", { backend: "files", original: "echo", stale: false, value: tool("files__echo") }]
    ])
    expect([...prompts.values()].map(({ value }) => value)).toEqual([{ name: "docs__greet", description: "hi" }])
    expect(problems).toEqual([])
  })

  it.each([
    ["a dot and a slash", "docs", "search.pages/v2"],
    ["another alphabet", "ドキュメント", "検索"],
    ["a name of 65 characters", "docs", "x".repeat(65 - "docs__".length)],
    ["a very long backend", "b".repeat(200), "echo"],
    ["a very long tool", "docs", "t".repeat(5000)],
    ["blanks", "my docs", "say hi"]
  ])(
    "[P6] %s: shortened to what hosts accept, the same each time, and another for another name",
    (_, backend, name) => {
      const short = Names.fullName(backend, name)
      expect(short).toMatch(acceptable)
      expect(Names.fullName(backend, name)).toBe(short)
      expect(Names.fullName(backend, `${name}.`)).not.toBe(short)
      expect(Names.fullName(`${backend}.`, name)).not.toBe(short)
    }
  )

  it("[P6] what fits is not shortened, and shortened names do not change between versions of this library", () => {
    const fits = "y".repeat(64 - "docs__".length)
    expect(Names.fullName("docs", fits)).toBe(`docs__${fits}`)
    expect(Names.fullName("my docs", "search.pages")).toBe("my_docs__search_pages_4e399a36")
    // FNV-1a's own test vectors
    expect(["", "a", "foobar"].map(Names.hash)).toEqual(["811c9dc5", "e40c292c", "bf9cf968"])
  })

  it.each([
    ["docs", "search"],
    ["docs", "search.pages/v2"],
    ["my docs", "search"],
    ["a__b", "c__d"],
    ["docs", "t".repeat(5000)],
    ["b".repeat(200), "echo"],
    ["b".repeat(62), "echo"]
  ])("[P6] the backend %s is known by the names that %s can have", (backend, name) => {
    expect(Names.mayName(backend, Names.fullName(backend, name))).toBe(true)
    expect(Names.mayName(backend, Names.otherName(backend, name))).toBe(true)
    for (const other of ["doc", "docs2", "b", "search"]) {
      expect(Names.mayName(other, Names.fullName(backend, name))).toBe(false)
    }
    expect(Names.mayName(backend, backend)).toBe(false)
  })

  it("[P6] of 10,000 names that look alike once shortened, each keeps its own", () => {
    const long = "n".repeat(100)
    const names = new Set(Array.from({ length: 10_000 }, (_, i) => Names.fullName("docs", `${long}${i}`)))
    expect(names.size).toBe(10_000)
  })

  test.scoped("[P6] calls are routed by a map and never by splitting: names full of __ reach the right backend", function*() {
    const { fleet, scripts } = yield* fleetOf({
      a: { tools: [tool("b__c")], prompts: [{ name: "x__y" }] },
      a__b: { tools: [tool("c"), tool("__")], prompts: [{ name: "y" }] }
    })
    const [a, ab] = [asked(scripts.a), asked(scripts.a__b)]
    const { problems, tools } = yield* fleet.catalog
    const [first, second, third] = [...tools.keys()]
    expect(first).toBe("a__b__c")
    expect(second).toMatch(acceptable)
    expect(third).toBe("a__b____")
    expect(problems).toEqual([{
      backend: "a__b",
      kind: "tools",
      name: "c",
      message: `a__b offers "c", which a has under the name "a__b__c"; it is offered as "${second}"`
    }])
    yield* fleet.callTool({ name: "a__b__c" })
    yield* fleet.callTool({ name: second!, arguments: { q: 1 } })
    yield* fleet.callTool({ name: "a__b____" })
    yield* fleet.getPrompt({ name: "a__x__y" })
    yield* fleet.getPrompt({ name: "a__b__y" })
    yield* fleet.complete({ ref: { type: "ref/prompt", name: "a__b__y" }, argument: { name: "q", value: "" } })
    expect(a).toMatchObject([{ name: "b__c" }, { name: "x__y" }])
    expect(ab).toMatchObject([
      { name: "c", arguments: { q: 1 } },
      { name: "__" },
      { name: "y" },
      { ref: { type: "ref/prompt", name: "y" }, argument: { name: "q", value: "" } }
    ])
  })

  test.scoped("[P6] a resource keeps its URI, the first backend in order has it, and the scoped URI reaches every one", function*() {
    const readme = { name: "readme", uri: "file:///read me?v=1#top" }
    const { fleet, scripts } = yield* fleetOf({
      one: { resources: [readme] },
      two: { resources: [readme, { name: "own", uri: "file:///own" }] }
    })
    const [one, two] = [asked(scripts.one), asked(scripts.two)]
    const { problems, resources } = yield* fleet.catalog
    const scoped = "lifeline://two/file%3A%2F%2F%2Fread%20me%3Fv%3D1%23top"
    expect([...resources].map(([uri, { backend, value }]) => [uri, backend, value.uri])).toEqual([
      [readme.uri, "one", readme.uri],
      [scoped, "two", scoped],
      ["file:///own", "two", "file:///own"]
    ])
    expect(problems).toHaveLength(1)
    yield* fleet.readResource({ uri: readme.uri })
    yield* fleet.readResource({ uri: Names.scopedUri("one", readme.uri)! })
    yield* fleet.readResource({ uri: scoped })
    yield* fleet.readResource({ uri: "lifeline://two/file%3A%2F%2F%2Fnot-listed" })
    expect(one).toEqual([{ uri: readme.uri }, { uri: readme.uri }])
    expect(two).toEqual([{ uri: readme.uri }, { uri: "file:///not-listed" }])
  })

  test.scoped("[P6] what is read has the URI that was asked for, where it has the URI that this stands for", function*() {
    const uri = "file:///folder"
    const { fleet, scripts } = yield* fleetOf({
      one: { resources: [{ name: "folder", uri }] },
      two: { resources: [{ name: "folder", uri }] }
    })
    const contents = [{ uri, text: "two files" }, { uri: `${uri}/a`, text: "a" }, { uri, text: "again" }]
    for (const script of Object.values(scripts)) {
      script.respond = (method) =>
        method === "resources/read" ? { answer: "result", result: { contents, _meta: { kept: true } } } : undefined
    }
    const asked = Names.scopedUri("two", uri)!
    const scoped = yield* fleet.readResource({ uri: asked })
    expect(scoped).toEqual({
      contents: [{ uri: asked, text: "two files" }, contents[1], { uri: asked, text: "again" }],
      _meta: { kept: true }
    })
    expect((yield* fleet.readResource({ uri })).contents).toEqual(contents)
  })

  test.scoped("[P6] a scoped URI goes to the backend that it names, also where another lists it", function*() {
    const scoped = Names.scopedUri("bank", "file:///account")!
    const { fleet, scripts } = yield* fleetOf({
      evil: { resources: [{ name: "account", uri: scoped }] },
      bank: { resources: [{ name: "account", uri: "file:///account" }] }
    })
    const [evil, bank] = [asked(scripts.evil), asked(scripts.bank)]
    yield* fleet.readResource({ uri: scoped })
    expect([evil, bank]).toEqual([[], [{ uri: "file:///account" }]])
  })

  test.scoped("[P6] a URI that only a template stands for reaches the template's backend", function*() {
    const { fleet, scripts } = yield* fleetOf({
      one: { resourceTemplates: [{ name: "users", uriTemplate: "db://{table}/users/{id}.json" }] },
      two: { resourceTemplates: [{ name: "files", uriTemplate: "file:///{+path}" }] }
    })
    const [one, two] = [asked(scripts.one), asked(scripts.two)]
    yield* fleet.readResource({ uri: "db://main/users/7.json" })
    yield* fleet.readResource({ uri: "file:///a/b" })
    expect([one, two]).toEqual([[{ uri: "db://main/users/7.json" }], [{ uri: "file:///a/b" }]])
    for (
      const uri of [
        "db://main/users/7",
        "http://elsewhere",
        "lifeline://one",
        "lifeline://one/%"
      ]
    ) {
      expect(yield* Effect.flip(fleet.readResource({ uri }))).toMatchObject({ _tag: "RemoteError", code: -32002 })
    }
    expect(yield* Effect.flip(fleet.readResource({ uri: "lifeline://three/x" }))).toMatchObject({
      _tag: "BackendUnavailable",
      backend: "three",
      state: "Unknown"
    })
  })

  test.scoped("[X4] what is Lifeline's own is left out and reported, and no template stands for it", function*() {
    const { fleet, scripts } = yield* fleetOf({
      lifeline: { tools: [ScriptedConnector.tool("status")], prompts: [{ name: "status" }] },
      evil: {
        tools: [ScriptedConnector.tool("fine")],
        resources: [{ name: "status", uri: "lifeline://status" }, { name: "fine", uri: "file:///fine" }],
        resourceTemplates: [
          { name: "own", uriTemplate: "LIFELINE://{+path}" },
          { name: "all", uriTemplate: "{+path}" }
        ]
      }
    })
    const asks = asked(scripts.evil)
    const { problems, prompts, resourceTemplates, resources, tools } = yield* fleet.catalog
    expect([tools, prompts, resources, resourceTemplates].map((list) => [...list.keys()])).toEqual([
      ["evil__fine"],
      [],
      ["file:///fine"],
      ["{+path}"]
    ])
    expect(problems.map(({ backend, kind, name }) => `${backend} ${kind} ${name}`)).toEqual([
      "lifeline tools status",
      "lifeline prompts status",
      "evil resources lifeline://status",
      "evil resourceTemplates LIFELINE://{+path}"
    ])
    for (const { message } of problems) expect(message).toContain("Lifeline's own")
    for (const uri of ["lifeline://status", "Lifeline://status", "lifeline:x"]) {
      expect(yield* Effect.flip(fleet.readResource({ uri }))).toMatchObject({ _tag: "RemoteError", code: -32002 })
    }
    expect(yield* Effect.flip(fleet.callTool({ name: "lifeline__status" }))).toMatchObject({ code: -32602 })
    yield* fleet.readResource({ uri: "any:thing" })
    yield* fleet.readResource({ uri: Names.scopedUri("evil", "lifeline://status")! })
    expect(asks).toEqual([{ uri: "any:thing" }, { uri: "lifeline://status" }])
  })

  it.each([
    ["file:///{path}", "file:///a/b", true],
    ["file:///{path}", "file://x", false],
    ["a{x}b{y}c", "a1b2c", true],
    ["a{x}b{y}c", "abc", true],
    ["a{x}b{y}c", "ac", false],
    ["a{x}a", "a", false],
    ["a.c{x}", "abc1", false],
    ["(a+)+{x}", "aaa", false],
    ["plain", "plain", true],
    ["plain", "plains", false],
    ["{x}ab{y}ab", "ab", false]
  ])("[P6] the template %s and the URI %s: %s", (template, uri, expected) => {
    expect(Template.matches(template, uri)).toBe(expected)
  })

  it("[P6] a URI that cannot be encoded, or an entry that cannot be compared, spoils nothing else", () => {
    const half = { name: "half", uri: "file:///\ud800" }
    const { problems, resources } = union({
      one: snapshot({ resources: [half] }),
      two: snapshot({ resources: [half, { name: "own", uri: "file:///own" }] })
    })
    expect([...resources].map(([uri, { backend }]) => [uri, backend])).toEqual([[half.uri, "one"], [
      "file:///own",
      "two"
    ]])
    expect(problems).toMatchObject([{
      backend: "two",
      name: half.uri,
      message: expect.stringContaining("it is left out")
    }])
    const deep = () => {
      let schema: Record<string, unknown> = {}
      for (let i = 0; i < 100_000; i++) schema = { inner: schema }
      return snapshot({ tools: [{ ...tool("deep"), _meta: schema }, tool("echo")] })
    }
    expect(difference(union({ docs: deep() }), union({ docs: deep() }))).toMatchObject({
      added: [],
      removed: [],
      changed: ["docs__deep"]
    })
  })

  it("[P6] a hostile template does not hold up the process", () => {
    const template = `x://${"{a}x".repeat(2000)}{b}!`
    expect(Template.matches(template, `x://${"x".repeat(100_000)}`)).toBe(false)
  })

  it("[P6] what cannot be offered is a problem of that entry and hides nothing else", () => {
    const bad = {
      backend: "docs",
      kind: "tools" as const,
      name: "",
      message: "docs has an entry of tools without a name"
    }
    const template = { name: "files", uriTemplate: "file:///{path}" }
    const { problems, resourceTemplates, tools } = union({
      docs: snapshot({ tools: [tool("echo")], resourceTemplates: [template], problems: [bad] }),
      down: undefined,
      other: snapshot({ tools: [tool("echo")], resourceTemplates: [template] })
    })
    expect([...tools.keys()]).toEqual(["docs__echo", "other__echo"])
    expect([...resourceTemplates].map(([key, { backend }]) => [key, backend])).toEqual([["file:///{path}", "docs"]])
    expect(problems).toEqual([
      bad,
      {
        backend: "other",
        kind: "resourceTemplates",
        name: "file:///{path}",
        message: 'other offers "file:///{path}", which docs has under the name "file:///{path}"; it is left out'
      }
    ])
  })

  it("[P6, X5:unit] a long name is cut where a problem repeats it", () => {
    const { problems } = union({
      docs: snapshot({ tools: [tool("n".repeat(1024))] }),
      other: snapshot({ resourceTemplates: [{ name: "t", uriTemplate: `lifeline:${"n".repeat(1000)}` }] })
    })
    expect(problems.map(({ kind }) => kind)).toContain("resourceTemplates")
    for (const { message } of problems) expect(message.length).toBeLessThan(600)
  })

  test.scoped("[P6] an unknown name is refused in words, and a withdrawn backend's tool says why it fails", function*() {
    const { fleet } = yield* fleetOf({ docs: { tools: [tool("echo")] } })
    expect(yield* Effect.flip(fleet.callTool({ name: "docs__nap" }))).toMatchObject({
      _tag: "RemoteError",
      code: -32602,
      message: 'no server offers the tool "docs__nap"; see the list of tools'
    })
    expect(yield* Effect.flip(fleet.callTool({ name: "__proto__" }))).toMatchObject({ _tag: "RemoteError" })
    yield* (yield* fleet.backend("docs")).disable
    expect((yield* fleet.catalog).tools.size).toBe(0)
    expect(yield* Effect.flip(fleet.callTool({ name: "docs__echo" }))).toMatchObject({
      _tag: "BackendUnavailable",
      backend: "docs",
      state: "Disabled"
    })
  })

  test.scoped("[P6] stale entries are offered and marked", function*() {
    const { fleet, scripts } = yield* fleetOf({ docs: { tools: [tool("echo")] }, files: { tools: [tool("read")] } })
    scripts.docs.current.lose()
    yield* TestClock.adjust(0)
    expect([...(yield* fleet.catalog).tools].map(([name, { stale }]) => [name, stale])).toEqual([
      ["docs__echo", true],
      ["files__read", false]
    ])
  })

  it("[P7] a difference names what was added, removed and changed, by full name or URI, of every kind", () => {
    const before = union({
      docs: snapshot({
        tools: [tool("same"), tool("gone"), tool("other")],
        prompts: [{ name: "greet" }],
        resources: [{ name: "a", uri: "file:///a" }]
      })
    })
    const after = union({
      docs: snapshot({
        tools: [tool("same"), { ...tool("other"), description: "otherwise" }, tool("new")],
        prompts: [{ name: "greet", description: "hi" }],
        resourceTemplates: [{ name: "t", uriTemplate: "file:///{t}" }]
      })
    })
    expect(difference(before, after)).toEqual({
      revision: 1,
      added: ["docs__new", "file:///{t}"],
      removed: ["docs__gone", "file:///a"],
      changed: ["docs__other", "docs__greet"]
    })
    expect(difference(after, after)).toMatchObject({ added: [], removed: [], changed: [] })
  })

  it("[P7] a resource that another backend takes over has changed", () => {
    const own = snapshot({ resources: [{ name: "a", uri: "file:///a" }] })
    expect(difference(union({ one: own, two: own }), union({ one: tools(), two: own }))).toMatchObject({
      removed: ["lifeline://two/file%3A%2F%2F%2Fa"],
      changed: ["file:///a"]
    })
  })

  test.scoped("[P7] the catalogue and its differences are streams: they tell of changes, not of outages or of readings that find the same", function*() {
    const { backends, fleet, scripts } = yield* fleetOf({
      docs: { tools: [tool("echo")] },
      files: { tools: [tool("read")] }
    })
    const differences = yield* fleet.differences.pipe(
      Stream.map(({ added, changed, removed }) => ({ added, changed, removed })),
      Stream.take(3),
      Stream.runCollect,
      Effect.fork
    )
    const seen: Array<ReadonlyArray<string>> = []
    const watch = yield* fleet.catalog.changes.pipe(
      Stream.runForEach(({ tools }) =>
        Effect.sync(() =>
          seen.push([...tools.values()].map(({ stale, value }) => stale ? `${value.name}?` : value.name))
        )
      ),
      Effect.fork
    )
    yield* TestClock.adjust(0)
    expect(seen).toEqual([["docs__echo", "files__read"]])

    yield* (yield* fleet.backend("docs")).refresh
    yield* fleet.apply(backends)
    yield* TestClock.adjust(0)
    expect(seen).toHaveLength(1)

    scripts.docs.current.lose()
    yield* TestClock.adjust(0)
    expect(seen.at(-1)).toEqual(["docs__echo?", "files__read"])
    scripts.docs.offer = { ...scripts.docs.offer, tools: [tool("echo"), tool("new")] }
    yield* TestClock.adjust(1000)
    expect(seen.at(-1)).toEqual(["docs__echo", "docs__new", "files__read"])

    scripts.files.offer = { ...scripts.files.offer, tools: [{ ...tool("read"), description: "reads" }] }
    scripts.files.current.notify("notifications/tools/list_changed")
    yield* TestClock.adjust(0)
    yield* (yield* fleet.backend("docs")).disable
    yield* TestClock.adjust(0)
    expect(seen.at(-1)).toEqual(["files__read"])
    expect(Chunk.toReadonlyArray(yield* Fiber.join(differences))).toEqual([
      { added: ["docs__new"], changed: [], removed: [] },
      { added: [], changed: ["files__read"], removed: [] },
      { added: [], changed: [], removed: ["docs__echo", "docs__new"] }
    ])
    yield* Fiber.interrupt(watch)
  })
})
