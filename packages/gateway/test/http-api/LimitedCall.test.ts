import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, TestClock } from "effect"
import { type Access, everything } from "../../src/access/Access.js"
import { CallRates } from "../../src/access/CallRates.js"
import * as AuditedCall from "../../src/http-api/AuditedCall.js"
import type { Gateway } from "../../src/http-api/Gateway.js"
import { describe, expect, test } from "../support/vitest.js"

const gateway = Effect.gen(function*() {
  const script = ScriptedConnector.make()
  const fleet = yield* Fleet.make({ backends: { docs: { connector: script } } })
  yield* TestClock.adjust(0)
  const made = {
    rates: new CallRates(yield* Effect.clock),
    servers: { shared: { fleet }, servers: () => [{ id: "docs", sessions: "shared" }] },
    url: "http://localhost:1"
  } as never as Gateway
  const runtime = yield* Effect.runtime<never>()
  const call = (subject: string, access: Access, name = "docs__echo") =>
    Effect.promise(async () => {
      const app = AuditedCall.call(made, { name }, { subject, claims: {} }, access).pipe(Effect.match({
        onFailure: ({ error }) => HttpServerResponse.unsafeJson(error, { status: 429 }),
        onSuccess: () => HttpServerResponse.unsafeJson({ code: "done" })
      }))
      const response = await HttpApp.toWebHandlerRuntime(runtime)(app)(new Request("http://localhost/api/call"))
      const { code } = await response.json() as { readonly code: string }
      return [code, response.headers.get("retry-after")]
    })
  const sent = () => script.ledger.entries.filter((one) => one._tag === "Sent" && one.method === "tools/call").length
  return { call, sent }
})

const limitedTo = (callsPerMinute: number): Access => ({ ...everything, callsPerMinute })

describe("a limit of calls through the API", () => {
  test.scoped("[G22 X5:unit] says after how many whole seconds to call again, and sends nothing until then", function*() {
    const { call, sent } = yield* gateway
    const access = limitedTo(24)
    for (let i = 0; i < 24; i++) expect(yield* call("ann", access)).toEqual(["done", null])
    expect(yield* call("ann", access)).toEqual(["rate_limited", "3"])
    yield* TestClock.adjust(2000)
    expect(yield* call("ann", access)).toEqual(["rate_limited", "1"])
    yield* TestClock.adjust(500)
    expect(sent()).toBe(24)
    expect(yield* call("ann", access)).toEqual(["done", null])
    expect(sent()).toBe(25)
  })

  test.scoped("[G22 X5:unit] is that of one caller, and none where the rules have none", function*() {
    const { call } = yield* gateway
    expect(yield* call("ann", limitedTo(1))).toEqual(["done", null])
    expect(yield* call("ann", limitedTo(1))).toEqual(["rate_limited", "60"])
    expect(yield* call("ben", limitedTo(1))).toEqual(["done", null])
    for (let i = 0; i < 5; i++) expect(yield* call("ann", everything)).toEqual(["done", null])
    expect(yield* call("eve", limitedTo(1), "docs__none")).toEqual(["not_found", null])
    expect(yield* call("eve", limitedTo(1))).toEqual(["rate_limited", "60"])
  })
})
