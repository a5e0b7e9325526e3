import { beforeEach, describe, expect, it } from "vitest"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { Shares } from "../src/Shares.js"

// What is tested here is a part, without the one who ends it.
beforeEach(() => mayLeave("shares"))

const all = (shares: Shares, client: unknown): number => {
  let count = 0
  while (shares.take(client)) count++
  return count
}

describe("shares", () => {
  it("[X5] a client alone gets half, and each further one half of the rest", () => {
    const shares = new Shares(100)
    expect(["a", "b", "c"].map((client) => all(shares, client))).toEqual([50, 25, 12])
    expect(shares.total).toBe(87)
  })

  it("[X5] what is given back is there for others", () => {
    const shares = new Shares(10)
    expect(shares.take("a", 5)).toBe(true)
    expect([shares.heldBy("a"), shares.total]).toEqual([5, 5])
    expect(shares.take("b", 3)).toBe(false)
    expect(shares.take("b", 2)).toBe(true)
    shares.release("a", 4)
    expect([shares.heldBy("a"), shares.heldBy("b"), shares.total]).toEqual([1, 2, 3])
    expect(shares.take("b", 2)).toBe(true)
    shares.release("a")
    shares.release("b", 4)
    expect([shares.heldBy("a"), shares.heldBy("b"), shares.total]).toEqual([0, 0, 0])
  })

  it("[X5] what is refused takes nothing", () => {
    const shares = new Shares(10)
    expect(shares.take("a", 6)).toBe(false)
    expect([shares.heldBy("a"), shares.total]).toEqual([0, 0])
    expect(shares.take("a", 5)).toBe(true)
  })
})
