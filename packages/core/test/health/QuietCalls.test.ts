import { type Backend, type Connection, type ConnectOptions, Policy, type ProcessSight } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { type Clock, Effect, Either, Fiber, Runtime, TestClock } from "effect"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import * as Handle from "../../src/Handle.js"
import * as Liveness from "../../src/health/Liveness.js"
import { delegated } from "../../src/port/checkConnector.js"
import * as Core from "../../src/runtime/Runtime.js"
import { BackendState } from "../../src/state/BackendState.js"
import { connected } from "../support/Connected.js"
import { watched } from "../support/Watched.js"

const never: ScriptedConnector.Answer = { answer: "never" }

const seen = (
  options: Omit<Backend.BackendOptions, "connector"> = {},
  bend?: (connection: Connection) => Connection
) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make({ overlap: false })
    const { connect } = script
    if (bend !== undefined) {
      Object.assign(script, { connect: (given: ConnectOptions) => Effect.map(connect(given), bend) })
    }
    const shows: { -readonly [K in keyof ProcessSight]: ProcessSight[K] } = {
      isStopped: false,
      isRunning: false,
      cpuTime: 0,
      transferred: 0,
      pids: [1],
      youngest: 1e9
    }
    let looks = 0
    script.sight = () => {
      looks++
      return { ...shows }
    }
    const one = yield* watched(script, { keepalive: { method: "ping", interval: "1 hour" }, ...options })
    yield* TestClock.adjust(0)
    const call = (name = "slow", timeout = 600_000) =>
      Effect.fork(Effect.either(one.backend.callTool({ name, arguments: {} }, { timeout }))).pipe(
        Effect.tap(() => TestClock.adjust(0))
      )
    const work = Effect.forkScoped(Effect.forever(Effect.delay(Effect.sync(() => shows.cpuTime += 1), "1 second")))
    const verdict = Effect.map(one.backend.status, (status) => status.verdict)
    const lost = () => one.events.flatMap((event) => event._tag === "RuntimeLost" ? [event.loss] : [])
    const pings = () => script.ledger.sent("ping")
    return { ...one, script, shows, call, work, verdict, lost, looks: () => looks, pings }
  })

const silence = (script: ScriptedConnector.ScriptedConnector) => {
  const { id: last } = script.current
  script.respond = (_, __, { id }) => id <= last ? never : undefined
}

const showConcurrent = ({ call, script }: Effect.Effect.Success<ReturnType<typeof seen>>) =>
  Effect.gen(function*() {
    script.respond = (method, params) =>
      method === "tools/call" && (params as { readonly name: string }).name === "slow"
        ? { answer: "result", after: 100 }
        : undefined
    const slow = yield* call()
    yield* Fiber.join(yield* call("quick"))
    yield* TestClock.adjust(100)
    yield* Fiber.join(slow)
  })

