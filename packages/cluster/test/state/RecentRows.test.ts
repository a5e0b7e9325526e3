import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { RecentRows } from "../../src/state/RecentRows.js"

const room = { rows: 6, chars: 40 }
const collections = ["a", "a/b", "c"]
const keys = ["1", "b/1", "2", "3", "4"]

const command = fc.record({
  collection: fc.constantFrom(...collections),
  key: fc.constantFrom(...keys),
  /** So long a text; `undefined`: the row is gone. */
  length: fc.option(fc.oneof(fc.nat(12), fc.constantFrom(40, 41, 60)), { nil: undefined })
})

describe("rows that a replica remembers", () => {
  it("[D7] are the last ones that have room, exactly: what was removed or replaced takes none", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const recent = new RecentRows(room)
        /** Least recently set first. */
        let ledger: Array<{ readonly collection: string; readonly key: string; readonly text: string | undefined }> = []
        for (const [index, { collection, key, length }] of commands.entries()) {
          // A path is one place, however it is split.
          const path = `${collection}/${key}`
          const text = length === undefined ? undefined : String(index % 10).repeat(length)
          ledger = ledger.filter((row) => `${row.collection}/${row.key}` !== path)
          ledger.push({ collection, key, text })
          while (
            ledger.length > room.rows || ledger.reduce((sum, row) => sum + (row.text?.length ?? 0), 0) > room.chars
          ) ledger.shift()
          recent.set(collection, key, text)
          const kept = (collection: string, key: string) =>
            ledger.find((row) => `${row.collection}/${row.key}` === `${collection}/${key}`)
          const places = collections.flatMap((collection) => keys.map((key) => [collection, key] as const))
          // That there is none is known, too.
          expect([
            collections.map((one) => recent.entries(one)),
            places.map(([collection, key]) => recent.get(collection, key))
          ]).toEqual([
            collections.map((one) =>
              ledger.flatMap((row) => row.collection === one && row.text !== undefined ? [[row.key, row.text]] : [])
            ),
            places.map(([collection, key]) => kept(collection, key))
          ])
        }
      }),
      { numRuns: 200 }
    )
  })

  it("[D7] are by default 10,000, and have 16 Mi characters, however often they are replaced", () => {
    const recent = new RecentRows()
    const long = "x".repeat(1024 * 1024)
    for (let i = 0; i < 100; i++) recent.set("a", String(i % 16), long)
    expect(recent.entries("a")).toHaveLength(16)
    recent.set("a", "more", "x")
    expect(recent.entries("a")).toHaveLength(16)
    for (let i = 0; i < 16; i++) recent.set("a", String(i), undefined)
    for (let i = 0; i < 20_000; i++) recent.set("b", String(i), "x")
    expect(recent.entries("b")).toHaveLength(10_000)
  })
})
