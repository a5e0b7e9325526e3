import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Fleet, RequestError } from "@mcp-lifeline/core"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, Record, TestClock } from "effect"
import { type Access, everything, withoutRules } from "../../src/access/Access.js"
import { CallRates } from "../../src/access/CallRates.js"
import * as AuditedCall from "../../src/http-api/AuditedCall.js"
import type { Gateway } from "../../src/http-api/Gateway.js"
import { describe, expect, test } from "../support/vitest.js"

const ann: Caller = { subject: "client ann", name: "ann", claims: {} }

const gatewayOf = Effect.fnUntraced(
  function*(more: Readonly<Record<string, ScriptedConnector.ScriptedConnector>> = {}) {
    const script = ScriptedConnector.make()
    const bare = Record.map(more, (connector) => ({ connector, prefix: "" }))
    const fleet = yield* Fleet.make({ backends: { docs: { connector: script }, ...bare } })
    yield* TestClock.adjust(0)
    const recorded: Array<unknown> = []
    const audit = { refusal: undefined as string | undefined, mayAnswer: true }
    const begun = (arrived: object) => {
      let isSent = false
      recorded.push({ begun: arrived })
      return {
        sent: () => {
          isSent = true
        },
        isSent: () => isSent,
        found: (server: string, original: string) => void recorded.push(`${server} ${original}`),
        sentAs: (server: string, { name }: { readonly name: string }) => void recorded.push(`${server} ${name}`),
        ended: (ended: object, hand: (mayAnswer: boolean) => void) => {
          recorded.push(ended)
          hand(audit.mayAnswer)
        }
      }
    }
    const made = {
      audit: { refusal: () => audit.refusal, begin: begun },
      rates: new CallRates(yield* Effect.clock),
      servers: { shared: { fleet }, servers: () => [{ id: "docs", sessions: "shared" }] },
      url: "http://localhost:1"
    } as unknown as Gateway
    const call = Effect.fnUntraced(function*(name = "docs__echo", access: Access = everything) {
      const fiber = yield* Effect.fork(Effect.either(AuditedCall.call(made, { name }, ann, access)))
      yield* TestClock.adjust(0)
      return fiber
    })
    const ends = (name?: string, access?: Access) => Effect.flatMap(call(name, access), Fiber.join)
    const sent = () => script.ledger.entries.filter((one) => one._tag === "Sent" && one.method === "tools/call").length
    return { audit, call, ends, made, recorded, script, sent }
  }
)

const gateway = gatewayOf()

const failure = (code: string) => ({ _tag: "Left", left: { error: { code } } })

