import { Policy } from "@mcp-lifeline/core"
import { describe, expect, it } from "vitest"
import type { ConnectReason } from "../../src/Errors.js"
import * as LostSessions from "../../src/state/LostSessions.js"
import * as Pace from "../../src/state/Pace.js"

const options = Policy.defaults.reconnect
const second = 1000
const minute = 60 * second

const failed = (pace: Pace.Pace, now: number, reason: ConnectReason, demanded = false) =>
  Pace.attemptFailed(
    pace,
    { demanded, draw: 1, error: { permanent: false, reason }, everConnected: true, now },
    options
  ).pace

/** From an attempt for a call, which waits a minute at most, to the next one. */
const spacing = (pace: Pace.Pace, now: number) => {
  const begun = Pace.attempted(pace, now, true)
  return Pace.nextDemanded(begun, now, minute, options) - now
}

describe("the pace of attempts", () => {
  it("[V10:unit] a server that nobody reaches is tried at a part of its outage; once it was reached, the spacing doubles as for any other", () => {
    const unheard = failed(failed(Pace.begin, 0, "refused"), second, "refused")
    expect(spacing(unheard, second)).toBe(options.demandInterval / 4)
    const heard = failed(unheard, second, "closed")
    expect(spacing(heard, second)).toBe(options.demandInterval * 4)
    const lost = Pace.connectionFailed(unheard)
    expect(spacing(lost, second)).toBe(options.demandInterval * 4)
    expect(spacing(failed(lost, minute, "refused"), minute)).toBe(options.demandInterval / 4)
  })

  it("[R3:unit] a good connection forgets what has failed, but neither a Retry-After nor the sessions that were lost", () => {
    const sessions = LostSessions.add(LostSessions.none, 0, second)
    const pace = Pace.asked(failed({ ...Pace.begin, sessions }, 0, "server"), 0, 5 * second, options)
    expect(Pace.good(pace)).toEqual({ ...Pace.begin, notBefore: 5 * second, sessions })
  })

  it("[R8:unit] only attempts for calls space the next one for a call", () => {
    const pace = Pace.attempted(failed(Pace.begin, 0, "closed"), 0, true)
    const byItself = Pace.attempted(pace, 500, false)
    expect(Pace.nextDemanded(byItself, 500, minute, options)).toBe(Pace.nextDemanded(pace, 0, minute, options))
  })
})

describe("sessions that a server forgets", () => {
  const lost = (known: LostSessions.LostSessions, from: number, count: number) => {
    for (let i = 0; i < count; i++) known = LostSessions.add(known, from + i * second, second)
    return known
  }

  it("[R7:unit] are counted in a row, and warned of, until a quiet time; after it from the beginning", () => {
    const many = lost(LostSessions.none, 0, 7)
    expect(many).toMatchObject({ count: 7, inARow: 7, isWarned: true })
    expect(LostSessions.describe(many, 6 * second)).toContain("7 were lost")
    // The row goes on, and needs no second warning, while none of its pauses is a quiet time.
    const seldom = lost(lost(many, 9 * minute, 1), 11 * minute, 1)
    expect(LostSessions.describe(seldom, 11 * minute)).toBeUndefined()
    expect(seldom).toMatchObject({ inARow: 9, isWarned: true })
    const quiet = lost(seldom, 22 * minute, 1)
    expect(quiet).toMatchObject({ count: 10, inARow: 1, isWarned: false })
    expect(LostSessions.describe(quiet, 22 * minute)).toBeUndefined()
    const again = lost(quiet, 22 * minute + second, 4)
    expect(again).toMatchObject({ inARow: 5, isWarned: true })
    expect(LostSessions.describe(again, 22 * minute + 4 * second)).toContain("5 were lost")
  })
})
