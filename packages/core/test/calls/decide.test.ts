import { RequestError } from "@mcp-lifeline/core"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { afterDoubt, decide, type Facts, isMisuse, isSuspicious, type Tally } from "../../src/calls/decide.js"
import type { RequestReason } from "../../src/Errors.js"
import { failed, fates, reasons } from "../support/failures.js"

const fresh: Tally = { sent: 0, withoutResult: 0, sessions: 0, unknown: undefined, repeated: false }
const usual: Facts = { generation: 3, mayRepeat: false, trustsRefusals: true, retries: true }

const failure = fc.record({
  fate: fc.constantFrom(...fates),
  reason: fc.constantFrom(...reasons),
  retryAfter: fc.constantFrom(undefined, 500),
  partlySent: fc.boolean()
}).map(({ fate, reason, ...more }) => failed(fate, reason, more))

const facts: fc.Arbitrary<Facts> = fc.record({
  generation: fc.constant(3),
  mayRepeat: fc.constantFrom(true, false, undefined),
  trustsRefusals: fc.boolean(),
  retries: fc.boolean()
})

describe("what follows on a failed request", () => {
  it("[C2:unit C3:unit C15:unit] a table: the call fails, or its request is sent again", () => {
    const rows: ReadonlyArray<readonly [RequestError, Partial<Facts>, string]> = [
      [failed("notSent", "lost"), {}, "yes"],
      [failed("notSent", "lost"), { mayRepeat: undefined }, "yes"],
      [failed("rejected", "session"), {}, "yes"],
      [failed("rejected", "rateLimited"), {}, "yes"],
      [failed("notSent", "network"), {}, "yes"],
      [failed("notSent", "lost"), { retries: false }, "no"],
      [failed("notSent", "timeout"), {}, "no"],
      [failed("rejected", "unauthorized"), {}, "no"],
      [failed("notSent", "fault"), {}, "no"],
      [failed("answered", "remote"), { mayRepeat: true }, "no"],
      [failed("answered", "protocol"), { mayRepeat: true }, "no"],
      [failed("unknown", "lost"), {}, "no"],
      [failed("unknown", "lost"), { mayRepeat: true }, "yes"],
      [failed("unknown", "lost"), { mayRepeat: undefined }, "hints"],
      [failed("unknown", "timeout"), { mayRepeat: true }, "no"]
    ]
    for (const [error, more, again] of rows) {
      const row = [error.fate, error.reason, more]
      expect([...row, decide(error, fresh, { ...usual, ...more }).again]).toEqual([...row, again])
    }
  })

  it("[H4:virtual K19] what puts a connection in doubt, and is the program's own fault", () => {
    for (const reason of reasons) {
      for (const retryAfter of [undefined, 500]) {
        expect([reason, isSuspicious(failed("unknown", reason, { retryAfter }))]).toEqual([
          reason,
          retryAfter === undefined && ["timeout", "network", "server", "fault"].includes(reason)
        ])
      }
      for (const fate of fates) {
        expect(isMisuse(failed(fate, reason))).toBe(reason === "fault" && fate !== "unknown")
      }
    }
  })

  it("[C16:virtual] a refusal that proves nothing has an unknown fate, unless twice does no harm", () => {
    const refused = failed("rejected", "server")
    expect(decide(refused, fresh, usual).error).toBe(refused)
    expect(decide(refused, fresh, { ...usual, trustsRefusals: false, mayRepeat: true }).error).toBe(refused)
    for (const mayRepeat of [false, undefined]) {
      const { again, error, tally } = decide(refused, fresh, { ...usual, trustsRefusals: false, mayRepeat })
      expect(error).toMatchObject({ fate: "unknown", message: expect.stringMatching(/no proof.*afterRefusal/) })
      const hints = mayRepeat === undefined ? "hints" : "no"
      expect([again, tally.unknown]).toEqual([hints, { generation: 3, error }])
    }
  })

  it("[R12:virtual] once it is known whether the session lives, a refusal means a lost session only where its call may be sent again", () => {
    const refused = (ifSessionLost: "rejected" | "answered", reason: RequestReason = "remote") =>
      failed("answered", reason, { ifSessionLost })
    const trusted = { mayRepeat: false, trustsRefusals: true }
    const lost = { fate: "rejected", reason: "session" }
    expect(afterDoubt(refused("rejected"), "lost", 0, trusted)).toMatchObject(lost)
    expect(afterDoubt(refused("answered"), "lost", 0, { ...trusted, mayRepeat: true })).toMatchObject(lost)
    for (
      const [error, session, known] of [
        [refused("rejected"), "alive", trusted],
        [refused("rejected"), "unknown", trusted],
        [refused("answered"), "lost", trusted],
        [refused("rejected"), "lost", { mayRepeat: undefined, trustsRefusals: false }]
      ] as const
    ) {
      expect(afterDoubt(error, session, 0, known)).toBe(error)
    }
    const gone = refused("rejected", "network")
    expect(afterDoubt(gone, "alive", 2, trusted)).toBe(gone)
    expect(afterDoubt(gone, "alive", 3, trusted)).toMatchObject({ fate: "answered", reason: "protocol" })
    expect(afterDoubt(refused("rejected"), "alive", 3, trusted)).toMatchObject({ reason: "remote" })
  })

  it("[R7:virtual] the second session that ends with a request of the call is the last: the call fails with what came", () => {
    const said = failed("answered", "remote", { message: "no such tool", ifSessionLost: "rejected" })
    const inDoubt = afterDoubt(said, "lost", 0, usual)
    for (const [lost, came] of [[failed("rejected", "session"), undefined], [inDoubt, said]] as const) {
      for (const mayRepeat of [true, false, undefined]) {
        const first = decide(lost, fresh, { ...usual, mayRepeat })
        expect([first.again, first.error]).toEqual(["yes", lost])
        // What happens between does not count.
        const between = decide(failed("notSent", "network"), first.tally, { ...usual, mayRepeat })
        const second = decide(lost, between.tally, { ...usual, mayRepeat })
        expect([second.again, second.error, second.times]).toEqual(["no", came ?? lost, 2])
      }
    }
  })

  it("[C2 C3 C15] over failures in any order: no side effect twice, no doubt forgotten but by an answer, an end after six, or after two sessions", () => {
    fc.assert(fc.property(fc.array(fc.tuple(failure, facts), { minLength: 1, maxLength: 12 }), (failures) => {
      let tally: Tally = fresh
      let first: RequestError | undefined
      for (const [error, known] of failures) {
        const before = tally
        const decision = decide(error, tally, known)
        tally = decision.tally
        const { again } = decision
        const believed = decision.error
        if (believed.fate === "unknown") first ??= believed
        if (believed.fate === "answered") first = undefined
        expect(tally.unknown?.error).toBe(first)
        expect(tally.sent - before.sent).toBe(again === "no" ? 0 : 1)
        const isSecondSession = tally.sessions > before.sessions && tally.sessions >= 2
        expect(decision.times).toBe(
          isSecondSession
            ? tally.sessions
            : tally.withoutResult > before.withoutResult && tally.withoutResult >= 6
            ? tally.withoutResult
            : undefined
        )
        if (again === "no") continue
        expect(known.retries && believed.fate !== "answered" && decision.times === undefined).toBe(true)
        expect(["timeout", "unauthorized", "fault"]).not.toContain(believed.reason)
        // What may have been carried out is sent again only where twice does no harm, or once that is read.
        expect(believed.fate === "unknown" && known.mayRepeat === false).toBe(false)
        expect(again === "hints").toBe(believed.fate === "unknown" && known.mayRepeat === undefined)
        expect(tally.repeated).toBe(before.repeated || (believed.fate === "unknown" && known.mayRepeat === true))
      }
    }))
  })
})
