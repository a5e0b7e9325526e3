import { ClientRequest } from "@mcp-lifeline/protocol"
import { Clock } from "effect"
import { describe, expect, it } from "vitest"
import { CallRates } from "../../src/access/CallRates.js"
import * as RateLimited from "../../src/access/RateLimited.js"
import { ClientAccess } from "../../src/clients/ClientAccess.js"
import { RequestRouter } from "../../src/clients/RequestRouter.js"

describe("what somebody is told who has made too many calls", () => {
  it.each(
    [
      [1, 1, "Wait 1 second, and"],
      [60, 1000, "Wait 1 second, and"],
      [60, 1001, "Wait 2 seconds, and"],
      [1, 59_500, "Wait 60 seconds, and"]
    ] as const
  )(
    "[G22:unit] with a limit of %s: how long to wait, %s ms, in whole seconds, never too few",
    (perMinute, retryAfter, says) => {
      expect(RateLimited.messageOf(perMinute, retryAfter)).toContain(says)
      expect(RateLimited.messageOf(perMinute, retryAfter)).toContain(
        `the limit of ${perMinute} call${perMinute === 1 ? "" : "s"} a minute`
      )
    }
  )

  it("[G22:unit] in milliseconds for programs: with the result of a tool, and with the error of any other call", () => {
    expect(RateLimited.answer("tools/call", 60, 1500)).toMatchObject({
      result: {
        content: [{ type: "text", text: RateLimited.messageOf(60, 1500) }],
        isError: true,
        _meta: { "mcp-lifeline/retryAfter": 1500 }
      }
    })
    for (const method of ["prompts/get", "resources/read"]) {
      expect(RateLimited.answer(method, 60, 1500)).toMatchObject({
        error: { data: { fate: "notSent", tag: "RateLimited", retryAfter: 1500 } }
      })
    }
  })
})

describe("a call within the limit", () => {
  it("[G22:unit] counts once, also where its server is looked for again: after a login, or an edit that moves it", () => {
    const clock = Clock.make()
    const control = { rules: { of: () => ({ callsPerMinute: 2 }) }, rates: new CallRates(clock) }
    const access = new ClientAccess(control as never, {})
    const responder = { say: () => {}, answer: () => {} }
    const [first, second, third] = [1, 2, 3].map((id) =>
      new ClientRequest({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "t" } }, responder, () => {})
    ) as [ClientRequest, ClientRequest, ClientRequest]
    for (const request of [first, first, first, second, first]) expect(access.limit(request)).toBeUndefined()
    for (const request of [third, third]) expect(access.limit(request)).toMatchObject({ result: { isError: true } })
  })

  it("[G22:unit X1:unit] counts where its params are refused, too", () => {
    const control = { rules: { of: () => ({ callsPerMinute: 2 }) }, rates: new CallRates(Clock.make()) }
    const [refused, answers]: [Array<unknown>, Array<unknown>] = [[], []]
    const router = new RequestRouter({
      context: {},
      access: new ClientAccess(control as never, {}),
      relay: { refuseParams: ({ id }: ClientRequest) => refused.push(id) }
    } as never)
    const responder = { say: () => {}, answer: (_: unknown, answer: unknown) => answers.push(answer) }
    for (const id of [1, 2, 3]) {
      const params = { name: 7 }
      router.resolve(
        new ClientRequest({ jsonrpc: "2.0", id, method: "tools/call", params }, responder as never, () => {})
      )
    }
    expect([refused, answers.length]).toEqual([[1, 2], 1])
  })
})
