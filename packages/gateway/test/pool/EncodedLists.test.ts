import { Fleet } from "@mcp-lifeline/core"
import { ListChanges } from "@mcp-lifeline/protocol"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, TestClock } from "effect"
import { everything } from "../../src/access/Access.js"
import { EncodedLists, type Kind, result } from "../../src/pool/EncodedLists.js"
import * as ListChange from "../../src/pool/ListChange.js"
import { describe, expect, test } from "../support/vitest.js"

const told = (kinds: ReadonlyArray<Kind> | undefined) =>
  kinds && ListChanges.notificationsOf(kinds).map((method) => method.split("/")[1])

type Offer = ScriptedConnector.ScriptedConnector["offer"]

const tool = (name: string, more: object = {}) => ({ name, inputSchema: { type: "object" as const }, ...more })
const resource = (uri: string) => ({ uri, name: uri })
const template = (uriTemplate: string) => ({ uriTemplate, name: uriTemplate })
const nothing: Offer = { tools: [], prompts: [], resources: [], resourceTemplates: [] }

const fleetOf = Effect.fnUntraced(function*(offers: Readonly<Record<string, Partial<Offer>>>, prefix?: false) {
  const connectors = new Map(Object.keys(offers).map((id) => [id, ScriptedConnector.make()]))
  const offer = (server: string, given: Partial<Offer>) => {
    const connector = connectors.get(server)!
    connector.offer = { ...nothing, ...given }
    return connector
  }
  for (const [id, given] of Object.entries(offers)) offer(id, given)
  const fleet = yield* Fleet.make({
    backends: [...connectors].map(([id, connector]) => ({ id, connector, ...(prefix === false ? { prefix: "" } : {}) }))
  })
  yield* TestClock.adjust("1 second")
  const lists = Effect.map(fleet.catalog, (catalog) => new EncodedLists(catalog))
  const change = Effect.fnUntraced(function*(server: string, given: Partial<Offer>) {
    const connector = offer(server, given)
    for (const kind of ["tools", "prompts", "resources"]) {
      connector.current?.notify(`notifications/${kind}/list_changed`)
    }
    yield* TestClock.adjust("1 minute")
  })
  return { change, lists }
})

const namesIn = (kind: Kind, text: string): ReadonlyArray<string> =>
  (JSON.parse(text) as Record<string, ReadonlyArray<Record<string, string>>>)[kind]!.map((one) =>
    one[kind === "resources" ? "uri" : kind === "resourceTemplates" ? "uriTemplate" : "name"]!
  )

const only = (...names: ReadonlyArray<string>) => ({
  ...everything,
  isWhole: false,
  hasServer: () => true,
  hasTool: (_: string, tool: string) => names.includes(tool)
})

describe("the lists of a fleet as they are sent", () => {
  test.scoped("[G3:unit] have the entries of all servers, then those of the gateway, as one list of the protocol", function*() {
    const { lists } = yield* fleetOf({
      a: { tools: [tool("one"), tool("two")], resources: [resource("test://x")] },
      b: { tools: [tool("one")], resourceTemplates: [template("test://{x}")] }
    })
    const all = yield* lists
    const own = JSON.stringify(tool("lifeline__status"))
    expect(namesIn("tools", all.result("tools", own))).toEqual(["a__one", "a__two", "b__one", "lifeline__status"])
    expect(namesIn("tools", all.result("tools", ""))).toEqual(["a__one", "a__two", "b__one"])
    expect(all.result("prompts", "")).toBe(`{"prompts":[]}`)
    expect(all.result("prompts", `{"name":"p"}`)).toBe(`{"prompts":[{"name":"p"}]}`)
    expect(namesIn("resources", all.result("resources", ""))).toEqual(["test://x"])
    expect(namesIn("resourceTemplates", all.result("resourceTemplates", ""))).toEqual(["test://{x}"])
    expect(all.result("tools", own)).toBe(all.result("tools", own))
  })

  test.scoped("[G22:unit] have what a caller may use, made once for all with the same rules", function*() {
    const { lists } = yield* fleetOf({ a: { tools: [tool("one"), tool("two")] } })
    const all = yield* lists
    const some = only("two")
    expect(namesIn("tools", all.visibleTo(some).result("tools", ""))).toEqual(["a__two"])
    expect(all.visibleTo(some)).toBe(all.visibleTo(some))
    expect(all.visibleTo(everything)).toBe(all)
  })

  test.scoped("[G15 G20:unit] of several fleets: those before keep their names, others get another one, or none if that is taken", function*() {
    const given = {
      tools: [tool("one")],
      prompts: [{ name: "p" }],
      resources: [resource("test://x")],
      resourceTemplates: [template("test://{x}")]
    }
    const [first, second] = [
      yield* fleetOf({ a: given }, false),
      yield* fleetOf({ b: given, c: { tools: [tool("free")] } }, false)
    ]
    const [one, two] = [yield* first.lists, yield* second.lists]
    const names = (kind: Kind, ...all: ReadonlyArray<EncodedLists>) => namesIn(kind, result(kind, all, ""))
    expect(two.displaced("tools", [])).toEqual(new Map())
    expect(names("tools", one, two)[0]).toBe("one")
    const [, displaced, free] = names("tools", one, two)
    expect([displaced === "one", displaced?.includes("one"), free]).toEqual([false, true, "free"])
    expect(two.displaced("tools", [one])).toEqual(new Map([["one", displaced]]))
    expect(names("prompts", one, two)).toEqual(["p", two.displaced("prompts", [one]).get("p")])
    expect(names("resources", one, two)).toEqual(["test://x", Fleet.scopedUri("b", "test://x")])
    // There is no other name for a template.
    expect(names("resourceTemplates", one, two)).toEqual(["test://{x}"])
    // The other name is taken, by one of those before or of its own.
    const third = yield* (yield* fleetOf({ d: { tools: [tool(displaced!)] } }, false)).lists
    expect(names("tools", one, third, two)).toEqual(["one", displaced, "free"])
    const own = yield* (yield* fleetOf({ b: { tools: [tool("one"), tool(displaced!)] } }, false)).lists
    expect(names("tools", one, own)).toEqual(["one", displaced])
  })
})

