import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { defaults, longestAnswer, longestSilence, termsBounds, termsOf } from "../src/Terms.js"

describe("the terms of a cluster", () => {
  it("[D1] are those that fit most clusters, if nothing is decided", () => {
    expect(termsOf()).toEqual({ lease: 6000, margin: 1500, renewal: 1000, withoutStore: 600_000 })
    expect(termsOf({ lease: undefined, withoutStore: undefined })).toEqual(defaults)
  })

  it("[D1] follow from the lease: its margin is a quarter, and a few renewals may fail", () => {
    const { lease: [least, most], withoutStore: [shortest, longest] } = termsBounds
    fc.assert(fc.property(
      fc.integer({ min: least, max: most }),
      fc.integer({ min: shortest, max: longest }),
      (lease, withoutStore) => {
        const terms = termsOf({ lease, withoutStore })
        expect(terms).toMatchObject({ lease, withoutStore, margin: Math.round(lease / 4) })
        expect(terms.renewal).toBeLessThanOrEqual(1000)
        // A renewal that gets no answer, and one that is refused, end no lease.
        expect(2 * longestAnswer(terms) + 2 * terms.renewal).toBeLessThanOrEqual(terms.lease - terms.margin)
        // It was renewed just before its replica has gone, another one has seen that as late as it can, and then needs two answers to end it.
        expect(longestSilence(terms)).toBeGreaterThan(lease + terms.renewal)
      }
    ))
  })

  it.each([
    [{ lease: 1999 }, "lease of the terms of a cluster must be 2 s to 1 min"],
    [{ lease: 60_001 }, "lease of the terms of a cluster must be 2 s to 1 min"],
    [{ lease: NaN }, "lease of the terms of a cluster must be 2 s to 1 min"],
    [{ withoutStore: -1 }, "withoutStore of the terms of a cluster must be 0 ms to 1 h"],
    [{ withoutStore: Infinity }, "withoutStore of the terms of a cluster must be 0 ms to 1 h"]
  ])("[D1] are refused when they are out of their bounds: %j", (options, message) => {
    expect(() => termsOf(options)).toThrow(new RangeError(message))
  })
})
