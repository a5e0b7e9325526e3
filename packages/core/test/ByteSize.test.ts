import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as ByteSize from "../src/internal/ByteSize.js"
import * as Check from "../src/options/Check.js"

const names = Object.keys(ByteSize.units) as Array<ByteSize.ByteUnit>

const written = fc.tuple(fc.constantFrom(...names), fc.infiniteStream(fc.boolean())).map(([unit, upper]) => ({
  unit,
  text: [...unit].map((letter) => upper.next().value === true ? letter.toUpperCase() : letter.toLowerCase()).join("")
}))

describe("ByteSize", () => {
  it("[S13] reads a whole number of any unit, in any case, with and without spaces", () => {
    fc.assert(
      fc.property(fc.nat(8_000_000), written, fc.constantFrom("", " ", "  "), (amount, { text, unit }, space) => {
        expect(ByteSize.toBytes(`${space}${amount}${space}${text}${space}`)).toBe(amount * ByteSize.units[unit])
      })
    )
  })

  it("[S13] reads fractions to the nearest byte, and numbers as bytes", () => {
    expect(ByteSize.toBytes("1.5 GiB")).toBe(1_610_612_736)
    expect(ByteSize.toBytes("0.0015 KB")).toBe(2)
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => void expect(ByteSize.toBytes(bytes)).toBe(bytes)))
  })

  it("[S13] refuses everything else", () => {
    const wrong = ["", "1", "GB", "1 G", "1 TB", "-1 GB", "1,5 GB", "1 GB!", "1e3 MB", "Infinity GB", `${2 ** 64} GB`]
    for (
      const input of [...wrong, -1, 0.5, NaN, Infinity, null, undefined, true, {}, ["1 GB"], `${" ".repeat(1e6)}1 GB`]
    ) {
      expect([input, ByteSize.toBytes(input)]).toEqual([input, undefined])
    }
  })

  it("[S13] what is shown is within half a percent of the bytes, and is read again", () => {
    fc.assert(fc.property(fc.nat(1_000_000_000_000), (bytes) => {
      const shown = ByteSize.show(bytes)
      expect(shown).toMatch(/^\d+(\.\d+)? (B|KB|MB|GB)$/)
      expect(shown.replace(/[^\d]/g, "").length).toBeLessThanOrEqual(4)
      expect(Math.abs((ByteSize.toBytes(shown) ?? NaN) - bytes)).toBeLessThanOrEqual(bytes * 0.006)
    }))
    expect([0, 999, 1000, 1_049_999, 999_700_000, 1.05e9, 12e9].map(ByteSize.show))
      .toEqual(["0 B", "999 B", "1 KB", "1.05 MB", "1 GB", "1.05 GB", "12 GB"])
  })

  it("[S13] the check accepts what is large enough, and its pattern accepts the same texts as the decoder", () => {
    expect(Check.memory("10 MB", [])).toEqual([])
    expect(Check.memory(9_999_999, ["maxMemory"])).toEqual([{
      path: ["maxMemory"],
      message: 'is 9999999; accepted: at least 10 MB, as bytes or as a text such as "512 MB" or "1 GiB"'
    }])
    expect(Check.memory("1 G", [])).toMatchObject([{
      message: expect.stringContaining('is "1 G"; accepted: at least 10 MB')
    }])
    const pattern = new RegExp(ByteSize.pattern)
    fc.assert(fc.property(
      fc.oneof(
        fc.tuple(fc.nat(999), written).map(([amount, { text }]) => `${amount} ${text}`),
        fc.string({ maxLength: 20 })
      ),
      (text) => void expect(pattern.test(text)).toBe(ByteSize.toBytes(text) !== undefined)
    ))
  })
})
