import { describe, expect, it } from "@effect/vitest"
import { type Answer, ClientRequests } from "@mcp-lifeline/protocol"
import type { Step } from "../../src/conversation/Handler.js"
import * as Handler from "../../src/conversation/Handler.js"

const { introducedFirst, lists, ownMethods, ping, pipeline, readable } = Handler

const client = (...steps: ReadonlyArray<Step>) => {
  const requests = new ClientRequests()
  const handle = pipeline(steps, (request) => request.answer({ result: { last: request.method } }))
  return (method: string, params?: object): Answer => {
    const answers: Array<Answer> = []
    const message = { jsonrpc: "2.0" as const, id: 1, method, params: params as never }
    handle(requests.open(message, { say: () => undefined, answer: (_, answer) => answers.push(answer) }))
    expect(answers).toHaveLength(1)
    return answers[0]!
  }
}

const last = (method: string) => ({ result: { last: method } })

const initialize = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } }

describe("the steps of a conversation", () => {
  it("[G1] are taken in their order, and what none of them answers comes to the last handler", () => {
    const passed: Array<string> = []
    const noted = (name: string): Step => (next) => (request) => {
      passed.push(name)
      next(request)
    }
    const ask = client(noted("one"), ping, noted("two"))
    expect([ask("tools/call"), ask("ping")]).toEqual([last("tools/call"), { result: {} }])
    expect(passed).toEqual(["one", "two", "one"])
  })

  it("[G18] params that are nested too deeply are refused", () => {
    const ask = client(readable)
    const deep = JSON.parse(`{"x":${"[".repeat(600)}${"]".repeat(600)}}`) as object
    expect(ask("tools/call", deep)).toMatchObject({ error: { code: -32_602 } })
    expect([ask("tools/call", {}), ask("tools/list")]).toEqual([last("tools/call"), last("tools/list")])
  })

  it("[G1] initialize comes first and once, and once more only where it was refused", () => {
    const said: Array<string> = []
    let isRefused = false
    const ask = client(introducedFirst({
      hasBegun: () => said.length > 0,
      mayBeginAgain: () => isRefused,
      initialize: (request, { clientInfo }) => {
        said.push(clientInfo.name)
        request.answer({ result: {} })
      }
    }))
    const refused = (code: number, message: string) => ({ error: { code, message } })
    expect(ask("tools/call")).toEqual(refused(-32_600, "the first request must be initialize"))
    expect(ask("initialize", { ...initialize, clientInfo: {} })).toEqual(refused(-32_602, "not an initialize request"))
    expect(ask("initialize", initialize)).toEqual({ result: {} })
    expect(ask("tools/call")).toEqual(last("tools/call"))
    expect(ask("initialize", initialize)).toEqual(refused(-32_600, "initialize was sent before"))
    isRefused = true
    expect(ask("initialize", initialize)).toEqual({ result: {} })
    expect(said).toEqual(["test", "test"])
  })

  it("[G1] lists and methods of its own are answered here, others and what is in every object further on", () => {
    const ask = client(
      lists((request, method) => {
        if (method !== "tools/list") return false
        request.answer({ result: { tools: [] } })
        return true
      }),
      ownMethods({ "logging/setLevel": (request) => request.answer({ result: { level: true } }) })
    )
    expect(ask("tools/list")).toEqual({ result: { tools: [] } })
    expect(ask("logging/setLevel")).toEqual({ result: { level: true } })
    for (const method of ["prompts/list", "tools/call", "toString"]) expect(ask(method)).toEqual(last(method))
  })
})
