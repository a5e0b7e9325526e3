import { describe, expect, it } from "@effect/vitest"
import { McpConfig } from "@mcp-lifeline/config"
import { stranger } from "@mcp-lifeline/http-server/Caller"
import * as Access from "../../src/access/Access.js"
import { RulesInUse } from "../../src/access/AccessControl.js"
import { valuesOf } from "../../src/access/claims.js"
import * as NamedCaller from "../../src/access/NamedCaller.js"

const read = (given: { readonly clients?: object; readonly groups?: object }): McpConfig.Access => {
  const { problems, value } = McpConfig.readAccess({ clients: undefined, groups: undefined, ...given }, {
    variables: {}
  })
  if (value === undefined) throw new Error(JSON.stringify(problems))
  return value
}

const rulesOf = (...all: ReadonlyArray<object>) =>
  read({ groups: { c: Object.fromEntries(all.map((one, i) => [String(i), one])) } }).groups!.map(({ rules }) => rules)

const person = (claims: Record<string, unknown>, sub = "a") => ({ subject: `https://issuer ${sub}`, name: sub, claims })

describe("rules", () => {
  it("[G22:unit] allow what one of them allows, server and tool together, but nothing that one hides", () => {
    const { hasServer, hasTool } = Access.of(rulesOf(
      { servers: ["a"], tools: ["a__read*"] },
      { servers: { only: ["b*"], hide: ["bad"] } },
      { servers: [], tools: { hide: ["*__delete_*"] } }
    ))
    expect(["a", "b", "bee", "bad", "c"].map(hasServer)).toEqual([true, true, true, false, false])
    expect([["a", "read_it"], ["a", "write"], ["b", "write"], ["b", "delete_all"], ["bad", "x"], ["c", "read"]].map(
      ([server = "", tool = ""]) => hasTool(server, tool)
    )).toEqual([true, false, true, false, false, false])
    expect(Access.of([]).hasServer("a")).toBe(false)
  })

  const names = ["git", "git__hub", "github", "spreadsheet"]
  const tools: ReadonlyArray<readonly [string, string]> = [
    ["git", "read"],
    ["git", "hub__read"],
    ["git", "admin__delete_all"],
    ["git__hub", "read"],
    ["github", "read"],
    ["spreadsheet", "write"]
  ]
  const matched = (given: object) => {
    const { hasTool } = Access.of(rulesOf({ tools: given }), names)
    return tools.filter(([server, tool]) => hasTool(server, tool)).map((one) => one.join(" "))
  }

  it.each<[string, ReadonlyArray<string>]>([
    // The server is named as a whole, whatever the names of others begin with.
    ["git__*", ["git read", "git hub__read", "git admin__delete_all"]],
    ["git__read", ["git read"]],
    ["git__hub__*", ["git__hub read"]],
    ["git__hub__read", ["git__hub read"]],
    ["github__*", ["github read"]],
    ["git*__read", ["git read", "git__hub read", "github read"]],
    ["*__read", ["git read", "git__hub read", "github read"]],
    ["???__read", ["git read"]],
    // Without __, the first star is about both.
    ["*", tools.map((one) => one.join(" "))],
    ["*read*", ["git read", "git hub__read", "git__hub read", "github read"]],
    ["gith*", ["github read"]],
    ["git", []],
    ["read", []],
    ["git_?read", []]
  ])("[G22 G20] allow with the pattern %j of tools", (pattern, expected) => {
    expect(matched([pattern])).toEqual(expected)
  })

  it.each<[string, ReadonlyArray<string>]>([
    ["git__*", ["git read", "git hub__read", "git admin__delete_all"]],
    ["*__read", ["git read", "git hub__read", "git__hub read", "github read"]],
    // In any way in which it can be read.
    ["git__hub__*", ["git hub__read", "git__hub read"]],
    ["*__delete_*", ["git admin__delete_all"]],
    ["*delete*", ["git admin__delete_all"]],
    ["*", tools.map((one) => one.join(" "))],
    ["git", []]
  ])("[G22 G20] hide with the pattern %j of tools", (pattern, expected) => {
    const seen = matched({ hide: [pattern] })
    expect(tools.map((one) => one.join(" ")).filter((one) => !seen.includes(one))).toEqual(expected)
  })

  it("[G22:unit] say what is seen as a whole, who is an admin, and the highest limit", () => {
    const of = (...all: ReadonlyArray<object>) => {
      const { callsPerMinute, isAdmin, isWhole } = Access.of(rulesOf(...all))
      return [isWhole, isAdmin, callsPerMinute]
    }
    expect(of({})).toEqual([true, false, undefined])
    expect(of({ servers: ["a"] }, { admin: true })).toEqual([true, true, undefined])
    expect(of({ tools: { hide: ["a__x"] } }, {})).toEqual([false, false, undefined])
    expect(of({ servers: ["*"] })).toEqual([false, false, undefined])
    expect(of({ callsPerMinute: 5 }, { callsPerMinute: 9 }, {})).toEqual([true, false, 9])
  })

  it("[G22:unit] are found by the name of a client, or by the values of claims, and are one object for all that have the same", () => {
    const rules = new RulesInUse(read({
      clients: { ci: { token: "t-at-least-sixteen", servers: ["a"] } },
      groups: { groups: { dev: { servers: ["b"] } }, email: { "*@example.com": { servers: ["c"] } } }
    }))
    const seen = (caller: ReturnType<typeof person>) => ["a", "b", "c"].filter(rules.of(caller).hasServer)
    expect(seen(NamedCaller.of("ci") as never)).toEqual(["a"])
    expect(seen(NamedCaller.of("other") as never)).toEqual([])
    expect(seen(person({ groups: ["x", "dev"] }))).toEqual(["b"])
    expect(seen(person({ groups: "dev", email: "a@example.com" }))).toEqual(["b", "c"])
    expect(seen(person({ groups: ["devs"], email: "a@example.com.evil.org" }))).toEqual([])
    // A person whose name looks like that of a client is none.
    expect(seen({ ...person({}), name: "ci" })).toEqual([])
    expect(rules.of(person({ groups: ["dev"] }, "a"))).toBe(rules.of(person({ groups: ["dev"] }, "b")))
    expect(rules.of({ subject: "", claims: {} })).toBe(Access.everything)
    expect(new RulesInUse(read({ clients: { ci: { token: "t-at-least-sixteen" } } })).of(person({})))
      .toMatchObject({ isWhole: true, isAdmin: false })
  })

  it.each([
    ["everything", Access.everything, true, true, true],
    ["what no rule is about", Access.withoutRules, true, false, true],
    ["nothing", Access.nothing, false, false, false]
  ])("[G22:unit] of %s allow each server and tool, or none", (_, access, isWhole, isAdmin, isAllowed) => {
    expect(access).toMatchObject({ isWhole, isAdmin, callsPerMinute: undefined })
    expect([access.hasServer("a"), access.hasTool("a", "x")]).toEqual([isAllowed, isAllowed])
  })

  it("[G22:unit] that nobody has written hold for nobody; whoever has a name of a client is none then", () => {
    const rules = new RulesInUse(undefined)
    expect(rules.of(person({ groups: ["dev"] }))).toBe(Access.withoutRules)
    expect(rules.of(NamedCaller.of("ci"))).toBe(Access.nothing)
    expect(rules.of(stranger)).toBe(Access.nothing)
    expect(rules.of({ subject: "", claims: {} })).toBe(Access.everything)
  })

  it("[G22:unit] replace others at once, and say which clients are no more", () => {
    const rules = new RulesInUse(
      read({ clients: { a: { token: "t-at-least-sixteen" }, b: { token: "u-at-least-sixteen" } } })
    )
    const removed: Array<ReadonlyArray<string | undefined>> = []
    const stop = rules.whenChanged((gone) => removed.push(gone.map(({ name }) => name)))
    const b = NamedCaller.of("b")
    expect(rules.of(b).isWhole).toBe(true)
    rules.set(read({ clients: { b: { token: "u-at-least-sixteen", servers: [] } } }))
    expect(rules.of(b).isWhole).toBe(false)
    stop()
    rules.set(undefined)
    expect(removed).toEqual([["a"]])
    expect(rules.of(b)).toBe(Access.nothing)
  })

  it("[G22:unit] read the values of a claim by its name or its path, and scopes as a list", () => {
    const claims = {
      "https://x.y/groups": ["a", 1, true, null, {}],
      realm: { roles: ["r"] },
      scope: "one two ",
      name: "one two"
    }
    expect(valuesOf(claims, "https://x.y/groups")).toEqual(["a", "1", "true"])
    expect(valuesOf(claims, "realm.roles")).toEqual(["r"])
    expect(valuesOf(claims, "scope")).toEqual(["one", "two"])
    expect(valuesOf(claims, "name")).toEqual(["one two"])
    expect([valuesOf(claims, "realm"), valuesOf(claims, "constructor.name"), valuesOf(claims, "__proto__")])
      .toEqual([[], [], []])
  })
})
