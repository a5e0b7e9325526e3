import { mayTake, Shares } from "@mcp-lifeline/protocol"
import * as fc from "fast-check"
import { beforeEach, describe, expect, it } from "vitest"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { type Place, Places } from "../src/Places.js"

// What is tested here is a part, without the one who ends it.
beforeEach(() => mayLeave("shares"))

type Held = ReadonlyArray<readonly [owner: string, count: number]>

/** `busy`: those that cannot go. */
const make = (capacity: number, held: Held, busy: ReadonlyArray<string> = []) => {
  const places = new Places(() => capacity, "others need it")
  const left: Array<string> = []
  const ended: Array<string> = []
  const put = (owner: string, name: string) => {
    left.push(name)
    const end = () => void ended.push(...left.splice(left.indexOf(name), 1))
    places.put({ owner, canGo: () => !busy.includes(name), end })
  }
  for (const [owner, count] of held) for (let n = 0; n < count; n++) put(owner, `${owner}${n}`)
  return { ended, left, places, put }
}

describe("a share of places", () => {
  it.each([[0, 100, 50], [49, 51, 1], [50, 50, 0], [0, 50, 25], [25, 25, 0], [10, 31, 10], [0, 2, 1], [0, 1, 0]])(
    "[X5] is no more than is left for others: who has %i while %i are free takes %i, and not one more",
    (held, free, most) => expect([most, most + 1].map((more) => mayTake(held, more, free))).toEqual([true, false])
  )

  const takes = (owner: string, ...held: Held): number => {
    const busy = [...Array(100).keys()].flatMap((n) => [`a${n}`, `b${n}`])
    const { places, put } = make(100, held, [...busy, "new"])
    const { total } = places
    while (places.makeRoom(owner)) put(owner, "new")
    return places.total - total
  }

  it("[X5] is half for a caller alone, and each further one gets half of the rest, and at least one place", () => {
    expect(takes("a")).toBe(50)
    expect(takes("b", ["a", 50])).toBe(25)
    expect(takes("c", ["a", 50], ["b", 49])).toBe(1)
    expect(takes("c", ["a", 50], ["b", 50])).toBe(0)
  })

  it("[X5] is all where nothing tells callers apart, and may be more than there is for the first, and for nobody else", () => {
    expect(takes("")).toBe(100)
    expect(make(4, []).places.makeRoom("a", 5)).toBe(true)
    const { places } = make(4, [["b", 1]], ["b0"])
    expect([places.makeRoom("a", 4), places.makeRoom("a", 3)]).toEqual([false, true])
  })
})

describe("who makes room", () => {
  it.each([
    [1, [], [true, ["a1", "a2", "b0"]]],
    [2, [], [true, ["a2", "b0"]]],
    [1, ["a0"], [true, ["a0", "a2", "b0"]]],
    [1, ["a0", "a1", "a2", "b0"], [false, ["a0", "a1", "a2", "b0"]]]
  ])("[X5] are no more than have to, and none that cannot go: of %i, while %j are busy", (amount, busy, outcome) => {
    const { left, places } = make(4, [["a", 3], ["b", 1]], busy)
    expect([places.makeRoom("c", amount), left]).toEqual(outcome)
  })

  it.each<readonly [string, Held, owner: string, busy: ReadonlyArray<string>, loser: string | undefined]>([
    ["the first of the caller that has most", [["a", 2], ["b", 3]], "c", [], "b0"],
    ["the first of these that can go", [["a", 2], ["b", 3]], "c", ["b0"], "b1"],
    ["another caller's, if none of these can", [["a", 2], ["b", 3]], "c", ["b0", "b1", "b2"], "a0"],
    ["one's own where nobody has more", [["a", 2], ["b", 3]], "b", [], "b0"],
    ["nobody's who has less", [["a", 2], ["b", 3]], "b", ["b0", "b1", "b2"], undefined],
    ["nobody's who has as much", [["a", 3], ["b", 3]], "b", ["b0", "b1", "b2"], undefined],
    ["the first of all where nothing tells callers apart", [["", 3]], "", ["0"], "1"]
  ])("[X5] is %s", (_, held, owner, busy, loser) => {
    const { ended, places } = make(0, held, busy)
    expect([places.evict(owner), ended[0]]).toEqual([loser !== undefined, loser])
  })

  it("[X5] is who has most of what counts, not who has many; one without any has nothing to give", () => {
    const { ended, places } = make(4, [["a", 1]])
    places.put({ owner: "b", end: () => ended.push("none") }, 0)
    places.put({ owner: "b", end: () => ended.push("b") }, 2)
    places.evict("c")
    expect(ended).toEqual(["b"])
    places.put({ owner: "b", end: () => ended.push("large") }, 9)
    places.shrink("b")
    expect(ended).toEqual(["b", "large"])
    const alone = make(0, [["a", 1]])
    alone.places.shrink("a")
    expect(alone.ended).toEqual([])
  })
})

