import { describe, expect, it } from "@effect/vitest"
import { Backend, type Event, Telemetry } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, TestClock } from "effect"
import * as fc from "fast-check"
import { MemoryLimit, type MemoryVerdict } from "../src/health/MemoryLimit.js"
import { formatMillis } from "../src/internal/formatMillis.js"
import { runUntilIdle, watched } from "./support/Watched.js"

const second = 1000
const MB = 1e6

const limited = (options: Omit<Backend.BackendOptions, "connector"> = {}, overlap = false) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make({ overlap, maxMemory: 100 * MB })
    const one = yield* watched(script, options)
    yield* runUntilIdle
    const use = (megabytes: number) => {
      script.current.use(megabytes * MB)
      return runUntilIdle
    }
    const high = () =>
      one.events.filter((event): event is Extract<Event.Event, { _tag: "MemoryHigh" }> => event._tag === "MemoryHigh")
    const lost = () => one.events.flatMap((event) => event._tag === "RuntimeLost" ? [event.loss] : [])
    return { ...one, script, use, high, lost }
  })

describe("S13: the memory limit", () => {
  it.scoped("[S13] warns once at 80%, and again only after the server has used less than 70%", () =>
    Effect.gen(function*() {
      const { backend, high, lost, use } = yield* limited()
      yield* use(79)
      expect(high()).toEqual([])
      expect((yield* backend.status).memoryLimit).toEqual({ bytes: 100 * MB, restarts: 0, warning: undefined })
      yield* use(80)
      expect(high()).toMatchObject([{ generation: 1, memory: 80 * MB, limit: 100 * MB, nextRestartAt: undefined }])
      expect(high()[0]?.message).toBe("80 MB of memory, 80% of its limit of 100 MB (maxMemory)")
      yield* use(100)
      yield* use(75)
      expect((yield* backend.status).memoryLimit?.warning).toBeUndefined()
      yield* use(95)
      expect(high()).toHaveLength(1)
      expect((yield* backend.status).memoryLimit?.warning).toBe(
        "95 MB of memory, 95% of its limit of 100 MB (maxMemory)"
      )
      yield* use(69)
      yield* use(81)
      expect(high()).toHaveLength(2)
      expect(lost()).toEqual([])
    }))

  it.scoped("[S13] above the limit calls in flight finish, the old process ends, and only then a new one starts", () =>
    Effect.gen(function*() {
      const { backend, lost, script, use } = yield* limited({ timeouts: { wait: "1 minute" } })
      script.respond = (method) => method === "tools/call" ? { answer: "result", after: 8 * second } : undefined
      const before = yield* Effect.fork(Effect.exit(backend.callTool({ name: "echo" })))
      yield* runUntilIdle
      yield* use(101)
      expect(lost()).toEqual([{
        kind: "memory",
        message: "it uses 101 MB of memory, more than its limit of 100 MB (maxMemory)"
      }])
      expect((yield* backend.status).state).toBe("Connecting")
      script.respond = undefined
      const after = yield* Effect.fork(Effect.exit(backend.callTool({ name: "echo" })))
      yield* TestClock.adjust(8 * second - 1)
      expect(script.connections).toHaveLength(1)
      yield* TestClock.adjust(1)
      yield* runUntilIdle
      expect(Exit.isSuccess(yield* Fiber.join(before))).toBe(true)
      expect(Exit.isSuccess(yield* Fiber.join(after))).toBe(true)
      expect(script.connections.map(({ state }) => state)).toEqual(["closed", "open"])
      const status = yield* backend.status
      expect(status).toMatchObject({ state: "Connected", generation: 2, usage: undefined, errorCount: 1 })
      expect(status.memoryLimit).toEqual({ bytes: 100 * MB, restarts: 1, warning: undefined })
      expect(status.lastError).toContain("more than its limit of 100 MB (maxMemory)")
    }))

  it.scoped("[S13] calls that take longer than timeouts.drain are cut off, with the reason", () =>
    Effect.gen(function*() {
      const { backend, script, use } = yield* limited({ timeouts: { drain: "2 seconds" } })
      script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" })))
      yield* runUntilIdle
      yield* use(101)
      yield* TestClock.adjust(2 * second)
      const result = yield* Fiber.join(call)
      expect(result).toMatchObject({ left: { _tag: "ResultUnknown" } })
      expect(JSON.stringify(result)).toContain("more than its limit of 100 MB (maxMemory)")
    }))

  it.scoped("[S13] never restarts twice within a minute, and says when the next restart is possible", () =>
    Effect.gen(function*() {
      const { backend, high, lost, script, use } = yield* limited()
      const restartedAt = (yield* backend.status).connectedAt ?? 0
      yield* use(150)
      yield* TestClock.adjust(0)
      yield* runUntilIdle
      expect(script.connections).toHaveLength(2)
      for (let elapsed = 5 * second; elapsed < 60 * second; elapsed += 5 * second) {
        yield* TestClock.adjust(5 * second)
        yield* use(150)
      }
      yield* TestClock.adjust(5 * second - 1)
      yield* use(150)
      expect(script.connections).toHaveLength(2)
      expect(lost()).toHaveLength(1)
      expect(high()).toMatchObject([{ generation: 2, nextRestartAt: restartedAt + 60 * second }])
      expect(high()[0]?.message).toBe(
        "150 MB of memory, more than its limit of 100 MB (maxMemory), again; the next restart is possible in 55s"
      )
      yield* TestClock.adjust(1)
      yield* use(150)
      yield* runUntilIdle
      expect(script.connections).toHaveLength(3)
      expect((yield* backend.status).memoryLimit?.restarts).toBe(2)
    }))

  it.scoped("[S13] measurements of a process that has been replaced change nothing", () =>
    Effect.gen(function*() {
      const { backend, high, lost, script, use } = yield* limited({ timeouts: { drain: "1 hour" } }, true)
      script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      const old = script.current
      yield* use(101)
      yield* runUntilIdle
      yield* TestClock.adjust(2 * 60 * second)
      expect(script.connections).toHaveLength(2)
      old.use(500 * MB)
      yield* runUntilIdle
      expect(lost()).toHaveLength(1)
      old.use(90 * MB)
      yield* runUntilIdle
      expect(high()).toEqual([])
      expect(yield* backend.status).toMatchObject({
        usage: undefined,
        memoryLimit: { restarts: 1, warning: undefined }
      })
    }))

  it.scoped("[S13] while a new connection is made, nothing is restarted; the next measurement counts", () =>
    Effect.gen(function*() {
      const { backend, lost, script, use } = yield* limited({}, true)
      script.script({ after: 5 * second })
      const reconnect = yield* Effect.fork(backend.reconnect)
      yield* runUntilIdle
      yield* use(101)
      expect(lost()).toEqual([])
      yield* TestClock.adjust(5 * second)
      yield* Fiber.join(reconnect)
      yield* use(101)
      expect(lost()).toHaveLength(1)
    }))

  it.scoped("[S13] restarts also where Lifeline does not reconnect by itself", () =>
    Effect.gen(function*() {
      const { backend, script, use } = yield* limited({ reconnect: { auto: false } })
      yield* use(101)
      yield* runUntilIdle
      expect(script.connections).toHaveLength(2)
      expect((yield* backend.status).state).toBe("Connected")
    }))

  it.scoped("[S13] without a limit the status has what was measured, and nothing is restarted; telemetry gets each measurement", () =>
    Effect.gen(function*() {
      const measured: Array<readonly [number, number]> = []
      const telemetry = {
        observe: () => ({
          event: () => {},
          beat: () => {},
          breakerOpened: () => {},
          hasSpans: false,
          call: () => ({ attempt: () => undefined, end: () => {} }),
          usage: (generation: number, { memory }: { readonly memory: number }) =>
            void measured.push([generation, memory])
        })
      }
      const script = ScriptedConnector.make({ overlap: false })
      const backend = yield* Effect.provideService(
        Backend.make("one", { connector: script }),
        Telemetry.Current,
        telemetry
      )
      yield* backend.firstOutcome
      expect(yield* backend.status).toMatchObject({ usage: undefined, memoryLimit: undefined })
      script.current.use(1e15, { cpu: 12.5, cpuTime: 3 })
      script.current.use(NaN)
      yield* runUntilIdle
      expect(yield* backend.status).toMatchObject({
        state: "Connected",
        generation: 1,
        usage: { memory: 1e15, cpu: 12.5, cpuTime: 3 },
        memoryLimit: undefined
      })
      expect(measured).toEqual([[1, 1e15]])
    }))
})