describe("a call of a tool through the API", () => {
  test.scoped("[G23:unit] is recorded with its server and what became of it, before its answer is handed out", function*() {
    const { audit, ends, recorded, sent } = yield* gateway
    expect((yield* ends())._tag).toBe("Right")
    expect(recorded).toMatchObject([
      { begun: { door: "api", caller: ann, method: "tools/call", params: { name: "docs__echo" } } },
      "docs echo",
      { outcome: "ok", fate: "answered" }
    ])
    audit.mayAnswer = false
    const withheld = yield* ends()
    expect(withheld).toMatchObject(failure("server_error"))
    expect(JSON.stringify(withheld)).toContain("do not repeat it")
    expect(sent()).toBe(2)
  })

  test.scoped("[G23:unit] names the server that carried it out, also where the name is that of another one when it ends", function*() {
    const [first, second] = [ScriptedConnector.make(), ScriptedConnector.make()]
    const { call, recorded } = yield* gatewayOf({ first, second })
    first.respond = (method) => method === "tools/call" ? { answer: "result", after: 60_000 } : undefined
    const fiber = yield* call("echo")
    first.offer = { ...first.offer, tools: [] }
    first.current.notify("notifications/tools/list_changed")
    yield* TestClock.adjust(60_000)
    expect((yield* Fiber.join(fiber))._tag).toBe("Right")
    expect(recorded.slice(1)).toMatchObject(["first echo", { outcome: "ok" }])
    expect([first, second].map(({ ledger }) => ledger.sent("tools/call").length)).toEqual([1, 0])
  })

  test.scoped("[G23:unit] is not sent where it cannot be recorded; only an admin is told where the file is", function*() {
    const { audit, ends, recorded, sent } = yield* gateway
    audit.refusal = "the disk of /var/log/calls is full"
    for (const [access, isTold] of [[everything, true], [withoutRules, false]] as const) {
      const refused = yield* ends("docs__echo", access)
      expect(refused).toMatchObject(failure("unavailable"))
      expect(JSON.stringify(refused).includes("/var/log")).toBe(isTold)
    }
    expect([sent(), recorded]).toEqual([0, []])
  })

  test.scoped("[G22 G23:unit] that is one too many, or of a tool that its caller may not use, reaches no server, and its line says so", function*() {
    const { ends, recorded, sent } = yield* gateway
    const limited = { ...everything, callsPerMinute: 1 }
    yield* ends("docs__echo", limited)
    expect(yield* ends("docs__echo", limited)).toMatchObject(failure("rate_limited"))
    expect(recorded.at(-1)).toEqual({ outcome: "refused", reason: "RateLimited", fate: "notSent" })
    yield* TestClock.adjust("1 minute")
    expect((yield* ends("docs__echo", limited))._tag).toBe("Right")
    const hidden = { ...withoutRules, isWhole: false, hasTool: () => false }
    expect(yield* ends("docs__echo", hidden)).toMatchObject(failure("not_found"))
    expect(recorded.slice(-2)).toEqual(["docs echo", { outcome: "refused", reason: "NotAllowed", fate: "notSent" }])
    expect(yield* ends("docs__none")).toMatchObject(failure("not_found"))
    expect(recorded.at(-1)).toEqual({ outcome: "error", reason: "not_found", fate: "notSent" })
    expect(sent()).toBe(2)
  })

  test.scoped("[G23:unit] that fails says what is known of it: answered, not sent, or unknown", function*() {
    const { ends, recorded, script } = yield* gateway
    const rows = [
      [{ fate: "answered", reason: "remote", code: -1, message: "no" }, "server_error", "answered"],
      [{ fate: "unknown", reason: "lost", message: "gone" }, "result_unknown", "unknown"],
      [{ fate: "unknown", reason: "timeout", message: "late" }, "timeout", "unknown"]
    ] as const
    for (const [error, code, fate] of rows) {
      script.respond = (method) =>
        method === "tools/call" ? { answer: "error", error: new RequestError(error) } : undefined
      expect(yield* ends()).toMatchObject(failure(code))
      expect(recorded.at(-1)).toEqual({ outcome: "error", reason: code, fate })
    }
  })

  test.scoped("[G22 G23:unit] of a tool that its caller may not use any more when the error comes was sent all the same", function*() {
    const { call, recorded, script } = yield* gateway
    let mayUse = true
    const access = { ...withoutRules, isWhole: false, hasTool: () => mayUse }
    const error = new RequestError({ fate: "answered", reason: "remote", code: -1, message: "no" })
    script.respond = (method) => method === "tools/call" ? { answer: "error", error, after: 1000 } : undefined
    const calling = yield* call("docs__echo", access)
    mayUse = false
    yield* TestClock.adjust(1000)
    yield* Fiber.join(calling)
    expect(recorded.at(-1)).toEqual({ outcome: "error", reason: "server_error", fate: "answered" })
  })

  test.scoped("[G23:unit] that its client gives up has a line, once, with its server", function*() {
    const { call, recorded, script } = yield* gateway
    script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    yield* Fiber.interrupt(yield* call())
    expect(recorded.slice(1)).toEqual(["docs echo", { outcome: "cancelled", fate: "unknown" }])
  })
})

const limited = Effect.gen(function*() {
  const { made, sent } = yield* gateway
  const runtime = yield* Effect.runtime<never>()
  const call = (subject: string, access: Access, name = "docs__echo") =>
    Effect.promise(async () => {
      const called = AuditedCall.call({ ...made, audit: undefined }, { name }, { subject, claims: {} }, access)
      const app = Effect.match(called, {
        onFailure: ({ error }) => HttpServerResponse.unsafeJson(error, { status: 429 }),
        onSuccess: () => HttpServerResponse.unsafeJson({ code: "done" })
      })
      const response = await HttpApp.toWebHandlerRuntime(runtime)(app)(new Request("http://localhost/api/call"))
      const { code } = await response.json() as { readonly code: string }
      return [code, response.headers.get("retry-after")]
    })
  return { call, sent }
})

const limitedTo = (callsPerMinute: number): Access => ({ ...everything, callsPerMinute })

describe("a limit of calls through the API", () => {
  test.scoped("[G22 X5:unit] says after how many whole seconds to call again, and sends nothing until then", function*() {
    const { call, sent } = yield* limited
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
    const { call } = yield* limited
    expect(yield* call("ann", limitedTo(1))).toEqual(["done", null])
    expect(yield* call("ann", limitedTo(1))).toEqual(["rate_limited", "60"])
    expect(yield* call("ben", limitedTo(1))).toEqual(["done", null])
    for (let i = 0; i < 5; i++) expect(yield* call("ann", everything)).toEqual(["done", null])
    expect(yield* call("eve", limitedTo(1), "docs__none")).toEqual(["not_found", null])
    expect(yield* call("eve", limitedTo(1))).toEqual(["rate_limited", "60"])
  })
})
