import { Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, TestClock } from "effect"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import { leases } from "../support/Leases.js"

const ends = ["interruption", "time", "an answer", "a loss", "a reconnect"] as const

describe("calls that are held while a connection is in doubt", () => {
  for (const concurrency of [undefined, 2]) {
    test.scoped(`[C14:virtual C13] give their places back at each way out, in each silence: calls.concurrency ${concurrency}`, function*() {
      const ledger = leases()
      yield* Effect.addFinalizer(() => Effect.sync(ledger.stop))
      const script = ScriptedConnector.make()
      const backend = yield* Backend.make("one", {
        connector: script,
        keepalive: { method: "none", timeout: 500, suspectInterval: 5000 },
        calls: { maxWaiting: 2, concurrency },
        reconnect: { initialDelay: 100 }
      })
      yield* TestClock.adjust(0)
      const call = (timeout: number) =>
        Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout }))).pipe(
          Effect.tap(() => TestClock.adjust(0))
        )
      const sent = () => script.ledger.sent("tools/call").length
      let givenUp = 0
      for (const end of [...ends, ...ends]) {
        script.respond = () => ({ answer: "never" })
        const silent = yield* call(3000)
        yield* TestClock.adjust(3000)
        expect(yield* Fiber.join(silent)).toMatchObject({ left: { _tag: "RequestTimeout" } })
        const before = sent()
        const held = [yield* call(end === "time" ? 2000 : 600_000), yield* call(end === "time" ? 2000 : 600_000)]
        expect(yield* Fiber.join(yield* call(1000))).toMatchObject({
          left: { _tag: "BackendUnavailable", state: "Busy" }
        })
        expect(yield* backend.status).toMatchObject({ waiting: 2, inFlight: 0 })
        if (end !== "time") script.respond = undefined
        switch (end) {
          case "interruption":
            yield* Fiber.interrupt(held[0]!)
            held[0] = yield* call(600_000)
            yield* Fiber.interruptAll(held)
            givenUp += 3
            break
          case "time":
            yield* TestClock.adjust(1499)
            expect(held.map((fiber) => fiber.unsafePoll())).toEqual([null, null])
            yield* TestClock.adjust(1)
            for (const one of held) {
              expect(yield* Fiber.join(one)).toMatchObject({ left: { _tag: "BackendUnavailable" } })
            }
            script.respond = undefined
            break
          case "an answer":
            break
          case "a loss":
            script.current.lose()
            break
          case "a reconnect":
            yield* Effect.fork(backend.reconnect)
        }
        const isSent = end !== "interruption" && end !== "time"
        yield* TestClock.adjust(6000)
        expect([end, held.map((one) => one.unsafePoll() !== null)]).toEqual([end, [true, true]])
        if (isSent) { for (const one of held) expect((yield* Fiber.join(one))._tag).toBe("Right") }
        expect([end, sent() - before]).toEqual([end, isSent ? 2 : 0])
        const status = yield* backend.status
        expect(status).toMatchObject({ waiting: 0, queued: 0, inFlight: 0, calls: { givenUp } })
        expect([ledger.all(), ledger.faults()]).toEqual([0, []])
      }
    })
  }

  test.scoped("[C14:virtual C13] count with those that wait for another connection: one more than calls.maxWaiting is refused", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* Backend.make("one", {
      connector: script,
      keepalive: { method: "none", timeout: 500 },
      calls: { maxWaiting: 2 }
    })
    yield* TestClock.adjust(0)
    const call = (name: string, timeout = 600_000) =>
      Effect.tap(
        Effect.fork(Effect.either(backend.callTool({ name }, { timeout, wait: timeout }))),
        () => TestClock.adjust(0)
      )
    // A connection that takes no request, and does not say that it has ended.
    const error = new RequestError({ fate: "notSent", reason: "lost", message: "the pipe is closed" })
    script.respond = () => ({ answer: "error", error })
    yield* call("elsewhere")
    script.respond = () => ({ answer: "never" })
    yield* call("silent", 1000)
    yield* TestClock.adjust(1000)
    expect(yield* backend.status).toMatchObject({ waiting: 1, inFlight: 0 })
    const held = yield* call("held")
    expect(yield* backend.status).toMatchObject({ waiting: 2, inFlight: 0 })
    expect((yield* call("one more")).unsafePoll()).toMatchObject({
      value: { left: { _tag: "BackendUnavailable", state: "Busy" } }
    })
    expect(held.unsafePoll()).toBe(null)
    expect(script.ledger.sent("tools/call").length).toBe(2)
  })

  test.scoped("[V8:virtual] a call that is held fails before its own time is over, and says why; one that asks for progress hears it before", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* Backend.make("one", {
      connector: script,
      keepalive: { method: "none", timeout: 500, suspectInterval: 60_000 }
    })
    yield* TestClock.adjust(0)
    script.respond = () => ({ answer: "never" })
    yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout: 3000 })))
    yield* TestClock.adjust(3000)
    const heard: Array<string | undefined> = []
    const onprogress = ({ message }: { readonly message?: string | undefined }) => heard.push(message)
    const held = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout: 60_000, onprogress })))
    yield* TestClock.adjust(44_999)
    expect(held.unsafePoll()).toBeNull()
    expect(heard).toContain("waits until the server answers a probe, 15 s")
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(held)).toMatchObject({
      left: {
        _tag: "BackendUnavailable",
        message: expect.stringContaining("the call was not sent, because the server does not answer probes")
      }
    })
    expect(script.ledger.sent("tools/call")).toHaveLength(1)
  })

  test.scoped("[V8:virtual] one without end, as hosts make them, fails after three quarters of timeouts.request; not if it hears progress", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* Backend.make("one", {
      connector: script,
      keepalive: { method: "none", timeout: 500, suspectInterval: 600_000 },
      timeouts: { request: 20_000 }
    })
    yield* TestClock.adjust(0)
    script.respond = () => ({ answer: "never" })
    yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout: 3000 })))
    yield* TestClock.adjust(3000)
    const endless = { timeout: Number.POSITIVE_INFINITY }
    const held = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, endless)))
    const hearing = yield* Effect.fork(backend.callTool({ name: "pay" }, { ...endless, onprogress: () => {} }))
    yield* TestClock.adjust(14_999)
    expect(held.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(held)).toMatchObject({
      left: { _tag: "BackendUnavailable", message: expect.stringContaining("the call was not sent") }
    })
    yield* TestClock.adjust(60_000)
    expect(hearing.unsafePoll()).toBeNull()
    yield* Fiber.interrupt(hearing)
  })
})
