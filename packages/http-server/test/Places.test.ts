import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Place, Places } from "../src/Places.js"

/** `busy`: those that cannot go. */
const make = (capacity: number, busy: ReadonlyArray<string> = []) => {
  const places = new Places(() => capacity, "others need it")
  const ended: Array<string> = []
  const all = new Map<string, Place>()
  const placeOf = (name: string, owner: string): Place => {
    const place = { owner, canGo: () => !busy.includes(name), end: () => void ended.push(name) }
    all.set(name, place)
    return place
  }
  const put = (...held: ReadonlyArray<readonly [owner: string, count: number]>) => {
    for (const [owner, count] of held) {
      for (let n = 0; n < count; n++) places.put(placeOf(`${owner}${n}`, owner))
    }
  }
  const left = () => [...all].flatMap(([name, place]) => places.has(place) ? [name] : [])
  return { ended, left, placeOf, places, put }
}

describe("a share of places", () => {
  const takes = (owner: string, ...before: ReadonlyArray<readonly [owner: string, count: number]>): number => {
    const { placeOf, places, put } = make(100, [
      "new",
      ...Array.from({ length: 100 }, (_, n) => [`a${n}`, `b${n}`]).flat()
    ])
    put(...before)
    const total = places.total
    while (places.makeRoom(owner)) places.put(placeOf("new", owner))
    return places.total - total
  }

  it("[X5] is half for a caller alone, and each further one gets half of the rest, and at least one place", () => {
    expect(takes("a")).toBe(50)
    expect(takes("b", ["a", 50])).toBe(25)
    expect(takes("c", ["a", 50], ["b", 49])).toBe(1)
    expect(takes("c", ["a", 50], ["b", 50])).toBe(0)
  })

  it("[X5] is all where nothing tells callers apart", () => {
    expect(takes("")).toBe(100)
  })

  it("[X5] may be more than there is for the first, and for nobody else", () => {
    expect(make(4).places.makeRoom("a", 5)).toBe(true)
    const { places, put } = make(4, ["b0"])
    put(["b", 1])
    expect([places.makeRoom("a", 4), places.makeRoom("a", 3)]).toEqual([false, true])
  })
})

describe("who makes room", () => {
  it("[X5] are no more than have to, and none that cannot go", () => {
    const after = (amount: number, busy: ReadonlyArray<string> = []) => {
      const { left, places, put } = make(4, busy)
      put(["a", 3], ["b", 1])
      return [places.makeRoom("c", amount), left()]
    }
    expect(after(1)).toEqual([true, ["a1", "a2", "b0"]])
    expect(after(2)).toEqual([true, ["a2", "b0"]])
    expect(after(1, ["a0"])).toEqual([true, ["a0", "a2", "b0"]])
    expect(after(1, ["a0", "a1", "a2", "b0"])).toEqual([false, ["a0", "a1", "a2", "b0"]])
  })

  it.each(
    [
      ["the first of the caller that has most", [["a", 2], ["b", 3]], "c", [], "b0"],
      ["the first of these that can go", [["a", 2], ["b", 3]], "c", ["b0"], "b1"],
      ["another caller's, if none of these can", [["a", 2], ["b", 3]], "c", ["b0", "b1", "b2"], "a0"],
      ["one's own where nobody has more", [["a", 2], ["b", 3]], "b", [], "b0"],
      ["nobody's who has less", [["a", 2], ["b", 3]], "b", ["b0", "b1", "b2"], undefined],
      ["nobody's who has as much", [["a", 3], ["b", 3]], "b", ["b0", "b1", "b2"], undefined],
      ["the first of all where nothing tells callers apart", [["", 3]], "", ["0"], "1"]
    ] as const
  )("[X5] is %s", (_, held, owner, busy, loser) => {
    const { ended, places, put } = make(0, busy)
    put(...held)
    expect([places.evict(owner), ended[0]]).toEqual([loser !== undefined, loser])
  })

  it("[X5] is who has most of what counts, not who has many, and one that was used is last", () => {
    const { ended, placeOf, places } = make(4)
    const [one, two] = [placeOf("a", "a"), placeOf("b0", "b")]
    places.put(placeOf("none", "b"), 0)
    expect([places.take(one, 1), places.take(two, 2)]).toEqual([true, true])
    places.evict("c")
    places.put(two)
    places.used(one)
    places.evict("c")
    expect(ended).toEqual(["b0", "b0"])
  })
})

const step = fc.record({
  do: fc.constantFrom("take" as const, "leave" as const, "use" as const, "busy" as const),
  number: fc.nat(7),
  amount: fc.integer({ min: 1, max: 4 })
})

it("[X5] whatever is taken, left and evicted: no owner has more than its part when it takes, no sum is more than the total, a new one gets what is free, and all is given back", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const capacity = 12
      const places = new Places(() => capacity, "others need it")
      const held = new Map<Place, number>()
      const busy = new Set<Place>()
      const all = Array.from({ length: 8 }, (_, n): Place => {
        const place = {
          owner: "abcd"[n % 4],
          canGo: () => !busy.has(place),
          end: () => {
            expect(busy.has(place)).toBe(false)
            held.delete(place)
          }
        }
        return place
      })
      const sum = (owner?: string) =>
        [...held].reduce(
          (total, [place, amount]) => total + (owner === undefined || place.owner === owner ? amount : 0),
          0
        )
      for (const { amount, do: what, number } of steps) {
        const place = all[number]!
        if (what === "busy" && !busy.delete(place)) busy.add(place)
        if (what === "use") places.used(place)
        if (what === "leave") {
          expect(places.leave(place)).toBe(held.get(place) ?? 0)
          held.delete(place)
        }
        if (what === "take") {
          const before = held.get(place)
          held.delete(place)
          const isTaken = places.take(place, amount)
          const [own, total] = [sum(place.owner), sum()]
          const hasRoom = total === 0 || (own === 0 ? amount : own + 2 * amount) <= capacity - total
          expect(isTaken).toBe(hasRoom)
          if (isTaken) held.set(place, amount)
          else if (before !== undefined) held.set(place, before)
        }
        expect([places.total, ..."abcd"].map((one) => typeof one === "string" ? places.heldBy(one) : one))
          .toEqual([sum(), ...[..."abcd"].map((owner) => sum(owner))])
        expect(places.total).toBeLessThanOrEqual(capacity)
        if (places.total < capacity) expect(places.makeRoom("new")).toBe(true)
      }
      for (const place of all) places.leave(place)
      expect([places.total, all.some((place) => places.has(place))]).toEqual([0, false])
    })
  )
})
