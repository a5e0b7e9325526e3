import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Timeline from "../../src/page/browser/Timeline.mjs"
import * as words from "../../src/page/browser/words.mjs"

const minute = 60_000
/** A bar of the window of 40 minutes is a minute; now is the end of a bar. */
const length = Timeline.bars * minute
const now = 1_000_000 * minute - 1

describe("the history of a server on the status page", () => {
  it("[G16] each bar shows the worst of its time, however short that was", () => {
    const shown = Timeline.conditions(
      [
        { at: now - 10 * minute + 1, state: "Connecting" },
        { at: now - 9 * minute + 1, state: "Connected" },
        { at: now - 5.5 * minute, state: "Reconnecting" },
        { at: now - 5.5 * minute + 20, state: "Connected" },
        { at: now - 2 * minute + 1, state: "PermanentlyFailed" }
      ],
      length,
      now
    )
    expect(shown).toHaveLength(Timeline.bars)
    expect(shown.slice(0, 30)).toEqual(Array.from({ length: 30 }))
    expect(shown.slice(30)).toEqual(["busy", "busy", "up", "up", "waiting", "up", "up", "up", "down", "down"])
  })

  it("[G16] the share of the time and the losses are those of the window", () => {
    const history = [
      { at: now - 100 * minute, state: "Connected" },
      { at: now - 90 * minute, state: "Reconnecting" },
      { at: now - 80 * minute, state: "Connected" },
      { at: now - 30 * minute, state: "Reconnecting" },
      { at: now - 20 * minute, state: "Connected" },
      // Not a loss: somebody has switched it off.
      { at: now - 10 * minute, state: "Disabled" }
    ] as const
    expect(Timeline.summary(history, length, now)).toEqual({ share: 0.5, losses: 1 })
    // Nor is what somebody has reconnected; only a session that the server has forgotten is replaced as fast as that.
    const at = now - 20 * minute
    const reconnected = [{ at: at - minute, state: "Connected" }, { at, state: "Connecting" }] as const
    expect(Timeline.summary(reconnected, length, now).losses).toBe(0)
    expect(Timeline.summary([reconnected[0], { ...reconnected[1], lost: true }], length, now).losses).toBe(1)
    expect(Timeline.summary([], length, now)).toEqual({ share: undefined, losses: 0 })
  })

  it("[G16] whatever the clocks say, there are as many bars as ever and a share between 0 and 1", () => {
    const states = ["Connected", "Reconnecting", "Disabled", "PermanentlyFailed"] as const
    const change = fc.record({ at: fc.integer({ min: 0, max: 2 * length }), state: fc.constantFrom(...states) })
    fc.assert(fc.property(fc.array(change), fc.integer({ min: 0, max: 2 * length }), (changes, now) => {
      const history = changes.toSorted((a, b) => a.at - b.at)
      expect(Timeline.conditions(history, length, now)).toHaveLength(Timeline.bars)
      const { share = 0 } = Timeline.summary(history, length, now)
      expect(share >= 0 && share <= 1).toBe(true)
    }))
  })

  it("[G16] times and numbers are short and exact", () => {
    expect([0, 59_400, 250_000, 3_600_000, 11_520_000, 187_200_000].map(words.duration))
      .toEqual(["0 s", "59 s", "4 min 10 s", "1 h", "3 h 12 min", "2 d 4 h"])
    expect([59_400, 250_000, 11_520_000].map(words.longDuration)).toEqual(["59 s", "4 min", "3 h 12 min"])
    expect([0.84, 3, 12.6, 1234].map(words.millis)).toEqual(["0.8 ms", "3 ms", "13 ms", "1.2 s"])
    expect(words.stateName("PermanentlyFailed")).toBe("Permanently failed")
  })
})
