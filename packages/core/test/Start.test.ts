import { type Backend, type CallError, type Connection, RequestError, Sending, Telemetry } from "@mcp-lifeline/core"
import { Handle } from "@mcp-lifeline/core/internal"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, TestClock } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { failure, runUntilIdle, watched } from "./support/Watched.js"

const params = { name: "echo" }

const sending = (
  change: (
    connection: Connection,
    by: (request: Sending.Request) => Connection["send"]
  ) => Partial<Connection> = () => ({})
) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make()
    const { connect } = script
    Object.assign(script, {
      connect: (options: Parameters<typeof connect>[0]) =>
        Effect.zipWith(connect(options), Effect.runtime<never>(), (connection, runtime) => ({
          ...connection,
          ...change(connection, (request) => Sending.by(runtime, request))
        }))
    })
    const one = yield* watched(script)
    yield* runUntilIdle
    const nexts: Array<Effect.Effect<unknown, CallError>> = []
    const start = (options?: Backend.CallOptions) =>
      Handle.start(one.backend, "tools/call", params, options, (rest) => nexts.push(rest)).cancel
    const sent = () =>
      script.ledger.entries.filter((entry) => entry._tag === "Sent" && entry.method === "tools/call").length
    return { ...one, script, start, nexts, sent }
  })

/** No lease is kept: a connection that is replaced closes at once. */
const unused = ({ backend, closes }: Effect.Effect.Success<ReturnType<typeof sending>>) =>
  Effect.gen(function*() {
    yield* backend.reconnect
    yield* runUntilIdle
    expect(closes()).toEqual([[1, "closed"]])
  })

const noting = () => {
  const told: Array<string> = []
  const ended = (what: string) => (exit: Exit.Exit<unknown, unknown>) => {
    told.push(`${what}: ${Exit.isSuccess(exit) ? "answered" : Exit.isInterrupted(exit) ? "cancelled" : "failed"}`)
  }
  const observer: Telemetry.Observer = {
    hasSpans: false,
    event: () => {},
    beat: () => {},
    breakerOpened: () => {},
    call: (method, given) =>
      method !== "tools/call" ? { attempt: () => undefined, end: () => {} } : {
        attempt: () => ({
          params: { ...given, name: "measured" } as never,
          span: undefined,
          end: ended("request")
        }),
        end: ended("call")
      }
  }
  return { told, provide: Effect.provideService(Telemetry.Current, { observe: () => observer }) }
}

describe("a call that is started without a fiber", () => {
  test.scoped("[C1] is sent before start returns, and ends with the exit of its request", function*() {
    const one = yield* sending()
    one.start()
    expect(one.sent()).toBe(1)
    yield* runUntilIdle
    expect(one.nexts.map(Exit.isExit)).toEqual([true])
    expect(yield* one.nexts[0]!).toMatchObject({ content: [{ type: "text" }] })
    yield* unused(one)
  })

  test.scoped("[C1] where there is no connection, goes on with an effect that waits for one", function*() {
    const one = yield* sending()
    yield* one.backend.disconnect
    one.start()
    expect(one.nexts.map(Exit.isExit)).toEqual([false])
    const fiber = yield* Effect.fork(one.nexts[0]!)
    yield* one.backend.reconnect
    yield* runUntilIdle
    expect(yield* Fiber.join(fiber)).toMatchObject({ content: [{ type: "text" }] })
  })

  test.scoped("[C2] where its connection is lost before it was sent, goes on with an effect that sends it again", function*() {
    let refused = 0
    const one = yield* sending(({ send }) => ({
      send: (method, given, options, settle) => {
        if (method === "tools/call" && refused++ === 0) one.script.current.lose()
        return send(method, given, options, settle)
      }
    }))
    one.start()
    yield* runUntilIdle
    expect(one.nexts.map(Exit.isExit)).toEqual([false])
    const fiber = yield* Effect.fork(one.nexts[0]!)
    yield* TestClock.adjust("1 minute")
    expect(yield* Fiber.join(fiber)).toMatchObject({ content: [{ type: "text" }] })
    expect(one.sent()).toBe(2)
  })

  test.scoped("[C4] cancelled, gives its lease back at once, cancels its request and calls nobody", function*() {
    const one = yield* sending()
    one.script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const cancel = one.start()
    yield* runUntilIdle
    expect(one.script.current.pending).toBe(1)
    cancel()
    cancel()
    yield* runUntilIdle
    expect(one.script.current.pending).toBe(0)
    expect(one.nexts).toEqual([])
    yield* unused(one)
  })

  test.scoped("[C19] cancelled, says what becomes of it: it may be carried out, unless its connection takes it back", function*() {
    let takesBack = false
    const one = yield* sending(({ send }) => ({
      send: (method, given, options, settle) => {
        const cancel = send(method, given, options, settle)
        return () => {
          cancel()
          if (takesBack) options.onevent?.({ _tag: "Withdrawn" })
        }
      }
    }))
    one.script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const [first, second] = [one.start(), one.start()]
    expect([first(), first()]).toEqual(["unknown", "unknown"])
    takesBack = true
    expect(second()).toBe("notSent")
  })

  test.scoped("[C19] cancelled while it waits for a connection, was not sent, and is not sent any more", function*() {
    const one = yield* sending()
    one.script.otherwise = { after: 1000 }
    one.script.current.lose()
    yield* runUntilIdle
    const cancel = one.start()
    const fiber = yield* Effect.fork(one.nexts[0]!)
    yield* runUntilIdle
    expect(cancel()).toBe("notSent")
    // Its fiber is not interrupted yet when there is a connection.
    yield* TestClock.adjust("1 minute")
    expect(Exit.isInterrupted(yield* Fiber.await(fiber))).toBe(true)
    expect(one.sent()).toBe(0)
    expect(cancel()).toBe("notSent")
  })

  test.scoped.each<[ReadonlyArray<RequestError["fate"]>, "notSent" | "unknown"]>([
    [["notSent"], "notSent"],
    [["rejected", "notSent", "rejected"], "notSent"],
    [["unknown"], "unknown"],
    [["unknown", "notSent"], "unknown"],
    [["notSent", "unknown", "rejected", "notSent"], "unknown"]
  ])(
    "[C19] cancelled while it waits to be sent again, may have been carried out if any of its requests may: %s",
    function*([fates, fate]) {
      const one = yield* sending()
      let sent = 0
      one.script.respond = (method, _, connection) => {
        if (method !== "tools/call") return undefined
        const fate = fates[sent++]!
        if (sent === fates.length) one.script.otherwise = { connect: "hang" }
        connection.lose()
        return { answer: "error", error: new RequestError({ fate, reason: "lost", message: "cut" }) }
      }
      const cancel = one.start({ idempotent: true, timeout: "1 day", wait: "1 day" })
      const fiber = yield* Effect.fork(one.nexts[0]!)
      yield* TestClock.adjust("1 minute")
      expect([sent, fiber.unsafePoll(), cancel()]).toEqual([fates.length, null, fate])
      yield* Fiber.interrupt(fiber)
    }
  )

  test.scoped("[C4] interrupted in a fiber, it is the same", function*() {
    const one = yield* sending()
    one.script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const fiber = yield* Effect.fork(one.backend.callTool(params))
    yield* runUntilIdle
    expect(one.script.current.pending).toBe(1)
    yield* Fiber.interrupt(fiber)
    yield* runUntilIdle
    expect(one.script.current.pending).toBe(0)
    yield* unused(one)
  })
})

