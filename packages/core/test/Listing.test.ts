import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { largestList } from "../src/catalog/Kind.js"
import * as Listing from "../src/discovery/Listing.js"

const page = (count: number, nextCursor?: string) => ({
  tools: Array.from({ length: count }, (_, index) => ({ name: `${index}`.padEnd(1000, "x") })),
  ...(nextCursor === undefined ? {} : { nextCursor })
})

describe("one reading of a list", () => {
  it.each([1, 5000])(
    "[P5:unit] a cursor that comes again ends it, however much a page of %s entries names",
    (count) => {
      const listing = Listing.begin("tools")
      const first = page(count, "more")
      expect(Listing.take(listing, first)).toBe(first)
      expect(listing.next).toBe("more")
      const last = Listing.take(listing, page(count, "more"))
      expect([listing.repeats, listing.next, Object.hasOwn(last, "nextCursor")]).toEqual([true, undefined, false])
    }
  )

  it("[P5:unit] the last page leaves out what earlier ones have named, and keeps what is new, twice if it is there twice", () => {
    const listing = Listing.begin("tools", "here")
    const [a, b, c] = ["a", "b", "c"].map((name) => ({ name }))
    Listing.take(listing, { tools: [a], nextCursor: "1" })
    Listing.take(listing, { tools: [b], nextCursor: "2" })
    const last = Listing.take(listing, { tools: [a, c, c, b], nextCursor: "here", ttlMs: 1 })
    expect(last).toEqual({ tools: [c, c], ttlMs: 1 })
  })

  it("[P5:unit] a page without a cursor is passed on as it comes", () => {
    const listing = Listing.begin("tools")
    Listing.take(listing, { tools: [{ name: "a" }], nextCursor: "1" })
    const last = { tools: [{ name: "a" }, { name: "a" }] }
    expect(Listing.take(listing, last)).toBe(last)
    expect([listing.repeats, listing.next]).toEqual([false, undefined])
  })

  it("[P5:unit X5] pages that are too large together end it, however few they are, and whatever is large in them", () => {
    const asked: Array<string | undefined> = []
    const ask = (cursor: string | undefined) =>
      Effect.sync(() => {
        asked.push(cursor)
        return { tools: [], other: "x".repeat(largestList / 4), nextCursor: `${asked.length}` }
      })
    expect(Effect.runSync(Listing.readPages("tools", 100, ask, () => true))).toBe("large")
    expect(asked).toHaveLength(4)
  })
})
