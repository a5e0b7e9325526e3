import type { Progress } from "@modelcontextprotocol/sdk/types.js"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as CallProgress from "../../src/calls/CallProgress.js"

type Step =
  | { readonly _tag: "Reported"; readonly progress: Progress }
  | { readonly _tag: "Described" | "Said" | "SentAgain" }

const value = fc.oneof(
  fc.double({ min: -1e15, max: 1e15, noNaN: true }),
  fc.integer({ min: 0, max: 10 }),
  fc.constantFrom(0, 1e15, Number.MAX_SAFE_INTEGER)
)

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    _tag: fc.constant("Reported" as const),
    progress: fc.record({ progress: value, total: value, message: fc.string() }, { requiredKeys: ["progress"] })
  }),
  fc.constantFrom<Step>({ _tag: "Described" }, { _tag: "Said" }, { _tag: "SentAgain" })
)

const listening = () => {
  const heard: Array<Progress> = []
  return { heard, progress: CallProgress.make((one) => void heard.push(one), 0) }
}

const take = (progress: CallProgress.CallProgress, step: Step, now: number): void => {
  switch (step._tag) {
    case "Reported":
      return CallProgress.reported(progress, step.progress, now)
    case "Described":
      return CallProgress.described(progress, "working", now)
    case "Said":
      return CallProgress.said(progress, "still running", true, now)
    case "SentAgain":
      return CallProgress.sentAgain(progress)
  }
}

describe("CallProgress", () => {
  it("[G25:virtual C2] values rise from the first word of Lifeline on, and what the server says keeps its value, total and message", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { heard, progress } = listening()
      let isMerged = false
      const known: { last: number; farthest: number; largest: number; total?: number | undefined } = {
        last: Number.NEGATIVE_INFINITY,
        farthest: Number.NEGATIVE_INFINITY,
        largest: 1
      }
      const wrong: Array<string> = []
      for (const [now, one] of steps.entries()) {
        const given = one._tag === "Reported" ? one.progress : undefined
        isMerged ||= given === undefined
        known.largest = Math.max(known.largest, Math.abs(given?.progress ?? 0))
        known.total = given?.total ?? known.total
        const before = heard.length
        take(progress, one, now)
        const [said] = heard.slice(before)
        if (said !== undefined) {
          if (progress.told.toldAt !== now) wrong.push("the time")
          if (!Number.isFinite(said.progress)) wrong.push("no number")
          if (isMerged && said.progress <= known.last) wrong.push("does not rise")
          if (given === undefined && said.total !== known.total) wrong.push("total")
          if (given !== undefined && (said.total !== given.total || said.message !== given.message)) {
            wrong.push("changed")
          }
          // 60 steps, each of 2 ** -40. Lifeline begins with 0: what is less than that is raised to it.
          const change = Math.abs(said.progress - (given?.progress ?? said.progress))
          if (
            (given?.progress ?? -1) >= 0 && Number(given?.progress) > known.farthest && change > 1e-10 * known.largest
          ) {
            wrong.push("changed much")
          }
        }
        known.last = Math.max(known.last, said?.progress ?? Number.NEGATIVE_INFINITY)
        known.farthest = Math.max(known.farthest, given?.progress ?? Number.NEGATIVE_INFINITY)
      }
      expect(wrong).toEqual([])
    }))
  })

  it("[G25:virtual] what the server says alone is handed on as it comes", () => {
    const { heard, progress } = listening()
    const all = [{ progress: 5, total: 10, other: 1 }, { progress: 5 }, { progress: 3, message: "back" }]
    for (const one of all) CallProgress.reported(progress, one, 0)
    expect(heard).toEqual(all)
  })

  it("[G25:virtual] a word of Lifeline repeats the total, and the server's message while that still holds", () => {
    const { heard, progress } = listening()
    const repeated = (isRunning: boolean) => {
      CallProgress.said(progress, "still running", isRunning, 1)
      return heard.at(-1)
    }
    expect(repeated(true)).toEqual({ progress: 0, message: "still running" })
    CallProgress.reported(progress, { progress: 1, total: 9, message: "copies" }, 1)
    expect(repeated(true)).toMatchObject({ total: 9, message: "copies (still running)" })
    expect(repeated(false)).toMatchObject({ total: 9, message: "still running" })
    CallProgress.reported(progress, { progress: 2, message: "x".repeat(201) }, 1)
    expect(repeated(true)).toMatchObject({ total: 9, message: "still running" })
    CallProgress.described(progress, "copies more", 2)
    expect(heard.at(-1)).toMatchObject({ total: 9, message: "copies more" })
    expect(repeated(true)).toMatchObject({ message: "copies more (still running)" })
    CallProgress.sentAgain(progress)
    expect(repeated(true)).toMatchObject({ message: "still running" })
  })

  it("[G25:virtual] where no higher value exists, nothing is said", () => {
    for (const most of [Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
      const { heard, progress } = listening()
      CallProgress.reported(progress, { progress: Number.MAX_VALUE }, 1)
      CallProgress.reported(progress, { progress: most }, 1)
      const before = heard.length
      CallProgress.said(progress, "still running", true, 2)
      CallProgress.reported(progress, { progress: most }, 2)
      CallProgress.said(progress, "still running", true, 3)
      expect(heard).toHaveLength(before)
      expect(progress.told.toldAt).toBe(1)
    }
  })
})
