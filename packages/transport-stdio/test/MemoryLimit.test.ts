import type { Backend, Event, UsageVerdict } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Duration, Effect, Exit, Fiber, TestClock } from "effect"
import * as fc from "fast-check"
import { runUntilIdle, watched } from "../../core/test/support/Watched.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { MemoryLimit } from "../src/MemoryLimit.js"

const second = 1000
const MB = 1e6

const usageLimit = () => new MemoryLimit(100 * MB)

const limited = (options: Omit<Backend.BackendOptions, "connector"> = {}, overlap = false) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make({ overlap, usageLimit })
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
  test.scoped("[S13] above the limit calls in flight finish, the old process ends, and only then a new one starts", function*() {
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
  })

  test.scoped("[S13] calls that take longer than timeouts.drain are cut off, with the reason", function*() {
    const { backend, script, use } = yield* limited({ timeouts: { drain: "2 seconds" } })
    script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" })))
    yield* runUntilIdle
    yield* use(101)
    yield* TestClock.adjust(2 * second)
    const result = yield* Fiber.join(call)
    expect(result).toMatchObject({ left: { _tag: "ResultUnknown" } })
    expect(JSON.stringify(result)).toContain("more than its limit of 100 MB (maxMemory)")
  })

  test.scoped("[S13] never restarts twice within a minute, and says when the next restart is possible", function*() {
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
  })

  test.scoped("[S13] measurements of a process that has been replaced change nothing", function*() {
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
  })

  test.scoped("[S13] while a new connection is made, nothing is restarted; the next measurement counts", function*() {
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
  })

  test.scoped("[S13] restarts also where Lifeline does not reconnect by itself", function*() {
    const { backend, script, use } = yield* limited({ reconnect: { auto: false } })
    yield* use(101)
    yield* runUntilIdle
    expect(script.connections).toHaveLength(2)
    expect((yield* backend.status).state).toBe("Connected")
  })

  test.scoped("[S13] a process that drains because of a command is judged no more", function*() {
    const { backend, high, lost, script } = yield* limited()
    script.respond = (method) => method === "tools/call" ? { answer: "result", after: 8 * second } : undefined
    const call = yield* Effect.fork(Effect.exit(backend.callTool({ name: "echo" })))
    yield* runUntilIdle
    yield* Effect.fork(backend.reconnect)
    yield* runUntilIdle
    script.current.use(150 * MB)
    yield* TestClock.adjust(8 * second)
    expect(Exit.isSuccess(yield* Fiber.join(call))).toBe(true)
    expect(script.connections).toHaveLength(2)
    script.current.use(150 * MB)
    yield* runUntilIdle
    expect(high()).toEqual([])
    expect(lost()).toHaveLength(1)
    expect((yield* backend.status).memoryLimit).toMatchObject({ restarts: 1 })
  })

  test.scoped("[S13] a process that has just ended is judged no more", function*() {
    const { backend, lost, script, use } = yield* limited()
    script.current.lose("closed")
    yield* use(150)
    expect(lost()).toMatchObject([{ kind: "closed" }])
    expect((yield* backend.status).memoryLimit).toMatchObject({ restarts: 0, warning: undefined })
  })

  test.scoped("[S13 C17] a task goes on where it was begun, until it is over", function*() {
    const { backend, script, use } = yield* limited()
    script.offer = {
      ...script.offer,
      tools: [{ ...ScriptedConnector.tool("build"), execution: { taskSupport: "required" } }]
    }
    const asked: Array<readonly [string, number]> = []
    const task = (status: string) => ({
      taskId: "1",
      status,
      ttl: 60_000,
      createdAt: "",
      lastUpdatedAt: "",
      pollInterval: 1000
    })
    let polls = 0
    script.respond = (method, _, connection) => {
      asked.push([method, script.connections.indexOf(connection)])
      if (method === "tools/call") return { answer: "result", result: { task: task("working") } }
      if (method === "tasks/get") return { answer: "result", result: task(++polls > 2 ? "completed" : "working") }
      return method === "tasks/result" ? { answer: "result", result: { content: [] } } : undefined
    }
    yield* backend.refresh
    const call = yield* Effect.fork(Effect.exit(backend.callTool({ name: "build" })))
    yield* TestClock.adjust(500)
    yield* use(101)
    yield* TestClock.adjust(5 * second)
    expect(Exit.isSuccess(yield* Fiber.join(call))).toBe(true)
    expect(asked.filter(([method]) => method.startsWith("tasks/")).every(([, on]) => on === 0)).toBe(true)
  })
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

  class Model {
    restarts = 0
    readonly #restartedAt: Array<number> = []
    /** Since the process began, or used less than 70%. */
    #since: Array<{ readonly megabytes: number; readonly isPostponed: boolean }> = []

    begin(): void {
      this.#since = []
    }

    measured(megabytes: number, now: number): UsageVerdict {
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
        const left = Duration.format(Duration.seconds(Math.ceil((earliest - now) / 1000)))
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
        const verdicts: Array<readonly [UsageVerdict, UsageVerdict]> = []
        const begin = () => {
          limit.begin()
          model.begin()
        }
        for (const one of steps) {
          if (one.do === "wait") now += one.millis
          else if (one.do === "begin") begin()
          else {
            const verdict = limit.measured({ memory: one.megabytes * MB, cpu: undefined, cpuTime: 0 }, now)
            verdicts.push([verdict, model.measured(one.megabytes, now)])
            if (verdict._tag === "Restart" && isReplaced) begin()
            if (verdict._tag === "High" && verdict.nextRestartAt !== undefined && postponed++ > 0) postponedAgain++
          }
          const { restarts, warning } = limit.status
          expect([restarts, warning !== undefined]).toEqual([model.restarts, model.hasWarning])
        }
        for (const [verdict, expected] of verdicts) expect(verdict).toEqual(expected)
      }),
      { numRuns: 500 }
    )
    // It has tried a second warning, too.
    expect(postponedAgain).toBeGreaterThan(0)
  })
})
