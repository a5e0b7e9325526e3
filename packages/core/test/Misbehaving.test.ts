/** Connectors that break the rules of their port: no defect, no fiber that hangs, and each thing opened is closed once. */
import { Sending } from "@mcp-lifeline/core"
import type { Backend, Connection, ConnectOptions, Loss, Report } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Cause, Effect, Exit, Fiber, Scope, Stream, TestClock } from "effect"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { failure, runUntilIdle, type Watched, watched } from "./support/Watched.js"

const gone = (message: string): Loss => ({ kind: "closed", message })

const changed = "notifications/tools/list_changed"

type By = (request: Sending.Request) => Connection["send"]

const bent = (
  bend: (connection: Connection, id: number, options: ConnectOptions, by: By) => Partial<Connection>
): ScriptedConnector.ScriptedConnector => {
  const script = ScriptedConnector.make()
  const { connect } = script
  return Object.assign(script, {
    connect: (options: ConnectOptions) =>
      Effect.zipWith(connect(options), Effect.runtime<never>(), (connection, runtime): Connection => ({
        ...connection,
        ...bend(connection, script.current.id, options, (request) => Sending.by(runtime, request))
      }))
  })
}

const balanced = <A, E>(
  script: ScriptedConnector.ScriptedConnector,
  use: (one: Watched) => Effect.Effect<A, E, Scope.Scope>
) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const one = yield* Scope.extend(watched(script), scope)
    yield* runUntilIdle
    const result = yield* use(one)
    yield* Scope.close(scope, Exit.void)
    expect(script.ledger.faults).toEqual([])
    expect(script.ledger.closed.toSorted((a, b) => a - b)).toEqual(script.ledger.opened)
    expect((yield* one.backend.status).state).toBe("Closed")
    expect(failure(yield* Effect.exit(one.backend.callTool({ name: "echo" })))._tag).toBe("BackendUnavailable")
    return result
  })

const whole = (backend: Backend.Backend) =>
  Effect.gen(function*() {
    yield* backend.callTool({ name: "echo" })
    const { generation } = yield* backend.status
    yield* backend.reconnect
    expect(yield* backend.status).toMatchObject({ generation: generation + 1, state: "Connected" })
    yield* backend.callTool({ name: "echo" })
  })

