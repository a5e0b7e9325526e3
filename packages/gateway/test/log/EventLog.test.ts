import * as EventLog from "../../src/log/EventLog.js"
import { describe, expect, test } from "../support/vitest.js"

const line = (at: number, server: string | null = null): EventLog.Entry => ({
  at,
  server,
  level: "info",
  text: `line ${at}`
})

const times = (lines: ReadonlyArray<EventLog.Entry>) => lines.map(({ at }) => at)

describe("the log of a gateway", () => {
  test.effect("[G16:unit] gives the last lines: of all servers or of one, from a time on, and no more than asked for", function*() {
    const log = yield* EventLog.make
    for (const one of [line(1, "a"), line(2, "b"), line(3, "a"), line(3), line(4, "a")]) log.add(one)
    expect(times(log.last(10))).toEqual([1, 2, 3, 3, 4])
    expect(times(log.last(2))).toEqual([3, 4])
    expect(times(log.last(10, "a"))).toEqual([1, 3, 4])
    expect(times(log.last(2, "a"))).toEqual([3, 4])
    expect(times(log.last(10, undefined, 3))).toEqual([3, 3, 4])
    expect(times(log.last(10, "a", 3))).toEqual([3, 4])
    for (const limit of [0, -1]) expect(log.last(limit)).toEqual([])
  })

  test.effect("[G16, X5:unit] keeps the last 500 lines, however many there are", function*() {
    const log = yield* EventLog.make
    for (let at = 1; at <= 3000; at++) {
      log.add(line(at))
      const kept = log.last(1e6)
      expect([kept.length, kept[0]?.at, kept.at(-1)?.at]).toEqual([Math.min(at, 500), Math.max(1, at - 499), at])
    }
  })
})
