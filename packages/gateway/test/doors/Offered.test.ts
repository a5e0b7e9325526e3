import { Filters, ServerOptions } from "@mcp-lifeline/extensions"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { ResultSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Either, type Scope } from "effect"
import { Backends, Endpoint, McpJson, ServerPool } from "mcp-lifeline"
import { connect, connectAll, supervisedTransport } from "../../../promise/src/index.js"
import { CachedAnswers } from "../../src/wrap/CachedAnswers.js"
import * as Supervision from "../../src/wrap/Supervision.js"
import { wrapOf } from "../support/arguments.js"
import * as FullServer from "../support/FullServer.js"
import { ask as askApi } from "../support/Gateway.js"
import * as Served from "../support/Served.js"
import { opened } from "../support/TestClient.js"
import { describe, expect, it, test } from "../support/vitest.js"
import * as Wrapped from "../support/Wrapped.js"

type Params = Readonly<Record<string, any>>

type Ask = (method: string, params?: Params) => Promise<any>

type Open = (url: string) => Effect.Effect<Ask, never, Scope.Scope>

/** What is hidden: by a list of a host, and by the options of Lifeline. */
const entryOf = (url: string) => ({
  url,
  excludeTools: ["delete_all"],
  lifeline: { tools: { hide: ["*_one"] }, prompts: { only: ["ask"] }, resources: { hide: ["secret://{id}"] } }
})

const asking = (client: Pick<Client, "request">): Ask => (method, params = {}) =>
  client.request({ method, params } as never, ResultSchema, { timeout: 120_000 })

const prefixed = (ask: Ask): Ask => async (method, params = {}) => {
  const { name, ref } = params
  const result = await ask(method, {
    ...params,
    ...(name === undefined ? {} : { name: `s__${name}` }),
    ...(ref?.name === undefined ? {} : { ref: { ...ref, name: `s__${ref.name}` } })
  })
  const plain = (entries: ReadonlyArray<{ readonly name: string }> | undefined) =>
    entries?.map((entry) => ({ ...entry, name: entry.name.replace(/^s__/, "") }))
  return { ...result, tools: plain(result.tools), prompts: plain(result.prompts) }
}

const facade: Open = (url) =>
  Effect.map(
    opened(() => connect(entryOf(url) as never), (client) => client.close()),
    (client) => asking(client as never)
  )

const transport: Open = (url) =>
  Effect.map(
    opened(async () => {
      const client = new Client({ name: "test", version: "1" })
      await client.connect(supervisedTransport(entryOf(url) as never) as never)
      return client
    }, (client) => client.close()),
    asking
  )

const fleet: Open = (url) =>
  Effect.map(
    opened(() => connectAll({ mcpServers: { s: entryOf(url) as never } }), (fleet) => fleet.close()),
    (fleet) =>
      prefixed(async (method, params = {}) => {
        const direct: Readonly<Record<string, () => Promise<unknown>>> = {
          "tools/list": () => fleet.listTools(),
          "prompts/list": () => fleet.listPrompts(),
          "resources/list": () => fleet.listResources(),
          "resources/templates/list": () => fleet.listResourceTemplates(),
          "tools/call": () => fleet.callTool(params as never),
          "prompts/get": () => fleet.getPrompt(params as never),
          "resources/read": () => fleet.readResource(params as never)
        }
        if (direct[method] !== undefined) return direct[method]()
        // For all else a program has the client of the server, which knows its own names.
        const { name, ref } = params
        const plain = (text: string) => text.replace(/^s__/, "")
        return asking(fleet.client("s"))(method, {
          ...params,
          ...(name === undefined ? {} : { name: plain(name) }),
          ...(ref?.name === undefined ? {} : { ref: { ...ref, name: plain(ref.name) } })
        })
      })
  )

const client: Open = (url) =>
  Effect.map(
    opened(() => connectAll({ mcpServers: { s: entryOf(url) as never } }), (fleet) => fleet.close()),
    (fleet) => asking(fleet.client("s"))
  )

