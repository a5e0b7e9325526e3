import { Backend, type Connector, type RequestOptions, Telemetry } from "@mcp-lifeline/core"
import { Handle } from "@mcp-lifeline/core/internal"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import type { Progress } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Fiber, FiberId, Random, Runtime, TestClock } from "effect"
import { sending } from "../../../testing/test/support/asked.js"
import { describe, expect, it, test } from "../../../testing/test/support/vitest.js"
import { spoken, withoutConnection } from "../../src/calls/ProgressBeats.js"
import { State } from "../../src/lifecycle/Lifecycle.js"

type Options = Partial<Backend.BackendOptions>

interface Calling {
  readonly heard: Array<Progress>
  readonly cancel: Effect.Effect<void>
  readonly hasEnded: () => boolean
}

type Way = (backend: Backend.Backend, options?: Backend.CallOptions) => Effect.Effect<Calling>

const unlimited = { timeout: Number.POSITIVE_INFINITY }

const listening = (options: Backend.CallOptions) => {
  const heard: Array<Progress> = []
  const onprogress = (one: Progress) => void heard.push(one)
  return { heard, options: { onprogress, ...unlimited, ...options } }
}

const inFiber: Way = (backend, given = {}) => {
  const { heard, options } = listening(given)
  return Effect.map(
    Effect.fork(Effect.exit(backend.callTool({ name: "pay" }, options))),
    (fiber) => ({
      heard,
      cancel: Effect.asVoid(Fiber.interrupt(fiber)),
      hasEnded: () => fiber.unsafePoll() !== null
    })
  )
}

/** As the facade and the relays do it. */
const withoutFiber: Way = (backend, given = {}) =>
  Effect.map(Effect.runtime(), (runtime) => {
    const { heard, options } = listening(given)
    let fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
    let ended = false
    const { cancel } = Handle.start(backend, "tools/call", { name: "pay" }, options, (rest) => {
      fiber = Runtime.runFork(runtime)(rest)
      fiber.addObserver(() => {
        ended = true
      })
    })
    return {
      heard,
      cancel: Effect.sync(() => {
        cancel()
        fiber?.unsafeInterruptAsFork(FiberId.none)
      }),
      hasEnded: () => ended
    }
  })

const ways: ReadonlyArray<readonly [string, Way]> = [["a fiber", inFiber], ["no fiber", withoutFiber]]

const silent = (timeout?: number) => {
  const script = ScriptedConnector.make()
  // Otherwise quiet calls have it asked, too.
  script.otherwise = { stateful: false }
  script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
  let last: RequestOptions | undefined
  const connector = sending(script, (connection) => (method, params, given, settle) => {
    if (method === "tools/call") last = given
    return connection.send(method, params, timeout === undefined ? given : { ...given, timeout }, settle)
  })
  const report = (progress: Progress) => last?.onevent?.({ _tag: "Progress", progress })
  const asks = (isAsking: boolean) => last?.onevent?.({ _tag: isAsking ? "Asked" : "Answered" })
  return { script, connector, report, asks }
}

/** A backend whose first heartbeat is hours away. */
const start = (connector: Connector, options: Options = {}) =>
  Backend.make("files", { connector, keepalive: { interval: "24 hours" }, ...options }).pipe(
    Effect.tap(() => TestClock.adjust(0)),
    Effect.withRandom(Random.fixed([0.5]))
  )

const pings = (script: ScriptedConnector.ScriptedConnector) => script.ledger.sent("ping").length

const messages = ({ heard }: Calling) => heard.map(({ message }) => message)

const hang = (script: ScriptedConnector.ScriptedConnector) => {
  script.respond = () => ({ answer: "never" })
}

