import { describe, expect, it } from "@effect/vitest"
import { type Backend, type Method, type Params, RequestError } from "@mcp-lifeline/core"
import * as Call from "../../src/calls/Call.js"
import type { Runtime } from "../../src/runtime/Runtime.js"

const start = 1_000_000
const requestTimeout = 60_000

const call = (
  options?: Backend.CallOptions,
  about?: Call.Call<"tools/call">,
  tool?: Parameters<typeof Call.make>[3]
) => Call.make<"tools/call">("tools/call", { name: "pay" }, options, tool, requestTimeout, start, about)

const sent = <M extends Method>(one: Call.Call<M>, now = start) => {
  let time = now
  const options = Call.requestOptions(one, () => time)
  return { ...options, at: (now: number) => void (time = now) }
}

describe("the time of a call", () => {
  const progress = { resetTimeoutOnProgress: true }
  const rows: ReadonlyArray<readonly [string, Backend.CallOptions | undefined, timeout: number, whole: number]> = [
    ["that of all requests", undefined, 60_000, 60_000],
    ["its own", { timeout: 5000 }, 5000, 5000],
    ["a span in words", { timeout: "5 seconds" }, 5000, 5000],
    ["the default of its caller", { defaultTimeout: 7000 }, 7000, 7000],
    ["its own before that of its caller", { timeout: 5000, defaultTimeout: 7000 }, 5000, 5000],
    ["the whole is shorter", { timeout: 5000, maxTotalTimeout: 3000 }, 5000, 3000],
    ["the whole is longer, and no progress counts", { timeout: 5000, maxTotalTimeout: 9000 }, 5000, 5000],
    ["the whole is longer, and progress counts", { timeout: 5000, maxTotalTimeout: 9000, ...progress }, 5000, 9000]
  ]

  it.each(rows)("[C5] %s", (_, options, timeout, whole) => {
    const one = call(options)
    expect([one.budget.timeout, one.budget.deadline - start]).toEqual([timeout, whole])
    const request = sent(one, start + 1000)
    expect([request.timeout, one.budget.heardAt]).toEqual([Math.min(timeout, whole - 1000), start + 1000])
    expect(request.maxTotalTimeout).toBe(options && whole - 1000)
    expect(request.resetTimeoutOnProgress).toBe(options?.resetTimeoutOnProgress)
    expect(sent(one, start + whole + 1).timeout).toBe(0)
  })

  it("[C5] of the options by tool, that of the tool comes before the default of its caller", () => {
    const tool = { timeout: 4000 } as Parameters<typeof Call.make>[3]
    expect(call({ defaultTimeout: 7000 }, undefined, tool).budget.timeout).toBe(4000)
    expect(call({ timeout: 5000 }, undefined, tool).budget.timeout).toBe(5000)
  })

  it("[C5] progress counts for it, and reaches its caller", () => {
    const heard: Array<number> = []
    const one = call({ timeout: 5000, ...progress, onprogress: ({ progress }) => heard.push(progress) })
    const { at, maxTotalTimeout, onevent } = sent(one)
    at(start + 4000)
    onevent?.({ _tag: "Progress", progress: { progress: 1 } })
    expect([maxTotalTimeout, one.budget.deadline - start, one.budget.heardAt - start, heard]).toEqual([
      undefined,
      9000,
      4000,
      [
        1
      ]
    ])
  })

  it("[C21] what a request about a task asks the user is the time of the call, too", () => {
    const whole = call({ timeout: 5000 })
    const part = Call.make(
      "tasks/result" as Method,
      { taskId: "t" } as Params<Method>,
      undefined,
      undefined,
      9000,
      start,
      whole
    )
    const { at, onevent, runsTask } = sent(part)
    expect(runsTask).toBe(true)
    at(start + 1000)
    onevent?.({ _tag: "Asked" })
    at(start + 4000)
    onevent?.({ _tag: "Answered" })
    expect([whole.budget.deadline - start, part.budget.deadline - start]).toEqual([8000, 12_000])
  })
})

describe("what is known of a call", () => {
  it("[C2] it may have been carried out from when it is sent, unless its request was withdrawn before, and no request before it may have been", () => {
    for (
      const before of [undefined, {
        generation: 1,
        error: new RequestError({ fate: "unknown", reason: "lost", message: "cut" })
      }]
    ) {
      const sentTo: Array<number> = []
      const one = call({ onSent: (generation) => void sentTo.push(generation) })
      one.waitEnd = start + 1
      expect(Call.fateOf(one)).toBe("notSent")
      one.tally = { ...one.tally, unknown: before }
      Call.leaves(one, { generation: 3 } as Runtime)
      expect([Call.fateOf(one), one.waitEnd, sentTo]).toEqual(["unknown", undefined, [3]])
      sent(one).onevent?.({ _tag: "Withdrawn" })
      expect(Call.fateOf(one)).toBe(before === undefined ? "notSent" : "unknown")
    }
  })

  it("[C17] a task is kept for a minute longer than its call may take, and for as long as it takes where nothing bounds that", () => {
    const rows = [
      [{ timeout: 5000 }, { ttl: 65_000 }],
      [undefined, { ttl: 120_000 }],
      [{ timeout: 5000, resetTimeoutOnProgress: true }, {}],
      [{ timeout: Number.POSITIVE_INFINITY }, {}]
    ] as const
    for (const [options, task] of rows) {
      const one = call(options)
      expect(sent(one).task).toBeUndefined()
      one.runsTask = true
      expect(sent(one)).toMatchObject({ task, runsTask: true })
    }
  })

  it("[C17] of a task that is over nothing is heard any more", () => {
    const heard: Array<number> = []
    const one = call({ onprogress: ({ progress }) => heard.push(progress) })
    const { at, onevent } = sent(one)
    one.task = { id: "t", on: {} as never, isThere: true, isOver: false }
    onevent?.({ _tag: "Progress", progress: { progress: 1 } })
    one.task.isOver = true
    at(start + 1000)
    onevent?.({ _tag: "Progress", progress: { progress: 2 } })
    expect([heard, one.budget.heardAt]).toEqual([[1], start])
  })

  it("[C17] it is on the connection of its request, else on that of its task, which may have gone on with another one", () => {
    const runtime = (name: string, latest?: unknown): Runtime => ({ name, latest: latest ?? { name } }) as never
    const one = call()
    expect(Call.runsOn(one)).toBeUndefined()
    one.task = { id: "t", on: runtime("task"), isThere: true, isOver: false }
    expect(Call.runsOn(one)).toEqual({ name: "task" })
    one.flight = { on: runtime("request", { name: "its successor" }), attempt: undefined, cancel: undefined }
    expect(Call.runsOn(one)).toEqual({ name: "its successor" })
    one.flight = undefined
    one.task.isOver = true
    expect(Call.runsOn(one)).toBeUndefined()
  })

  it("[C17] a request about a task goes first to the connection that knows it, unless that has failed", () => {
    const whole = call()
    const about = () =>
      Call.make("tasks/get" as Method, {} as Params<Method>, undefined, undefined, 9000, start, whole).first
    expect(about()).toBeUndefined()
    const on = {} as never
    whole.task = { id: "t", on, isThere: true, isOver: false }
    expect(about()).toBe(on)
    whole.task.isThere = false
    expect(about()).toBeUndefined()
  })
})