describe("a connection that misbehaves at its end", () => {
  it.scoped("[L6:virtual, L4:virtual] onLost called again and again is one loss and one close", () => {
    const lost: Array<(loss: Loss) => void> = []
    const script = bent((connection) => ({
      onLost: (callback) => {
        lost.push(callback)
        connection.onLost(callback)
      }
    }))
    return balanced(script, ({ backend, closes, events, installed }) =>
      Effect.gen(function*() {
        lost[0]!(gone("first"))
        lost[0]!(gone("second"))
        yield* runUntilIdle
        lost[0]!(gone("third"))
        yield* runUntilIdle
        yield* TestClock.adjust("2 seconds")
        lost[0]!(gone("fourth"))
        yield* runUntilIdle
        expect(events.flatMap((event) => event._tag === "RuntimeLost" ? [event.loss.message] : [])).toEqual(["first"])
        expect(installed()).toEqual([1, 2])
        expect(closes()).toEqual([[1, "closed"]])
        expect(script.ledger.attempts).toHaveLength(2)
        expect(yield* backend.status).toMatchObject({ generation: 2, state: "Connected", errorCount: 1 })
        yield* whole(backend)
      }))
  })

  it.scoped("[L4:virtual] a notification after the loss reads no list and moves nothing", () => {
    const reports: Array<ConnectOptions["report"]> = []
    const script = bent((_connection, _id, { report }) => {
      reports.push(report)
      return {}
    })
    return balanced(script, ({ backend, installed }) =>
      Effect.gen(function*() {
        const heard: Array<string> = []
        yield* Effect.forkScoped(
          Stream.runForEach(backend.notifications, ({ method }) => Effect.sync(() => heard.push(method)))
        )
        yield* runUntilIdle
        const reads = () => script.ledger.sent("tools/list", 0).length
        const before = reads()
        script.current.lose()
        reports[0]!({ _tag: "Notification", notification: { method: changed } })
        yield* runUntilIdle
        heard.length = 0
        expect((yield* backend.status).state).toBe("Reconnecting")
        reports[0]!({ _tag: "Notification", notification: { method: changed } })
        yield* TestClock.adjust("2 seconds")
        expect(installed()).toEqual([1, 2])
        const readOfTheNext = script.ledger.sent("tools/list", 1).length
        reports[0]!({ _tag: "Notification", notification: { method: changed } })
        yield* runUntilIdle
        expect(heard).toEqual([])
        expect(reads()).toBe(before)
        expect(script.ledger.sent("tools/list", 1)).toHaveLength(readOfTheNext)
        yield* whole(backend)
      }))
  })

  it.scoped("[L4:virtual] whatever is reported of a connection that was replaced sends, tells and shows nothing", () => {
    const script = ScriptedConnector.make()
    const reports: ReadonlyArray<Report> = [
      { _tag: "Notification", notification: { method: changed } },
      { _tag: "Hearing", hearing: { announced: ["tools"], unannounced: ["prompts"] } },
      { _tag: "Doubt" },
      { _tag: "Attempt", describe: () => "too late" },
      { _tag: "Usage", usage: { memory: 1, cpu: 1, cpuTime: 1 } }
    ]
    return balanced(script, ({ backend }) =>
      Effect.gen(function*() {
        const first = script.current
        yield* backend.reconnect
        yield* runUntilIdle
        let heard = 0
        yield* Effect.forkScoped(
          Stream.runForEach(backend.notifications, () =>
            Effect.sync(() => {
              heard++
            }))
        )
        yield* runUntilIdle
        const before = { entries: script.ledger.entries.length, status: yield* backend.status }
        for (const report of reports) first.options.report(report)
        yield* runUntilIdle
        expect([heard, script.ledger.entries.length]).toEqual([0, before.entries])
        expect(yield* backend.status).toEqual(before.status)
        yield* whole(backend)
      }))
  })

  it.scoped("[L3:virtual, L6:virtual] a connection that is lost before it is handed over fails its attempt", () => {
    const script = bent((_connection, id) => ({
      onLost: (callback) => {
        if (id === 0) callback(gone("stillborn"))
      }
    }))
    return balanced(script, ({ backend, closes, installed, states }) =>
      Effect.gen(function*() {
        expect(installed()).toEqual([])
        expect((yield* backend.status).lastError).toContain("stillborn")
        yield* TestClock.adjust("2 seconds")
        expect(installed()).toEqual([1])
        expect(states()).toEqual(["Reconnecting", "Connecting", "Connected"])
        expect(closes().map(([, outcome]) => outcome)).toEqual(["closed"])
        yield* whole(backend)
      }))
  })

  it.scoped("[L6:virtual, C9] an onLost that throws fails its attempt", () => {
    const script = bent((_connection, id) =>
      id > 0 ? {} : {
        onLost: () => {
          throw new Error("broken onLost")
        }
      }
    )
    return balanced(script, ({ backend, installed }) =>
      Effect.gen(function*() {
        expect((yield* backend.status).lastError).toContain("broken onLost")
        yield* TestClock.adjust("2 seconds")
        expect(installed()).toEqual([1])
        yield* whole(backend)
      }))
  })

  const throwing = () =>
    bent((connection) => ({
      fail: (loss) => {
        connection.fail(loss)
        throw new Error("broken fail")
      }
    }))

  it.scoped("[L6:virtual, L8] a fail that throws at a loss neither stops the supervisor nor the close", () => {
    const script = throwing()
    return balanced(script, ({ backend, installed }) =>
      Effect.gen(function*() {
        script.current.lose()
        yield* TestClock.adjust("2 seconds")
        expect(installed()).toEqual([1, 2])
        expect((yield* backend.status).lastCloseError).toContain("broken fail")
        yield* whole(backend)
      }))
  })

  it.scoped("[L6:virtual, L8] a fail that throws at a replacement, a disconnect and a disable does neither", () => {
    const script = throwing()
    return balanced(script, ({ backend }) =>
      Effect.gen(function*() {
        const acts = [backend.reconnect, backend.disconnect, backend.reconnect, backend.disable, backend.enable]
        for (const act of acts) {
          const fiber = yield* Effect.fork(act)
          yield* TestClock.adjust("10 seconds")
          expect(fiber.unsafePoll()).toEqual(Exit.void)
        }
        yield* whole(backend)
      }))
  })
})

