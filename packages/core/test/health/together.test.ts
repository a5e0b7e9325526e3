import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Together from "../../src/health/together.js"

const window = 30_000

const silent = (origin: string, silentSince: number, askedAt = 35_000): Together.Silent => ({
  origin,
  silentSince,
  askedAt,
  answeredAt: 0,
  window
})

const answering = (origin: string, answeredAt = 0): Together.Server => ({ origin, silentSince: undefined, answeredAt })

const among = (askedAt: number, origin: string) => [silent("https://a.example", 1000, askedAt), answering(origin)]

const ruled = (
  servers: ReadonlyArray<Together.Server>,
  { known = Together.nothing, mine = servers[0] as Together.Silent, now = 40_000 } = {}
) => Together.rule(known, mine, () => servers, servers.length, now)

const shared = "everything is silent: this machine"
const one = "it may be this machine: one question is not enough"
const a = silent("https://a.example", 1000)

const rows: ReadonlyArray<readonly [string, ReadonlyArray<Together.Server>, string | undefined]> = [
  ["one alone", [a], undefined],
  ["one of two", [a, answering("https://b.example")], undefined],
  ["two of different origins", [a, silent("https://b.example", 30_999)], shared],
  ["two of different origins, one after the other", [a, silent("https://b.example", 31_001)], undefined],
  ["two of one origin", [a, silent(a.origin, 1000)], undefined],
  ["two of one origin among three", [a, silent(a.origin, 1000), answering("https://b.example")], shared],
  ["two of one origin among four", [a, silent(a.origin, 1000), answering("b"), answering("c")], undefined],
  ["another, asked a moment ago", [a, silent("https://b.example", 38_001)], undefined],
  ["its first question, and nobody else to ask", among(2999, "b"), undefined],
  ["its first question", among(2999, "https://b.example"), one],
  ["its second question", among(3000, "https://b.example"), undefined]
]

describe("V11: a verdict on silence", () => {
  it.each(rows)("[V11] %s", (_, servers, why) => {
    expect(ruled(servers)[1]).toBe(why)
  })

  it("[V11] is held for a minute after the machine's addresses have changed, also of a server alone", () => {
    const known = { ...Together.nothing, movedAt: 0 }
    expect(ruled([a], { known, now: 59_999 })[1]).toBe(shared)
    expect(ruled([a], { known, now: 60_000 })[1]).toBeUndefined()
  })

  it("[V11] is held until one that is reached in the same way answers, and then until a later question has no answer", () => {
    const servers = [a, silent("https://b.example", 1000), answering("https://c.example"), answering("c")]
    const [held] = ruled(servers)
    const later = (answered: Together.Server, now: number, askedAt: number) => {
      const reached = [...servers, answered].filter((one) => Together.reachOf(one) === "network")
      const known = Together.reviewed(held, a, reached, now)
      return ruled(servers, { known, mine: { ...a, askedAt }, now })[1]
    }
    expect(later(answering("https://d.example", 40_000), 50_000, 50_000)).toBe(shared)
    expect(later(answering("http://127.0.0.1:80", 40_001), 50_000, 50_000)).toBe(shared)
    expect(later(answering("https://d.example", 40_001), 50_000, 49_999)).toBe(shared)
    expect(later(answering("https://d.example", 40_001), 50_000, 50_000)).toBeUndefined()
  })

  it("[V11] is held for five minutes at most", () => {
    const servers = [a, silent("https://b.example", 1000)]
    const [known] = ruled(servers)
    expect(ruled(servers, { known, now: 300_999 })[1]).toBe(shared)
    expect(ruled(servers, { known, now: 301_000 })[1]).toBeUndefined()
  })

  it("[V11] whatever falls silent and answers, no more than a third is given up in a minute, but always one", () => {
    const turn = fc.record({ who: fc.nat(11), after: fc.nat(20_000), answers: fc.boolean() })
    fc.assert(fc.property(fc.integer({ min: 2, max: 12 }), fc.array(turn, { maxLength: 200 }), (size, turns) => {
      const servers = Array.from({ length: size }, (_, i): Together.Server => answering(`https://${i}.example`))
      const ended: Array<number> = []
      let known = Together.nothing
      let now = 0
      for (const { after, answers, who } of turns) {
        now += after
        const i = who % size
        const one = servers[i]!
        const since = answers ? undefined : one.silentSince ?? now
        servers[i] = { ...one, silentSince: since, answeredAt: answers ? now : one.answeredAt }
        if (since === undefined) continue
        const [next, why] = ruled(servers, { known, mine: { ...one, silentSince: since, askedAt: now, window }, now })
        known = next
        if (why !== undefined) continue
        ended.push(now)
        servers[i] = answering(one.origin)
      }
      const most = Math.max(1, Math.floor(size / 3))
      for (const at of ended) {
        expect(ended.filter((other) => other >= at && other - at < 60_000).length).toBeLessThanOrEqual(most)
      }
    }))
  })
})
