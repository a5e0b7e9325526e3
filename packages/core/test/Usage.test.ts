import { Backend, type ConnectOptions, type ResourceUsage, Telemetry, type UsageLimit } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { runUntilIdle } from "./support/Watched.js"

const quiet = {
  event: () => {},
  beat: () => {},
  breakerOpened: () => {},
  hasSpans: false,
  call: () => ({ attempt: () => undefined, end: () => {} })
}

describe("what processes use", () => {
  test.scoped("[S13] the status has what was measured last, and telemetry gets each measurement", function*() {
    const measured: Array<readonly [number, number]> = []
    const telemetry = {
      observe: () => ({
        ...quiet,
        usage: (generation: number, { memory }: ResourceUsage) => void measured.push([generation, memory])
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
      usage: { memory: 1e15, cpu: 12.5, cpuTime: 3 }
    })
    const first = script.current
    yield* backend.reconnect
    script.current.use(2)
    first.options.report({ _tag: "Usage", usage: { memory: 3, cpu: 0, cpuTime: 0 } })
    expect(measured).toEqual([[1, 1e15], [2, 2], [1, 3]])
    expect((yield* backend.status).usage?.memory).toBe(2)
  })

  test.scoped("[S13] what an attempt uses is told and judged once its connection is the current one, and never if it fails", function*() {
    const told: Array<string> = []
    const limit: UsageLimit = {
      status: { bytes: 1, restarts: 0, warning: undefined },
      begin: () => void told.push("begin"),
      measured: ({ memory }) => {
        told.push(`judged ${memory}`)
        return { _tag: "Fine" }
      }
    }
    const script = ScriptedConnector.make({ usageLimit: () => limit }).failNext(1)
    const { connect } = script
    const connector = Object.assign(script, {
      connect: (options: ConnectOptions) => {
        options.report({ _tag: "Usage", usage: { memory: script.ledger.attempts.length, cpu: 0, cpuTime: 0 } })
        return connect(options)
      }
    })
    const observer = { ...quiet, usage: (_: number, { memory }: ResourceUsage) => void told.push(`told ${memory}`) }
    const options = { connector, reconnect: { initialDelay: 100 } }
    yield* Effect.provideService(Backend.make("one", options), Telemetry.Current, { observe: () => observer })
    yield* TestClock.adjust("1 minute")
    expect(told).toEqual(["begin", "told 1", "judged 1"])
  })

  test.scoped.each(["begin", "measured"])("[L19 S13] a limit whose %s throws stops nobody", function*(what) {
    const fail = () => {
      throw new Error("a bug")
    }
    const limit: UsageLimit = {
      status: { bytes: 1, restarts: 0, warning: undefined },
      begin: () => what === "begin" ? fail() : undefined,
      measured: fail
    }
    const script = ScriptedConnector.make({ usageLimit: () => limit })
    const backend = yield* Backend.make("one", { connector: script, lifecycle: { idleRelease: "10 minutes" } })
    yield* backend.firstOutcome
    expect(() => script.current.use(5)).not.toThrow()
    yield* runUntilIdle
    expect(yield* backend.status).toMatchObject({ state: "Connected", keepalive: { state: "running" } })
    yield* backend.callTool({ name: "echo" })
    yield* TestClock.adjust("10 minutes")
    expect(yield* backend.status).toMatchObject({ state: "Idle" })
  })
})
