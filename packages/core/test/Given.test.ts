import {
  Backend,
  ConnectError,
  type Connection,
  type ConnectOptions,
  Fleet,
  type Loss,
  Telemetry
} from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Stream, TestClock } from "effect"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { failure, runUntilIdle, watched } from "./support/Watched.js"

const broken = (): never => {
  throw new Error("broken on purpose")
}

/** What nothing can be said of: `String` and `message` throw. */
const unspeakable = Object.create(null) as object
const silent = Object.defineProperty(new Error(), "message", { get: broken })

type Connect = ReturnType<ScriptedConnector.ScriptedConnector["connect"]>

const bent = (bend: (connect: Connect, options: ConnectOptions) => unknown) => {
  const script = ScriptedConnector.make()
  const { connect } = script
  const state = { bent: true }
  Object.assign(script, {
    connect: (options: ConnectOptions) => state.bent ? bend(connect(options), options) : connect(options)
  })
  return { script, state }
}

const ended = <A, E>(command: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const running = yield* Effect.fork(command)
    yield* TestClock.adjust("1 minute")
    const exit = running.unsafePoll()
    if (exit === null) throw new Error("it is not answered")
    return exit
  })

const obeys = (backend: Backend.Backend) =>
  Effect.gen(function*() {
    for (const command of [backend.reconnect, backend.disable, backend.enable, backend.disconnect, backend.reconnect]) {
      expect(yield* ended(command)).toEqual(Exit.void)
    }
    expect((yield* backend.status).state).toBe("Connected")
    yield* backend.callTool({ name: "echo" })
  })

const without = (member: keyof Connection) => (connect: Connect) =>
  Effect.map(connect, (connection) => ({ ...connection, [member]: undefined }))

describe("a connector that", () => {
  const ways: Record<string, (connect: Connect, options: ConnectOptions) => unknown> = {
    "gives nothing in place of an effect": () => undefined,
    "gives a promise in place of an effect": () => Promise.resolve(1),
    "gives nothing in place of a connection": () => Effect.void,
    "gives a text in place of a connection": () => Effect.succeed("connection"),
    "gives an empty object in place of a connection": () => Effect.succeed({}),
    "gives a connection without send": without("send"),
    "gives a connection without capabilities": without("capabilities"),
    "gives a connection without a peer": without("peer"),
    "gives a connection whose fields throw": (connect) =>
      Effect.map(connect, (connection) => Object.defineProperty(connection, "serverInfo", { get: broken })),
    "fails with nothing": () => Effect.fail(undefined),
    "fails with a text": () => Effect.fail("no"),
    "fails with an error of another kind": () => Effect.fail({ _tag: "Other", message: "no" }),
    "fails with what nothing can be said of": () => Effect.fail(unspeakable),
    "dies of what nothing can be said of": () => Effect.die(unspeakable),
    "dies of an error whose message throws": () => Effect.die(silent),
    "throws what nothing can be said of": () => {
      throw unspeakable
    },
    "interrupts itself": () => Effect.interrupt,
    "can neither end nor be interrupted": () => Effect.uninterruptible(Effect.never),
    "asks to be left alone for no number of milliseconds": () =>
      Effect.fail(
        new ConnectError({ backend: "", reason: "refused", message: "no", permanent: false, retryAfter: Number.NaN })
      ),
    "cannot say what takes so long": (_, { report }) => {
      report({ _tag: "Attempt", describe: broken })
      return Effect.never
    }
  }
  for (const [way, bend] of Object.entries(ways)) {
    test.scoped(`[L19:virtual] ${way}: the attempt fails, each command is answered, and the next attempt may succeed`, function*() {
      if (way.startsWith("can neither")) mayLeave("connections", "timers")
      const { script, state } = bent(bend)
      const { backend } = yield* watched(script, { reconnect: { maxAttempts: 1000 } })
      const exit = yield* ended(backend.reconnect)
      expect(failure(exit)).toMatchObject({ _tag: "ConnectError", backend: "one", permanent: false })
      const status = yield* backend.status
      expect(["Reconnecting", "Connecting"]).toContain(status.state)
      expect(status.lastError).toMatch(/./)
      const call = yield* ended(backend.callTool({ name: "echo" }))
      expect(failure(call)).toMatchObject({ _tag: "BackendUnavailable" })
      state.bent = false
      yield* TestClock.adjust("2 minutes")
      yield* obeys(backend)
    })
  }

  test.scoped("[L19:virtual] cannot say what takes so long: the error says that it took too long", function*() {
    const { script } = bent(ways["cannot say what takes so long"]!)
    const { backend } = yield* watched(script, { timeouts: { connect: 1000 } })
    yield* TestClock.adjust(1000)
    expect((yield* backend.status).lastError).toBe("no connection within 1000 ms (timeouts.connect)")
  })

  test.scoped("[L19:virtual] tells of nothing: a report or a notification that is none is dropped, and throws nothing at the connector", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    const heard: Array<unknown> = []
    yield* Effect.forkScoped(Stream.runForEach(backend.notifications, (one) => Effect.sync(() => heard.push(one))))
    yield* runUntilIdle
    for (const nothing of [undefined, null, "notification"]) {
      script.current.options.report({ _tag: "Notification", notification: nothing as never })
    }
    for (const nothing of [undefined, "report", {}, { _tag: "Hearing" }, { _tag: "Usage" }, { _tag: "Other" }]) {
      script.current.options.report(nothing as never)
    }
    yield* runUntilIdle
    expect(heard).toEqual([])
    yield* obeys(backend)
  })
})

