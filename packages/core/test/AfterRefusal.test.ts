import { Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, TestClock } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { callIdKey as key, identified } from "../src/calls/Calls.js"

const start = (script: ScriptedConnector.ScriptedConnector, afterRefusal: "resend" | "safe") =>
  Effect.tap(
    Backend.make("one", { connector: script, calls: { afterRefusal, callId: true }, keepalive: { method: "none" } }),
    () => TestClock.adjust(0)
  )

const refusals = [
  { fate: "rejected", reason: "session", message: "404" },
  { fate: "rejected", reason: "rateLimited", message: "429", retryAfter: 500 },
  { fate: "rejected", reason: "server", message: "503", retryAfter: 500 },
  { fate: "rejected", reason: "unauthorized", message: "401" },
  { fate: "notSent", reason: "lost", message: "it never left" }
] as const

const refused = (
  refusal: (typeof refusals)[number],
  afterRefusal: "resend" | "safe",
  options?: Backend.CallOptions
) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, afterRefusal)
    const ids: Array<unknown> = []
    script.respond = (method, params, connection) => {
      if (method !== "tools/call") return undefined
      ids.push((params as { readonly _meta: Record<string, unknown> })._meta[key])
      if (ids.length > 1) return undefined
      if (refusal.reason === "session" || refusal.reason === "lost") {
        connection.lose(refusal.reason === "session" ? "session" : "closed")
      }
      return { answer: "error", error: new RequestError(refusal) }
    }
    const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, options)))
    yield* TestClock.adjust("5 seconds")
    return { outcome: yield* Fiber.join(call), ids }
  })

describe("a call that was refused", () => {
  test.scoped.each(refusals)(
    "[C16:virtual] is not sent again with `safe`, unless it never left: $reason",
    function*(refusal) {
      const { ids, outcome } = yield* refused(refusal, "safe")
      if (refusal.fate === "notSent") {
        expect(outcome).toMatchObject({ _tag: "Right" })
        return expect(ids).toEqual([ids[0], ids[0]])
      }
      expect(outcome).toMatchObject({
        left: { _tag: "ResultUnknown", message: expect.stringContaining("no proof that nobody has carried it out") }
      })
      expect(ids).toHaveLength(1)
    }
  )

  test.scoped.each(refusals.filter(({ reason }) => reason !== "unauthorized"))(
    "[C16:virtual] is sent again with the same id with `resend`, and with `safe` where it may be: $reason",
    function*(refusal) {
      for (const [afterRefusal, options] of [["resend", undefined], ["safe", { idempotent: true }]] as const) {
        const { ids, outcome } = yield* refused(refusal, afterRefusal, options)
        expect(outcome).toMatchObject({ _tag: "Right" })
        expect(ids).toEqual([ids[0], ids[0]])
        expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/)
      }
    }
  )
})

describe("a call that the server asks to come later", () => {
  const hour = 3_600_000
  const endless = { defaultTimeout: Number.POSITIVE_INFINITY }
  const heard = { ...endless, onprogress: () => {} }
  const cases: ReadonlyArray<
    readonly [
      what: string,
      options: Backend.CallOptions,
      waits: number,
      fails: ReadonlyArray<readonly [retryAfter: number, said: string]>
    ]
  > = [
    ["one that has a minute", { timeout: 60_000 }, 59_999, [[60_000, "1m"], [hour, "1h"]]],
    ["one that has two hours", { timeout: 2 * hour }, hour, [[3 * hour, "3h"]]],
    ["one without end", endless, 44_999, [[45_000, "45s"], [hour, "1h"]]],
    ["one without end and with progress", heard, 44_999, [[45_000, "45s"], [hour, "1h"]]]
  ]

  for (const reason of ["rateLimited", "server"] as const) {
    test.scoped.each(cases)(
      `[R6] waits if it may for so long, and is told at once for how long otherwise (${reason}): %s`,
      function*([, options, waits, fails]) {
        const script = ScriptedConnector.make()
        const backend = yield* start(script, "resend")
        const call = (retryAfter: number) => {
          let sent = 0
          script.respond = (method) => {
            if (method !== "tools/call" || ++sent > 1) return undefined
            return {
              answer: "error",
              error: new RequestError({ fate: "rejected", reason, message: "no", retryAfter })
            }
          }
          return Effect.tap(
            Effect.fork(Effect.either(backend.callTool({ name: "pay" }, options))),
            () => TestClock.adjust(0)
          )
        }
        const waiting = yield* call(waits)
        yield* TestClock.adjust(waits - 1)
        expect(waiting.unsafePoll()).toBeNull()
        yield* TestClock.adjust(1)
        expect(yield* Fiber.join(waiting)).toMatchObject({ _tag: "Right" })
        for (const [retryAfter, said] of fails) {
          const told = yield* call(retryAfter)
          expect(told.unsafePoll()).not.toBeNull()
          const text = expect.stringMatching(new RegExp(`was not carried out.*Call again in ${said}$`))
          expect(yield* Fiber.join(told)).toMatchObject({
            left: { _tag: "BackendUnavailable", message: text, publicMessage: text }
          })
        }
      }
    )
  }
})

