import { describe, expect, it } from "@effect/vitest"
import * as Budget from "../../src/port/Budget.js"

const { answered, asked, heard, sent } = Budget
const changes: Record<string, typeof sent> = { answered, asked, heard, sent }

const bounded = { timeout: 5, maxTotalTimeout: 9, resetTimeoutOnProgress: true }
const open = { timeout: 5, resetTimeoutOnProgress: true }

type Row = readonly [string, Parameters<typeof Budget.begin>[0], steps: string, at: number, left: number, limit: number]

const rows: ReadonlyArray<Row> = [
  ["one answer is the whole", { timeout: 5 }, "", 1, 4, 5],
  ["sent later, it has no more", { timeout: 5 }, "sent 1", 1, 4, 5],
  ["the whole is shorter", { timeout: 5, maxTotalTimeout: 3 }, "", 1, 2, 3],
  ["the whole is longer, and progress does not count", { timeout: 5, maxTotalTimeout: 9 }, "heard 4", 4, 1, 5],
  ["nothing bounds it", { timeout: Infinity }, "asked 1, answered 9", 1, Infinity, Infinity],
  ["progress counts", bounded, "heard 3", 4, 4, 5],
  ["progress counts, up to the bound of the whole", bounded, "heard 4.5", 5, 4, 9],
  ["sent again, one answer has its time", bounded, "sent 3", 3, 5, 5],
  ["progress counts without a bound", open, "heard 4, heard 8", 9, 4, 5],
  ["sent again counts not where the whole ends with one answer", open, "sent 3", 3, 2, 5],
  ["it stands still while the user is asked", { timeout: 5 }, "asked 1", 90, 4, 5],
  ["it goes on then", { timeout: 5 }, "asked 1, answered 11", 12, 3, 15],
  ["several questions", { timeout: 5 }, "asked 1, asked 2, answered 3", 9, 4, 5],
  ["the last answer", { timeout: 5 }, "asked 1, asked 2, answered 3, answered 11", 11, 4, 15],
  ["asked again", { timeout: 5 }, "asked 1, answered 2, asked 3, answered 4", 4, 3, 7],
  ["an answer to no question", { timeout: 5 }, "answered 3", 3, 2, 5],
  ["progress meanwhile counts from the question", bounded, "asked 1, heard 3, answered 4", 4, 5, 5],
  ["the same without a bound", open, "asked 1, heard 3, answered 4", 4, 5, 5]
]

describe("the time of a request", () => {
  it.each(rows)("[C5 C21] %s", (_, limits, steps, now, left, limit) => {
    const budget = steps.split(", ").reduce((budget, step) => {
      const [change = "", at] = step.split(" ")
      return changes[change]?.(budget, Number(at)) ?? budget
    }, Budget.begin(limits, 0))
    expect([Budget.left(budget, now), Budget.limit(budget)]).toEqual([left, limit])
  })
})