const wrapped: Open = Effect.fnUntraced(function*(url) {
  const { hide, only, options } = wrapOf(
    ...["--hide", "delete_*", "--only", "*", "--option", 'prompts.only=["ask"]'],
    ...["--option", 'resources.hide=["secret://{id}"]', url]
  )
  const connector = HttpConnector.make({ url })
  const policy = Supervision.filtered(yield* Effect.orDie(Supervision.read(options, connector)), hide, only)
  const host = yield* Wrapped.make(() => undefined, { connector, policy: ServerOptions.forBackend(policy) })
  yield* Effect.promise(() => host.initialize())
  let last = 0
  return async (method, params) => {
    const { error, result } = await host.request(`request ${++last}`, method, params)
    if (error !== undefined) throw Object.assign(new Error(error.message), error)
    return result
  }
})

const gateway = (url: string) =>
  Effect.gen(function*() {
    const source = JSON.stringify({ mcpServers: { s: entryOf(url) } })
    const { entries, notices, problems } = Either.getOrThrow(McpJson.parse("mcp.json", source, {}))
    expect([problems, notices]).toEqual([[], []])
    const servers = yield* ServerPool.make(Backends.fromEntries(entries, "/").backends)
    const bound = yield* Served.bind()
    return yield* Endpoint.serve({ ...bound, servers, introductionWait: 0, hasStatus: () => false })
  }).pipe(Effect.orDie)

const served: Open = Effect.fnUntraced(function*(url) {
  const endpoint = yield* gateway(url)
  const { client } = yield* Served.connected(endpoint.url)
  return prefixed(asking(client))
})

/** `serve` in front of a gateway that hides nothing of it: the inner one hides. */
const chain: Open = Effect.fnUntraced(function*(url) {
  const inner = yield* gateway(url)
  const client = yield* opened(() => connect({ url: inner.url }), (client) => client.close())
  return prefixed(asking(client as never))
})

const doors: ReadonlyArray<readonly [string, "2025" | "2026", Open]> = [
  ["connect", "2025", facade],
  ["connect", "2026", facade],
  ["supervisedTransport", "2025", transport],
  ["connectAll", "2025", fleet],
  ["connectAll", "2026", fleet],
  ["a client of connectAll", "2025", client],
  ["wrap", "2025", wrapped],
  ["wrap", "2026", wrapped],
  ["serve", "2025", served],
  ["serve", "2026", served],
  ["a client of serve", "2025", chain]
]

const keysOf = (result: any): ReadonlyArray<string> =>
  (result.tools ?? result.prompts ?? result.resources ?? result.resourceTemplates).map((one: any) =>
    one.uriTemplate ?? one.uri ?? one.name
  )

const listOf = async (ask: Ask, method: string): Promise<ReadonlyArray<string>> => {
  const first = await ask(method)
  const keys = [...keysOf(first)]
  for (let { nextCursor } = first; nextCursor !== undefined;) {
    const next = await ask(method, { cursor: nextCursor })
    keys.push(...keysOf(next))
    expect(keys.length).toBeLessThan(20)
    ;({ nextCursor } = next)
  }
  return keys
}

const argument = { name: "a", value: "b" }

const hidden: ReadonlyArray<readonly [string, Params, number]> = [
  ["tools/call", { name: "delete_all", arguments: {} }, -32602],
  ["tools/call", { name: "delete_one", arguments: {} }, -32602],
  ["prompts/get", { name: "other" }, -32602],
  ["resources/read", { uri: "secret://1" }, -32002],
  ["resources/read", { uri: "secret://2" }, -32002],
  ["completion/complete", { ref: { type: "ref/prompt", name: "other" }, argument }, -32602],
  ["completion/complete", { ref: { type: "ref/resource", uri: "secret://{id}" }, argument }, -32602]
]

const offered: ReadonlyArray<readonly [string, Params]> = [
  ["tools/call", { name: "read", arguments: {} }],
  ["prompts/get", { name: "ask" }],
  ["resources/read", { uri: "open://2" }],
  ["completion/complete", { ref: { type: "ref/prompt", name: "ask" }, argument }],
  ["completion/complete", { ref: { type: "ref/resource", uri: "open://{id}" }, argument }]
]

