import type { Backend, ConnectOptions, ProcessSight, Shown } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, TestClock } from "effect"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import { runUntilIdle, watched } from "../support/Watched.js"

const second = 1000
const minute = 60 * second
const longest = 5 * minute

type Changeable = { -readonly [K in keyof ProcessSight]: ProcessSight[K] }

const still: ProcessSight = {
  isStopped: false,
  isRunning: false,
  cpuTime: 0,
  transferred: 0,
  pids: [1],
  youngest: undefined
}

const starting = (
  outcomes: ReadonlyArray<ScriptedConnector.Outcome>,
  { startLimit = longest, took, ...options }: Omit<Backend.BackendOptions, "connector"> & {
    readonly startLimit?: number
    readonly took?: number | undefined
  } = {}
) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make({ overlap: false, startLimit })
    script.script(...outcomes)
    const shows: Changeable = { ...still }
    script.sight = () => ({ ...shows })
    const kept: Array<Shown> = []
    const told: Array<string> = []
    let report: ConnectOptions["report"] = () => {}
    const connect = (given: ConnectOptions) => {
      report = (one) => given.report(one._tag === "Attempt" ? { ...one, describe, hangs } : one)
      return script.connect({ ...given, report })
    }
    const hangs = () => void told.push("hangs")
    const describe = () => told.includes("hangs") ? "it hangs" : undefined
    const one = yield* watched({ ...script, connect }, {
      temperamentMemory: {
        remembered: Effect.succeed(
          took === undefined
            ? undefined
            : { server: "scripted 1.0.0", isConcurrent: false, ignoresPings: false, slowestStart: took }
        ),
        keep: (shown) => Effect.sync(() => kept.push(shown))
      },
      reconnect: { maxAttempts: 1000, initialDelay: 100, maxDelay: 100 },
      ...options
    })
    yield* runUntilIdle
    const verdict = Effect.map(one.backend.status, (status) => status.verdict)
    const attempts = () => script.ledger.attempts.map((at) => at - (script.ledger.attempts[0] ?? 0))
    /** The attempt has another process. `took`: milliseconds of a look at it. */
    const another = (took = 0) => {
      const look = Effect.delay(Effect.sync((): ProcessSight => ({ ...shows })), took)
      report({ _tag: "Attempt", describe: () => undefined, look: () => look })
    }
    return { ...one, script, shows, kept, told, verdict, attempts, another }
  })

const hangs: ScriptedConnector.Outcome = { connect: "hang" }

