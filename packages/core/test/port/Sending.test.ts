import { type Connection, RequestError, type RequestOptions, Sending } from "@mcp-lifeline/core"
import { Deferred, Effect, Exit, Fiber, TestClock, Tracer } from "effect"
import { describe, expect, it, test } from "../../../testing/test/support/vitest.js"

const cut = new RequestError({ fate: "unknown", reason: "lost", message: "cut" })
const done = Exit.succeed("done")

type Settle = (exit: Exit.Exit<unknown, RequestError>) => void

const relayed = () => {
  const told: Array<unknown> = []
  const cancelled: Array<string> = []
  const relay = new Sending.Relay<unknown>((exit) => told.push(Exit.isSuccess(exit) ? exit.value : "failed"))
  const waiting = (name: string) => {
    let settle: Settle | undefined
    const send = (given: Settle) => {
      settle = given
      return () => void cancelled.push(name)
    }
    return { send, settle: (exit: Exit.Exit<unknown, RequestError>) => settle?.(exit) }
  }
  return { cancelled, relay, told, waiting }
}

describe("a request that takes several steps", () => {
  it("[C19] each step has one outcome, whatever it does: a second one sends nothing again", () => {
    const { relay, told, waiting } = relayed()
    const first = waiting("first")
    let begun = 0
    relay.step(first.send, () =>
      relay.step((settle) => {
        begun++
        settle(done)
        return () => {}
      }, relay.settle))
    first.settle(Exit.fail(cut))
    first.settle(Exit.fail(cut))
    relay.settle(Exit.fail(cut))
    expect([begun, told]).toEqual([1, ["done"]])
  })

  it("[C19] nor does the second one count for the step that has followed", () => {
    const { relay, told, waiting } = relayed()
    const [first, second] = [waiting("first"), waiting("second")]
    let begun = 0
    relay.step(first.send, () => {
      begun++
      relay.step(second.send, relay.settle)
    })
    first.settle(Exit.fail(cut))
    first.settle(Exit.fail(cut))
    second.settle(done)
    expect([begun, told]).toEqual([1, ["done"]])
  })

  it("[C4] cancelled, it cancels the step that it is in, once, and hears nothing more", () => {
    const { cancelled, relay, told, waiting } = relayed()
    const [first, second] = [waiting("first"), waiting("second")]
    relay.step(first.send, () => relay.step(second.send, relay.settle))
    first.settle(done)
    relay.cancel()
    relay.cancel()
    second.settle(done)
    relay.step(waiting("third").send, relay.settle)
    expect([cancelled, told]).toEqual([["second"], []])
  })

  it("[C4] cancelled once it has its outcome, it cancels nothing", () => {
    const { cancelled, relay, told, waiting } = relayed()
    const first = waiting("first")
    relay.step(first.send, relay.settle)
    first.settle(done)
    relay.cancel()
    expect([cancelled, told]).toEqual([[], ["done"]])
  })

  it("[C4] cancelled within a step that is being sent, that is cancelled with the reason", () => {
    const { cancelled, relay, told } = relayed()
    relay.step((settle) => {
      relay.cancel("it")
      settle(done)
      return (reason) => void cancelled.push(reason as string)
    }, relay.settle)
    expect([cancelled, told]).toEqual([["it"], []])
  })

  it("[L19:virtual] a step that throws has failed, also after another one; so has what follows on it", () => {
    const broken = () => {
      throw new Error("broken on purpose")
    }
    const alone = relayed()
    expect(() => alone.relay.step(broken, alone.relay.settle)).not.toThrow()
    expect(alone.told).toEqual(["failed"])
    for (const follows of [false, true]) {
      const { relay, told, waiting } = relayed()
      const first = waiting("first")
      relay.step(first.send, () => follows ? broken() : relay.step(broken, relay.settle))
      expect(() => first.settle(done)).not.toThrow()
      expect(told).toEqual(["failed"])
    }
  })
})

const options: RequestOptions = { timeout: 1000 }