describe("a call that is started without a fiber, and measured", () => {
  it.scoped("[O1] needs none either, and sends the parameters with what telemetry adds", () => {
    const { provide, told } = noting()
    return Effect.gen(function*() {
      const one = yield* sending()
      const given: Array<unknown> = []
      one.script.respond = (_, params) => {
        given.push(params)
        return undefined
      }
      one.start()
      expect(one.sent()).toBe(1)
      expect(given).toMatchObject([{ name: "measured" }])
      yield* runUntilIdle
      expect(one.nexts.map(Exit.isExit)).toEqual([true])
      expect(told).toEqual(["request: answered", "call: answered"])
    }).pipe(provide)
  })

  it.scoped("[O1] cancelled while its request is in flight, it has ended once", () => {
    const { provide, told } = noting()
    return Effect.gen(function*() {
      const one = yield* sending()
      one.script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      const cancel = one.start()
      cancel()
      cancel()
      expect(told).toEqual(["request: cancelled", "call: cancelled"])
    }).pipe(provide)
  })

  it.scoped("[O1] cancelled when what remains has not begun, it has ended once", () => {
    const { provide, told } = noting()
    return Effect.gen(function*() {
      const one = yield* sending()
      yield* one.backend.disconnect
      const cancel = one.start()
      expect(one.nexts.map(Exit.isExit)).toEqual([false])
      const fiber = yield* Effect.fork(one.nexts[0]!)
      cancel()
      yield* Fiber.interrupt(fiber)
      expect(told).toEqual(["call: cancelled"])
    }).pipe(provide)
  })

  it.scoped("[O1] that goes on in a fiber has ended when that has", () => {
    const { provide, told } = noting()
    return Effect.gen(function*() {
      const one = yield* sending()
      yield* one.backend.disconnect
      one.start()
      expect(told).toEqual([])
      const fiber = yield* Effect.fork(one.nexts[0]!)
      yield* one.backend.reconnect
      yield* Fiber.join(fiber)
      expect(told).toEqual(["request: answered", "call: answered"])
    }).pipe(provide)
  })
})