describe("a call without end that the server asks to come later again and again", () => {
  test.scoped("[R6] is told so when it has waited for as long as it may", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, "resend")
    const error = new RequestError({ fate: "rejected", reason: "rateLimited", message: "no", retryAfter: 14_000 })
    script.respond = (method) => method === "tools/call" ? { answer: "error", error } : undefined
    const call = yield* Effect.fork(
      Effect.either(backend.callTool({ name: "pay" }, { defaultTimeout: Number.POSITIVE_INFINITY }))
    )
    yield* TestClock.adjust(41_999)
    expect(call.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(call)).toMatchObject({ left: { _tag: "BackendUnavailable" } })
  })
})

describe("a call that something else than the server refuses", () => {
  const gone = { reason: "network", message: "404 of a proxy" } as const

  test.scoped.each(
    [
      { ...gone, fate: "rejected", ifSessionLost: "rejected" },
      { ...gone, fate: "rejected", ifSessionLost: "answered" },
      { ...gone, fate: "notSent", ifSessionLost: "rejected" }
    ] as const
  )(
    "[R12:virtual] is meant itself where the server gives its lists, after the third time: $fate, $ifSessionLost",
    function*(refusal) {
      const script = ScriptedConnector.make()
      const backend = yield* start(script, "resend")
      for (const refused of [2, 3]) {
        let calls = 0
        script.respond = (method) => {
          if (method !== "tools/call" || ++calls > refused) return undefined
          return { answer: "error", error: new RequestError(refusal) }
        }
        const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" })))
        yield* TestClock.adjust("20 seconds")
        expect(yield* Fiber.join(call)).toMatchObject(
          refused === 2
            ? { _tag: "Right" }
            : { left: { _tag: "ProtocolError", message: expect.stringContaining("404 of a proxy") } }
        )
        expect(calls).toBe(3)
      }
      expect(script.connections).toHaveLength(1)
    }
  )

  test.scoped("[R12:virtual] is not meant where its session was forgotten: only refusals beside lists that are given count", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, "resend")
    const refusal = new RequestError({ ...gone, fate: "rejected", ifSessionLost: "rejected" })
    let beside = 2
    script.respond = (method, _, { id }) =>
      id === 0 || (method === "tools/call" && beside-- > 0) ? { answer: "error", error: refusal } : undefined
    const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" })))
    yield* TestClock.adjust("20 seconds")
    expect(yield* Fiber.join(call)).toMatchObject({ _tag: "Right" })
    expect(script.connections).toHaveLength(2)
  })
})

describe("the id of a call", () => {
  it("[C16:unit] is another one for each call, keeps what else is in _meta, and gives way to the caller's own", () => {
    const many = Array.from({ length: 1000 }, () => identified({ name: "a" }) as { readonly _meta?: any })
    expect(new Set(many.map(({ _meta }) => _meta[key])).size).toBe(1000)
    const given = { name: "a", _meta: { progressToken: 7 } }
    expect(identified(given)).toMatchObject(given)
    expect(given).toEqual({ name: "a", _meta: { progressToken: 7 } })
    const own = { _meta: { [key]: "mine" } }
    expect(identified(own)).toBe(own)
    // What is no `_meta` of the protocol is the server's to refuse.
    for (const params of [undefined, null, "a", { _meta: 7 }]) expect(identified(params)).toBe(params)
  })
})