describe("a request as an effect", () => {
  test.effect("[C4] interrupted after its answer, but before that is taken, it cancels nothing", function*() {
    let settle: Settle | undefined
    let cancelled = 0
    const connection = {
      send: (_m: unknown, _p: unknown, _o: unknown, given: Settle) => {
        settle = given
        return () => void cancelled++
      }
    } as never as Connection
    const fiber = yield* Effect.fork(Sending.ask(connection, "ping", undefined, options))
    yield* TestClock.adjust(0)
    settle?.(Exit.succeed({}))
    yield* Fiber.interrupt(fiber)
    expect(cancelled).toBe(0)
    const other = yield* Effect.fork(Sending.ask(connection, "ping", undefined, options))
    yield* TestClock.adjust(0)
    yield* Fiber.interrupt(other)
    expect(cancelled).toBe(1)
  })

  test.effect("[C4] cancelled, the effect that carries it out is interrupted with the reason, also of a connection that was made uninterruptibly", function*() {
    const reasons: Array<unknown> = []
    const request: Sending.Request = (_method, _params, { cancelReason }) =>
      Effect.onInterrupt(Effect.never, () => Effect.sync(() => reasons.push(cancelReason?.())))
    for (const region of [Effect.interruptible, Effect.uninterruptible]) {
      const send = Sending.by(yield* region(Effect.runtime<never>()), request)
      const cancel = send("ping", undefined, options, () => {})
      yield* TestClock.adjust(0)
      cancel("enough")
      yield* TestClock.adjust(0)
    }
    expect(reasons).toEqual(["enough", "enough"])
  })

  it.effect("[O1] has the span of its fiber, also where an effect carries it out", () =>
    Effect.gen(function*() {
      const send = Sending.by(yield* Effect.runtime<never>(), () =>
        Effect.map(Effect.currentParentSpan, ({ spanId }) => spanId) as never)
      const span = Tracer.externalSpan({ spanId: "s", traceId: "t" })
      expect(yield* Effect.withParentSpan(Sending.ask({ send }, "ping", undefined, { ...options, span }), span)).toBe(
        "s"
      )
      expect(yield* Sending.ask({ send }, "ping", undefined, { ...options, span })).toBe("s")
      const own = yield* Effect.currentSpan
      expect(yield* Sending.ask({ send }, "ping", undefined, options)).toBe(own.spanId)
    }).pipe(Effect.withSpan("asking")))
})

describe("a request that waits for something first", () => {
  const begun = (known: Effect.Effect<unknown, RequestError>) =>
    Effect.gen(function*() {
      const runtime = yield* Effect.runtime<never>()
      const told: Array<unknown> = []
      const given: Array<RequestOptions> = []
      let [withdrawn, cancelled] = [0, 0]
      const cancel = Sending.after(
        runtime,
        known,
        {
          timeout: 5000,
          maxTotalTimeout: 6000,
          onevent: ({ _tag }) => void (withdrawn += Number(_tag === "Withdrawn"))
        },
        (left) => {
          given.push(left)
          return () => void cancelled++
        },
        (exit) => void told.push(exit._tag)
      )
      return { cancel, given, told, counts: () => ({ withdrawn, cancelled }) }
    })

  test.effect("[C5:unit] is sent with what is left of its time", function*() {
    const { given } = yield* begun(Effect.sleep(1500))
    yield* TestClock.adjust(1500)
    expect(given).toMatchObject([{ timeout: 3500, maxTotalTimeout: 4500 }])
    const late = yield* begun(Effect.sleep(9000))
    yield* TestClock.adjust(9000)
    expect(late.given).toMatchObject([{ timeout: 1, maxTotalTimeout: 1 }])
  })

  test.effect("[C19] cancelled before, it was withdrawn, in that step; later it is cancelled; with an outcome neither", function*() {
    const waiting = yield* begun(Effect.never)
    waiting.cancel()
    expect(waiting.counts()).toEqual({ withdrawn: 1, cancelled: 0 })
    const sent = yield* begun(Effect.void)
    sent.cancel()
    sent.cancel()
    expect(sent.counts()).toEqual({ withdrawn: 0, cancelled: 1 })
    const never = yield* Deferred.make<void, RequestError>()
    const failed = yield* begun(Deferred.await(never))
    yield* Deferred.fail(never, cut)
    yield* TestClock.adjust(0)
    failed.cancel()
    expect([failed.told, failed.counts()]).toEqual([["Failure"], { withdrawn: 0, cancelled: 0 }])
  })
})