describe("V3: calls that are quiet", () => {
  test.scoped("[V3:virtual] a stopped server is replaced within 10 s of the first call without an answer, and is sent no ping", function*() {
    const server = yield* seen()
    silence(server.script)
    server.shows.isStopped = true
    yield* server.call()
    yield* TestClock.adjust("7 seconds")
    expect(server.lost()).toEqual([{
      kind: "health",
      isWedged: true,
      message: expect.stringContaining("a process of it is stopped")
    }])
    expect(server.pings()).toEqual([])
    expect(yield* server.backend.callTool({ name: "echo" })).toBeDefined()
  })

  test.scoped("[V3:virtual] so is one that reads and does nothing, if it has answered during a call before", function*() {
    const server = yield* seen()
    yield* showConcurrent(server)
    silence(server.script)
    yield* server.call()
    yield* TestClock.adjust("8 seconds")
    expect(server.lost()).toMatchObject([{ isWedged: true, message: expect.stringContaining("read nothing") }])
  })

  test.scoped("[V3:virtual] what was learned of a server counts on its next connection", function*() {
    const server = yield* seen()
    yield* showConcurrent(server)
    server.script.current.lose()
    yield* TestClock.adjust("10 seconds")
    silence(server.script)
    yield* server.call()
    yield* TestClock.adjust("8 seconds")
    expect(server.lost()).toMatchObject([{ kind: "closed" }, { isWedged: true }])
  })

  test.scoped("[V2:virtual] a server that never answered during a call is kept while its caller waits, and found 30 s after", function*() {
    const server = yield* seen({ keepalive: { method: "ping", interval: "1 minute" } })
    silence(server.script)
    const call = yield* server.call("slow", 900_000)
    yield* TestClock.adjust("4 minutes")
    expect(server.lost()).toEqual([])
    expect(yield* server.verdict).toMatchObject({ kind: "unknown" })
    yield* Fiber.interrupt(call)
    yield* TestClock.adjust("30 seconds")
    expect(server.lost()).toMatchObject([{ isWedged: true }])
  })

  test.scoped("[V1:virtual] a call without an answer in its time says what is known of the server", function*() {
    const server = yield* seen()
    silence(server.script)
    server.shows.isRunning = true
    const call = yield* server.call("slow", 10_000)
    yield* TestClock.adjust("10 seconds")
    const error = Either.getOrThrow(Either.flip(yield* Fiber.join(call)))
    expect(error._tag).toBe("RequestTimeout")
    for (const text of [error.message, error.publicMessage]) {
      expect(text).toMatch(/within 10000 ms \(its processes work \(\d+s\) on a call that its caller waits for\); it/)
    }
  })

  test.scoped("[V2:virtual] a server that works is kept while a caller waits, and after that for busyLimit", function*() {
    const server = yield* seen({ health: { busyLimit: "3 minutes" } })
    yield* showConcurrent(server)
    silence(server.script)
    yield* server.work
    const call = yield* server.call("slow", 3_000_000)
    yield* TestClock.adjust("4 minutes")
    expect(server.lost()).toEqual([])
    expect(yield* server.verdict).toMatchObject({
      kind: "busy",
      reason: expect.stringContaining("its processes work")
    })
    expect(server.events.filter(({ _tag }) => _tag === "Judged")).toMatchObject([{ kind: "busy", generation: 1 }])
    // Others wait behind it, and are no reason to keep it.
    yield* server.call("other", 3_000_000)
    yield* Fiber.interrupt(call)
    yield* TestClock.adjust("179 seconds")
    expect(server.lost()).toEqual([])
    yield* TestClock.adjust("31 seconds")
    expect(server.lost()).toMatchObject([{ message: expect.stringContaining("health.busyLimit") }])
  })

  test.scoped("[V2:virtual] one that works on a call that was given up is not kept for the calls after it", function*() {
    const server = yield* seen({ health: { busyLimit: "1 minute" } })
    silence(server.script)
    yield* server.work
    const call = yield* server.call()
    yield* TestClock.adjust("500 millis")
    yield* Fiber.interrupt(call)
    yield* server.call("later", 3_000_000)
    expect(server.script.ledger.sent("tools/call")).toHaveLength(2)
    yield* TestClock.adjust("80 seconds")
    expect(server.lost()).toMatchObject([{ message: expect.stringContaining("health.busyLimit") }])
  })

  test.scoped("[V2:virtual] a caller who has only stopped listening does not wait any more, though its call goes on", function*() {
    const server = yield* seen({ health: { busyLimit: "3 minutes" } })
    silence(server.script)
    yield* server.work
    const params = { name: "slow", arguments: {} }
    const fork = Runtime.runFork(yield* Effect.runtime())
    const call = Handle.start(server.backend, "tools/call", params, { timeout: 3_000_000 }, (rest) => void fork(rest))
    yield* TestClock.adjust(0)
    yield* TestClock.adjust("4 minutes")
    call.doubt()
    yield* TestClock.adjust("179 seconds")
    expect(server.lost()).toEqual([])
    yield* TestClock.adjust("31 seconds")
    expect(server.lost()).toMatchObject([{ message: expect.stringContaining("health.busyLimit") }])
  })

  test.scoped("[V2:virtual] one that works on the second of two calls is kept for its caller, once the first is answered", function*() {
    const server = yield* seen({ health: { busyLimit: "1 minute" } })
    yield* server.work
    server.script.respond = (method, params) =>
      method === "tools/call" && (params as { readonly name: string }).name === "first"
        ? { answer: "result", after: 10_000 }
        : never
    const first = yield* server.call("first")
    yield* server.call("second", 3_000_000)
    yield* TestClock.adjust("10 seconds")
    expect(yield* Fiber.join(first)).toMatchObject({ _tag: "Right" })
    yield* TestClock.adjust("4 minutes")
    expect(server.lost()).toEqual([])
  })

  test.scoped("[V2:virtual] one that works on a call is kept for its caller, also where one before it was given up", function*() {
    const server = yield* seen({ health: { busyLimit: "1 minute" } })
    server.script.respond = () => never
    yield* Fiber.interrupt(yield* server.call())
    server.script.respond = undefined
    yield* Fiber.join(yield* server.call("quick"))
    silence(server.script)
    yield* server.work
    yield* server.call("slow", 3_000_000)
    yield* TestClock.adjust("4 minutes")
    expect(server.lost()).toEqual([])
  })

  test.scoped("[V2:virtual] one that has just worked has the whole patience again, and no longer", function*() {
    const server = yield* seen({ keepalive: { method: "ping", interval: "1 minute" } })
    silence(server.script)
    const call = yield* server.call("slow", 1000)
    const work = (seconds: number) =>
      Effect.repeatN(
        Effect.zipRight(Effect.sync(() => server.shows.cpuTime += 0.5), TestClock.adjust("1 second")),
        seconds - 1
      )
    yield* work(60)
    yield* Fiber.join(call)
    expect(server.lost()).toEqual([])
    // It does little: that is neither work nor rest.
    server.shows.transferred = undefined
    yield* TestClock.adjust("20 seconds")
    expect(server.lost()).toEqual([])
    yield* TestClock.adjust("25 seconds")
    expect(server.lost()).toMatchObject([{ message: expect.stringContaining("do little") }])
  })

  test.scoped("[V2:virtual] one that answers in the end is kept, and its verdict goes", function*() {
    const server = yield* seen()
    yield* showConcurrent(server)
    server.script.respond = () => ({ answer: "result", after: 20_000 })
    const call = yield* server.call()
    for (let i = 0; i < 19; i++) {
      server.shows.cpuTime += 0.5
      yield* TestClock.adjust("1 second")
    }
    expect(yield* server.verdict).toMatchObject({ kind: "busy" })
    yield* TestClock.adjust("1 second")
    expect((yield* Fiber.join(call))._tag).toBe("Right")
    expect(yield* server.verdict).toBeUndefined()
    expect(server.lost()).toEqual([])
  })

  test.scoped("[V4:virtual] a server that ignores pings is asked for a list within seconds, and keeps the call in progress", function*() {
    const server = yield* seen()
    server.script.respond = (method) => {
      server.shows.transferred = (server.shows.transferred ?? 0) + 50
      return method === "ping" || method === "tools/call" ? never : undefined
    }
    yield* server.call("slow", 900_000)
    const givenUp = yield* server.call("slow", 900_000)
    yield* TestClock.adjust("6 seconds")
    yield* Fiber.interrupt(givenUp)
    yield* TestClock.adjust("4 minutes")
    expect(server.lost()).toEqual([])
    expect(server.script.current.pending).toBeGreaterThanOrEqual(1)
    expect(server.script.ledger.sent("tools/list").length).toBeGreaterThan(2)
  })

  test.scoped("[V3:virtual] a quick call causes no look, and a server whose calls take long few", function*() {
    const server = yield* seen()
    for (let i = 0; i < 20; i++) {
      yield* Fiber.join(yield* server.call("quick"))
      yield* TestClock.adjust("1500 millis")
    }
    expect([server.looks(), server.pings()]).toEqual([0, []])
    server.script.respond = (method) => method === "tools/call" ? never : undefined
    yield* server.call()
    yield* TestClock.adjust("3 minutes")
    expect(server.lost()).toEqual([])
    expect(server.pings().length).toBeLessThan(20)
    expect(server.looks()).toBeLessThan(20)
  })

  test.scoped("[V3:virtual] one that stops minutes after the beginning of the call is found as well", function*() {
    const server = yield* seen()
    server.script.respond = (method) => method === "tools/call" ? never : undefined
    yield* server.call()
    yield* TestClock.adjust("5 minutes")
    silence(server.script)
    server.shows.isStopped = true
    yield* TestClock.adjust("22 seconds")
    expect(server.lost()).toMatchObject([{ isWedged: true }])
  })

  test.scoped("[V3:virtual] one that stops while nobody calls is found by the next call, as soon as any", function*() {
    const server = yield* seen()
    yield* Fiber.join(yield* server.call("quick"))
    yield* TestClock.adjust("45 seconds")
    silence(server.script)
    server.shows.isStopped = true
    yield* server.call()
    yield* TestClock.adjust("8 seconds")
    expect(server.lost()).toMatchObject([{ isWedged: true }])
  })

  test.scoped("[V3:virtual] one that answers while it is looked at is asked nothing more", function*() {
    const server = yield* seen({}, (connection) => ({
      ...delegated(connection),
      look: connection.look && Effect.delay(connection.look, "500 millis")
    }))
    server.script.respond = (method) =>
      method === "tools/call" ? never : method === "ping" ? { answer: "result", after: 2200 } : undefined
    const lists = server.script.ledger.sent("tools/list").length
    yield* server.call()
    yield* TestClock.adjust("6 seconds")
    expect(server.pings()).toHaveLength(1)
    expect(server.script.ledger.sent("tools/list")).toHaveLength(lists)
  })

  test.scoped("[V3:virtual C21] while the user is asked, nothing is quiet", function*() {
    const server = yield* seen({ keepalive: { method: "none" } }, (connection) => ({
      ...delegated(connection),
      send: (method, params, options, settle) => {
        if (method === "tools/call") options.onevent?.({ _tag: "Asked" })
        return connection.send(method, params, options, settle)
      }
    }))
    silence(server.script)
    yield* server.call()
    yield* TestClock.adjust("1 minute")
    expect(server.looks()).toBe(0)
    expect(server.lost()).toEqual([])
  })
})

