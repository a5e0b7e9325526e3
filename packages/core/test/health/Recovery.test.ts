import { describe, expect, it } from "@effect/vitest"
import { type Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Clock, Effect, Fiber, TestClock } from "effect"
import { watched } from "../support/Watched.js"

const never: ScriptedConnector.Answer = { answer: "never" }

const fails = (fate: "notSent" | "rejected" | "unknown", reason: RequestError["reason"]): ScriptedConnector.Answer => ({
  answer: "error",
  error: new RequestError({ fate, reason, message: "scripted" })
})

const keepalives: ReadonlyArray<Backend.BackendOptions["keepalive"]> = [
  { interval: "1 hour" },
  { interval: "1 second", timeout: "1 second" },
  { interval: "1 hour", timeout: "100 millis", suspectInterval: "1 minute" },
  { interval: "1 hour", timeout: "1 minute" },
  { method: "none" }
]

const server = (keepalive: Backend.BackendOptions["keepalive"], isSeen: boolean) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make({ overlap: !isSeen })
    let isStopped = false
    if (isSeen) {
      const idle = { isRunning: false, cpuTime: 0, transferred: 0, pids: [1], youngest: 1e9 }
      script.sight = () => ({ ...idle, isStopped })
    }
    const one = yield* watched(script, { keepalive })
    yield* TestClock.adjust("10 seconds")
    /** Calls follow each other; gives the milliseconds after which the first good one that ends after `over` has ended. */
    const firstGood = (timeout: number, over: number, idempotent: boolean) =>
      Effect.gen(function*() {
        const begun = yield* Clock.currentTimeMillis
        let good: number | undefined
        const call = Effect.gen(function*() {
          const { _tag } = yield* Effect.either(one.backend.callTool({ name: "echo" }, { timeout, idempotent }))
          const now = yield* Clock.currentTimeMillis
          if (_tag === "Right" && now - begun >= over) good = now - begun - over
          else yield* Effect.sleep(200)
        })
        const calling = yield* Effect.fork(Effect.repeat(call, { until: () => good !== undefined }))
        return { good: () => good ?? Number.POSITIVE_INFINITY, end: Fiber.interrupt(calling) }
      })
    const stop = () => {
      isStopped = true
    }
    return { ...one, script, firstGood, stop }
  })

describe("the first good call", () => {
  const faults: ReadonlyArray<readonly [string, number, ScriptedConnector.Answer]> = [
    ["swallows what it is sent", 5000, never],
    ["cuts its connections", 7000, fails("unknown", "network")],
    ["refuses its connections", 7000, fails("notSent", "network")],
    ["has a router that knows no such address", 12_000, fails("rejected", "protocol")],
    ["has a proxy that answers for it", 12_000, fails("rejected", "server")]
  ]
  for (const [what, lasts, answer] of faults) {
    it.scoped.each(keepalives)(
      `[C14:virtual] comes 1.2 s after the end of a fault at the latest: it ${what}, keepalive %j`,
      (keepalive) =>
        Effect.forEach(answer === never ? [true, false] : [false], (isSeen) =>
          Effect.scoped(Effect.gen(function*() {
            const { firstGood, script } = yield* server(keepalive, isSeen)
            script.respond = () => answer
            // What was swallowed is waited for as long as its caller wants.
            const calls = yield* firstGood(answer === never ? 2000 : 60_000, lasts, answer !== never)
            yield* TestClock.adjust(lasts)
            script.respond = undefined
            yield* TestClock.adjust("10 seconds")
            const good = calls.good()
            expect([isSeen, good <= 1200 || good]).toEqual([isSeen, true])
            yield* calls.end
          })))
    )
  }

  it.scoped("[C14:virtual] comes as soon where a health check alone was swallowed, and no call was sent since", () =>
    Effect.forEach([true, false], (isSeen) =>
      Effect.scoped(Effect.gen(function*() {
        const { backend, firstGood, script } = yield* server({ interval: "1 hour", timeout: "20 seconds" }, isSeen)
        yield* backend.ping()
        yield* TestClock.adjust("1 minute")
        script.respond = () => never
        yield* Effect.fork(backend.healthCheck)
        yield* TestClock.adjust("21 seconds")
        const calls = yield* firstGood(60_000, 5000, false)
        yield* TestClock.adjust("5 seconds")
        expect(script.ledger.sent("tools/call")).toEqual([])
        script.respond = undefined
        yield* TestClock.adjust("10 seconds")
        const good = calls.good()
        expect([isSeen, good <= 1200 || good]).toEqual([isSeen, true])
        yield* calls.end
      }))))

  it.scoped.each(keepalives)(
    "[V3:virtual] comes 8 s after a process was stopped, or a session forgotten without a word, at the latest: keepalive %j",
    (keepalive) =>
      Effect.forEach(
        keepalive?.method === "none" ? [true] : [true, false],
        (isSeen) =>
          // A call in a session that was replaced may still end.
          Effect.forEach(isSeen ? [500, 2000, 60_000] : [500, 2000], (timeout) =>
            Effect.scoped(Effect.gen(function*() {
              const { backend, firstGood, script, stop } = yield* server(keepalive, isSeen)
              // It answers a question during a call, so silence says something.
              script.respond = (method) => method === "tools/call" ? { answer: "result", after: 100 } : undefined
              const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
              yield* TestClock.adjust(0)
              yield* backend.ping()
              yield* TestClock.adjust(100)
              yield* Fiber.join(call)
              const { id: last } = script.current
              script.respond = (_, __, { id }) => id <= last ? never : undefined
              stop()
              const calls = yield* firstGood(timeout, 0, true)
              yield* TestClock.adjust("10 seconds")
              const good = calls.good()
              expect([isSeen, timeout, good <= 8000 || good]).toEqual([isSeen, timeout, true])
              yield* calls.end
            })))
      )
  )
})
