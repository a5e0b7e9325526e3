import { ConnectError, type Connection, Policy, RequestError, Sending } from "@mcp-lifeline/core"
import { Deferred, Effect, Exit, Fiber, TestClock } from "effect"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import * as Liveness from "../../src/health/Liveness.js"
import * as SessionCheck from "../../src/health/SessionCheck.js"
import { Runtime } from "../../src/runtime/Runtime.js"
import { BackendState } from "../../src/state/BackendState.js"
import { connected } from "../support/Connected.js"

const refusal = new RequestError({
  fate: "answered",
  reason: "remote",
  code: -32602,
  message: "Invalid request parameters",
  ifSessionLost: "rejected"
})
const genuine = new RequestError({ fate: "answered", reason: "remote", code: -32603, message: "Internal error" })

const { keepalive: { suspectInterval, timeout } } = Policy.defaults

const doubted = (capabilities: Connection["capabilities"] = { tools: {} }) =>
  Effect.gen(function*() {
    const backend = new BackendState("one", Policy.defaults, yield* Effect.clock)
    const runtime = yield* Runtime.make(1)
    yield* Effect.addFinalizer(() => Effect.zipRight(runtime.closeAttached, runtime.closeConnection))
    const session = {
      answer: Effect.fail(refusal) as Effect.Effect<unknown, RequestError>,
      asked: [] as Array<unknown>
    }
    const connection = {
      capabilities,
      fail: () => {},
      send: Sending.by(yield* Effect.runtime<never>(), (method, _, options) => {
        session.asked.push([method, options])
        return session.answer
      })
    } as unknown as Connection
    runtime.opened(connection, 0)
    const install = (current: Runtime | undefined) => connected(backend, current)
    install(runtime)
    const liveness = Liveness.make(backend)
    const settling = Effect.tap(Effect.fork(SessionCheck.settle(liveness, runtime, refusal)), () => TestClock.adjust(0))
    const handshakes = () => {
      const found = []
      for (let message = backend.inbox.shift(); message !== undefined; message = backend.inbox.shift()) {
        if (message._tag === "Doubted") found.push(message.pending)
      }
      return found
    }
    return { handshakes, install, liveness, runtime, session, settling }
  })

const failed = Exit.fail(
  new ConnectError({ backend: "one", reason: "refused", permanent: false, message: "no session could be made" })
)

describe("R12: what becomes of a doubt", () => {
  test.scoped("[R12:virtual] the session is asked for a list that it has, or for a pong, within the time of a probe", function*() {
    const rows = [
      [{ tools: {}, prompts: {}, resources: {} }, "tools/list"],
      [{ prompts: {}, resources: {} }, "prompts/list"],
      [{ resources: {} }, "resources/list"],
      [{}, "ping"]
    ] as const
    for (const [capabilities, method] of rows) {
      const { session, settling } = yield* doubted(capabilities)
      session.answer = Effect.never
      const settled = yield* settling
      expect(session.asked).toMatchObject([[method, { timeout }]])
      yield* TestClock.adjust(timeout)
      expect(yield* Fiber.join(settled)).toBe("unknown")
    }
  })

  test.scoped("[R12:virtual] a list that is given says that it lives; an error that no forgotten session answers says nothing", function*() {
    for (const [answer, outcome] of [[Effect.succeed({}), "alive"], [Effect.fail(genuine), "unknown"]] as const) {
      const { handshakes, session, settling } = yield* doubted()
      session.answer = answer
      expect(yield* Fiber.join(yield* settling)).toBe(outcome)
      expect(handshakes()).toEqual([])
      session.answer = Effect.fail(refusal)
      const next = yield* settling
      expect(session.asked).toHaveLength(2)
      for (const pending of handshakes()) Deferred.unsafeDone(pending.answer, Exit.void)
      expect(yield* Fiber.join(next)).toBe("lost")
    }
  })

  test.scoped("[R12:virtual] of a connection that is not installed any more, nothing is asked", function*() {
    const { install, session, settling } = yield* doubted()
    install(undefined)
    expect(yield* Fiber.join(yield* settling)).toBe("unknown")
    expect(session.asked).toEqual([])
  })

  test.scoped("[R12:virtual] it ends when its connection is taken out: while the list is asked for, and while a new session is made", function*() {
    for (const [answer, outcome] of [[Effect.never, "unknown"], [Effect.fail(refusal), "lost"]] as const) {
      const { runtime, session, settling } = yield* doubted()
      session.answer = answer
      const settled = yield* settling
      runtime.detach()
      yield* runtime.closeAttached
      expect(yield* Fiber.join(settled)).toBe(outcome)
    }
  })

  test.scoped("[R12:virtual] after a handshake that failed the next one is made when suspectInterval is over, and not sooner", function*() {
    const { handshakes, session, settling } = yield* doubted()
    for (const _ of [1, 2]) {
      const callers = [yield* settling, yield* settling]
      const [pending, ...more] = handshakes()
      expect([pending === undefined, more, session.asked.length]).toEqual([false, [], 1])
      if (pending !== undefined) Deferred.unsafeDone(pending.answer, failed)
      for (const caller of callers) yield* Fiber.await(caller)
      session.asked.length = 0
      yield* TestClock.adjust(suspectInterval - 1)
      expect(yield* Fiber.join(yield* settling)).toBe("unknown")
      expect([handshakes(), session.asked.length]).toEqual([[], 1])
      session.asked.length = 0
      yield* TestClock.adjust(1)
    }
  })

  test.scoped("[R12:virtual] a refused list is evidence again once the witness was given to somebody else, and no other list", function*() {
    const { handshakes, install, liveness, runtime, settling } = yield* doubted()
    const first = yield* settling
    // What was given while the session is in doubt may have been given before it was forgotten.
    SessionCheck.given(liveness, runtime, ["tools/list"])
    for (const pending of handshakes()) Deferred.unsafeDone(pending.answer, Exit.void)
    expect(yield* Fiber.join(first)).toBe("lost")
    const settlingNext = (generation: number) =>
      Effect.gen(function*() {
        const next = yield* Runtime.make(generation)
        yield* Effect.addFinalizer(() => Effect.zipRight(next.closeAttached, next.closeConnection))
        next.opened(runtime.connection, 0)
        install(next)
        return [
          next,
          Effect.tap(Effect.fork(SessionCheck.settle(liveness, next, refusal)), () => TestClock.adjust(0))
        ] as const
      })
    const [second, settlingSecond] = yield* settlingNext(2)
    expect(yield* Fiber.join(yield* settlingSecond)).toBe("unknown")
    SessionCheck.given(liveness, second, ["prompts/list"])
    expect(yield* Fiber.join(yield* settlingSecond)).toBe("unknown")
    expect(handshakes()).toEqual([])
    SessionCheck.given(liveness, second, ["prompts/list", "tools/list"])
    const again = yield* settlingSecond
    for (const pending of handshakes()) Deferred.unsafeDone(pending.answer, Exit.void)
    expect(yield* Fiber.join(again)).toBe("lost")
    // What the session in its place gives is evidence at once.
    const [third, settlingThird] = yield* settlingNext(3)
    SessionCheck.given(liveness, third, ["tools/list"])
    const last = yield* settlingThird
    for (const pending of handshakes()) Deferred.unsafeDone(pending.answer, Exit.void)
    expect(yield* Fiber.join(last)).toBe("lost")
  })
})