describe("a change of lists", () => {
  test.scoped("[W3:unit] is of the kinds that differ; a template is among the resources", function*() {
    const given = { tools: [tool("one")], prompts: [{ name: "p" }], resources: [resource("test://x")] }
    const { change, lists } = yield* fleetOf({ a: given })
    const kinds = Effect.fnUntraced(function*(next: Partial<Offer>) {
      const before = yield* lists
      yield* change("a", next)
      const after = yield* lists
      const found = ListChange.between(before, after)
      expect(found?.for(everything) ?? []).toEqual(after.changedSince(before))
      return told(found?.for(everything))
    })
    expect(yield* kinds(given)).toBeUndefined()
    expect(yield* kinds({ ...given, tools: [tool("one", { description: "d" })] })).toEqual(["tools"])
    expect(yield* kinds({ ...given, tools: [tool("one", { description: "e" })] })).toEqual(["tools"])
    expect(yield* kinds({ ...given, prompts: [] })).toEqual(["tools", "prompts"])
    expect(yield* kinds({ ...given, resourceTemplates: [template("test://{x}")] })).toEqual(["prompts", "resources"])
    expect(yield* kinds({ ...given, resources: [] })).toEqual(["resources"])
  })

  test.scoped("[W3 G22:unit] is told to those who see it, and to no other", function*() {
    const { change, lists } = yield* fleetOf({ a: { tools: [tool("one"), tool("two")] } })
    const before = yield* lists
    yield* change("a", { tools: [tool("one"), tool("two", { description: "other" })] })
    const found = ListChange.between(before, yield* lists)
    const [one, two] = [only("one"), only("two")]
    expect([found?.for(one), found?.for(two), found?.for(everything)]).toEqual([[], ["tools"], ["tools"]])
    expect(found?.for(two)).toBe(found?.for(two))
    expect([told(ListChange.ofAll().for(one)), ListChange.ofAll(["prompts"]).for(one)])
      .toEqual([["tools", "prompts", "resources"], ["prompts"]])
  })

  test.scoped("[G3 P6:unit] a tool names a resource of its server by the address that the resource has beside those of other lists", function*() {
    const app = "ui://app/main.html"
    const offer = { resources: [resource(app)], tools: [tool("show", { _meta: { ui: { resourceUri: app } } })] }
    const { lists: shared } = yield* fleetOf({ shared: offer })
    const { lists: own } = yield* fleetOf({ own: offer })
    const all = [yield* shared, yield* own]
    const { tools } = JSON.parse(result("tools", all, "")) as { tools: ReadonlyArray<object> }
    expect(namesIn("resources", result("resources", all, ""))).toEqual([app, Fleet.scopedUri("own", app)])
    expect(tools)
      .toMatchObject([app, Fleet.scopedUri("own", app)].map((resourceUri) => ({ _meta: { ui: { resourceUri } } })))
  })
})
