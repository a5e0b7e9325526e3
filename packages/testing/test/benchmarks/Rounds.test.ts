import { describe, expect, it } from "@effect/vitest"
import * as Rounds from "../../../../tools/benchmarks/rounds.mjs"

const row = (name: string, figures: Record<string, number | string>) => ({ name, figures })
const round = (...rows: ReadonlyArray<ReturnType<typeof row>>) => [{ title: "A call, 9 rounds", rows }]

const measured = (column: string, ...values: ReadonlyArray<number>) =>
  Rounds.figures(values.map((value) => round(row("echo", { [column]: value }))))

const verdict = (before: ReturnType<typeof measured>, after: ReturnType<typeof measured>) =>
  Rounds.compare(before, after).differences.map(({ percent, verdict }) => [Math.round(percent), verdict])

describe("figures that were measured several times", () => {
  it("[B1] each figure has what every round measured; texts, and what a round has not measured, are no figures", () => {
    const figures = Rounds.figures([
      round(row("echo", { us: 5, killed: "ends" }), row("list", { us: 9 })),
      round(row("echo", { us: 6, killed: "ends" }))
    ])
    expect(figures).toEqual([{ part: "", row: "echo", column: "us", values: [5, 6] }])
  })

  it("[B1] equal rows of two parts stay apart", () => {
    const parts = [{ title: "hop", rows: [row("idle", { ms: 1 })] }, { title: "scale", rows: [row("idle", { ms: 2 })] }]
    expect(Rounds.figures([parts, parts]).map((figure) => [Rounds.nameOf(figure), figure.values])).toEqual([
      ["hop / idle / ms", [1, 1]],
      ["scale / idle / ms", [2, 2]]
    ])
  })

  it("[B1] the median of an even number is between the two in the middle, and the spread is in percent of it", () => {
    expect(Rounds.spread([4, 1, 3, 2])).toEqual({ median: 2.5, least: 1, most: 4, percent: 60 })
    expect(Rounds.spread([7])).toEqual({ median: 7, least: 7, most: 7, percent: 0 })
    expect(Rounds.spread([0, 0])).toEqual({ median: 0, least: 0, most: 0, percent: 0 })
  })

  it("[B1] two commits differ where every round of one is beyond every round of the other, and nowhere else", () => {
    expect(verdict(measured("us", 10, 11, 12), measured("us", 13, 14, 15))).toEqual([[27, "worse"]])
    expect(verdict(measured("us", 10, 11, 12), measured("us", 7, 8, 9))).toEqual([[-27, "better"]])
    expect(verdict(measured("us", 10, 11, 12), measured("us", 12, 20, 30))).toEqual([[82, "same"]])
    expect(verdict(measured("us", 10, 11, 12), measured("us", 10, 11, 12))).toEqual([[0, "same"]])
  })

  it("[B1] of what is counted in a second, more is better", () => {
    expect(verdict(measured("calls/s at 50", 10, 11), measured("calls/s at 50", 20, 21))).toEqual([[95, "better"]])
    expect(verdict(measured("calls a second", 20, 21), measured("calls a second", 10, 11))).toEqual([[-49, "worse"]])
  })

  it("[B1] figures that only one commit has are named, and not compared", () => {
    expect(Rounds.compare(measured("us", 1), measured("ms", 1))).toEqual({
      differences: [],
      onlyNow: ["echo / ms"],
      onlyBefore: ["echo / us"]
    })
  })

  it("[B1] chance sets six rounds a side apart once in 462 figures, and four once in 35", () => {
    expect([6, 4].map(Rounds.oneIn)).toEqual([462, 35])
  })
})