describe("a call that is cancelled in its fiber", () => {
  it.scoped("[O1] before that has begun is not measured, and nothing of it is left", () => {
    const begun: Array<string> = []
    return Effect.gen(function*() {
      const one = yield* sending()
      const heard: Array<unknown> = []
      const cancel = one.start({ onprogress: (progress) => void heard.push(progress), timeout: "1 hour" })
      expect(cancel()).toBe("notSent")
      expect(Exit.isInterrupted(yield* Effect.exit(one.nexts[0]!))).toBe(true)
      yield* TestClock.adjust("1 minute")
      expect([begun, heard, one.sent()]).toEqual([[], [], 0])
    }).pipe(Effect.provideService(Telemetry.Current, {
      observe: () => ({
        hasSpans: true,
        event: () => {},
        beat: () => {},
        breakerOpened: () => {},
        call: (method) => {
          if (method === "tools/call") begun.push(method)
          return { attempt: () => undefined, end: () => {} }
        }
      })
    }))
  })

  it.scoped("[C19] was not sent where its connection takes it back, which is known once the fiber has ended", () =>
    Effect.gen(function*() {
      const one = yield* sending((connection, by) => ({
        send: by((method, given, options) =>
          Effect.onInterrupt(
            Sending.ask(connection, method, given, options),
            () => Effect.sync(() => options.onevent?.({ _tag: "Withdrawn" }))
          )
        )
      }))
      one.script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      const cancel = one.start()
      const fiber = yield* Effect.fork(one.nexts[0]!)
      yield* runUntilIdle
      expect([one.sent(), cancel()]).toEqual([1, "unknown"])
      yield* Fiber.interrupt(fiber)
      expect(cancel()).toBe("notSent")
    }).pipe(Effect.provideService(Telemetry.Current, {
      observe: () => ({
        hasSpans: true,
        event: () => {},
        beat: () => {},
        breakerOpened: () => {},
        call: () => ({ attempt: () => undefined, end: () => {} })
      })
    })))
})

describe("a call that is given up while it is sent", () => {
  for (const moment of ["before", "within"] as const) {
    it.scoped(`[C19 O1] ${moment} the connection's send, after it has waited: nothing of it is kept, and its request has ended before it`, () => {
      const { provide, told } = noting()
      return Effect.gen(function*() {
        let within: (() => void) | undefined
        let cancelled = 0
        const one = yield* sending(({ send }) => ({
          send: (method, given, options, settle) => {
            const cancel = send(method, given, options, settle)
            if (method === "tools/call") within?.()
            return () => {
              cancelled++
              cancel()
            }
          }
        }))
        one.script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
        yield* one.backend.disconnect
        let cancel: (() => unknown) | undefined
        const given: Array<unknown> = []
        const giveUp = () => void given.push(cancel?.())
        if (moment === "within") within = giveUp
        cancel = one.start({ onSent: moment === "before" ? giveUp : undefined })
        const fiber = yield* Effect.fork(one.nexts[0]!)
        yield* one.backend.reconnect
        yield* runUntilIdle
        yield* Fiber.interrupt(fiber)
        expect([given.length, one.sent(), cancelled]).toEqual(moment === "before" ? [1, 0, 0] : [1, 1, 1])
        expect(cancel()).toBe(moment === "before" ? "notSent" : "unknown")
        expect((yield* one.backend.status).inFlight).toBe(0)
        expect(told).toEqual(["request: cancelled", "call: cancelled"])
      }).pipe(provide)
    })
  }

  test.scoped("[C19 L19:virtual] within a send that throws then, it keeps no lease", function*() {
    let cancel: (() => unknown) | undefined
    const one = yield* sending((connection) => ({
      send: (method, given, options, settle) => {
        if (method !== "tools/call") return connection.send(method, given, options, settle)
        cancel?.()
        throw new Error("broken on purpose")
      }
    }))
    yield* one.backend.disconnect
    cancel = one.start()
    const fiber = yield* Effect.fork(one.nexts[0]!)
    yield* one.backend.reconnect
    yield* runUntilIdle
    yield* Fiber.interrupt(fiber)
    expect((yield* one.backend.status).inFlight).toBe(0)
  })

  test.scoped("[L19:virtual] onSent may throw: the call goes on", function*() {
    const one = yield* sending()
    one.start({
      onSent: () => {
        throw new Error("broken on purpose")
      }
    })
    yield* runUntilIdle
    expect(yield* one.nexts[0]!).toMatchObject({ content: [{ type: "text" }] })
    yield* unused(one)
  })
})

describe("a connection whose send is broken", () => {
  test.scoped("[L19:virtual] throws: the call fails, and its lease is given back", function*() {
    const one = yield* sending(() => ({
      send: () => {
        throw new Error("broken on purpose")
      }
    }))
    one.start()
    expect(failure(yield* Effect.exit(one.nexts[0]!))._tag).toBe("ResultUnknown")
    yield* unused(one)
  })

  test.scoped("[L19:virtual] settles twice: the first counts", function*() {
    const one = yield* sending(() => ({
      send: (_method, _params, _options, settle) => {
        settle(Exit.succeed({ content: [] } as never))
        settle(Exit.die("again"))
        return () => {}
      }
    }))
    one.start()
    expect(one.nexts.map(Exit.isExit)).toEqual([true])
    expect(yield* one.nexts[0]!).toEqual({ content: [] })
    yield* unused(one)
  })

  test.scoped("[L19:virtual] throws when it is asked to cancel: the lease is given back", function*() {
    const one = yield* sending(() => ({
      send: () => () => {
        throw new Error("broken on purpose")
      }
    }))
    const cancel = one.start()
    expect(cancel).not.toThrow()
    expect(one.nexts).toEqual([])
    yield* unused(one)
  })
})
