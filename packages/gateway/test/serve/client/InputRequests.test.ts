import { describe, expect, it } from "@effect/vitest"
import { ClientRequests } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import { Clients } from "mcp-lifeline"
import { hearing } from "../../../../http-server/test/support/hearing.js"
import * as ScriptedFleet from "../../support/ScriptedFleet.js"
import * as Served from "../../support/Served.js"

const inputRequests = { q: { method: "elicitation/create", params: { message: "Again?", requestedSchema: {} } } }

const asking = Effect.gen(function*() {
  const state = { calls: 0 }
  const { fleet } = yield* ScriptedFleet.make(
    ScriptedFleet.catalog(1, { tools: [ScriptedFleet.tool("asks")] }),
    () =>
      Effect.sync(() => {
        state.calls++
        return { resultType: "input_required", inputRequests, requestState: "state" } as never
      })
  )
  return { clients: yield* Clients.make({ servers: yield* Served.serversOf(fleet), introductionWait: 0 }), state }
})

describe("a server that asks for input in place of every result", () => {
  it.scopedLive("[E8] is asked ten times, and its call fails then with how often", () =>
    Effect.gen(function*() {
      const { clients, state } = yield* asking
      const said: Array<any> = []
      let questions = 0
      const requests = new ClientRequests()
      const say = (message: any): void => {
        if (message.method !== "elicitation/create") return void said.push(message)
        questions++
        setImmediate(() => conversation.receive({ jsonrpc: "2.0", id: message.id, result: { action: "accept" } }))
      }
      const responder = hearing(say)
      const conversation = clients.begin({
        requests,
        write: say,
        saveSetting: () => Promise.resolve()
      })
      const answered = (id: number) =>
        Effect.promise(() => expect.poll(() => said.find((one) => one.id === id)).toBeDefined())
      const clientInfo = { name: "a-test", version: "1" }
      const params = { protocolVersion: "2025-11-25", capabilities: { elicitation: {} }, clientInfo }
      conversation.request(requests.open({ jsonrpc: "2.0", id: 1, method: "initialize", params }, responder))
      yield* answered(1)
      conversation.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
      const call = { name: "asks", arguments: {} }
      conversation.request(requests.open({ jsonrpc: "2.0", id: 2, method: "tools/call", params: call }, responder))
      yield* answered(2)
      expect(said.find(({ id }) => id === 2).error.message).toBe(
        "b has asked 10 times for input before it answers tools/call"
      )
      expect([questions, state.calls]).toEqual([10, 11])
      yield* Effect.promise(() => conversation.close("the client has gone"))
    }))

  it.scopedLive("[C19 E8] has seen the call, if that is interrupted as soon as it asks", () =>
    Effect.gen(function*() {
      const { clients, state } = yield* asking
      const said: Array<any> = []
      const requests = new ClientRequests()
      const responder = hearing((message) => said.push(message))
      const conversation = clients.begin({
        requests,
        write: (message) => said.push(message),
        saveSetting: () => Promise.resolve()
      })
      const answered = (id: number) =>
        Effect.promise(() => expect.poll(() => said.find((one) => one.id === id)).toBeDefined())
      const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "a-test", version: "1" } }
      conversation.request(requests.open({ jsonrpc: "2.0", id: 1, method: "initialize", params }, responder))
      yield* answered(1)
      const call = { name: "asks", arguments: {} }
      const request = requests.open({ jsonrpc: "2.0", id: 2, method: "tools/call", params: call }, responder)
      let work = request.work
      Object.defineProperty(request, "work", {
        get: () => work,
        set: (next: typeof work) => {
          work = next
          if (state.calls === 1 && next !== undefined) request.interrupt("the gateway is shutting down")
        }
      })
      conversation.request(request)
      yield* answered(2)
      expect(said.find(({ id }) => id === 2).error.data).toEqual({ tag: "Interrupted", fate: "unknown" })
      yield* Effect.promise(() => conversation.close("the client has gone"))
    }))
})
