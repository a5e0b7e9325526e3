import { describe, expect, it } from "@effect/vitest"
import { Listings } from "../src/relay/Listings.js"

describe("lists as a client reads them", () => {
  it("[P5] a cursor that is repeated ends a list, which is told once", () => {
    const told: Array<string> = []
    const listings = new Listings()
    listings.onRepeated = (list) => told.push(list)
    const page = { tools: [{ name: "a" }], nextCursor: "x" }
    for (let time = 0; time < 2; time++) {
      expect(listings.result("tools/list", {}, page)).toEqual(page)
      expect(listings.result("tools/list", { cursor: "x" }, page)).toEqual({ tools: [] })
    }
    expect(told).toEqual(["tools"])
  })
})