describe("a connector that speaks too early", () => {
  it.scoped("[E4 S13] what it hears, and what its server uses, holds for the connection", () => {
    const script = bent((_connection, _id, { report }) => {
      report({ _tag: "Hearing", hearing: { announced: [], unannounced: ["tools"] } })
      report({ _tag: "Usage", usage: { memory: 1, cpu: 2, cpuTime: 3 } })
      return {}
    })
    return balanced(script, ({ backend }) =>
      Effect.gen(function*() {
        expect((yield* backend.status).usage).toEqual({ memory: 1, cpu: 2, cpuTime: 3 })
        yield* TestClock.adjust("1 hour")
        expect(script.ledger.sent("tools/list", 0).length).toBeGreaterThan(1)
        expect(script.ledger.sent("prompts/list", 0)).toHaveLength(1)
      }))
  })

  it.scoped("[L4:virtual] a notification before connect has returned reads no list", () => {
    const script = bent((_connection, _id, { report }) => {
      report({ _tag: "Notification", notification: { method: changed } })
      return {}
    })
    return balanced(script, ({ backend }) =>
      Effect.gen(function*() {
        expect(script.ledger.sent("tools/list", 0)).toHaveLength(1)
        yield* backend.reconnect
        yield* runUntilIdle
        expect(script.ledger.sent("tools/list", 0)).toHaveLength(1)
        expect(script.ledger.sent("tools/list", 1)).toHaveLength(1)
        yield* whole(backend)
      }))
  })
})

const broken = {
  dies: Effect.die(new Error("broken request")),
  interrupts: Effect.interrupt,
  throws: Effect.suspend(() => {
    throw new Error("broken request")
  })
} as const

describe.each(["dies", "interrupts", "throws"] as const)("a request that %s", (how) => {
  const breaking = (...methods: ReadonlyArray<string>) => {
    const state = { broken: true }
    const sent: Array<string> = []
    const script = bent((connection, _id, _options, by) => {
      const failing = by(() => broken[how] as Effect.Effect<never>)
      return {
        send: (method, params, options, settle) => {
          if (!state.broken || !methods.includes(method)) return connection.send(method, params, options, settle)
          sent.push(method)
          if (how === "throws") throw new Error("broken request")
          return failing(method, params, options, settle)
        }
      }
    })
    return { script, sent, state }
  }

  const typed = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(effect)
      yield* TestClock.adjust("10 minutes")
      const exit = fiber.unsafePoll()
      if (exit === null) throw new Error("it hangs")
      if (Exit.isFailure(exit) && !Cause.isFailType(exit.cause)) throw new Error(`untyped: ${exit.cause._tag}`)
      yield* Fiber.await(fiber)
      return failure(exit)._tag
    })

  it.scoped("[C3:virtual, C9] is a call whose result is unknown, and is not sent again", () => {
    const { script, state } = breaking("tools/call")
    return balanced(script, ({ backend }) =>
      Effect.gen(function*() {
        expect(yield* typed(backend.callTool({ name: "echo" }))).toBe("ResultUnknown")
        expect(yield* backend.status).toMatchObject({ generation: 1, inFlight: 0, state: "Connected" })
        state.broken = false
        yield* whole(backend)
      }))
  })

  it.scoped("[C3:virtual, C9] is a read whose result is unknown, at once, and is not sent again", () => {
    const { script, sent, state } = breaking("tools/list", "tools/call")
    return balanced(script, ({ backend }) =>
      Effect.gen(function*() {
        const before = sent.length
        expect(failure(yield* Effect.exit(backend.listTools()))._tag).toBe("ResultUnknown")
        const call = backend.callTool({ name: "echo" }, { idempotent: true })
        expect(failure(yield* Effect.exit(call))._tag).toBe("ResultUnknown")
        expect(sent.slice(before)).toEqual(["tools/list", "tools/call"])
        expect((yield* backend.status).inFlight).toBe(0)
        state.broken = false
        yield* whole(backend)
      }))
  })

  it.scoped("[P3] is a reading of the lists that failed: the backend settles, and reads them again", () => {
    const { script, state } = breaking("tools/list")
    return balanced(script, ({ backend }) =>
      Effect.gen(function*() {
        const settled = yield* Effect.fork(backend.firstOutcome)
        yield* TestClock.adjust("1 second")
        expect(settled.unsafePoll()).toEqual(Exit.void)
        state.broken = false
        yield* TestClock.adjust("1 minute")
        expect((yield* backend.catalog)?.tools.map(({ name }) => name)).toEqual(["echo"])
        yield* whole(backend)
      }))
  })

  it.scoped("[H8, C9] is a probe that failed", () => {
    const { script, state } = breaking("ping")
    return balanced(script, ({ backend }) =>
      Effect.gen(function*() {
        const check = yield* Effect.fork(backend.healthCheck)
        yield* TestClock.adjust("1 minute")
        const exit = check.unsafePoll()
        expect(exit?._tag).toBe("Success")
        state.broken = false
        yield* whole(backend)
      }))
  })
})