describe("the memory limit, by a model", () => {
  type Step =
    | { readonly do: "measure"; readonly megabytes: number }
    | { readonly do: "wait"; readonly millis: number }
    | { readonly do: "begin" }

  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("measure" as const),
        megabytes: fc.constantFrom(10, 69, 70, 75, 79, 80, 95, 100, 101, 150)
      })
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("wait" as const),
        millis: fc.constantFrom(1, 60, 999, 1000, 5000, 29_999, 59_000, 59_999, 60_000)
      })
    },
    { weight: 1, arbitrary: fc.constant({ do: "begin" as const }) }
  )

  /** What has to be said, told over all that was measured of the present process. */
  class Model {
    restarts = 0
    readonly #restartedAt: Array<number> = []
    /** Since the process began, or used less than 70%. */
    #since: Array<{ readonly megabytes: number; readonly isPostponed: boolean }> = []

    begin(): void {
      this.#since = []
    }

    measured(megabytes: number, now: number): MemoryVerdict {
      if (megabytes < 70) this.begin()
      const earliest = (this.#restartedAt.at(-1) ?? -Infinity) + 60_000
      const isOver = megabytes > 100
      const isPostponed = isOver && now < earliest
      const before = this.#since
      this.#since = [...before, { megabytes, isPostponed }]
      const text = `${megabytes} MB of memory, ${
        isOver ? "more than" : `${megabytes}% of`
      } its limit of 100 MB (maxMemory)`
      if (isPostponed) {
        const left = formatMillis(Math.ceil((earliest - now) / 1000) * 1000)
        const message = `${text}, again; the next restart is possible in ${left}`
        return before.some(({ isPostponed }) => isPostponed)
          ? { _tag: "Fine" }
          : { _tag: "High", message, nextRestartAt: earliest }
      }
      if (isOver) {
        this.restarts++
        this.#restartedAt.push(now)
        return { _tag: "Restart", message: `it uses ${text}` }
      }
      return megabytes < 80 || before.some(({ megabytes }) => megabytes >= 80)
        ? { _tag: "Fine" }
        : { _tag: "High", message: text, nextRestartAt: undefined }
    }

    get hasWarning(): boolean {
      return (this.#since.at(-1)?.megabytes ?? 0) >= 80
    }
  }

  it("[S13] whatever is measured when: at most one restart a minute, one warning a process and rise, of each kind", () => {
    let postponedAgain = 0
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), fc.boolean(), (steps, isReplaced) => {
        const limit = new MemoryLimit(100 * MB)
        const model = new Model()
        let now = 1_700_000_000_000
        let postponed = 0
        const verdicts: Array<readonly [MemoryVerdict, MemoryVerdict]> = []
        const begin = () => {
          limit.begin()
          model.begin()
        }
        for (const one of steps) {
          if (one.do === "wait") now += one.millis
          else if (one.do === "begin") begin()
          else {
            const verdict = limit.measured(one.megabytes * MB, now)
            verdicts.push([verdict, model.measured(one.megabytes, now)])
            if (verdict._tag === "Restart" && isReplaced) begin()
            if (verdict._tag === "High" && verdict.nextRestartAt !== undefined && postponed++ > 0) postponedAgain++
          }
          expect([limit.restarts, limit.warning !== undefined]).toEqual([model.restarts, model.hasWarning])
        }
        for (const [verdict, expected] of verdicts) expect(verdict).toEqual(expected)
      }),
      { numRuns: 500 }
    )
    // It has tried a second warning, too.
    expect(postponedAgain).toBeGreaterThan(0)
  })
})
