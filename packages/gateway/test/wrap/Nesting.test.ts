import { Effect } from "effect"
import type * as RawServer from "../support/RawServer.js"
import { describe, expect, test } from "../support/vitest.js"
import * as Wrapped from "../support/Wrapped.js"

const promise = <A>(make: () => Promise<A>) => Effect.promise(make)

/** By default, what no recursive function can look at. */
const deep = (levels = 20_000): object => JSON.parse(`{"x":${"[".repeat(levels)}${"]".repeat(levels)}}`) as object

describe("wrap and what is nested too deeply", () => {
  test.scopedLive("[G18] a result is answered with an error that says so, and the next call is answered", function*() {
    const host = yield* Wrapped.make(({ id, method, params }, send) => {
      if (method !== "tools/call") return undefined
      if (params.name !== "deep") return { content: [] }
      // A wire would have carried it; a copy by JSON cannot.
      send({ jsonrpc: "2.0", id, result: { content: [], structuredContent: deep() } })
      return undefined
    })
    yield* promise(host.initialize)
    const { error } = yield* promise(() => host.request(1, "tools/call", { name: "deep" }))
    expect(error).toMatchObject({ code: -32_000, data: { fate: "answered" } })
    expect(error?.message).toContain("tools/call was carried out, and its result is nested more than 500 levels deep")
    expect(yield* promise(() => host.request(2, "tools/call", { name: "fine" }))).toMatchObject({ result: {} })
  })

  test.scopedLive("[G18] a request of the host is refused, its notification dropped, and its answer is an error to the server", function*() {
    const asked: Array<RawServer.Asked> = []
    const host = yield* Wrapped.make((message, send) => {
      asked.push(message)
      if (message.method === "tools/call") {
        send({ jsonrpc: "2.0", id: "q", method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } })
        send({ jsonrpc: "2.0", id: "d", method: "sampling/createMessage", params: deep() })
        for (const levels of [600, 20_000]) {
          send({ jsonrpc: "2.0", method: "notifications/message", params: deep(levels) })
        }
        send({ jsonrpc: "2.0", id: message.id, result: { content: [] } })
      }
      return undefined
    })
    yield* promise(host.initialize)
    const { error } = yield* promise(() => host.request(1, "tools/call", deep()))
    expect(error).toMatchObject({ code: -32_602, message: expect.stringContaining("500 levels deep") })
    host.receive({ method: "notifications/roots/list_changed", params: deep() })
    yield* promise(() => host.request(2, "tools/call", { name: "ask" }))
    const asking = promise(() => host.until(() => host.said.find((one) => one.method?.startsWith("sampling"))))
    const question = yield* asking
    host.receive({ id: question.id, result: deep() })
    const answers = () => asked.filter(({ id, method }) => method === undefined && (id === "q" || id === "d"))
    while (answers().length < 2) yield* Effect.sleep(5)
    for (const answer of answers()) {
      expect(answer.error).toMatchObject({ message: expect.stringContaining("too deeply") })
    }
    expect(host.said.filter(({ method }) => method === "notifications/message")).toEqual([])
    expect(asked.filter(({ method }) => method === "tools/call")).toHaveLength(1)
  })
})