describe("a loss that is none", () => {
  test.scoped.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a text", "gone"],
    ["an error", new Error("gone")],
    ["an object without a message", { kind: "closed" }],
    ["a kind of its own", { kind: "__proto__", message: "the connection ended, and its connector did not say why" }]
  ])("[L19:virtual] %s: the connection is lost, and replaced", function*([, given]) {
    const lost: Array<(loss: Loss) => void> = []
    const { script } = bent((connect) =>
      Effect.map(connect, (connection): Connection => ({
        ...connection,
        onLost: (callback) => {
          lost.push(callback)
        }
      }))
    )
    const { backend, installed } = yield* watched(script)
    yield* runUntilIdle
    lost[0]!(given as Loss)
    yield* runUntilIdle
    expect(yield* backend.status).toMatchObject({
      state: "Reconnecting",
      lastError: "the connection ended, and its connector did not say why"
    })
    yield* TestClock.adjust("1 minute")
    expect(installed()).toEqual([1, 2])
    yield* obeys(backend)
  })
})

describe("a connection whose requests", () => {
  test.scoped("[L19:virtual, C7] die as a session is asked again for what it kept: it is connected all the same", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    yield* backend.setLoggingLevel("debug")
    yield* backend.subscribeResource("file:///readme")
    script.respond = (method) => /setLevel|subscribe/.test(method) ? { answer: "die" } : undefined
    yield* obeys(backend)
    script.respond = (method) => /setLevel|subscribe/.test(method) ? { answer: "stuck" } : undefined
    const { backend: other } = yield* watched(script, { timeouts: { request: 1000 } })
    yield* runUntilIdle
    yield* obeys(other)
  })

  test.scoped("[L19:virtual, P3] never end as the lists are read: they are read again when their time is up", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method) => method === "tools/list" ? { answer: "stuck" } : undefined
    const { backend } = yield* watched(script)
    yield* TestClock.adjust("1 minute")
    // It answers the probe that follows.
    expect(script.ledger.sent("ping")).toHaveLength(1)
    expect((yield* backend.status).failures).toBe(0)
    script.respond = undefined
    yield* TestClock.adjust("2 seconds")
    expect((yield* backend.catalog)?.tools).toHaveLength(1)
    yield* obeys(backend)
  })
})