describe.each(doors)("what is hidden, through %s", (_, era, open) => {
  test.scopedLive(`[G19:real] is in no list, and no request for it reaches the server: ${era}`, function*() {
    const { arrived, url } = yield* FullServer.serve(era)
    const ask = yield* open(url)
    yield* Effect.promise(async () => {
      expect(await listOf(ask, "tools/list")).toEqual(["read", "write"])
      expect(await listOf(ask, "prompts/list")).toEqual(["ask"])
      expect(await listOf(ask, "resources/list")).toEqual(["open://1"])
      expect(await listOf(ask, "resources/templates/list")).toEqual(["open://{id}"])
      const subscribing = era === "2025" ? [["resources/subscribe", { uri: "secret://1" }, -32002] as const] : []
      for (const [method, params, code] of [...hidden, ...subscribing]) {
        const error: any = await ask(method, params).then(
          (result) => ({ message: JSON.stringify(result) }),
          (error) => error
        )
        // A server answers a completion with the one or the other; and a newer one says -32602 of a resource.
        const codes = code === -32002 || method === "completion/complete" ? [-32602, -32002] : [code]
        expect(codes, `${method} ${JSON.stringify(params)}: ${error.message}`).toContain(error.code)
        expect(error.message).toMatch(/unknown|not found|no server offers|does not announce changes/i)
        expect(error.message).not.toMatch(/hid|withh|only/i)
      }
      for (const [method, params] of offered) await ask(method, params)
    })
    const sent = arrived.filter(({ params }) => /delete_|other|secret/.test(JSON.stringify(params ?? {})))
    expect(sent).toEqual([])
    expect(arrived.map(({ method }) => method)).toContain("completion/complete")
  })
})

const paged = (names: ReadonlyArray<string>, nextCursor: string) => ({
  tools: names.map((name) => ({ name, inputSchema: { type: "object" } })),
  nextCursor
})

const endless: Readonly<Record<string, (cursor: unknown) => object>> = {
  "one page with its own cursor": () => paged(["read", "write"], "1"),
  "pages in a circle": (cursor) => cursor === "1" ? paged(["write"], "2") : paged(["read"], "1"),
  "a circle after the first page": (cursor) =>
    cursor === undefined ? paged(["read"], "1") : cursor === "1" ? paged(["write"], "2") : paged(["write"], "1")
}

describe.each(doors)("a list whose cursors lead back, through %s", (_, era, open) => {
  test.scopedLive.each(Object.entries(endless))(
    `[P5:real] ends, and names each tool once: ${era}, %s`,
    function*([, list]) {
      const { url } = yield* FullServer.serve(era, { "tools/list": list })
      const ask = yield* open(url)
      // Each reading begins anew.
      for (let times = 0; times < 2; times++) {
        expect(yield* Effect.promise(() => listOf(ask, "tools/list"))).toEqual(["read", "write"])
      }
    }
  )
})

it("[G19:unit] wrap answers from earlier lists with what it offers now", () => {
  const tools = ["read", "delete_all"].map((name) => ({ name, inputSchema: {} }))
  const cached = {
    introduction: {},
    lists: { "tools/list": { tools }, "prompts/list": { prompts: [{ name: "ask" }] } }
  }
  const answers = new CachedAnswers(
    cached as never,
    () => undefined,
    Filters.ofResults({ tools: { hide: ["delete_*"] } })
  )
  expect(answers.get("tools/list")).toEqual({ tools: [tools[0]] })
  expect(answers.get("prompts/list")).toEqual({ prompts: [{ name: "ask" }] })
})

describe("the API of serve", () => {
  test.scopedLive("[G19:real] lists and calls only what is offered, and says how much is hidden", function*() {
    const { arrived, url } = yield* FullServer.serve("2025")
    const endpoint = yield* gateway(url)
    const base = new URL(endpoint.url).origin
    const called = yield* askApi(`${base}/api/call`, "POST", { name: "s__delete_all" })
    expect(called.status).toBe(404)
    const { body } = yield* askApi(`${base}/api/tools`)
    expect(body.tools.map((tool: any) => tool.original)).toEqual(["read", "write"])
    const status = yield* askApi(`${base}/api/servers/s`)
    expect(status.body.counts).toEqual({ tools: 2, prompts: 1, resources: 1 })
    expect(status.body.hidden).toEqual({ tools: 2, prompts: 1, resources: 2 })
    expect((yield* askApi(`${base}/api/call`, "POST", { name: "s__read" })).status).toBe(200)
    expect(arrived.flatMap(({ method, params }) => method === "tools/call" ? [params?.["name"]] : [])).toEqual(["read"])
  })
})
