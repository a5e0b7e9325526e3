import type { Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { ServerPool } from "mcp-lifeline"
import * as Access from "../../src/access/Access.js"
import { NameResolver } from "../../src/clients/NameResolver.js"
import { member } from "../support/member.js"
import { gateway } from "../support/Talk.js"
import { describe, expect, test } from "../support/vitest.js"

const keepalive = { method: "none" } as const

type Offer = Partial<ScriptedConnector.ScriptedConnector["offer"]>

const offering = (offer: Offer) => {
  const connector = ScriptedConnector.make()
  connector.offer = { ...connector.offer, ...offer }
  return connector
}

const make = Effect.fnUntraced(function*(ofShared: Offer, ofOwn: Offer) {
  const pool = yield* ServerPool.make([
    { id: "s", connector: offering(ofShared), keepalive },
    { id: "o", connector: offering(ofOwn), keepalive, sessions: "per-client" }
  ])
  const servers = pool.join(member())
  const names = new NameResolver(servers, () => Access.everything)
  const found = (kind: Fleet.Routed, name: string) => names.find(kind, name)?.route.backend.id
  return { found, names, servers }
})

describe("the server of a name", () => {
  test.scopedLive("[G15] [G3] is the shared one where both list it, and one that lists it comes before one with a template", function*() {
    const template = { name: "all", uriTemplate: "test://{+path}" }
    const both = { name: "both", uri: "test://both" }
    const ofOwn = { resources: [both, { name: "own", uri: "test://own" }] }
    const { found, servers } = yield* make({ resources: [both], resourceTemplates: [template] }, ofOwn)
    expect(found("tools", "o__echo")).toBeUndefined()
    yield* servers.need() ?? Effect.void
    const owners = ["s", "o", "s"]
    expect(["test://both", "test://own", "test://other"].map((uri) => found("resources", uri))).toEqual(owners)
    expect(["o__echo", "s__echo", "x__echo"].map((name) => found("tools", name))).toEqual(["o", "s", undefined])
    yield* servers.close
    expect(["o__echo", "s__echo"].map((name) => found("tools", name))).toEqual([undefined, "s"])
  })

  test.scopedLive("[G15] [G12] starts the client's own servers where it may be theirs, and else names all that there are", function*() {
    const { names, servers } = yield* make({}, {})
    expect(servers.own).toBeUndefined()
    const { route: { backend, original } } = yield* names.resolve("tools", "o__echo")
    expect([backend.id, original]).toEqual(["o", "echo"])
    const error = yield* Effect.flip(names.resolve("resources", "test://nowhere"))
    expect(error).toMatchObject({ _tag: "RemoteError", code: -32_002, data: { name: "test://nowhere" } })
  })
})

test.scopedLive("[P6 G3] what a server hands out can be read from it, also where another server has the same address", function*() {
  const [listed, unlisted] = ["file:///listed", "file:///unlisted"]
  const server = (id: string, more: object = {}) => {
    const lists = { tools: [ScriptedConnector.tool("show")], resources: [{ uri: listed, name: "listed" }] }
    const connector = offering({ ...lists, prompts: [], resourceTemplates: [] })
    const content = [listed, unlisted].map((uri) => ({ type: "resource_link", uri, name: uri }))
    connector.respond = (method, params) =>
      method === "tools/call" ? { answer: "result", result: { content } } : method === "resources/read"
        ? { answer: "result", result: { contents: [{ ...(params as object), text: id }] } }
        : undefined
    return { id, connector, ...more }
  }
  const { client } = yield* gateway([server("a"), server("b"), server("c", { sessions: "per-client" })])
  const one = yield* client()
  for (const id of ["a", "b", "c"]) {
    const { content } = yield* Effect.promise(() => one.result("tools/call", { name: `${id}__show` }))
    for (const { uri } of content as ReadonlyArray<{ readonly uri: string }>) {
      const { contents } = yield* Effect.promise(() => one.result("resources/read", { uri }))
      expect(contents).toEqual([{ uri, text: id }])
    }
  }
})
