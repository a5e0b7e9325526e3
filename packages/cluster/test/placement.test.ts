import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { excess, rank } from "../src/placement.js"

const replicas = ["a", "b", "c"]
const loads = fc.record({ a: fc.nat(5), b: fc.nat(5), c: fc.nat(5) }).map((all) => new Map(Object.entries(all)))

describe("placement", () => {
  it("[D4] prefers the replica that runs the fewest servers", () => {
    const some = new Map([["a", 2], ["b", 1]])
    expect(replicas.map((id) => rank("notes", id, replicas, some))).toEqual([2, 1, 0])
  })

  it("[D4] ranks each replica once, whichever asks", () => {
    fc.assert(fc.property(fc.string(), loads, (server, loads) => {
      const ranks = replicas.map((own) => rank(server, own, replicas.filter((id) => id !== own), loads))
      expect(ranks.toSorted()).toEqual([0, 1, 2])
    }))
  })

  it("[D4] spreads servers over replicas without any", () => {
    const taken = Array.from(
      { length: 300 },
      (_, i) => replicas.find((id) => rank(`s${i}`, id, replicas, new Map()) === 0)
    )
    for (const id of replicas) expect(taken.filter((one) => one === id).length).toBeGreaterThan(60)
  })

  it("[D4] has one more than its share only if they cannot be divided", () => {
    expect(excess("a", replicas, new Map([["a", 12]]))).toBe(8)
    expect(excess("a", replicas, new Map([["a", 2], ["b", 1], ["c", 1]]))).toBe(0)
    expect(excess("b", replicas, new Map([["a", 12]]))).toBe(0)
    expect(excess("a", [], new Map([["a", 5], ["gone", 1]]))).toBe(0)
  })

  it("[D4] ends with nobody above its share when each gives away its excess", () => {
    fc.assert(fc.property(loads, (before) => {
      const loads = new Map(before)
      for (let moves = 0; moves < 20; moves++) {
        const giver = replicas.find((id) => excess(id, replicas, loads) > 0)
        if (giver === undefined) break
        const taker = replicas.find((id) => rank("x", id, replicas, loads) === 0)!
        loads.set(giver, loads.get(giver)! - 1)
        loads.set(taker, loads.get(taker)! + 1)
      }
      expect(Math.max(...loads.values()) - Math.min(...loads.values())).toBeLessThanOrEqual(2)
      expect(replicas.every((id) => excess(id, replicas, loads) === 0)).toBe(true)
    }))
  })
})
