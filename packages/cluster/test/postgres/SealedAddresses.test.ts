import { Redacted } from "effect"
import { describe, expect, it } from "vitest"
import * as SealedAddresses from "../../src/postgres/SealedAddresses.js"
import * as Seal from "../../src/Seal.js"

const [key, otherKey] = ["k", "o"].map((letter) => Redacted.make(letter.repeat(40))) as [
  Redacted.Redacted,
  Redacted.Redacted
]
const addresses = SealedAddresses.make(key, 1000)
const sealed = addresses.seal("a", "http://a", 5000)

/** Rows that somebody may write who has the database, but not the key. */
const rows: ReadonlyArray<readonly [what: string, id: string, text: string, now: number, opened: string | undefined]> =
  [
    ["the own one", "a", sealed, 5000, "http://a"],
    ["the own one after a while", "a", sealed, 6000, "http://a"],
    ["the own one when the clock was set back", "a", sealed, 1000, "http://a"],
    ["an old one", "a", sealed, 6001, undefined],
    ["that of another replica", "b", sealed, 5000, undefined],
    ["an address as it is", "a", "http://evil.example", 5000, undefined],
    ["nothing", "a", "", 5000, undefined],
    ["one by another key", "a", SealedAddresses.make(otherKey, 1000).seal("a", "http://a", 5000), 5000, undefined],
    ["a changed one", "a", `${sealed.slice(0, -2)}AA`, 5000, undefined],
    [
      "something else that replicas seal",
      "a",
      Seal.make(key).seal("replica", "a", '["http://a",5000]'),
      5000,
      undefined
    ]
  ]

describe("the address of a replica in the database", () => {
  it.each(rows)("[D13] %s, as that of %s: %s, at %i: %s", (_, id, text, now, opened) => {
    expect(addresses.open(id, text, now)).toBe(opened)
  })

  it("[D13] is known to those who have one of several keys", () => {
    const keys = [otherKey, key] as const
    const both = SealedAddresses.make(keys, 1000)
    expect(addresses.open("a", both.seal("a", "http://a", 1), 1)).toBe("http://a")
    expect(both.open("a", sealed, 5000)).toBe("http://a")
  })
})
