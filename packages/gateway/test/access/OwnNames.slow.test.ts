import { describe, expect, it } from "@effect/vitest"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Logger } from "effect"
import type { ServerPool } from "mcp-lifeline"
import { api, talking, team } from "../support/Team.js"

const silent = Logger.remove(Logger.defaultLogger)

const texts = (id: string, params: any) => `${id} got ${params.name ?? params.uri ?? params.ref.name ?? params.ref.uri}`

const server = (id: string, prefix: string | undefined, outcome: object = {}): ServerPool.Server => {
  const connector = ScriptedConnector.make()
  connector.otherwise = outcome
  connector.offer = {
    tools: [ScriptedConnector.tool("same"), ScriptedConnector.tool("other")],
    prompts: [{ name: "same" }],
    resources: [{ name: "a", uri: "x://listed" }],
    resourceTemplates: [
      { name: "t", uriTemplate: "x://of/{id}" },
      // Only the hidden one takes whatever nobody lists.
      ...(id === "open" ? [] : [{ name: "all", uriTemplate: "{+path}" }])
    ]
  }
  connector.respond = (method, params: any) => {
    const text = method.endsWith("/list") ? "" : texts(id, params)
    const results: Readonly<Record<string, object>> = {
      "tools/call": { content: [{ type: "text", text }] },
      "prompts/get": { messages: [{ role: "user", content: { type: "text", text } }] },
      "resources/read": { contents: [{ uri: params?.uri, text }] },
      "completion/complete": { completion: { values: [text] } }
    }
    return results[method] && { answer: "result", result: results[method] }
  }
  return {
    id,
    connector,
    ...(prefix === undefined ? {} : { prefix }),
    timeouts: { connect: "2 minutes", wait: "2 minutes" }
  }
}

const names = ["same", "other", "none", "open__same", "open__none", "closed__same", "nosuch__same", "open-same"]
const uris = [
  "x://listed",
  "x://of/1",
  "x://nobody",
  "lifeline://open/x%3A%2F%2Flisted",
  "lifeline://closed/x%3A%2F%2Flisted",
  "lifeline://nosuch/x%3A%2F%2Flisted"
]

const read = Effect.fnUntraced(
  function*({ base, url }: { readonly base: string; readonly url: string }, isStateless: boolean) {
    const talk = yield* talking(url, "ci-token", { isStateless })
    const found: Array<unknown> = []
    const ask = (method: string, params: object) =>
      Effect.promise(async () => {
        const { answer } = await talk.ask(method, params)
        found.push([method, params, answer?.result ?? answer?.error])
      })
    for (const list of ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]) {
      yield* ask(list, {})
    }
    for (const name of names) {
      yield* ask("tools/call", { name, arguments: {} })
      yield* ask("prompts/get", { name })
      yield* ask("completion/complete", { ref: { type: "ref/prompt", name }, argument: { name: "a", value: "" } })
      const { body, status } = yield* api(base, "ci-token", "/api/call", "POST", { name })
      found.push(["/api/call", name, status, body])
    }
    for (const uri of uris) {
      yield* ask("resources/read", { uri })
      yield* ask("completion/complete", { ref: { type: "ref/resource", uri }, argument: { name: "a", value: "" } })
      if (!isStateless) yield* ask("resources/subscribe", { uri })
    }
    found.push((yield* api(base, "ci-token", "/api/tools")).body)
    const { servers } = (yield* api(base, "ci-token", "/api/status")).body
    found.push(servers.map(({ counts, name }: any) => [name, counts]))
    return found
  }
)

describe.each([["with sessions", false], ["without", true]] as const)("in the era %s", (_, isStateless) => {
  for (const prefix of [undefined, ""]) {
    const cases = [
      ["connected", "connected"],
      ["never connected", "connected"],
      ["withdrawn", "connected"],
      ["connected", "withdrawn"]
    ] as const
    for (const [hidden, own] of cases) {
      it.scopedLive(
        `[G22 G20] what a client reads and reaches under each name is as if there were no server that it may not use: prefix ${
          JSON.stringify(prefix)
        }, the other server is ${hidden}, its own ${own}`,
        () =>
          Effect.gen(function*() {
            const closed = server("closed", prefix, hidden === "never connected" ? { connect: "hang" } : {})
            const both = yield* team(
              [closed, server("open", prefix)],
              { ci: { servers: ["open"] }, all: {} },
              { introductionWait: 0 },
              { waitTimeout: "2 seconds" }
            )
            const settle = Effect.fnUntraced(function*(at: typeof both) {
              const open = yield* Effect.orDie(at.servers.shared.fleet.backend("open"))
              yield* open.firstOutcome
              if (own === "withdrawn") yield* Effect.orDie(open.disable)
            })
            yield* settle(both)
            if (hidden !== "never connected") {
              const other = yield* Effect.orDie(both.servers.shared.fleet.backend("closed"))
              yield* other.firstOutcome
              if (hidden === "withdrawn") yield* Effect.orDie(other.disable)
            }
            const alone = yield* team([server("open", prefix)], { ci: { servers: ["open"] } })
            yield* settle(alone)
            expect(yield* read(both, isStateless)).toEqual(yield* read(alone, isStateless))
          }).pipe(Effect.provide(silent)),
        300_000
      )
    }
  }

  it.scopedLive("[G22 G20] a tool that is hidden from a client takes no name from one that is not", () =>
    Effect.gen(function*() {
      const rules = { ci: { tools: { hide: ["closed__*"] } } }
      const both = yield* team([server("closed", ""), server("open", "")], rules)
      const without = ScriptedConnector.make()
      without.offer = { ...without.offer, tools: [] }
      const other = yield* team([{ id: "closed", prefix: "", connector: without }, server("open", "")], rules)
      const tools = Effect.fnUntraced(function*(at: typeof both) {
        const talk = yield* talking(at.url, "ci-token", { isStateless })
        return yield* Effect.promise(async () => [
          await talk.result("tools/list"),
          ...await Promise.all(names.map(async (name) => {
            const { answer } = await talk.ask("tools/call", { name, arguments: {} })
            return [name, answer?.result ?? answer?.error]
          }))
        ])
      })
      expect(yield* tools(both)).toEqual(yield* tools(other))
    }).pipe(Effect.provide(silent)))
})