describe("V1: heartbeats without an answer", () => {
  test.scoped("[V1 V7:virtual K11] a stopped server is found by what its processes show, and closed as one that could wake up", function*() {
    const server = yield* seen({ keepalive: { interval: "1 minute" } })
    silence(server.script)
    server.shows.isStopped = true
    yield* TestClock.adjust("100 seconds")
    expect(server.lost()).toEqual([{
      kind: "keepalive",
      isWedged: true,
      message: expect.stringContaining("a process of it is stopped")
    }])
  })

  test.scoped("[V2:virtual K11] a server that works is kept for busyLimit", function*() {
    const server = yield* seen({ keepalive: { interval: "1 minute" }, health: { busyLimit: "3 minutes" } })
    silence(server.script)
    yield* server.work
    yield* TestClock.adjust("3 minutes")
    expect(server.lost()).toEqual([])
    expect(yield* server.verdict).toMatchObject({ kind: "busy" })
    yield* TestClock.adjust("2 minutes")
    expect(server.lost()).toMatchObject([{ kind: "keepalive", message: expect.stringContaining("busyLimit") }])
  })
})

describe("V1: the evidence", () => {
  test.scoped("[V1] of sights that are far apart is none: the machine may have slept between them", function*() {
    let now = 0
    const clock = { unsafeCurrentTimeMillis: () => now } as Clock.Clock
    const backend = new BackendState("one", Policy.defaults, clock)
    const runtime = yield* Core.Runtime.make(1)
    yield* Effect.addFinalizer(() => runtime.closeConnection)
    const look = Effect.sync((): ProcessSight => ({
      isStopped: true,
      isRunning: false,
      cpuTime: 0,
      transferred: 0,
      pids: [1],
      youngest: 1e9
    }))
    runtime.opened({ look, fail: () => {} } as unknown as Connection, now)
    connected(backend, runtime)
    const liveness = Liveness.make(backend)
    const verdictAfter = (millis: number) =>
      Effect.map(
        Effect.zipRight(Effect.sync(() => now += millis), Liveness.look(liveness, runtime)),
        () => Liveness.verdictOn(liveness, runtime).kind
      )
    expect(yield* verdictAfter(0)).toBe("unknown")
    expect(yield* verdictAfter(3_600_000)).toBe("unknown")
    expect(yield* verdictAfter(2000)).toBe("unknown")
    expect(yield* verdictAfter(2000)).toBe("wedged")
    // Two at once show nothing: no time has passed in which anything could be done.
    expect(yield* verdictAfter(1)).toBe("wedged")
    // An answer ends the doubt: what was seen before it is no evidence any more.
    runtime.answered(now)
    expect(backend.published.value.verdict).toBeUndefined()
    expect(yield* verdictAfter(2000)).toBe("unknown")
  })
})
