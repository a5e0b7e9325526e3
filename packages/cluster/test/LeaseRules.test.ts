import { describe, expect, it } from "vitest"
import { type Lease, LeaseRules } from "../src/LeaseRules.js"

const terms = { lease: 6000, margin: 1500, renewal: 1000, withoutStore: 60_000 }

const lease = (id: string, renewals: number, ...witnesses: ReadonlyArray<string>): Lease => ({
  id,
  renewals,
  witnesses,
  hasEnded: false
})

const holder = (...witnesses: ReadonlyArray<string>): LeaseRules => {
  const rules = new LeaseRules("a", terms)
  rules.renewing(witnesses)
  rules.renewed(0, 1, witnesses)
  return rules
}

const observer = (...witnesses: ReadonlyArray<string>): LeaseRules => {
  const rules = new LeaseRules("a", terms)
  rules.saw(0, [lease("b", 3, ...witnesses)])
  return rules
}

describe("the own lease", () => {
  it("[D6] is not held before it was renewed", () => {
    expect(new LeaseRules("a", terms).isHeld(0)).toBe(false)
  })

  it("[D6] counts from the moment before the store was asked, and ends a margin earlier", () => {
    const rules = holder("b")
    expect(rules.isHeld(4499)).toBe(true)
    expect(rules.isHeld(4500)).toBe(false)
    expect(rules.until).toBe(4500)
  })

  it("[D6] is not held after the store has said that it has ended, not even by a promise", () => {
    const rules = holder("b")
    rules.ended()
    rules.extended(10)
    expect(rules.isHeld(11)).toBe(false)
    expect(rules.needed).toBeUndefined()
  })

  it("[D5] goes on with the promises of all witnesses that the store may name", () => {
    const rules = holder("b")
    rules.renewing(["b", "c"])
    rules.renewing(["d"])
    expect(rules.needed).toEqual({ renewals: 1, witnesses: ["b", "c", "d"] })
    rules.renewed(1000, 2, ["b"])
    expect(rules.needed).toEqual({ renewals: 2, witnesses: ["b"] })
    rules.extended(5000)
    expect(rules.until).toBe(9500)
  })

  it("[D5] is extended by nobody if the store may name no witness, or was never reached", () => {
    const rules = holder()
    rules.renewing(["b"])
    expect(rules.needed).toBeUndefined()
    expect(new LeaseRules("a", terms).needed).toBeUndefined()
  })

  it("[D5] is extended for a limited time without the store", () => {
    const rules = holder("b")
    for (let at = 1000; at < 70_000; at += 1000) rules.extended(at)
    expect(rules.until).toBe(58_500)
  })

  it("[D5] does not become shorter by a renewal that was asked for before the promises", () => {
    const rules = holder("b")
    rules.extended(3000)
    rules.renewed(2000, 2, ["b"])
    expect(rules.until).toBe(7500)
  })

  it("[D1] has all replicas as witnesses whose leases have not ended", () => {
    const rules = holder("b")
    rules.saw(0, [lease("a", 1), lease("b", 1), { ...lease("c", 1), hasEnded: true }, lease("d", 1)])
    expect(rules.nextWitnesses()).toEqual(["b", "d"])
  })
})

describe("the lease of another replica", () => {
  it("[D1] may be ended when it was not renewed for its time, since it was seen", () => {
    const rules = observer("a", "c")
    expect(rules.nextEnding()).toBe(6000)
    expect(rules.ending(5999, "b")).toBeUndefined()
    expect(rules.ending(6000, "b")).toEqual({ _tag: "Now", renewals: 3 })
    rules.saw(5000, [lease("b", 3, "a")])
    expect(rules.nextEnding()).toBe(6000)
    rules.saw(5500, [lease("b", 4, "a")])
    expect(rules.ending(6000, "b")).toBeUndefined()
    expect(rules.nextEnding()).toBe(11_500)
  })

  it("[D1] counts anew if the store has forgotten renewals", () => {
    const rules = observer("a")
    rules.saw(5000, [lease("b", 2, "a")])
    expect(rules.ending(6000, "b")).toBeUndefined()
  })

  it("[D1] may be ended by who is no witness only if a witness consents", () => {
    expect(observer("c", "d").ending(6000, "b")).toEqual({ _tag: "Ask", renewals: 3, witnesses: ["c", "d"] })
  })

  it("[D1] may be ended by anyone if it has no witnesses", () => {
    expect(observer().ending(6000, "b")).toEqual({ _tag: "Now", renewals: 3 })
  })

  it("[D1][D5] may be ended without consent when promises cannot extend it any more", () => {
    expect(observer("c").ending(65_999, "b")).toMatchObject({ _tag: "Ask" })
    expect(observer("c").ending(66_000, "b")).toEqual({ _tag: "Now", renewals: 3 })
  })

  it("[D1] is neither ended again nor promised once it has ended", () => {
    const rules = observer("a")
    rules.saw(1, [{ ...lease("b", 3, "a"), hasEnded: true }])
    expect(rules.ending(60_000, "b")).toBeUndefined()
    expect(rules.promise(2, "b", 3)).toBe(false)
    expect(rules.nextEnding()).toBe(Infinity)
  })

  it("[D1][D5] is not ended as long as a promise lasts, also not by another replica with our consent", () => {
    const rules = observer("a")
    expect(rules.promise(2000, "b", 3)).toBe(true)
    expect(rules.nextEnding()).toBe(8000)
    expect(rules.ending(7999, "b")).toBeUndefined()
    expect(rules.refuse(7999, "b", 3)).toBe(false)
    expect(rules.ending(8000, "b")).toBeDefined()
    expect(rules.refuse(8000, "b", 3)).toBe(true)
  })

  it("[D1] gets no promise once its end has begun, unless it was renewed since", () => {
    const rules = observer("a")
    expect(rules.refuse(6000, "b", 3)).toBe(true)
    expect(rules.promise(6000, "b", 3)).toBe(false)
    expect(rules.promise(6000, "b", 4)).toBe(true)
    expect(rules.refuse(20_000, "b", 2)).toBe(true)
    expect(rules.promise(20_000, "b", 3)).toBe(false)
  })

  it("[D1] is forgotten with the replica", () => {
    const rules = observer("a")
    rules.promise(0, "b", 3)
    rules.refuse(9000, "b", 3)
    rules.saw(9000, [])
    expect(rules.lease("b")).toBeUndefined()
    expect(rules.nextWitnesses()).toEqual([])
  })
})
