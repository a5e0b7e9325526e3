import { BackendUnavailable } from "@mcp-lifeline/core"
import { ClientRequest } from "@mcp-lifeline/protocol"
import { Clock, Effect, Either } from "effect"
import { describe, expect, it } from "vitest"
import { CallRates } from "../../src/access/CallRates.js"
import * as RateLimited from "../../src/access/RateLimited.js"
import { limited } from "../../src/clients/Call.js"
import { ClientAccess } from "../../src/clients/ClientAccess.js"
import { ClientRelay } from "../../src/conversation/ClientRelay.js"

describe("what somebody is told who has made too many calls", () => {
  it.each<[number, number, string]>([
    [1, 1, "Wait 1 second, and"],
    [60, 1000, "Wait 1 second, and"],
    [60, 1001, "Wait 2 seconds, and"],
    [1, 59_500, "Wait 60 seconds, and"]
  ])(
    "[G22:unit] with a limit of %s: how long to wait, %s ms, in whole seconds, never too few",
    (perMinute, retryAfter, says) => {
      expect(RateLimited.messageOf(perMinute, retryAfter)).toContain(says)
      expect(RateLimited.messageOf(perMinute, retryAfter))
        .toContain(`the limit of ${perMinute} call${perMinute === 1 ? "" : "s"} a minute`)
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
      expect(RateLimited.answer(method, 60, 1500))
        .toMatchObject({ error: { data: { fate: "notSent", tag: "RateLimited", retryAfter: 1500 } } })
    }
  })
})

describe("a call within the limit", () => {
  const control = { rules: { of: () => ({ callsPerMinute: 2 }) }, rates: new CallRates(Clock.make()) }
  const answers: Array<unknown> = []
  const responder = { say: () => {}, answer: (_: unknown, answer: unknown) => answers.push(answer) }
  const call = (id: number, params: object) =>
    new ClientRequest({ jsonrpc: "2.0", id, method: "tools/call", params: { ...params } }, responder as never, () => {})

  it("[G22:unit X1:unit] counts where its params are refused, too; and once, however often its server is looked for: after a login, or an edit that moves it", async () => {
    const [passed, looks]: [Array<unknown>, Array<unknown>] = [[], []]
    const relay = new ClientRelay(
      { client: {}, fork: Effect.runFork, login: () => undefined, door: () => "serve" } as never
    )
    const handle = limited(new ClientAccess(control as never, {}))((request) => {
      passed.push(request.id)
      relay.send(request, () => {
        looks.push(request.id)
        return Either.left(new BackendUnavailable({ backend: "b", state: "Closed", message: "it is closed" }))
      })
    })
    for (const id of [1, 2, 3]) handle(call(id, { name: id === 1 ? 7 : "t" }))
    expect([passed, looks]).toEqual([[1, 2], [1, 1, 1, 1, 2, 2, 2, 2]])
    expect(answers).toMatchObject([{ error: {} }, { error: {} }, { result: { isError: true } }])
  })
})