describe("onConnected", () => {
  const ways: Record<string, () => unknown> = {
    "throws": broken,
    "dies": () => Effect.die(new Error("broken on purpose")),
    "gives nothing in place of an effect": () => undefined,
    "fails with what nothing can be said of": () => Effect.fail(unspeakable),
    "fails with nothing": () => Effect.fail(undefined),
    "can neither end nor be interrupted": () => Effect.uninterruptible(Effect.never)
  }
  for (const [way, run] of Object.entries(ways)) {
    test.scoped(`[L19:virtual, C11] ${way}: the attempt fails and names it, and the next may succeed`, function*() {
      if (way.startsWith("can neither")) mayLeave("timers")
      let bend = true
      const script = ScriptedConnector.make()
      const { backend } = yield* watched(script, {
        onConnected: () => bend ? run() as Effect.Effect<void> : Effect.void,
        reconnect: { maxAttempts: 1000 }
      })
      const error = failure(yield* ended(backend.reconnect))
      expect(error).toMatchObject({ _tag: "ConnectError", reason: way.startsWith("can") ? "timeout" : "onConnected" })
      bend = false
      yield* TestClock.adjust("2 minutes")
      yield* obeys(backend)
      expect(script.ledger.opened.length - script.ledger.closed.length).toBe(1)
    })
  }
})

describe("telemetry", () => {
  const measured = (bend: Partial<Telemetry.CallObserver<never>>): Telemetry.Observer => ({
    hasSpans: false,
    event: () => {},
    beat: () => {},
    breakerOpened: () => {},
    call: () => ({ attempt: () => undefined, end: () => {}, ...bend })
  })
  const ways: Record<string, Telemetry.Observer> = {
    "throws before a call": { ...measured({}), call: broken },
    "throws after a call": measured({ end: broken }),
    "throws before a request": measured({ attempt: broken }),
    "throws after a request": {
      ...measured({}),
      call: (_, params) => ({ attempt: () => ({ params, span: undefined, end: broken }), end: () => {} })
    },
    "measures with nothing": { ...measured({}), call: () => undefined as never }
  }
  for (const [way, observer] of Object.entries(ways)) {
    it.scoped(`[L19:virtual] that ${way}: the call is answered, and was made once`, () =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make()
        const { backend } = yield* watched(script)
        yield* runUntilIdle
        const { content } = yield* backend.callTool({ name: "echo", arguments: { message: "hi" } })
        expect(JSON.stringify(content)).toContain("hi")
        expect(script.ledger.sent("tools/call")).toHaveLength(1)
        script.respond = () => ({ answer: "never" })
        const late = yield* ended(backend.callTool({ name: "echo" }, { timeout: 1000 }))
        expect(failure(late)._tag).toBe("RequestTimeout")
      }).pipe(Effect.provideService(Telemetry.Current, { observe: () => observer })))
  }
})

describe("a fleet", () => {
  test.scoped("[L19:virtual] one backend whose connector is broken in every way: the others work, and it can be replaced", function*() {
    const junk = [
      () => undefined,
      () => Effect.fail(undefined),
      () => Effect.die(unspeakable),
      () => Effect.succeed({}),
      broken
    ]
    let times = 0
    const { script } = bent(() => junk[times++ % junk.length]!())
    const good = ScriptedConnector.make()
    const backends = { bad: { connector: script }, good: { connector: good } }
    const fleet = yield* Fleet.make({ backends, defaults: { keepalive: { method: "none" } } })
    yield* TestClock.adjust("1 minute")
    yield* fleet.callTool({ name: "good__echo" })
    expect(times).toBeGreaterThan(4)
    expect((yield* fleet.status)["bad"]?.state).toBe("Dormant")
    const applying = yield* ended(fleet.apply({ good: backends.good, bad: { connector: ScriptedConnector.make() } }))
    expect(applying).toMatchObject({ _tag: "Success", value: { replaced: ["bad"] } })
    yield* TestClock.adjust("1 second")
    yield* fleet.callTool({ name: "bad__echo" })
  })
})
