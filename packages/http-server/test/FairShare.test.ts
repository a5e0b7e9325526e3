import { describe, expect, it } from "vitest"
import * as FairShare from "../src/FairShare.js"

const held = (owner: string, amount = 1, id = owner) => ({ id, owner, amount })
const all = (...holdings: ReadonlyArray<readonly [owner: string, count: number]>) =>
  holdings.flatMap(([owner, count]) => Array.from({ length: count }, (_, index) => held(owner, 1, `${owner}${index}`)))

const takes = (owner: string, before: ReadonlyArray<FairShare.Holding>, capacity: number): number => {
  const holdings = [...before]
  while (FairShare.hasRoom(holdings, { owner, amount: 1, capacity })) holdings.push(held(owner))
  return holdings.length - before.length
}

describe("a share", () => {
  it("[X5] is half for a caller alone, and each further one gets half of the rest, and at least one place", () => {
    expect(takes("a", [], 100)).toBe(50)
    expect(takes("b", all(["a", 50]), 100)).toBe(25)
    expect(takes("c", all(["a", 50], ["b", 49]), 100)).toBe(1)
    expect(takes("c", all(["a", 50], ["b", 50]), 100)).toBe(0)
  })

  it("[X5] is all where nothing tells callers apart", () => {
    expect(takes("", [], 100)).toBe(100)
  })

  it("[X5] may be more than there is for the first, and for nobody else", () => {
    expect(FairShare.hasRoom([], { owner: "a", amount: 5, capacity: 4 })).toBe(true)
    expect(FairShare.hasRoom([held("b")], { owner: "a", amount: 4, capacity: 4 })).toBe(false)
    expect(FairShare.hasRoom([held("b")], { owner: "a", amount: 3, capacity: 4 })).toBe(true)
  })
})

describe("making room", () => {
  const after = (owner: string, amount: number, busy: ReadonlyArray<string> = []) => {
    let left = all(["a", 3], ["b", 1])
    const hasRoom = FairShare.makeRoom({
      owner,
      amount,
      capacity: 4,
      holdings: () => left,
      canGo: ({ id }) => !busy.includes(id),
      end: (one) => {
        left = left.filter((other) => other !== one)
      }
    })
    return [hasRoom, left.map(({ id }) => id)]
  }

  it("[X5] ends no more than it has to, and none that cannot go", () => {
    expect(after("c", 1)).toEqual([true, ["a1", "a2", "b0"]])
    expect(after("c", 2)).toEqual([true, ["a2", "b0"]])
    expect(after("c", 1, ["a0"])).toEqual([true, ["a0", "a2", "b0"]])
    expect(after("c", 1, ["a0", "a1", "a2", "b0"])).toEqual([false, ["a0", "a1", "a2", "b0"]])
  })
})

describe("who makes room", () => {
  const loser = (holdings: ReadonlyArray<ReturnType<typeof held>>, owner: string, busy: ReadonlyArray<string> = []) =>
    FairShare.loser(holdings, owner, ({ id }) => !busy.includes(id))?.id

  it("[X5] is the first of the caller that has most", () => {
    expect(loser(all(["a", 2], ["b", 3]), "c")).toBe("b0")
    expect(loser(all(["a", 2], ["b", 3]), "c", ["b0"])).toBe("b1")
    expect(loser(all(["a", 2], ["b", 3]), "c", ["b0", "b1", "b2"])).toBe("a0")
    expect(loser([held("a", 1), held("b", 2), held("b", 0, "none")], "c")).toBe("b")
    expect(loser([held("b", 0, "none"), held("b", 2)], "c")).toBe("b")
  })

  it("[X5] is oneself where nobody has more, and nobody who has less", () => {
    expect(loser(all(["a", 2], ["b", 3]), "b")).toBe("b0")
    expect(loser(all(["a", 2], ["b", 3]), "b", ["b0", "b1", "b2"])).toBeUndefined()
    expect(loser(all(["a", 3], ["b", 3]), "b", ["b0", "b1", "b2"])).toBeUndefined()
  })

  it("[X5] is the first of all where nothing tells callers apart", () => {
    expect(loser(all(["", 3]), "", ["0"])).toBe("1")
  })
})
