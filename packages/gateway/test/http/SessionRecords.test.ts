import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SessionRecords from "../../src/http/SessionRecords.js"
import * as StateFolder from "../../src/state/StateFolder.js"

/** A state folder that counts what is written to it. */
const folder = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lifeline-records-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  ),
  (path) => {
    const plain = StateFolder.make(path)
    const counted = { writes: 0 }
    const collection: typeof plain.collection = (name, schema) => {
      const one = plain.collection(name, schema)
      return { ...one, set: (key, value) => Effect.zipRight(Effect.sync(() => counted.writes++), one.set(key, value)) }
    }
    return { counted, folder: { ...plain, collection } }
  }
)

describe("what is kept of sessions", () => {
  it.scopedLive("[G17] of a flood of what one client asks for, only the last is written", () =>
    Effect.gen(function*() {
      const { counted, folder: counting } = yield* folder
      const records = yield* SessionRecords.make(counting)
      for (let n = 1; n <= 1000; n++) {
        records.set("one", { usedAt: n, level: `level ${n}` })
        records.set("two", { usedAt: n })
      }
      const kept = yield* Effect.promise(() => Promise.all([records.get("one"), records.get("two")]))
      expect(kept).toEqual([{ usedAt: 1000, level: "level 1000" }, { usedAt: 1000 }])
      expect(counted.writes).toBeLessThan(10)
    }))
})