describe("ProgressBeats", () => {
  describe.each(ways)("a call with %s", (_, call) => {
    test.scoped("[G25:virtual] a silent call hears within 15 s that it still runs, while the server answers pings", function*() {
      const { connector, script } = silent()
      const backend = yield* start(connector)
      const calling = yield* call(backend)
      yield* TestClock.adjust(14_999)
      expect([calling.heard, pings(script)]).toEqual([[], 0])
      yield* TestClock.adjust(1)
      expect(calling.heard).toEqual([{ progress: 0, message: "still running, 15 s" }])
      yield* TestClock.adjust("45 seconds")
      expect(messages(calling).slice(1)).toEqual([
        "still running, 30 s",
        "still running, 45 s",
        "still running, 1 min 0 s"
      ])
      expect(pings(script)).toBe(4)
      yield* calling.cancel
      yield* TestClock.adjust("2 minutes")
      expect(calling.heard).toHaveLength(4)
      expect(pings(script)).toBe(4)
      const next = yield* call(backend)
      yield* TestClock.adjust(14_999)
      expect(next.heard).toEqual([])
      yield* TestClock.adjust(1)
      expect(messages(next)).toEqual(["still running, 15 s"])
    })

    test.scoped("[G25:virtual] an answer ends it, and nothing comes after it", function*() {
      const { connector, script } = silent()
      const backend = yield* start(connector)
      script.respond = (method) => method === "tools/call" ? { answer: "result", after: 20_000 } : undefined
      const calling = yield* call(backend)
      yield* TestClock.adjust("20 seconds")
      expect(calling.hasEnded()).toBe(true)
      yield* TestClock.adjust("1 minute")
      expect(messages(calling)).toEqual(["still running, 15 s"])
    })

    test.scoped("[G25:virtual] what the server reports starts the clock again, and values rise over both", function*() {
      const { connector, report } = silent()
      const backend = yield* start(connector)
      const calling = yield* call(backend)
      yield* TestClock.adjust("10 seconds")
      report({ progress: 3, total: 9, message: "copies" })
      yield* TestClock.adjust("14999 millis")
      expect(calling.heard).toEqual([{ progress: 3, total: 9, message: "copies" }])
      yield* TestClock.adjust(1)
      expect(calling.heard[1]).toMatchObject({ total: 9, message: "copies (still running, 25 s)" })
      report({ progress: 3, total: 9 })
      report({ progress: 4 })
      const values = calling.heard.map(({ progress }) => progress)
      expect(values).toEqual(values.toSorted((one, other) => one - other))
      expect(new Set(values).size).toBe(4)
      expect(values[3]).toBe(4)
    })

    test.scoped("[G25:virtual] a server that hangs is not kept alive: nothing is said until it answers something", function*() {
      const { connector, script } = silent()
      const backend = yield* start(connector, { keepalive: { interval: "24 hours", failureThreshold: 1 } })
      const calling = yield* call(backend)
      yield* TestClock.adjust("15 seconds")
      expect(calling.heard).toHaveLength(1)
      hang(script)
      yield* TestClock.adjust("2 minutes")
      expect(calling.heard).toHaveLength(1)
      // It was asked for nobody's sake but the caller's: the connection is not given up.
      expect(yield* backend.isConnected).toBe(true)
      script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      yield* TestClock.adjust("16 seconds")
      expect(calling.heard).toHaveLength(2)
    })

    test.scoped("[G25:virtual] the answer to another call is a sign of life, too, and so is progress that is not passed on", function*() {
      const { connector, report, script } = silent()
      const backend = yield* start(connector, { keepalive: { method: "none" } })
      const calling = yield* call(backend)
      yield* TestClock.adjust("16 seconds")
      expect(calling.heard).toEqual([])
      yield* backend.listTools()
      yield* TestClock.adjust("14 seconds")
      expect(messages(calling)).toEqual(["still running, 17 s"])
      yield* TestClock.adjust("70 seconds")
      expect(calling.heard).toHaveLength(1)
      report({ progress: Number.POSITIVE_INFINITY })
      yield* TestClock.adjust("5 seconds")
      expect(calling.heard).toHaveLength(2)
      expect(pings(script)).toBe(0)
    })

    test.scoped("[G25:virtual] a call that waits for its server hears so after a second, and what has changed a second later", function*() {
      const { connector, script } = silent()
      const backend = yield* start(connector, {
        reconnect: { initialDelay: "3 seconds", demandInterval: "3 seconds" }
      })
      yield* TestClock.adjust("1 minute")
      script.failNext(1, { reason: "closed" })
      script.script({ after: 2000 })
      script.current.lose()
      yield* TestClock.adjust(0)
      const calling = yield* call(backend)
      yield* TestClock.adjust(999)
      expect(calling.heard).toEqual([])
      yield* TestClock.adjust(1)
      expect(messages(calling)).toEqual(["files is down; attempt 2 follows"])
      yield* TestClock.adjust("4 seconds")
      expect(messages(calling).slice(1)).toEqual(["files is reconnecting (attempt 2)"])
      yield* TestClock.adjust("30 seconds")
      expect(messages(calling).at(-1)).toMatch(/^still running, [23]\d s$/)
      const values = calling.heard.map(({ progress }) => progress)
      expect(values).toEqual(values.toSorted((one, other) => one - other))
      expect(new Set(values).size).toBe(values.length)
    })

    test.scoped("[G25:virtual] each outage is said after a second, also one of which the same is said as of the one before", function*() {
      const { connector, script } = silent()
      const backend = yield* start(connector)
      const calling = yield* call(backend, { idempotent: true })
      for (const outage of [1, 2, 3]) {
        yield* TestClock.adjust("65 seconds")
        const before = calling.heard.length
        script.script({ after: 8000 })
        script.current.lose()
        yield* TestClock.adjust("2 seconds")
        expect(messages(calling).slice(before)).toEqual(["files is reconnecting"])
        yield* TestClock.adjust("6 seconds")
        expect(script.connections).toHaveLength(outage + 1)
        expect(calling.heard).toHaveLength(before + 1)
      }
    })

    test.scoped("[G25:virtual] a call that may finish before its server is replaced does not wait for the next one: it still runs, as long as the server lives", function*() {
      const script = ScriptedConnector.make({ overlap: false })
      script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      const backend = yield* start(script, { timeouts: { drain: "1 minute" } })
      const calling = yield* call(backend)
      yield* TestClock.adjust("10 seconds")
      yield* backend.ping()
      const replacing = yield* Effect.fork(Effect.exit(backend.reconnect))
      yield* TestClock.adjust("10 seconds")
      expect(messages(calling)).toEqual(["still running, 15 s"])
      yield* TestClock.adjust("10 seconds")
      expect(messages(calling).slice(1)).toEqual(["files is reconnecting"])
      yield* calling.cancel
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(replacing)
      expect((yield* backend.status).generation).toBe(2)
    })

    test.scoped("[G25:virtual] what is sent again begins anew: nothing goes back, and what the server said before it is not repeated", function*() {
      const { connector, report, script } = silent()
      const backend = yield* start(connector)
      const calling = yield* call(backend, { idempotent: true })
      report({ progress: 5, total: 9, message: "copies" })
      script.current.lose()
      yield* TestClock.adjust("1 second")
      expect(script.connections).toHaveLength(2)
      report({ progress: 1, total: 9, message: "copies again" })
      expect(calling.heard).toHaveLength(1)
      script.current.lose()
      yield* TestClock.adjust("20 seconds")
      expect(script.connections).toHaveLength(3)
      expect(calling.heard.at(-1)).toMatchObject({
        total: 9,
        message: expect.stringMatching(/^still running, \d+ s$/)
      })
      report({ progress: 6 })
      expect(calling.heard.at(-1)).toEqual({ progress: 6 })
    })

    test.scoped("[G25:virtual C21] while the user is asked, also longer than the time of the call, it still runs", function*() {
      const { asks, connector } = silent(1e9)
      const backend = yield* start(connector)
      const calling = yield* call(backend, { timeout: "20 seconds" })
      yield* TestClock.adjust("5 seconds")
      asks(true)
      yield* TestClock.adjust("85 seconds")
      const times = ["15 s", "30 s", "45 s", "1 min 0 s", "1 min 15 s", "1 min 30 s"]
      expect(messages(calling)).toEqual(times.map((time) => `still running, ${time}`))
      asks(false)
      yield* calling.cancel
    })

    test.scoped("[G25:virtual] what a request that was sent again reports is a sign of life, though it is not passed on", function*() {
      const { connector, report, script } = silent()
      const backend = yield* start(connector, { keepalive: { method: "none" } })
      const calling = yield* call(backend, { idempotent: true })
      yield* TestClock.adjust(0)
      report({ progress: 5 })
      script.current.lose()
      yield* TestClock.adjust("5 seconds")
      expect(script.connections).toHaveLength(2)
      yield* TestClock.adjust("2 minutes")
      const before = calling.heard.length
      report({ progress: 1 })
      yield* TestClock.adjust("15 seconds")
      expect(calling.heard).toHaveLength(before + 1)
    })

    test.scoped("[G25:virtual] a call hears that its server is restarted, and not what the server said last, each time", function*() {
      const { connector, report, script } = silent()
      const backend = yield* start(connector)
      const calling = yield* call(backend, { idempotent: true })
      yield* TestClock.adjust(0)
      let progress = 0
      report({ progress: ++progress, message: "copies" })
      for (const _ of [1, 2]) {
        script.script({ after: 8000 })
        script.current.lose()
        yield* TestClock.adjust("5 seconds")
        expect(calling.heard.at(-1)?.message).toMatch(/^files is reconnecting/)
        yield* TestClock.adjust("5 seconds")
        report({ progress: progress += 5, message: "copies" })
        yield* TestClock.adjust("65 seconds")
        report({ progress: ++progress, message: "copies" })
      }
    })

    test.scoped("[G25:virtual] each call that waits for its server hears so after a second, however many others do; or after a shorter interval", function*() {
      for (const [progressInterval, millis] of [["15 seconds", 1000], ["200 millis", 200]] as const) {
        const { connector, script } = silent()
        const backend = yield* start(connector, { calls: { progressInterval } })
        script.otherwise = { connect: "hang" }
        script.current.lose()
        yield* TestClock.adjust(0)
        for (const _ of [1, 2]) {
          const calling = yield* call(backend, { wait: "1 hour" })
          yield* TestClock.adjust(millis - 1)
          expect(calling.heard).toEqual([])
          yield* TestClock.adjust(2 * millis)
          expect(calling.heard).not.toEqual([])
        }
      }
    })

    test.scoped.each<[string, Options, Backend.CallOptions]>([
      ["with the option off", { calls: { progressInterval: "never" } }, {}],
      ["for a caller who does not ask for it", {}, { onprogress: undefined }]
    ])("[G25:virtual] %s nothing is said, and nothing is sent", function*([, options, given]) {
      const { connector, script } = silent()
      const backend = yield* start(connector, options)
      const calling = yield* call(backend, given)
      yield* TestClock.adjust("2 minutes")
      expect([calling.heard, pings(script)]).toEqual([[], 0])
      script.otherwise = { connect: "hang" }
      script.current.lose()
      yield* TestClock.adjust("2 minutes")
      expect(calling.heard).toEqual([])
    })

    it.scoped("[G25:virtual O1] a measured call that does not ask for progress hears nothing, and keeps it from no other", () =>
      Effect.gen(function*() {
        const { connector } = silent()
        const backend = yield* start(connector)
        const calling = yield* call(backend, { onprogress: undefined })
        yield* TestClock.adjust("20 seconds")
        const other = yield* call(backend)
        yield* TestClock.adjust("15 seconds")
        expect([messages(calling), messages(other)]).toEqual([[], ["still running, 15 s"]])
      }).pipe(Effect.provideService(Telemetry.Current, {
        observe: () => ({
          hasSpans: false,
          event: () => {},
          beat: () => {},
          breakerOpened: () => {},
          call: () => ({ attempt: () => undefined, end: () => {} })
        })
      })))

    test.scoped("[G25:virtual C5] no limit of Lifeline starts again: the call ends when it would have ended without", function*() {
      const { connector } = silent()
      const backend = yield* start(connector, { calls: { progressInterval: "1 second" } })
      const calling = yield* call(backend, { timeout: "20 seconds", resetTimeoutOnProgress: true })
      yield* TestClock.adjust(19_999)
      expect([calling.heard.length, calling.hasEnded()]).toEqual([19, false])
      yield* TestClock.adjust(1)
      expect(calling.hasEnded()).toBe(true)
      yield* TestClock.adjust("1 minute")
      expect(calling.heard).toHaveLength(19)
    })

    test.scoped("[G25:virtual] a caller's function that throws stops neither its call nor others", function*() {
      const { connector } = silent()
      const backend = yield* start(connector)
      const wrong = yield* call(backend, {
        onprogress: () => {
          throw new Error("wrong")
        }
      })
      const calling = yield* call(backend)
      yield* TestClock.adjust("30 seconds")
      expect([calling.heard.length, wrong.hasEnded()]).toEqual([2, false])
    })
  })

  test.scoped("[G25:virtual] many calls share one ping, each hears in its own time, and the closed backend says nothing more", function*() {
    const { connector, script } = silent()
    const calls: Array<Calling> = []
    yield* Effect.scoped(Effect.gen(function*() {
      const backend = yield* start(connector)
      for (let i = 0; i < 5; i++) {
        calls.push(yield* withoutFiber(backend))
        yield* TestClock.adjust(1100)
      }
      yield* TestClock.adjust(9500)
      expect(calls.map(({ heard }) => heard.length)).toEqual([1, 0, 0, 0, 0])
      yield* TestClock.adjust(4400)
      expect(calls.map(({ heard }) => heard.length)).toEqual([1, 1, 1, 1, 1])
      expect(pings(script)).toBe(1)
    }))
    yield* TestClock.adjust("1 minute")
    expect(calls.map(({ heard }) => heard.length)).toEqual([1, 1, 1, 1, 1])
  })

  test.scoped("[G25:virtual] a call that waits for the verdict on a connection in doubt hears so, and nothing of a server that hangs", function*() {
    const { connector, script } = silent()
    const backend = yield* start(connector, { keepalive: { interval: "24 hours", failureThreshold: 5 } })
    hang(script)
    yield* Effect.fork(Effect.exit(backend.callTool({ name: "pay" }, { timeout: "1 second" })))
    const before = yield* withoutFiber(backend)
    yield* TestClock.adjust("2 seconds")
    const held = yield* withoutFiber(backend)
    yield* TestClock.adjust("31 seconds")
    expect(messages(held)).toEqual([15, 30].map((s) => `waits until the server answers a probe, ${s} s`))
    expect(before.heard).toEqual([])
  })

  test.scoped("[G25:virtual] a call that waits for a sign-in hears so, whatever the connector does when it is asked", function*() {
    const { connector, script } = silent()
    script.script({ after: 5000 }, { after: 5000 })
    let attempts = 0
    const signing: Connector = {
      ...connector,
      connect: (options) => {
        const isFirst = ++attempts === 1
        const isSigningIn = () => {
          if (isFirst) return true
          throw new Error("broken")
        }
        options.report({ _tag: "Attempt", describe: () => undefined, isSigningIn })
        return connector.connect(options)
      }
    }
    const backend = yield* start(signing)
    const first = yield* withoutFiber(backend)
    yield* TestClock.adjust("4 seconds")
    expect(messages(first)).toEqual(["files waits for its sign-in"])
    yield* TestClock.adjust("1 second")
    script.current.lose()
    const second = yield* withoutFiber(backend)
    yield* TestClock.adjust("4 seconds")
    expect(messages(second)).toEqual([expect.stringMatching(/^files is (down|reconnecting)/)])
  })

  it("[G25:virtual] what is said of a missing connection", () => {
    const about = { id: "files", isProcess: true, attempt: 1, isSigningIn: false }
    const said = (state: State, generation: number, other: Partial<typeof about> = {}) =>
      withoutConnection({ state, generation }, { ...about, ...other })
    const connecting = State.Connecting({ probe: false })
    expect(said(connecting, 0)).toBe("files is starting")
    expect(said(State.Idle(), 0, { isProcess: false })).toBe("files is connecting")
    expect(said(connecting, 3, { attempt: 2 })).toBe("files is restarting (attempt 2)")
    expect(said(connecting, 3, { isProcess: false })).toBe("files is reconnecting")
    expect(said(State.Dormant(), 1, { attempt: 7 })).toBe("files is down; attempt 7 follows")
    expect(said(connecting, 3, { attempt: 2, isSigningIn: true })).toBe("files waits for its sign-in")
    expect([0, 59_999, 60_000, 135_000, 3_600_000, 3_959_999].map(spoken)).toEqual([
      "0 s",
      "59 s",
      "1 min 0 s",
      "2 min 15 s",
      "1 h 0 min",
      "1 h 5 min"
    ])
  })
})
