import { Redacted } from "effect"
import { describe, expect, it } from "vitest"
import * as SealedId from "../src/SealedId.js"

const claims: SealedId.Claims = {
  initialize: { protocolVersion: "2025-11-25", clientInfo: { name: "größe", version: "1" } },
  version: "2025-11-25",
  lists: ["tools"],
  owner: "somebody",
  born: 1_800_000_000
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

describe("a sealed id", () => {
  const seal = SealedId.make(Redacted.make("a secret"))

  it("[G10] says what was sealed, to everybody with the key and to nobody else", () => {
    const id = seal.seal(claims)
    expect(seal.open(id)).toEqual(claims)
    expect(SealedId.make(Redacted.make("a secret")).open(id)).toEqual(claims)
    expect(SealedId.make(Redacted.make("another secret")).open(id)).toBeUndefined()
    expect(SealedId.make(SealedId.randomSecret()).open(id)).toBeUndefined()
    expect(Redacted.value(SealedId.randomSecret())).not.toBe(Redacted.value(SealedId.randomSecret()))
  })

  it("[G26] of several keys the first seals, and each opens, whichever they are now", () => {
    const old = SealedId.make(Redacted.make("an old secret"))
    let now: readonly [SealedId.Seal, ...ReadonlyArray<SealedId.Seal>] = [old]
    const several = SealedId.several(() => now)
    const first = several.seal(claims)
    now = [seal, old]
    expect([several.open(first), several.open(several.seal(claims))]).toEqual([claims, claims])
    expect(seal.open(several.seal(claims))).toEqual(claims)
    now = [seal]
    expect(several.open(first)).toBeUndefined()
  })

  it("[G10] one of another version of this program is opened, and so is its mark", () => {
    const id =
      "AZjXPF1aE7i-daajLzb4YR2jvFKDFAkgWBR3dFBfs_0DrhbsELq1oqnHT5IjE5WMYeK5gqb8zopQS2j-1VSrAU9Rx1cCsJh2j47hRY3167NBbxEt"
      + "wGjO0HB8zbBcuAa9fyaR3g_TeMhp2cEd"
    const { initialize: _, ...kept } = claims
    expect(seal.open(id)).toEqual(kept)
    expect(seal.mark("/a")).toBe("T-jQVtvqd-5cGVOLV0cJDA")
  })

  it("[G10] two of the same claims differ, and neither shows any", () => {
    const ids = [seal.seal(claims), seal.seal(claims)]
    expect(ids[0]).not.toBe(ids[1])
    for (const id of ids) {
      expect(id).toMatch(/^[\w-]+$/)
      expect(Buffer.from(id, "base64url").toString("latin1")).not.toContain("somebody")
    }
  })

  it("[G10] whatever character is changed, added or left out, it is not found", () => {
    const id = seal.seal(claims)
    for (let at = 0; at < id.length; at++) {
      const other = alphabet[(alphabet.indexOf(id[at]!) + 1) % 64]!
      expect(seal.open(id.slice(0, at) + other + id.slice(at + 1))).toBeUndefined()
    }
    for (
      const wrong of ["", "A", "AA", id.slice(1), id.slice(0, -1), `${id}A`, `A${id}`, `${id}=`, `${id} `, ` ${id}`]
    ) {
      expect(seal.open(wrong)).toBeUndefined()
    }
  })

  it("[G10] no other text of the same bytes is the id", () => {
    // Ids of every length modulo 3, so that some have bits to spare in their last character.
    for (const owner of ["a", "ab", "abc"]) {
      const id = seal.seal({ ...claims, owner })
      const bytes = Buffer.from(id, "base64url")
      const same = [...alphabet].map((last) => id.slice(0, -1) + last)
        .filter((other) => other !== id && Buffer.from(other, "base64url").equals(bytes))
      const others = [...same, `${id}=`, `${id}==`, id.replace("-", "+"), id.replace("_", "/"), `${id}\n`]
      expect(others.filter((other) => other !== id && seal.open(other) !== undefined)).toEqual([])
    }
  })

  it("[G10] another form than ours is not opened", () => {
    const bytes = Buffer.from(seal.seal(claims), "base64url")
    for (const format of [0, 2, 255]) {
      bytes[0] = format
      expect(seal.open(bytes.toString("base64url"))).toBeUndefined()
    }
    // Nothing sealed, and less than that.
    for (const length of [1, 12, 13, 28, 29, 30]) {
      expect(seal.open(Buffer.alloc(length, 1).toString("base64url"))).toBeUndefined()
    }
  })

  it("[G17] what is longer than any of ours is not looked at", () => {
    const long = seal.seal({ ...claims, owner: "x".repeat(7000) })
    expect(long.length).toBeGreaterThan(8192)
    expect(seal.open(long)).toBeUndefined()
  })

  it("[G26] a mark is of one text and one key, the same each time; of several keys the first makes it, and each knows its own", () => {
    const other = SealedId.make(Redacted.make("another secret"))
    const mark = seal.mark("/a")
    expect(mark).toMatch(/^[\w-]{22}$/)
    expect([seal.mark("/a"), SealedId.make(Redacted.make("a secret")).mark("/a")]).toEqual([mark, mark])
    expect([seal.mark("/b"), other.mark("/a")]).not.toContain(mark)
    const wrong = [
      "",
      mark.slice(0, -1),
      `${mark}A`,
      `${mark}=`,
      mark.toLowerCase(),
      `é${mark.slice(2)}`,
      seal.mark("/b")
    ]
    expect([mark, ...wrong].map((one) => seal.isMark("/a", one))).toEqual([true, ...wrong.map(() => false)])
    expect([seal.isMark("/b", mark), other.isMark("/a", mark)]).toEqual([false, false])
    const several = SealedId.several(() => [other, seal])
    expect(several.mark("/a")).toBe(other.mark("/a"))
    expect([mark, other.mark("/a"), seal.mark("/b")].map((one) => several.isMark("/a", one))).toEqual([
      true,
      true,
      false
    ])
  })
})