describe("a notify that throws, or never ends", () => {
  test.scoped("[C9] is a typed error, within its time", function*() {
    const script = bent(() => ({
      notify: (method) => {
        if (method === "throws") throw new Error("broken notify")
        return Effect.uninterruptible(Effect.never)
      }
    }))
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    for (const method of ["throws", "hangs"]) {
      const sent = yield* Effect.fork(backend.notify(method))
      yield* TestClock.adjust("1 minute")
      expect(Exit.isFailure(sent.unsafePoll()!) && failure(sent.unsafePoll()!)._tag).toMatch(
        /^(RequestTimeout|ResultUnknown)$/
      )
    }
    yield* whole(backend)
  })
})

describe("a ping that never ends and cannot be interrupted", () => {
  /** Whether the lists hang, too: only then is nothing answered. */
  let hangs = false
  const script = () =>
    bent((connection, id, _options, by) => ({
      send: by((method, params, options) =>
        id === 0 && (method === "ping" || (hangs && method.endsWith("/list")))
          ? Effect.zipRight(Sending.ask(connection, method, params, options), Effect.uninterruptible(Effect.never))
          : Sending.ask(connection, method, params, options)
      )
    }))

  it.scoped("[K11:virtual, K1] is found by the heartbeats after it, and the next connection has heartbeats of its own", () => {
    mayLeave("timers")
    const connector = script()
    return Effect.gen(function*() {
      const keepalive = { interval: "1 minute", failureThreshold: 3 } as const
      const { backend, closes, installed } = yield* watched(connector, { keepalive })
      hangs = true
      yield* TestClock.adjust("2 minutes")
      // A reading of the lists, whose time is over meanwhile, may have one more asked.
      expect([3, 4]).toContain(connector.ledger.sent("ping", 0).length)
      expect(installed()).toEqual([1, 2])
      expect(closes()).toEqual([[1, "closed"]])
      yield* TestClock.adjust("5 minutes")
      expect(connector.ledger.sent("ping", 1).length).toBeGreaterThanOrEqual(5)
      yield* whole(backend)
    })
  })

  test.scoped("[H8 H4] is a health check that ends within its time", function*() {
    mayLeave("timers")
    hangs = true
    const { backend } = yield* watched(script())
    yield* runUntilIdle
    const check = yield* Effect.fork(backend.healthCheck)
    yield* TestClock.adjust("10 seconds")
    expect(check.unsafePoll()).toMatchObject({
      _tag: "Success",
      value: { latency: undefined, error: { _tag: "RequestTimeout" }, status: { state: "Connected" } }
    })
    yield* TestClock.adjust("1 minute")
    expect(yield* backend.status).toMatchObject({ generation: 2, state: "Connected" })
    yield* whole(backend)
  })
})
