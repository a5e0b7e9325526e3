import { describe, expect, it } from "@effect/vitest"
import { Backend, RequestError } from "@mcp-lifeline/core"
import { Handle } from "@mcp-lifeline/core/internal"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Logger, LogLevel, TestClock, TestContext } from "effect"
import * as fc from "fast-check"
import { bySize } from "../../../testing/test/support/bySize.js"

/** What becomes of one request of the call: what the server may have carried out, and what it has not. */
const tries = [
  "cut",
  "lost",
  "silent",
  "dies",
  "refused",
  "later",
  "forgotten",
  "busy",
  "answered",
  "odd",
  "done"
] as const

type Try = (typeof tries)[number]

const mayBeDone: ReadonlySet<Try> = new Set<Try>(["cut", "lost", "silent", "dies"])
const mayBeRefused: ReadonlySet<Try> = new Set<Try>(["refused", "later", "forgotten"])
const isAnswer: ReadonlySet<Try> = new Set<Try>(["answered", "odd", "done"])

const errors: Partial<Record<Try, Partial<RequestError> & Pick<RequestError, "fate" | "reason">>> = {
  cut: { fate: "unknown", reason: "network" },
  refused: { fate: "rejected", reason: "server" },
  later: { fate: "rejected", reason: "rateLimited", retryAfter: 3000 },
  forgotten: { fate: "rejected", reason: "session" },
  busy: { fate: "notSent", reason: "lost" },
  answered: { fate: "answered", reason: "remote", code: -32_000 },
  odd: { fate: "answered", reason: "protocol" }
}

interface Plan {
  readonly tries: ReadonlyArray<Try>
  readonly attempts: ReadonlyArray<"open" | "fail" | "hang">
  readonly hints: "unread" | "repeatable" | "idempotent"
  readonly afterSessionLoss: "fail" | "resume"
  readonly afterRefusal: "safe" | "resend"
  readonly occupiedAgain: boolean
  readonly cancelAfter: number | undefined
  readonly door: "request" | "start"
}

const plan: fc.Arbitrary<Plan> = fc.record({
  tries: fc.array(fc.constantFrom(...tries), { minLength: 1, maxLength: 5 }),
  attempts: fc.array(fc.constantFrom("open" as const, "fail" as const, "hang" as const), { maxLength: 4 }),
  hints: fc.constantFrom("unread" as const, "repeatable" as const, "idempotent" as const),
  afterSessionLoss: fc.constantFrom("fail" as const, "resume" as const),
  afterRefusal: fc.constantFrom("safe" as const, "resend" as const),
  occupiedAgain: fc.boolean(),
  cancelAfter: fc.option(fc.constantFrom(0, 1, 50, 1000, 5000, 12_000, 20_000), { nil: undefined }),
  door: fc.constantFrom("request" as const, "start" as const)
})

const pay = { ...ScriptedConnector.tool("pay"), annotations: { idempotentHint: true } }

const saysNotDone = (text: string): boolean => /not sent,|was not sent|not carried out|safe to call again/.test(text)

const played = (plan: Plan) =>
  Effect.scoped(Effect.gen(function*() {
    const script = ScriptedConnector.make()
    const seen: Array<Try> = []
    script.respond = (method, params, connection) => {
      if (method === "tools/list") return { answer: "result", result: { tools: [pay] } }
      if (method !== "tools/call") return undefined
      if ((params as { readonly name: string }).name !== "pay") return { answer: "result", after: 8000 }
      const one = plan.tries[seen.length] ?? "done"
      seen.push(one)
      if (one === "done") return { answer: "result" }
      if (one === "silent") return { answer: "never" }
      if (one === "dies") return { answer: "die" }
      if (one === "lost") {
        connection.lose("closed")
        return { answer: "never" }
      }
      if (one === "forgotten") connection.lose("session")
      return { answer: "error", error: new RequestError({ message: "as planned", ...errors[one]! }) }
    }
    const backend = yield* Backend.make("one", {
      connector: script,
      discovery: { mode: plan.hints === "repeatable" ? "eager" : "learn" },
      calls: {
        afterRefusal: plan.afterRefusal,
        afterSessionLoss: plan.afterSessionLoss,
        maxInFlight: 1
      },
      timeouts: { connect: 4000, wait: 6000 },
      reconnect: { initialDelay: 100 }
    })
    yield* TestClock.adjust(0)
    for (const connect of plan.attempts) script.script({ connect })
    const options = { timeout: 15_000, idempotent: plan.hints === "idempotent" ? true : undefined }
    const params = { name: "pay" }
    let started: ReturnType<typeof Handle.start> | undefined
    const fiber = yield* Effect.fork(
      plan.door === "request"
        ? backend.request("tools/call", params, options)
        : Effect.async<unknown, unknown>((resume) => {
          started = Handle.start(backend, "tools/call", params, options, resume)
        })
    )
    yield* TestClock.adjust(0)
    const other = plan.occupiedAgain
      ? yield* Effect.fork(Effect.exit(backend.callTool({ name: "slow" }, { timeout: 60_000 })))
      : undefined
    let fate: "notSent" | "unknown" | undefined
    if (plan.cancelAfter !== undefined) {
      yield* TestClock.adjust(plan.cancelAfter)
      if (fiber.unsafePoll() === null) {
        fate = started?.cancel()
        yield* Effect.fork(Fiber.interrupt(fiber))
        yield* TestClock.adjust(0)
        if (started !== undefined) fate = started.cancel()
      }
    }
    yield* TestClock.adjust(60_000)
    const exit = fiber.unsafePoll()
    if (other !== undefined) yield* Fiber.interrupt(other)
    return { seen, exit, fate }
  })).pipe(Effect.provide(TestContext.TestContext), Logger.withMinimumLogLevel(LogLevel.None))

const check = (
  { afterRefusal, hints }: Plan,
  { exit, fate, seen }: Effect.Effect.Success<ReturnType<typeof played>>
): void => {
  // Then a refusal proves nothing.
  const isTrusted = afterRefusal === "resend" || hints === "idempotent" || !seen.some((one) => mayBeRefused.has(one))
  const lastAnswer = seen.findLastIndex((one) => isAnswer.has(one))
  const inDoubt = seen.slice(lastAnswer + 1).some((one) => mayBeDone.has(one))
  expect(exit).not.toBeNull()
  if (fate !== undefined) {
    if (inDoubt || lastAnswer !== -1) expect(fate).toBe("unknown")
    else if (isTrusted) expect(fate).toBe("notSent")
    return
  }
  if (exit === null || Exit.isSuccess(exit) || Exit.isInterrupted(exit)) return
  const error = exit.cause._tag === "Fail"
    ? exit.cause.error as { readonly _tag: string; readonly message: string }
    : undefined
  expect(error).toBeDefined()
  if (error === undefined) return
  const isUnknown = error._tag === "ResultUnknown" || error._tag === "RequestTimeout"
  if (inDoubt || isTrusted) expect({ isUnknown, error, seen }).toEqual({ isUnknown: inDoubt, error, seen })
  expect({ isWrong: saysNotDone(error.message) && inDoubt, error }).toEqual({ isWrong: false, error })
}

describe("the fate of a call", () => {
  it.effect(
    "[C2 C3 C12 C15] no try, wait, gate or cancel after a request that may have been carried out says that it was not",
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(plan, async (plan) => check(plan, await Effect.runPromise(played(plan)))),
          { numRuns: bySize(50, 400) }
        )
      ),
    600_000
  )
})
