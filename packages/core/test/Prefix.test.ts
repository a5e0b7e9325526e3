import { Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, Option, Stream, TestClock } from "effect"
import * as fc from "fast-check"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { CatalogIndex } from "../src/fleet/CatalogIndex.js"
import * as Claim from "../src/fleet/Claim.js"
import * as Names from "../src/fleet/names.js"
import * as Routing from "../src/Routing.js"
import { snapshot } from "./support/Snapshot.js"
import { runUntilIdle } from "./support/Watched.js"

const { tool } = ScriptedConnector

const keepalive = { method: "none" } as const

const offering = (...names: ReadonlyArray<string>) => {
  const connector = ScriptedConnector.make()
  connector.offer = { tools: names.map((name) => tool(name)), prompts: [], resources: [], resourceTemplates: [] }
  const asked: Array<string> = []
  connector.respond = (method, params) => {
    if (method === "tools/call") asked.push((params as { readonly name: string }).name)
    return undefined
  }
  return { asked, connector, of: { connector, keepalive } }
}

const acceptable = /^[A-Za-z0-9_-]{1,64}$/

describe("the prefix of names", () => {
  it.each([
    [undefined, "docs__"],
    ["{server}__", "docs__"],
    ["{server}-", "docs-"],
    ["my_{server}_", "my_docs_"],
    ["gh_", "gh_"],
    ["", ""]
  ])("[G20:unit] %j makes %j", (pattern, expected) => {
    expect(Names.prefixOf("docs", pattern)).toBe(expected)
    expect(Names.checkPrefix(pattern ?? Names.standardPrefix, ["prefix"])).toEqual([])
  })

  it("[G20:unit] the name of a server is no pattern", () => {
    expect(Names.prefixOf("$&{server}", "{server}__")).toBe("$&{server}__")
  })

  it.each([
    ["x".repeat(41), "has 41 characters; accepted: at most 40, so that names keep most of their 64"],
    [`{server}${"ü".repeat(1000)}`, "has 1008 characters; accepted: at most 40, so that names keep most of their 64"],
    ["lifeline__", 'begins with lifeline__, as only Lifeline\'s own names do; give another text, such as "{server}__"'],
    [
      "lifeline__{server}",
      'begins with lifeline__, as only Lifeline\'s own names do; give another text, such as "{server}__"'
    ]
  ])("[G20:unit] %j is refused with the limit that it breaks", (pattern, message) => {
    expect(Names.checkPrefix(pattern, ["prefix"])).toEqual([{ path: ["prefix"], message }])
    const { maxLength, pattern: source } = Names.checkPrefix.schema as { maxLength: number; pattern: string }
    expect(pattern.length <= maxLength && new RegExp(source, "u").test(pattern)).toBe(false)
  })

  it("[G20:unit] what only begins as the reserved one is accepted", () => {
    for (const pattern of ["lifeline_", "lifeline-{server}", "x".repeat(40), "my_lifeline__"]) {
      expect(Names.checkPrefix(pattern, ["prefix"])).toEqual([])
      expect(pattern).toMatch(new RegExp((Names.checkPrefix.schema as { pattern: string }).pattern, "u"))
    }
  })

  it.each(["{server}.", "{server}/{server}", "{server}{server}", "{name}_", " ", "ü", 5, null])(
    "[G20:unit] %j is none",
    (pattern) => {
      const [problem, ...more] = Names.checkPrefix(pattern, ["prefix"])
      expect(more).toEqual([])
      expect(problem?.message).toContain("a text of letters, digits")
    }
  )

  it("[G20:unit] whatever servers and tools are called, names are accepted by hosts, each is one entry's, the same in any order of connecting and at every start, and its backend may say it", () => {
    const text = fc.oneof(
      fc.constantFrom("a", "search", "a__b", "b__search", "x".repeat(64), "x".repeat(70), `${"x".repeat(70)}y`, "a.b"),
      fc.string({ minLength: 1, maxLength: 80 })
    )
    const backend = fc.record({
      id: text,
      pattern: fc.constantFrom(undefined, "", "{server}_", "gh_", "{server}"),
      tools: fc.uniqueArray(text, { maxLength: 6 })
    })
    fc.assert(fc.property(
      fc.uniqueArray(backend, { maxLength: 5, selector: ({ id }) => id }),
      fc.infiniteStream(fc.nat()),
      (backends, order) => {
        const named = (connecting: typeof backends) => {
          const index = new CatalogIndex()
          const sources = new Map(backends.map(({ id }) => [id, new Claim.Source(id)]))
          for (const { id, pattern } of backends) index.rename(sources.get(id)!, Names.prefixOf(id, pattern))
          index.arrange([...sources.values()])
          for (const { id, tools } of connecting) {
            index.offer(sources.get(id)!, snapshot({ tools: tools.map((name) => tool(name)) }))
            void index.catalog
          }
          return index.catalog
        }
        const catalog = named(backends)
        const shuffled = backends.map((one) => [order.next().value, one] as const).toSorted(([a], [b]) => a - b)
        expect([...named(shuffled.map(([, one]) => one)).tools]).toEqual([...catalog.tools])
        for (const [key, { backend, original }] of catalog.tools) {
          expect(key).toMatch(acceptable)
          const { id, pattern } = backends.find(({ id }) => id === backend)!
          expect(Names.maySay("tools", id, key, Names.prefixOf(id, pattern))).toBe(true)
          const plain = Names.prefixOf(id, pattern) + original
          const isSaid = catalog.problems.some((one) => one.backend === id && one.name === original)
          expect(isSaid).toBe(key !== plain)
        }
        const count = backends.reduce((sum, { tools }) => sum + tools.length, 0)
        const left = catalog.problems.filter(({ message }) => message.includes("left out")).length
        expect(catalog.tools.size + left).toBe(count)
      }
    ))
  })

  it("[G20:unit] each changed name is reported once, and the many of one backend are cut short", () => {
    const index = new CatalogIndex()
    const source = new Claim.Source("docs")
    index.arrange([source])
    const reports: Routing.NameReports = new Map()
    const offer = (...names: ReadonlyArray<string>) => {
      index.offer(source, snapshot({ tools: names.map((name) => tool(name)) }))
      return Routing.reportNames(reports, index.catalog).map(({ message }) => message)
    }
    const long = (i: number) => `${"n".repeat(60)}${i}`
    expect(offer("short")).toEqual([])
    expect(offer("short", long(0))).toEqual([
      `docs offers "${
        long(0)
      }", which with its prefix is longer than the 64 characters that hosts accept; it is offered as "${
        Names.fullName("docs", long(0))
      }"`
    ])
    expect(offer("short", long(0))).toEqual([])
    const many = offer(...Array.from({ length: 50 }, (_, i) => long(i)))
    expect(many).toHaveLength(20)
    expect(many.at(-1)).toBe(
      "docs offers more names that are changed here; the warnings of its status have the next ones"
    )
    expect(offer(...Array.from({ length: 60 }, (_, i) => long(i)))).toEqual([])
  })

  test.scoped("[G20] a fleet's, and a backend's own; calls reach the backend without and with one, and an unknown name says what there is", function*() {
    const [a, b, c] = [offering("search", "x"), offering("search"), offering("search")]
    const fleet = yield* Fleet.make({
      prefix: "",
      backends: { a: a.of, b: b.of, c: { ...c.of, prefix: "{server}-" } }
    })
    yield* fleet.ready
    const { problems, tools } = yield* fleet.catalog
    const other = Names.otherName("b", "search")
    expect([...tools.keys()]).toEqual(["search", "x", other, "c-search"])
    expect(problems.map(({ message }) => message)).toEqual([
      `b offers "search", which a has under the name "search"; it is offered as "${other}"`
    ])
    for (const name of tools.keys()) yield* fleet.callTool({ name })
    expect([a.asked, b.asked, c.asked]).toEqual([["search", "x"], ["search"], ["search"]])
    expect(yield* Effect.flip(fleet.callTool({ name: "b__search" }))).toMatchObject({
      _tag: "RemoteError",
      code: -32602
    })
  })

  test.scoped("[G20] a name without prefix waits for the server that has it, and not for those that are down when another has it", function*() {
    const [down, slow] = [offering("other"), offering("search")]
    down.connector.otherwise = { connect: "fail" }
    slow.connector.script({ after: 60_000 })
    const fleet = yield* Fleet.make({
      prefix: "",
      waitTimeout: 1000,
      backends: {
        down: { ...down.of, timeouts: { wait: "10 minutes" } },
        slow: { ...slow.of, timeouts: { wait: "10 minutes", connect: "10 minutes" } }
      }
    })
    const calling = yield* Effect.fork(fleet.callTool({ name: "search" }))
    yield* TestClock.adjust(59_999)
    expect(yield* Fiber.poll(calling)).toEqual(Option.none())
    yield* TestClock.adjust(1)
    yield* Fiber.join(calling)
    expect([down.asked, slow.asked]).toEqual([[], ["search"]])
  })

  test.scoped("[G20] a name that two have is the first one's, however late it connects; it is the second one's when the first has failed", function*() {
    for (
      const [outcome, expected] of [[{ after: 5000 }, "first"], [{ connect: "fail", after: 5000 }, "second"], [{
        connect: "hang"
      }, "second"]] as const
    ) {
      const [first, second] = [offering("search"), offering("search")]
      first.connector.script(outcome)
      const fleet = yield* Fleet.make({
        prefix: "",
        waitTimeout: 6000,
        backends: { first: first.of, second: second.of }
      })
      yield* runUntilIdle
      const calling = yield* Effect.fork(fleet.callTool({ name: "search" }))
      yield* TestClock.adjust(4999)
      expect([first.asked, second.asked]).toEqual([[], []])
      yield* TestClock.adjust(1001)
      yield* Fiber.join(calling)
      expect({ first: first.asked.length, second: second.asked.length }).toEqual({
        first: 0,
        second: 0,
        [expected]: 1
      })
    }
  })

  test.scoped("[G20] another prefix renames entries and replaces no backend", function*() {
    const docs = offering("search")
    const fleet = yield* Fleet.make({ backends: { docs: docs.of } })
    yield* fleet.ready
    const differences = yield* Effect.fork(Stream.runHead(fleet.differences))
    yield* runUntilIdle
    expect(yield* fleet.apply({ docs: { ...docs.of, prefix: "" } })).toEqual({
      started: [],
      stopped: [],
      replaced: [],
      kept: []
    })
    expect(yield* Fiber.join(differences)).toMatchObject({ value: { added: ["search"], removed: ["docs__search"] } })
    yield* fleet.callTool({ name: "search" })
    expect(yield* Effect.flip(fleet.callTool({ name: "docs__search" }))).toMatchObject({ _tag: "RemoteError" })
    expect(docs.connector.connections).toHaveLength(1)
    expect(yield* Effect.flip(fleet.apply({ docs: { ...docs.of, prefix: "." } }))).toMatchObject({
      _tag: "InvalidOptions",
      backend: "docs"
    })
    expect([...(yield* fleet.catalog).tools.keys()]).toEqual(["search"])
  })
})
