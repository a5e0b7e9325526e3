import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Deferred, Effect } from "effect"
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as FileRecords from "../src/FileRecords.js"
import { SessionRecord } from "../src/SessionRecord.js"
import * as SessionRecords from "../src/SessionRecords.js"
import { keptSessions } from "./support/keptSessions.js"

const namesIn = (path: string): ReadonlyArray<string> =>
  readdirSync(join(path, "sessions")).map((name) => name.replace(".json", "")).toSorted()

const folder = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lifeline-records-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  ),
  (path) => {
    const plain = StateFolder.make(path)
    const counted = { writes: 0, looks: 0 }
    const collection: typeof plain.collection = (name, schema) => {
      const one = plain.collection(name, schema)
      return {
        ...one,
        entries: Effect.tap(one.entries, () => Effect.sync(() => counted.looks++)),
        set: (key, value) => Effect.zipRight(Effect.sync(() => counted.writes++), one.set(key, value))
      }
    }
    return { counted, path, folder: { ...plain, collection } }
  }
)

describe("what is kept of sessions", () => {
  test.scopedLive("[G17] of a flood of what one client asks for, only the last is written", function*() {
    const { counted, folder: counting } = yield* folder
    const records = yield* FileRecords.make(counting)
    for (let n = 1; n <= 1000; n++) {
      void records.set("one", { usedAt: n, level: `level ${n}` })
      void records.set("two", { usedAt: n })
    }
    const kept = yield* Effect.promise(() => Promise.all([records.get("one"), records.get("two")]))
    expect(kept).toEqual([{ usedAt: 1000, level: "level 1000" }, { usedAt: 1000 }])
    expect(counted.writes).toBeLessThan(10)
  })

  test.scopedLive("[G10] who waits for a record finds it on disk, or a later one of the same session", function*() {
    const { folder: counting, path } = yield* folder
    const records = yield* FileRecords.make(counting)
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
  })

  test.scopedLive.each<[string, (file: string) => void, unknown]>([
    ["cannot be read", (file) => chmodSync(file, 0), "unknown"],
    ["is a folder", (file) => (rmSync(file), mkdirSync(file)), "unknown"],
    ["is of another version", (file) => writeFileSync(file, "{}"), undefined],
    ["is not there", (file) => rmSync(file), undefined]
  ])("[D11] a record that %s: whether its session has ended", function*([how, spoil, expected]) {
    if (how === "cannot be read" && process.getuid?.() === 0) return
    const { folder: plain, path } = yield* folder
    const before = yield* FileRecords.make(plain)
    yield* Effect.promise(() => before.set("one", { usedAt: Date.now(), hasEnded: true }))
    const [name] = namesIn(path)
    spoil(join(path, "sessions", `${name}.json`))
    const after = yield* FileRecords.make(StateFolder.make(path))
    expect(yield* Effect.promise(() => after.get("one", Date.now() / 1000))).toEqual(expected)
  })

  test.scopedLive("[X5] what is too old or too much is removed at the start, and what is new stays", function*() {
    const { folder: state, path } = yield* folder
    const kept = state.collection("sessions", SessionRecords.Record)
    const now = Date.now()
    yield* kept.set("old", { usedAt: now - SessionRecords.lifetime - 60_000 })
    yield* kept.set("almost", { usedAt: now - SessionRecords.lifetime + 60_000 })
    for (const [index, name] of ["second", "first", "third"].entries()) yield* kept.set(name, { usedAt: now + index })
    yield* FileRecords.make(state, { maxSessions: 3, maxChars: 1000 })
    while (namesIn(path).length > 3) yield* Effect.sleep("5 millis")
    expect(namesIn(path)).toEqual(["first", "second", "third"])
    yield* kept.set("almost", { usedAt: now - SessionRecords.lifetime + 60_000 })
    yield* kept.remove("first")
    yield* kept.set("old", { usedAt: now - SessionRecords.lifetime - 60_000 })
    yield* FileRecords.make(state, { maxSessions: 10, maxChars: 1000 })
    while (namesIn(path).includes("old")) yield* Effect.sleep("5 millis")
    expect(namesIn(path)).toEqual(["almost", "second", "third"])
  })

  test.scopedLive("[G10 X5] what is written while it is looked what others have written was used last, whatever was found of it", function*() {
    const { folder: state, path } = yield* folder
    const earlier = yield* FileRecords.make(state)
    for (const [usedAt, id] of ["one", "two"].entries()) {
      yield* Effect.promise(() => earlier.set(id, { usedAt: Date.now() + usedAt }))
    }
    const [found, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const collection: typeof state.collection = (name, schema) => {
      const one = state.collection(name, schema)
      const wait = Effect.zipRight(Deferred.succeed(found, undefined), Deferred.await(goOn))
      return { ...one, entries: Effect.zipLeft(one.entries, wait) }
    }
    const records = yield* FileRecords.make({ ...state, collection }, { maxSessions: 3, maxChars: 1000 })
    const set = (id: string) => Effect.promise(() => records.set(id, { usedAt: Date.now() + 10 }))
    yield* Deferred.await(found)
    yield* set("one")
    yield* set("new")
    yield* Deferred.succeed(goOn, undefined)
    // Both are there still when others come, which "two" has to make room for.
    yield* set("more")
    const names = ["more", "new", "one"].map((id) => StateFolder.key(id)).toSorted()
    yield* Effect.promise(() => expect.poll(() => namesIn(path)).toEqual(names))
  })

  test.scopedLive("[X5] of what is too much at the start, what was used last stays, whatever its name", function*() {
    const { folder: state, path } = yield* folder
    const kept = state.collection("sessions", SessionRecords.Record)
    const now = Date.now()
    for (const [name, age] of [["a", 0], ["b", 20], ["c", 10]] as const) yield* kept.set(name, { usedAt: now - age })
    yield* FileRecords.make(state, { maxSessions: 2, maxChars: 1000 })
    while (namesIn(path).length > 2) yield* Effect.sleep("5 millis")
    expect(namesIn(path)).toEqual(["a", "c"])
  })

  test.scopedLive("[G10 G17] all subscriptions of a session are there after a restart, up to the last of them", function*() {
    const { folder: state } = yield* folder
    const subscriptions = Array.from({ length: 10_000 }, (_, index) => `test://${index}`)
    const first = new SessionRecord(yield* FileRecords.make(state), "one", { usedAt: Date.now() })
    yield* Effect.promise(() => Promise.all(subscriptions.map((subscribed) => first.save({ subscribed }))))
    const second = yield* FileRecords.make(state)
    const kept = yield* Effect.promise(() => SessionRecord.load(second, "one"))
    expect(kept).toMatchObject({ settings: { subscriptions } })
  })

  test.scopedLive("[X5] the URIs of subscriptions count to what clients said, and make room for others", function*() {
    const { folder: state, path } = yield* folder
    const records = yield* FileRecords.make(state, { maxSessions: 3, maxChars: 300 })
    const set = (id: string, usedAt: number) =>
      Effect.promise(() => records.set(id, { usedAt, subscriptions: ["x".repeat(100), "y".repeat(100)] }))
    yield* set("one", 1)
    expect(namesIn(path)).toHaveLength(1)
    yield* set("two", 2)
    expect(namesIn(path)).toEqual([StateFolder.key("two")])
  })

  test.scopedLive("[X5] there are never more than promised, neither records nor what clients said in them", function*() {
    const { folder: state, path } = yield* folder
    const records = yield* FileRecords.make(state, { maxSessions: 3, maxChars: 300 })
    const get = (id: string) => Effect.promise(() => records.get(id))
    for (let n = 1; n <= 10; n++) {
      yield* Effect.promise(() => records.set(`session ${n}`, { usedAt: n }))
      expect(namesIn(path)).toHaveLength(Math.min(n, 3))
    }
    yield* Effect.promise(() => records.set("session 8", { usedAt: 11 }))
    yield* Effect.promise(() => records.set("session 11", { usedAt: 12 }))
    expect(yield* get("session 9")).toBeUndefined()
    expect(yield* get("session 8")).toEqual({ usedAt: 11 })
    const initialize = { text: "x".repeat(200) }
    yield* Effect.promise(() => records.set("long", { usedAt: 13, initialize }))
    expect(namesIn(path)).toHaveLength(3)
    yield* Effect.promise(() => records.set("long", { usedAt: 14, initialize }))
    expect(namesIn(path)).toHaveLength(3)
    yield* Effect.promise(() => records.set("longer", { usedAt: 15, initialize }))
    expect(yield* get("long")).toBeUndefined()
    expect(namesIn(path)).toHaveLength(1)
    expect(yield* get("longer")).toEqual({ usedAt: 15, initialize })
  })

  test.scopedLive.each<["in the state folder" | "in memory"]>([["in the state folder"], ["in memory"]])(
    "[G10] [X5] a session that has ended does not come back when its record makes room for others: %s",
    function*([where]) {
      const { folder: state } = yield* folder
      const limits = { maxSessions: 2, maxChars: 1000 }
      const make = where === "in memory"
        ? Effect.succeed(SessionRecords.inMemory(limits))
        : FileRecords.make(state, limits)
      const records = yield* make
      const other = where === "in memory" ? records : yield* make
      const get = (id: string, born?: number, from = records) => Effect.promise(() => from.get(id, born))
      const set = (id: string, record: SessionRecords.Record) => Effect.promise(() => records.set(id, record))
      yield* set("ended", { usedAt: 500_000, hasEnded: true, born: 100 })
      expect(yield* get("unused", 50)).toBeUndefined()
      expect(yield* get("unused", 50, other)).toBeUndefined()
      yield* set("alive", { usedAt: 600_000, level: "info" })
      yield* set("another", { usedAt: 700_000 })
      for (const from of [records, other]) {
        expect(yield* get("ended", 100, from)).toMatchObject({ hasEnded: true })
        expect(yield* get("older", 99, from)).toMatchObject({ hasEnded: true })
        expect(yield* get("younger", 101, from)).toBeUndefined()
        expect(yield* get("alive", 10, from)).toEqual({ usedAt: 600_000, level: "info" })
      }
      // That of a living session raises nothing; one that does not say when it began began before it ended.
      yield* set("ended too", { usedAt: 800_000, hasEnded: true })
      expect(yield* get("younger", 101)).toBeUndefined()
      yield* set("more", { usedAt: 900_000 })
      yield* set("most", { usedAt: 1_000_000 })
      expect(yield* get("ended too", 800)).toMatchObject({ hasEnded: true })
      expect(yield* get("younger", 801)).toBeUndefined()
    }
  )

  test.scopedLive.each<["in the state folder" | "in memory"]>([["in the state folder"], ["in memory"]])(
    "[G10] [X5] a caller with many sessions makes room with its own, and no session of another caller is lost or counts as ended: %s",
    function*([where]) {
      const { folder: state } = yield* folder
      const limits = { maxSessions: 4, maxChars: 1000 }
      const make = where === "in memory"
        ? Effect.succeed(SessionRecords.inMemory(limits))
        : FileRecords.make(state, limits)
      const records = yield* make
      const get = (id: string, born?: number, owner?: string) => Effect.promise(() => records.get(id, born, owner))
      const set = (id: string, record: SessionRecords.Record) => Effect.promise(() => records.set(id, record))
      const now = Date.now()
      yield* set("modest", { usedAt: now, level: "info", owner: "modest" })
      for (let n = 1; n <= 6; n++) {
        yield* set(`greedy ${n}`, { usedAt: now + n, hasEnded: true, born: n, owner: "greedy" })
      }
      expect(yield* get("modest", 1, "modest")).toMatchObject({ level: "info" })
      expect(yield* get("without a record", 1, "modest")).toBeUndefined()
      // Of its own sessions, those that may have ended have.
      expect(yield* get("greedy 3", 3, "greedy")).toMatchObject({ hasEnded: true })
      expect(yield* get("another of the greedy", 2, "greedy")).toMatchObject({ hasEnded: true })
      expect(yield* get("a younger one", 4, "greedy")).toBeUndefined()
      const again = where === "in memory" ? records : yield* make
      expect(yield* Effect.promise(() => again.get("another of the greedy", 2, "greedy"))).toMatchObject({
        hasEnded: true
      })
      // What one has said in initialize is too long, and not what others have.
      yield* set("long", { usedAt: now + 10, initialize: { text: "x".repeat(600) }, owner: "long" })
      yield* set("longer", { usedAt: now + 11, initialize: { text: "x".repeat(700) }, owner: "long" })
      expect(yield* get("long", 1, "long")).toBeUndefined()
      expect(yield* get("longer", 1, "long")).toMatchObject({ usedAt: now + 11 })
      expect(yield* get("modest", 1, "modest")).toMatchObject({ level: "info" })
    }
  )

  test.scopedLive("[X5] what other processes write counts as well, after some records at the latest", function*() {
    const { folder: state, path } = yield* folder
    const records = yield* FileRecords.make(state, { maxSessions: 3, maxChars: 1000, lookEvery: 20 })
    const other = state.collection("sessions", SessionRecords.Record)
    for (let n = 0; n < 5; n++) yield* other.set(`other-${n}`, { usedAt: Date.now() })
    const all = Array.from({ length: 20 }, (_, n) => records.set(`session ${n}`, { usedAt: Date.now() }))
    yield* Effect.promise(() => Promise.all(all))
    yield* Effect.promise(() => expect.poll(() => namesIn(path)).toHaveLength(3))
  })

  test.scopedLive("[X5] what other processes have removed takes no room", function*() {
    const { counted, folder: state, path } = yield* folder
    const records = yield* FileRecords.make(state, { maxSessions: 4, maxChars: 1000, lookEvery: 4 })
    const set = (id: string) => Effect.promise(() => records.set(id, { usedAt: Date.now() }))
    yield* Effect.forEach(["one", "two", "three"], set)
    yield* state.collection("sessions", SessionRecords.Record).remove(StateFolder.key("three"))
    yield* set("four")
    yield* Effect.promise(() => expect.poll(() => counted.looks).toBe(2))
    yield* set("five")
    expect(namesIn(path)).toEqual(["one", "two", "four", "five"].map((id) => StateFolder.key(id)).toSorted())
  })

  test.scopedLive("[G10] what a full disk did not take is written as soon as it takes something again", function*() {
    const { folder: plain, path } = yield* folder
    let isFull = true
    const collection: typeof plain.collection = (name, schema) => {
      const one = plain.collection(name, schema)
      return { ...one, set: (key, value) => isFull ? Effect.succeed(false) : one.set(key, value) }
    }
    yield* Effect.scoped(Effect.gen(function*() {
      const records = yield* FileRecords.make({ ...plain, collection })
      const set = (id: string, record: SessionRecords.Record) => Effect.promise(() => records.set(id, record))
      yield* set("ended", { usedAt: 1, hasEnded: true })
      yield* set("two", { usedAt: 2 })
      isFull = false
      yield* set("three", { usedAt: 3 })
      yield* Effect.promise(() => expect.poll(() => namesIn(path)).toHaveLength(3))
      // Written once, and not again over what came later.
      yield* set("two", { usedAt: 20 })
      yield* set("three", { usedAt: 30 })
      expect(yield* Effect.promise(() => records.get("two"))).toEqual({ usedAt: 20 })
      isFull = true
      yield* set("four", { usedAt: 4 })
      isFull = false
    }))
    expect(namesIn(path)).toHaveLength(4)
    expect(keptSessions(path)).toContain("hasEnded")
  })
})
