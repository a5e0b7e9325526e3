import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SessionRecords from "../../src/http/SessionRecords.js"
import * as StateFolder from "../../src/state/StateFolder.js"
import { keptSessions } from "../support/keptSessions.js"

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
    return { counted, path, folder: { ...plain, collection } }
  }
)

describe("what is kept of sessions", () => {
  it.scopedLive("[G17] of a flood of what one client asks for, only the last is written", () =>
    Effect.gen(function*() {
      const { counted, folder: counting } = yield* folder
      const records = yield* SessionRecords.make(counting)
      for (let n = 1; n <= 1000; n++) {
        void records.set("one", { usedAt: n, level: `level ${n}` })
        void records.set("two", { usedAt: n })
      }
      const kept = yield* Effect.promise(() => Promise.all([records.get("one"), records.get("two")]))
      expect(kept).toEqual([{ usedAt: 1000, level: "level 1000" }, { usedAt: 1000 }])
      expect(counted.writes).toBeLessThan(10)
    }))

  it.scopedLive("[G10] who waits for a record finds it on disk, or a later one of the same session", () =>
    Effect.gen(function*() {
      const { folder: counting, path } = yield* folder
      const records = yield* SessionRecords.make(counting)
      const set = (level: string) => records.set("one", { usedAt: 1, level })
      yield* Effect.promise(async () => {
        await set("first")
        expect(keptSessions(path)).toContain("first")
        const [writing, waiting] = [set("writing"), set("waiting")]
        const last = set("last")
        await writing
        expect(keptSessions(path)).toMatch(/writing|last/)
        await waiting
        expect(keptSessions(path)).toContain("last")
        await last
      })
    }))

  it.scopedLive("[G10] a record that cannot be written is waited for as well, and is there as long as the process", () =>
    Effect.gen(function*() {
      const { path } = yield* folder
      const file = join(path, "file")
      writeFileSync(file, "")
      const records = yield* SessionRecords.make(StateFolder.make(join(file, "state")))
      const kept = yield* Effect.promise(() =>
        records.set("one", { usedAt: 1, level: "kept" }).then(() => records.get("one"))
      )
      expect(kept).toEqual({ usedAt: 1, level: "kept" })
    }))
})
