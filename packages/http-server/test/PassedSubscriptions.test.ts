import { Bytes } from "@mcp-lifeline/core/text"
import { type Answer, type ClientRequest, ClientRequests, Holding } from "@mcp-lifeline/protocol"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { PassedSubscriptions } from "../src/PassedSubscriptions.js"
import { bytesOf } from "../src/subscriptionLimits.js"

const limits = { item: Bytes(12), count: 4, bytes: Bytes(34) }
const uris = ["a://1", "a://2", "ä://three", "a://four", "a://five-is-too-long"]

type Command =
  | { readonly do: "subscribe" | "unsubscribe"; readonly uri: string }
  | { readonly do: "answer"; readonly at: number; readonly isError: boolean }
  | { readonly do: "cancel"; readonly at: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("subscribe" as const), uri: fc.constantFrom(...uris) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unsubscribe" as const), uri: fc.constantFrom(...uris) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("answer" as const), at: fc.nat(9), isError: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), at: fc.nat(9) }) }
)

interface Open {
  readonly request: ClientRequest
  readonly isSubscribe: boolean
  readonly uri: string
}

const ok: Answer = { result: {} }
const no: Answer = { error: { code: -32_602, message: "no" } }

describe("subscriptions that are passed on", () => {
  it("[G17 X5] are changed by the requests that are for that, and by no other one about the same resource", () => {
    const room = new Holding(limits)
    room.take(bytesOf("a://1"))
    const passed = new PassedSubscriptions(room, ["a://1"])
    const requests = new ClientRequests()
    const noted = (method: string, params?: Record<string, unknown>) => {
      const request = requests.open({ jsonrpc: "2.0", id: method, method, params }, {
        say: () => undefined,
        answer: () => undefined
      })
      expect(passed.note(request)).toBeUndefined()
      request.answer(ok)
    }
    for (const method of ["resources/read", "tools/call"]) noted(method, { uri: "a://1" })
    for (const method of ["resources/subscribe", "resources/unsubscribe"]) {
      for (const params of [undefined, {}, { uri: 7 }]) noted(method, params)
    }
    expect(room.held).toEqual({ count: 1, bytes: bytesOf("a://1") })
    noted("resources/unsubscribe", { uri: "a://1" })
    expect(room.held).toEqual({ count: 0, bytes: 0 })
    noted("resources/unsubscribe", { uri: "a://1" })
    expect(room.held).toEqual({ count: 0, bytes: 0 })
    room.close()
  })

  it("[G17 X5] have room from when they are asked for, in whatever order they are answered, refused, cancelled and ended", () => {
    mayLeave("quotas")
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.constantFrom(...uris.slice(0, 3)), { maxLength: 2 }),
        fc.array(command, { maxLength: 40 }),
        (before, commands) => {
          const room = new Holding(limits)
          room.takeAll(before.map(bytesOf))
          const passed = new PassedSubscriptions(room, before)
          const requests = new ClientRequests()
          const accepted = new Set(before)
          let open: ReadonlyArray<Open> = []
          let id = 0
          let isWrong = false
          const wanted = () => new Set([...accepted, ...open.filter((one) => one.isSubscribe).map(({ uri }) => uri)])
          const over = (one: Open, isDone: boolean): void => {
            open = open.filter((other) => other !== one)
            if (!isDone) return
            if (one.isSubscribe) accepted.add(one.uri)
            else accepted.delete(one.uri)
          }
          for (const one of commands) {
            const at = "at" in one ? open[one.at % Math.max(1, open.length)] : undefined
            switch (one.do) {
              case "subscribe":
              case "unsubscribe": {
                const method = `resources/${one.do}`
                const request = requests.open({ jsonrpc: "2.0", id: ++id, method, params: { uri: one.uri } }, {
                  say: () => undefined,
                  answer: () => undefined
                })
                request.work = { stop: () => "unknown" }
                const all = [...wanted(), one.uri].map(bytesOf)
                const fits = one.do === "unsubscribe" || wanted().has(one.uri)
                  || (bytesOf(one.uri) <= limits.item && all.length <= limits.count
                    && all.reduce((sum, bytes) => sum + bytes, 0) <= limits.bytes)
                isWrong ||= (passed.note(request) === undefined) !== fits
                if (fits) open = [...open, { request, isSubscribe: one.do === "subscribe", uri: one.uri }]
                else request.answer(no)
                break
              }
              case "answer":
                if (at === undefined) break
                over(at, !one.isError)
                at.request.answer(one.isError ? no : ok)
                at.request.answer(ok)
                break
              case "cancel":
                if (at === undefined) break
                over(at, false)
                requests.cancel({
                  jsonrpc: "2.0",
                  method: "notifications/cancelled",
                  params: { requestId: at.request.id }
                })
                at.request.answer(ok)
            }
            expect(isWrong).toBe(false)
            const held = [...wanted()].map(bytesOf)
            expect(room.held).toEqual({ count: held.length, bytes: held.reduce((sum, bytes) => sum + bytes, 0) })
          }
        }
      ),
      { numRuns: 500 }
    )
  })
})
