import { Effect } from "effect"
import { readdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Bounds from "../src/Bounds.js"

const now = Date.parse("2026-11-21T10:00:00Z")

const left = (ages: Readonly<Record<string, number>>, bounds: Bounds.Bounds, others: ReadonlyArray<string> = []) =>
  Effect.gen(function*() {
    const path = yield* folder
    for (const [name, age] of Object.entries(ages)) {
      writeFileSync(join(path, name), "")
      utimesSync(join(path, name), (now - age) / 1000, (now - age) / 1000)
    }
    for (const name of others) symlinkSync("nowhere", join(path, name))
    yield* Effect.promise(() => Bounds.prune(path, bounds, now))
    return readdirSync(path).toSorted()
  })

describe("what is kept within bounds", () => {
  test.scopedLive("[W6:unit] loses what has not been used for longer than it may be, and nothing else", function*() {
    const ages = { "a.json": 1001, "b.json": 1000, "c.json": 0, "d.txt": 9999 }
    expect(yield* left(ages, { maxFiles: 10, maxUnused: 1000 })).toEqual(["b.json", "c.json", "d.txt"])
  })

  test.scopedLive("[W6:unit] loses what is past the number, the longest unused first", function*() {
    const ages = { "a.json": 30, "b.json": 10, "c.json": 40, "d.json": 20 }
    expect(yield* left(ages, { maxFiles: 2, maxUnused: 1000 })).toEqual(["b.json", "d.json"])
    expect(yield* left(ages, { maxFiles: 4, maxUnused: 1000 })).toHaveLength(4)
  })

  test.scopedLive("[W6:unit] takes a file that cannot be looked at for one that is used", function*() {
    expect(yield* left({ "a.json": 1 }, { maxFiles: 1, maxUnused: 1000 }, ["b.json"])).toEqual(["b.json"])
  })

  test.scopedLive("[W6:unit] is not there yet: nothing happens", function*() {
    const path = join(yield* folder, "none")
    expect(yield* Effect.promise(() => Bounds.prune(path, { maxFiles: 0, maxUnused: 0 }, now))).toBeUndefined()
  })

  test.scopedLive("[W6:unit] knows when each was used", function*() {
    const file = join(yield* folder, "a.json")
    yield* Effect.promise(() => Bounds.touch(file, now))
    writeFileSync(file, "")
    yield* Effect.promise(() => Bounds.touch(file, now))
    expect(statSync(file)).toMatchObject({ mtimeMs: now, atimeMs: now })
  })
})
