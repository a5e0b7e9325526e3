import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Clients } from "mcp-lifeline"
import * as ScriptedFleet from "./support/ScriptedFleet.js"
import * as Served from "./support/Served.js"

describe("a server that asks for input in place of every result", () => {
  it.scopedLive("[E8] is asked ten times, and its call fails then with how often", () =>
    Effect.gen(function*() {
      const inputRequests = { q: { method: "elicitation/create", params: { message: "Again?", requestedSchema: {} } } }
      let calls = 0
      const { fleet } = yield* ScriptedFleet.make(
        ScriptedFleet.catalog(1, { tools: [ScriptedFleet.tool("asks")] }),
        () =>
          Effect.sync(() => {
            calls++
            return { resultType: "input_required", inputRequests, requestState: "state" } as never
          })
      )
      const clients = yield* Clients.make({ servers: Served.serversOf(fleet), patience: 0 })
      const said: Array<any> = []
      let questions = 0
      const conversation = clients.begin({
        write: (message: any) => {
          if (message.method !== "elicitation/create") return void said.push(message)
          questions++
          setImmediate(() => conversation.receive({ jsonrpc: "2.0", id: message.id, result: { action: "accept" } }))
        },
        writeResult: (id) => void said.push({ id }),
        remember: () => Promise.resolve()
      })
      const answered = (id: number) =>
        Effect.promise(() => expect.poll(() => said.find((one) => one.id === id)).toBeDefined())
      const clientInfo = { name: "a-test", version: "1" }
      const params = { protocolVersion: "2025-11-25", capabilities: { elicitation: {} }, clientInfo }
      conversation.receive({ jsonrpc: "2.0", id: 1, method: "initialize", params })
      yield* answered(1)
      conversation.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
      conversation.receive({ jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "asks", arguments: {} } })
      yield* answered(2)
      expect(said.find(({ id }) => id === 2).error.message).toBe(
        "b has asked 10 times for input before it answers tools/call"
      )
      expect([questions, calls]).toEqual([10, 11])
      yield* Effect.promise(() => conversation.close("the client has gone"))
    }))
})