describe("V5: what the processes of a server that starts do", () => {
  test.scoped("[V5:virtual] one that is stopped is ended within seconds, and a call that waits gets the next one", function*() {
    const server = yield* starting([hangs])
    server.shows.isStopped = true
    const call = yield* Effect.fork(server.backend.callTool({ name: "echo" }))
    yield* TestClock.adjust("4500 millis")
    server.shows.isStopped = false
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(call)).toBeDefined()
    expect(server.attempts()).toHaveLength(2)
    expect(server.events.filter(({ _tag }) => _tag === "Judged")).toMatchObject([
      { kind: "wedged", generation: 1, reason: "starting for 4s: a process of it is stopped (4s)" }
    ])
    expect(yield* server.verdict).toBeUndefined()
  })

  test.scoped("[V5:virtual] one process says nothing of the next one of the same start", function*() {
    const server = yield* starting([hangs])
    server.shows.isStopped = true
    yield* TestClock.adjust("3 seconds")
    server.another()
    yield* TestClock.adjust("5 seconds")
    expect(server.attempts()).toHaveLength(1)
    yield* TestClock.adjust("1 second")
    expect(server.attempts()).toHaveLength(2)
  })

  test.scoped("[V5:virtual] one that is answered while it is looked at is not judged", function*() {
    const server = yield* starting([{ after: 5.5 * second }])
    server.another(500)
    server.shows.isStopped = true
    yield* TestClock.adjust("10 seconds")
    expect(server.events.filter(({ _tag }) => _tag === "Judged")).toEqual([])
    expect(yield* server.backend.status).toMatchObject({ state: "Connected", verdict: undefined })
  })

  test.scoped("[V5:virtual] one that works goes on to startLimit, and the status says what it does", function*() {
    const server = yield* starting([hangs], { took: second })
    const working = yield* Effect.fork(Effect.forever(Effect.delay(
      Effect.sync(() => server.shows.cpuTime += 0.5),
      "1 second"
    )))
    yield* TestClock.adjust("20 seconds")
    expect(yield* server.verdict).toBeUndefined()
    yield* TestClock.adjust("20 seconds")
    expect(yield* server.verdict).toMatchObject({
      kind: "busy",
      reason: expect.stringMatching(/^starting for 38s: its processes work/)
    })
    expect(server.events.filter(({ _tag }) => _tag === "Judged")).toHaveLength(1)
    expect((yield* server.backend.status).lastError).toMatch(
      /starting for 30s \(its processes work \(.*\)\), which may take 5m/
    )
    yield* TestClock.adjust("255 seconds")
    expect(server.attempts()).toEqual([0])
    yield* TestClock.adjust("10 seconds")
    expect(server.attempts()).toHaveLength(2)
    yield* Fiber.interrupt(working)
  })

  for (const [what, mayWait] of [["something that it may wait for", true], ["nothing of that", undefined]] as const) {
    test.scoped(`[V5:virtual] one that does nothing, and shows ${what}, goes on to startLimit`, function*() {
      const server = yield* starting([hangs], { took: second })
      server.shows.mayWait = mayWait
      yield* TestClock.adjust("295 seconds")
      expect(server.attempts()).toEqual([0])
      expect(yield* server.verdict).toMatchObject({ kind: "unknown", reason: expect.stringContaining("a person") })
      yield* TestClock.adjust("10 seconds")
      expect(server.attempts()).toHaveLength(2)
      expect(server.told).toEqual([])
    })
  }

  test.scoped("[V5:virtual] one that shows no sign of life is ended after 30 s, and begun anew", function*() {
    const server = yield* starting([hangs], { took: second })
    server.shows.mayWait = false
    // As one has that a launcher has started.
    server.shows.youngest = 1000
    yield* TestClock.adjust("30 seconds")
    expect([server.attempts(), server.told]).toEqual([[0], []])
    yield* TestClock.adjust("4 seconds")
    expect(server.attempts()).toHaveLength(2)
    expect(server.told).toEqual(["hangs"])
    expect(server.events).toContainEqual(expect.objectContaining({
      _tag: "Judged",
      kind: "wedged",
      generation: 1,
      reason: expect.stringMatching(/^starting for 3[0-3]s: its processes read nothing and do nothing/)
    }))
    expect(server.events).toContainEqual(expect.objectContaining({
      _tag: "AttemptFailed",
      error: expect.objectContaining({
        message: expect.stringMatching(/^no connection after 3[0-3]s: .*: it hangs$/)
      })
    }))
    expect(yield* server.verdict).toBeUndefined()
  })

  test.scoped("[V5:virtual] any sign of life begins the 30 s anew", function*() {
    const server = yield* starting([hangs])
    server.shows.mayWait = false
    yield* TestClock.adjust("25 seconds")
    server.shows.transferred = 100
    yield* TestClock.adjust("30 seconds")
    expect(server.attempts()).toHaveLength(1)
    yield* TestClock.adjust("5 seconds")
    expect(server.attempts()).toHaveLength(2)
  })

  test.scoped("[V5:virtual] one whose server has taken long before has three times as long to show one", function*() {
    const server = yield* starting([hangs], { took: 20 * second })
    server.shows.mayWait = false
    yield* TestClock.adjust("60 seconds")
    expect(server.attempts()).toHaveLength(1)
    yield* TestClock.adjust("5 seconds")
    expect(server.attempts()).toHaveLength(2)
  })

  test.scoped("[V5:virtual] startLimit ends it before, where that is shorter", function*() {
    const server = yield* starting([hangs], { startLimit: 20 * second, timeouts: { connect: 5 * second } })
    server.shows.mayWait = false
    yield* TestClock.adjust("22 seconds")
    expect(server.attempts()).toHaveLength(2)
    expect(server.told).toEqual([])
  })

  test.scoped("[V5:virtual] one that fails leaves no verdict", function*() {
    const server = yield* starting([{ connect: "fail", after: 40 * second }, hangs], {
      reconnect: { initialDelay: "10 minutes", maxDelay: "10 minutes" }
    })
    yield* TestClock.adjust("38 seconds")
    expect(yield* server.verdict).toMatchObject({ kind: "unknown" })
    yield* TestClock.adjust("4 seconds")
    expect(yield* server.verdict).toBeUndefined()
  })

  test.scoped("[V5:virtual] a stopped one is ended also while no attempt waits for it", function*() {
    const server = yield* starting([hangs], { reconnect: { maxAttempts: 1 } })
    yield* TestClock.adjust("31 seconds")
    expect(yield* server.backend.status).toMatchObject({ state: "Dormant", startingSince: expect.any(Number) })
    server.shows.isStopped = true
    yield* TestClock.adjust("10 seconds")
    expect(yield* server.backend.status).toMatchObject({ startingSince: undefined, verdict: undefined })
    expect(yield* server.backend.callTool({ name: "echo" })).toBeDefined()
  })

  test.scoped("[V9:virtual] the slowest start is kept, and a start may take three times as long", function*() {
    const server = yield* starting([{ after: 2 * minute }, { after: 1 * minute }, hangs])
    yield* TestClock.adjust("2 minutes")
    expect(server.kept.map(({ slowestStart }) => slowestStart)).toEqual([2 * minute])
    expect(yield* server.verdict).toBeUndefined()
    server.script.current.lose()
    yield* TestClock.adjust("62 seconds")
    expect((yield* server.backend.status).connectionCount).toBe(2)
    expect(server.kept).toHaveLength(1)
    server.shows.transferred = undefined as never
    server.script.current.lose()
    yield* TestClock.adjust("355 seconds")
    expect(server.attempts()).toHaveLength(3)
    yield* TestClock.adjust("10 seconds")
    expect(server.attempts()).toHaveLength(4)
  })
})
