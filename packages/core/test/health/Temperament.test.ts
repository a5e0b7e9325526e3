import { Backend, type Shown, type TemperamentMemory } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { describe, expect, it, test } from "../../../testing/test/support/vitest.js"
import { Runtime } from "../../src/runtime/Runtime.js"
import { Temperament } from "../../src/runtime/Temperament.js"
import type { InFlight } from "../../src/runtime/Traffic.js"
import { logged } from "../support/Heartbeats.js"

const one = { name: "one", version: "1" }

describe("V9: what a server has shown of itself", () => {
  it("[V9] is kept when it is new, and only then", () => {
    const kept: Array<Shown> = []
    const temperament = new Temperament(undefined, (shown) => void kept.push(shown))
    temperament.meets(one)
    temperament.showedConcurrent()
    temperament.showedConcurrent()
    temperament.ignoredPing()
    expect(kept).toEqual([{ server: "one 1", isConcurrent: true, ignoresPings: false }])
    temperament.ignoredPing()
    temperament.ignoredPing()
    expect(kept.slice(1)).toEqual([{ server: "one 1", isConcurrent: true, ignoresPings: true }])
    temperament.answeredPing()
    temperament.answeredPing()
    expect(kept.slice(2)).toEqual([{ server: "one 1", isConcurrent: true, ignoresPings: false }])
    // One ping may get lost.
    temperament.ignoredPing()
    expect(temperament.known.ignoresPings).toBe(false)
  })

  it("[V9] is kept also where it is known before the server has said who it is", () => {
    const kept: Array<Shown> = []
    const temperament = new Temperament(undefined, (shown) => void kept.push(shown))
    temperament.sessionsSince = 7
    expect(kept).toEqual([])
    temperament.meets(one)
    temperament.meets(one)
    expect(kept).toEqual([{ server: "one 1", isConcurrent: false, ignoresPings: false, sessionsSince: 7 }])
    temperament.showedConcurrent()
    temperament.started(100)
    // What the connection to another server has found out first is of that one.
    temperament.sessionsSince = 8
    temperament.meets({ ...one, version: "2" })
    expect(temperament.known).toEqual({ isConcurrent: false, ignoresPings: false, sessionsSince: 8 })
  })

  it("[V9] is evidence for that server in that version, and for no other", () => {
    const remembered = { server: "one 1", isConcurrent: true, ignoresPings: true }
    const before = () => new Temperament(remembered)
    const shows = ({ known: { ignoresPings, isConcurrent } }: Temperament) => [isConcurrent, ignoresPings]
    const same = before()
    same.meets(one)
    expect(shows(same)).toEqual([true, true])
    for (const other of [{ ...one, version: "2" }, { ...one, name: "two" }]) {
      const temperament = before()
      temperament.meets(other)
      expect(shows(temperament)).toEqual([false, false])
      temperament.meets(one)
      expect(shows(temperament)).toEqual([false, false])
    }
  })

  test.scoped("[V9:virtual] a heartbeat that is answered shows that the server answers pings", function*() {
    const kept: Array<Shown> = []
    const script = ScriptedConnector.make()
    const remembered = { server: "scripted 1.0.0", isConcurrent: true, ignoresPings: true }
    const backend = yield* Backend.make("one", {
      connector: script,
      temperamentMemory: {
        remembered: Effect.succeed(remembered),
        keep: (shown) => Effect.sync(() => kept.push(shown))
      },
      keepalive: { interval: "1 minute" }
    })
    yield* TestClock.adjust(0)
    expect((yield* backend.status).learned?.ignoresPings).toBe(true)
    yield* TestClock.adjust("1 minute")
    expect(script.ledger.sent("ping")).not.toEqual([])
    expect((yield* backend.status).learned?.ignoresPings).toBe(false)
    expect(kept).toEqual([{ ...remembered, ignoresPings: false }])
  })

  test.scoped("[V9:virtual] what another run has seen makes a wedged server known on its first connection", function*() {
    const kept: Array<Shown> = []
    const script = ScriptedConnector.make({ overlap: false })
    script.sight = () => ({
      isStopped: false,
      isRunning: false,
      cpuTime: 0,
      transferred: 0,
      pids: [1],
      youngest: 1e9
    })
    const start = (remembered?: Shown) =>
      Backend.make("one", {
        connector: script,
        temperamentMemory: {
          remembered: Effect.succeed(remembered),
          keep: (shown) => Effect.sync(() => kept.push(shown))
        }
      })
    const first = yield* start()
    yield* TestClock.adjust(0)
    script.respond = (method, params) =>
      method === "tools/call" && (params as { readonly name: string }).name === "slow"
        ? { answer: "result", after: 100 }
        : undefined
    const slow = yield* Effect.fork(first.callTool({ name: "slow" }))
    yield* TestClock.adjust(0)
    yield* first.callTool({ name: "echo" })
    yield* TestClock.adjust(100)
    yield* Fiber.join(slow)
    expect(kept).toMatchObject([{ isConcurrent: true }])

    const next = yield* start(kept[0])
    yield* TestClock.adjust(0)
    script.respond = () => ({ answer: "never" })
    yield* Effect.fork(Effect.either(next.callTool({ name: "echo" })))
    yield* TestClock.adjust("8 seconds")
    expect(yield* next.status).toMatchObject({ lastError: expect.stringContaining("answered during a call before") })
  })

  test.effect("[V1] an answer shows that it answers during a call only if that call is older, and still in progress", function*() {
    const shows = (play: (runtime: Runtime, call: InFlight) => void) =>
      Effect.gen(function*() {
        const temperament = new Temperament()
        const runtime = yield* Runtime.make(1, temperament)
        const call = { budget: { heardAt: 0, questions: 0 } }
        runtime.begin(call)
        play(runtime, call)
        const { isConcurrent } = temperament.known
        for (const left of runtime.calls) runtime.end(3, false, left)
        yield* runtime.closeConnection
        return isConcurrent
      })
    expect(yield* shows((runtime, call) => runtime.answered(1, call))).toBe(true)
    expect(yield* shows((runtime) => runtime.answered(1, undefined))).toBe(false)
    expect(yield* shows((runtime, call) => runtime.end(1, true, call))).toBe(false)
    expect(
      yield* shows((runtime, call) => {
        runtime.end(1, false, call)
        runtime.answered(2, call)
      })
    ).toBe(false)
    const younger = { budget: { heardAt: 1, questions: 0 } }
    expect(
      yield* shows((runtime) => {
        runtime.begin(younger)
        runtime.end(2, true, younger)
      })
    ).toBe(true)
  })

  it.scoped.each<{ readonly how: string; readonly memory: TemperamentMemory }>([
    {
      how: "throws",
      memory: {
        keep: () => {
          throw new Error("the disk is full")
        }
      }
    },
    { how: "dies", memory: { keep: () => Effect.dieMessage("the disk is full") } },
    { how: "dies when it is read", memory: { remembered: Effect.dieMessage("no disk"), keep: () => Effect.void } }
  ])(
    "[V9:virtual] a memory that $how stops nothing, and that is logged",
    ({ memory }) =>
      logged(Effect.fnUntraced(function*(lines) {
        const script = ScriptedConnector.make()
        const backend = yield* Backend.make("one", { connector: script, temperamentMemory: memory })
        yield* TestClock.adjust(0)
        script.respond = (method) => method === "prompts/get" ? { answer: "result", after: 100 } : undefined
        const slow = yield* Effect.fork(Effect.either(backend.getPrompt({ name: "slow" })))
        yield* TestClock.adjust(0)
        yield* backend.callTool({ name: "echo" })
        yield* TestClock.adjust(100)
        yield* Fiber.join(slow)
        expect((yield* backend.status).state).toBe("Connected")
        expect(lines).toContain("ERROR the memory of what the server has shown failed")
      }))
  )

  test.scoped("[V9:virtual] what is shown last is kept before the backend has closed", function*() {
    const kept: Array<Shown> = []
    const scope = yield* Scope.make()
    const keep = (shown: Shown) =>
      Effect.uninterruptible(Effect.zipRight(Effect.sleep(100), Effect.sync(() => kept.push(shown))))
    const script = ScriptedConnector.make({ overlap: false, startLimit: 60_000 }).script({ after: 10 })
    yield* Scope.extend(Backend.make("one", { connector: script, temperamentMemory: { keep } }), scope)
    yield* TestClock.adjust(10)
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(100)
    yield* Fiber.join(closing)
    expect(kept).toMatchObject([{ server: "scripted 1.0.0", slowestStart: expect.any(Number) }])
  })
})
