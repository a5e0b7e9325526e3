import { describe, expect, it } from "@effect/vitest"
import * as Figures from "../../../../tools/benchmarks/recovery/figures.mjs"
import { semaphore } from "../../../../tools/benchmarks/recovery/schedule.mjs"

const call = (at: number, took: number, outcome: Figures.Call["outcome"]) => ({ at, took, outcome })

const cell = (figures: Partial<Figures.Cell>): Figures.Cell => ({
  back: 100,
  failed: 0,
  hung: 0,
  twice: 0,
  sessions: 0,
  processes: 0,
  memory: 50,
  ...figures
})
const row = (name: string, ...cells: ReadonlyArray<Partial<Figures.Cell>>): Figures.Measured => ({
  name,
  isLifeline: name.startsWith("Lifeline"),
  cells: cells.map(cell)
})

describe("the figures of a recovery", () => {
  it("[B2] a client is back at the end of its first good call, and each call that failed or hung counts, also afterwards", () => {
    const calls = [call(0, 20, "failed"), call(120, 5000, "hung"), call(5200, 50, "good"), call(5400, 3, "failed")]
    expect(Figures.outage(calls, 30_000)).toEqual({ back: 5250, failed: 2, hung: 1 })
  })

  it("[B2] who has no good call within the time did not come back", () => {
    expect(Figures.outage([call(0, 20, "failed")], 30_000).back).toBeUndefined()
    expect(Figures.outage([call(29_990, 20, "good")], 30_000).back).toBeUndefined()
    expect(Figures.outage([], 30_000)).toEqual({ back: undefined, failed: 0, hung: 0 })
  })

  it("[B2] a call without an answer by the caller's timeout hung, whoever gave up; an earlier error is a failure", () => {
    const outcome = (ok: boolean, took: number) => Figures.outcome({ ok, took, timeoutMs: 5000 })
    expect([outcome(true, 5100), outcome(false, 5200), outcome(false, 4999), outcome(false, 4000)]).toEqual([
      "good",
      "hung",
      "hung",
      "failed"
    ])
  })

  it("[B2] the server counts the calls that it carried out more than once", () => {
    const apply = (detail: string) => ({ event: "apply", detail })
    expect(Figures.twice([apply("1"), apply("2"), { event: "call", detail: "2" }, apply("3")])).toBe(0)
    expect(Figures.twice([apply("1"), apply("2"), apply("1"), apply("1"), apply("2")])).toBe(2)
  })

  it("[B2] a table has the median, the spread and the worst counts of the runs, and who did not come back", () => {
    const rows = [
      row("a", { back: 300, failed: 1 }, { back: 100 }, { back: 200, twice: 1 }),
      row("b", { back: undefined, failed: 9 }, { back: undefined }, { back: 200, sessions: undefined })
    ]
    const [a, b] = Figures.table(rows, 30_000).map(({ figures }) => figures)
    expect(a).toMatchObject({ "ms to a good call": 200, "least": 100, "most": 300, "came back": "3 of 3" })
    expect(a).toMatchObject({ failed: 1, twice: 1, "best in": "time" })
    expect(b).toMatchObject({ "ms to a good call": "not in 30 s", "most": "-", "came back": "1 of 3", "best in": "" })
  })

  it("[B2] the best are marked, whoever they are: all whose times overlap, and none that did not come back", () => {
    const rows = [
      row("Lifeline", { back: 1000, failed: 1 }),
      row("other", { back: 210 }),
      row("hangs", { back: 900, hung: 1 }),
      row("equal", { back: 190, twice: 1 }),
      row("gone", { back: undefined })
    ]
    expect(Figures.bests(rows)).toEqual([
      ["hung", "twice"],
      ["time", "failed", "hung", "twice"],
      ["twice"],
      ["time", "failed", "hung"],
      []
    ])
  })

  it("[B2] where another client is better than one of ours is said, for each of ours and each figure", () => {
    const rows = [
      row("Lifeline, connect", { back: 1000, failed: 1 }),
      row("Lifeline, wrap", { back: undefined, hung: 6 }),
      row("other", { back: 200, twice: 1, hung: 1 }),
      row("lossless", { back: 900 }),
      row("gone", { back: undefined })
    ]
    const other = "other (carried out twice: 1)"
    expect(Figures.beaten(rows).map(({ better, figure, name, of, ours }) => [name, figure, ours, better, of])).toEqual([
      ["Lifeline, connect", "time", "1000 ms", "200 ms", other],
      ["Lifeline, connect", "failed or hung", "1", "0", "lossless"],
      ["Lifeline, wrap", "time", "not back", "200 ms", other],
      ["Lifeline, wrap", "failed or hung", "6", "0", "lossless"],
      ["Lifeline, wrap", "hung", "6", "0", "lossless"]
    ])
    expect(Figures.beaten([row("Lifeline", { back: 205 }), row("other", { back: 190 })])).toEqual([])
  })

  it("[B2] permits are given in turn, and one that is given back twice counts once", async () => {
    const { acquire } = semaphore(1)
    const order: Array<string> = []
    const release = await acquire()
    const waiting = ["second", "third"].map(async (name) => {
      const done = await acquire()
      order.push(name)
      return done
    })
    release()
    release()
    const done = await waiting[0]
    expect(order).toEqual(["second"])
    done?.()
    await waiting[1]
    expect(order).toEqual(["second", "third"])
  })
})