const step = fc.record({
  do: fc.constantFrom("take" as const, "leave" as const, "use" as const, "busy" as const),
  number: fc.nat(7),
  amount: fc.nat(6)
})

it("[X5] whatever is taken, given back and evicted: nobody takes what others have left to them, no sum is more than its total, what is refused takes nothing, a new one gets what is free, and all is given back", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const capacity = 12
      const [shares, places] = [new Shares(capacity), new Places(() => capacity, "others need it")]
      const [shared, held, busy] = [new Map<Place, number>(), new Map<Place, number>(), new Set<Place>()]
      const all = Array.from({ length: 8 }, (_, n): Place => {
        const end = () => {
          expect(busy.has(place)).toBe(false)
          held.delete(place)
        }
        const place = { owner: "abcd"[n % 4], canGo: () => !busy.has(place), end }
        return place
      })
      const parts = all.map(({ owner }) => shares.part(owner))
      const sum = (of: ReadonlyMap<Place, number>, owner?: string) =>
        all.reduce((total, one) => total + (owner === undefined || one.owner === owner ? of.get(one) ?? 0 : 0), 0)
      const set = (number: number, amount: number): void => {
        const place = all[number]!
        const more = amount - (shared.get(place) ?? 0)
        const hasRoom = more <= 0 || sum(shared, place.owner) + more <= capacity - sum(shared) - more
        expect(parts[number]!(amount)).toBe(hasRoom)
        if (hasRoom) shared.set(place, amount)
      }
      for (const { amount, do: what, number } of steps) {
        const place = all[number]!
        set(number, what === "leave" ? 0 : amount)
        if (what === "busy" && !busy.delete(place)) busy.add(place)
        if (what === "use") places.used(place)
        const before = held.get(place) ?? 0
        if (what === "leave" || what === "take") held.delete(place)
        const had = what === "leave" ? places.leave(place) : before
        expect(had).toBe(before)
        let isRight = true
        if (what === "take") {
          const isTaken = places.take(place, amount + 1)
          const [own, total] = [sum(held, place.owner), sum(held)]
          const part = own === 0 ? capacity - total : (capacity - total - own) / 2
          isRight = isTaken === (total === 0 || amount + 1 <= part)
          held.set(place, isTaken ? amount + 1 : before)
        }
        for (const [counter, of] of [[shares, shared], [places, held]] as const) {
          expect(["a", "b", "c", "d"].map((owner) => counter.heldBy(owner) - sum(of, owner))).toEqual([0, 0, 0, 0])
          expect(counter.total).toBe(sum(of))
          expect(counter.total).toBeLessThanOrEqual(capacity)
        }
        expect([isRight, places.total >= capacity || places.makeRoom("new")]).toEqual([true, true])
        expect(shares.part("new")(Math.floor((capacity - shares.total) / 2))).toBe(true)
        shares.release("new", shares.heldBy("new"))
      }
      all.forEach((place, number) => [places.leave(place), set(number, 0)])
      expect([places.total, shares.total, all.some((place) => places.has(place))]).toEqual([0, 0, false])
    })
  )
})
