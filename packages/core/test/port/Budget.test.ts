import { describe, expect, it } from "@effect/vitest"
import * as Budget from "../../src/port/Budget.js"

const begun = 1_000_000
const resetTimeoutOnProgress = true
const bounded = { timeout: 5000, maxTotalTimeout: 9000, resetTimeoutOnProgress }
const open = { timeout: 5000, resetTimeoutOnProgress }

type Step = readonly [change: typeof sent, at: number]

const { answered, asked, heard, sent } = Budget

/** After the steps, what is left at a time; and the time that is said to be over. */
type Row = readonly [name: string, Parameters<typeof Budget.begin>[0], ReadonlyArray<Step>, at: number, number, number]

const rows: ReadonlyArray<Row> = [
  ["one answer is the whole", { timeout: 5000 }, [], 1000, 4000, 5000],
  ["sent later, it has no more", { timeout: 5000 }, [[sent, 1000]], 1000, 4000, 5000],
  ["the whole is shorter", { timeout: 5000, maxTotalTimeout: 3000 }, [], 1000, 2000, 3000],
  [
    "the whole is longer, and progress does not count",
    { timeout: 5000, maxTotalTimeout: 9000 },
    [[heard, 4000]],
    4000,
    1000,
    5000
  ],
  ["nothing bounds it", { timeout: Infinity }, [[asked, 1], [answered, 9]], 1000, Infinity, Infinity],
  ["progress counts", bounded, [[heard, 3000]], 4000, 4000, 5000],
  ["progress counts, up to the bound of the whole", bounded, [[heard, 4500]], 5000, 4000, 9000],
  ["sent again, one answer has its time", bounded, [[sent, 3000]], 3000, 5000, 5000],
  ["progress counts without a bound", open, [[heard, 4000], [heard, 8000]], 9000, 4000, 5000],
  ["sent again counts not where the whole ends with one answer", open, [[sent, 3000]], 3000, 2000, 5000],
  ["it stands still while the user is asked", { timeout: 5000 }, [[asked, 1000]], 90_000, 4000, 5000],
  ["it goes on then", { timeout: 5000 }, [[asked, 1000], [answered, 11_000]], 12_000, 3000, 15_000],
  ["several questions", { timeout: 5000 }, [[asked, 1000], [asked, 2000], [answered, 3000]], 9000, 4000, 5000],
  [
    "the last answer",
    { timeout: 5000 },
    [[asked, 1000], [asked, 2000], [answered, 3000], [answered, 11_000]],
    11_000,
    4000,
    15_000
  ],
  [
    "asked again",
    { timeout: 5000 },
    [[asked, 1000], [answered, 2000], [asked, 3000], [answered, 4000]],
    4000,
    3000,
    7000
  ],
  ["an answer to no question", { timeout: 5000 }, [[answered, 3000]], 3000, 2000, 5000],
  [
    "progress meanwhile comes when the question came",
    bounded,
    [[asked, 1000], [heard, 3000], [answered, 4000]],
    4000,
    5000,
    5000
  ],
  ["the same without a bound", open, [[asked, 1000], [heard, 3000], [answered, 4000]], 4000, 5000, 5000]
]

describe("the time of a request", () => {
  it.each(rows)("[C5 C21] %s", (_, limits, steps, at, left, limit) => {
    const budget = steps.reduce((budget, [change, at]) => change(budget, begun + at), Budget.begin(limits, begun))
    expect([Budget.left(budget, begun + at), Budget.limit(budget)]).toEqual([left, limit])
  })
})
