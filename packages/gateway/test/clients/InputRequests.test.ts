import { ClientRequests } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import { Clients } from "mcp-lifeline"
import { hearing } from "../../../http-server/test/support/hearing.js"
import * as ScriptedFleet from "../support/ScriptedFleet.js"
import * as Served from "../support/Served.js"
import { describe, expect, test } from "../support/vitest.js"

const inputRequests = { q: { method: "elicitation/create", params: { message: "Again?", requestedSchema: {} } } }

const begun = Effect.fnUntraced(function*(capabilities: object) {
  const state = { calls: 0, questions: 0 }
  const { fleet } = yield* ScriptedFleet.make(
    ScriptedFleet.catalog(1, { tools: [ScriptedFleet.tool("asks")] }),
    () =>
      Effect.sync(() => {
        state.calls++
        return { resultType: "input_required", inputRequests, requestState: "state" } as never
      })
  )
  const clients = yield* Clients.make({ servers: yield* Served.serversOf(fleet), introductionWait: 0 })
  const said: Array<any> = []
  const requests = new ClientRequests()
  const write = (message: any): void => {
    if (message.method !== "elicitation/create") return void said.push(message)
    state.questions++
    setImmediate(() => conversation.receive({ jsonrpc: "2.0", id: message.id, result: { action: "accept" } }))
  }
  const conversation = clients.begin({ requests, write, saveSetting: () => Promise.resolve() })
  yield* Effect.addFinalizer(() => Effect.promise(() => conversation.close("the client has gone")))
  const open = (id: number, method: string, params: object) =>
    requests.open({ jsonrpc: "2.0", id, method, params } as never, hearing(write))
  const error = (request: ReturnType<typeof open>) =>
    Effect.promise(async () => {
      conversation.request(request)
      await expect.poll(() => said.find((one) => one.id === request.id)).toBeDefined()
      return said.find(({ id }) => id === request.id).error
    })
  const clientInfo = { name: "a-test", version: "1" }
  yield* error(open(1, "initialize", { protocolVersion: "2025-11-25", capabilities, clientInfo }))
  conversation.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
  return { error, request: open(2, "tools/call", { name: "asks", arguments: {} }), state }
})

describe("a server that asks for input in place of every result", () => {
  test.scopedLive("[E8] is asked ten times, and its call fails then with how often", function*() {
    const { error, request, state } = yield* begun({ elicitation: {} })
    expect((yield* error(request)).message).toBe("b has asked 10 times for input before it answers tools/call")
    expect(state).toEqual({ calls: 11, questions: 10 })
  })

  test.scopedLive("[C19 E8] has seen the call, if that is interrupted as soon as it asks", function*() {
    const { error, request, state } = yield* begun({})
    let work = request.work
    Object.defineProperty(request, "work", {
      get: () => work,
      set: (next: typeof work) => {
        work = next
        if (state.calls === 1 && next !== undefined) request.interrupt("the gateway is shutting down")
      }
    })
    expect((yield* error(request)).data).toEqual({ tag: "Interrupted", fate: "unknown" })
  })
})
