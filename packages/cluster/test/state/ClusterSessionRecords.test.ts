import { SessionRecord } from "@mcp-lifeline/http-server/SessionRecord"
import { lifetime, type Record } from "@mcp-lifeline/http-server/SessionRecords"
import { key as nameOf } from "@mcp-lifeline/state/StateFolder"
import { Effect, Fiber, TestClock } from "effect"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import * as ClusterSessionRecords from "../../src/state/ClusterSessionRecords.js"
import * as MemoryStore from "../../src/testing/MemoryStore.js"
import { key, Way } from "./Replica.js"

const records = (way: Way, limits?: ClusterSessionRecords.Limits) =>
  Effect.map(ClusterSessionRecords.make({ store: way.store, key, limits }), ({ get, set }) => ({
    get: (id: string, born?: number) => Effect.promise(() => get(id, born)),
    set: (id: string, record: Record) => Effect.promise(() => set(id, record)),
    begin: (id: string, record: Record) => Effect.sync(() => void set(id, record))
  }))

const two = (limits?: ClusterSessionRecords.Limits) =>
  Effect.gen(function*() {
    const store = MemoryStore.make()
    const ways = [new Way(store), new Way(store)] as const
    return { store, ways, a: yield* records(ways[0], limits), b: yield* records(ways[1], limits) }
  })

const ended = { usedAt: 10, hasEnded: true, born: 5 }
const presumed = { usedAt: 0, hasEnded: true }

describe("the records of sessions", () => {
  test.scoped("[D7] are the same for all replicas, and sealed", function*() {
    const { a, b, store } = yield* two()
    expect(yield* b.get("one", 1)).toBeUndefined()
    yield* a.set("one", { usedAt: 1, level: "a secret" })
    expect(yield* b.get("one", 1)).toEqual({ usedAt: 1, level: "a secret" })
    yield* b.set("one", { usedAt: 2, level: "info", subscriptions: ["test://a"], initialize: { a: 1 } })
    yield* a.set("two", { usedAt: 3 })
    expect(yield* a.get("one")).toEqual({
      usedAt: 2,
      level: "info",
      subscriptions: ["test://a"],
      initialize: { a: 1 }
    })
    const rows = yield* store.rows.entries("sessions")
    expect(rows.map(([name]) => name)).toEqual(["one", "two"].map((id) => nameOf(id)).toSorted())
    expect(JSON.stringify(rows)).not.toMatch(/one|secret|level/)
  })

  test.scoped("[D7 G10 G17] have all subscriptions of a session, of which each change writes one page", function*() {
    const store = MemoryStore.make()
    const ways = [new Way(store), new Way(store)] as const
    const [a, b] = yield* Effect.all(ways.map((way) => ClusterSessionRecords.make({ store: way.store, key })))
    if (a === undefined || b === undefined) return
    const uris = Array.from({ length: 2000 }, (_, number) => `test://${number}`)
    const record = new SessionRecord(a, "one", { usedAt: 1, owner: "o" })
    yield* Effect.promise(() => Promise.all(uris.map((subscribed) => record.save({ subscribed }))))
    const before = new Map(yield* store.rows.entries("sessions"))
    yield* Effect.promise(() => record.save({ unsubscribed: "test://7" }))
    const changed = (yield* store.rows.entries("sessions")).filter(([name, text]) => before.get(name) !== text)
    expect([before.size, changed.length]).toEqual([8, 1])
    const moved = yield* Effect.promise(() => SessionRecord.load(b, "one"))
    if (!(moved instanceof SessionRecord)) throw new Error(`not found: ${moved}`)
    expect(new Set(moved.settings.subscriptions)).toEqual(new Set(uris.filter((uri) => uri !== "test://7")))
    expect(JSON.stringify([...before])).not.toContain("test://")
  })

  test.scoped("[D7] of a session that has ended stay so, whoever writes later", function*() {
    const { a, b } = yield* two()
    yield* b.set("one", { usedAt: 1, level: "info" })
    yield* a.set("one", ended)
    yield* b.set("one", { usedAt: 20, level: "debug" })
    yield* a.begin("one", { usedAt: 30 })
    expect([yield* a.get("one", 5), yield* b.get("one", 5)]).toEqual([ended, ended])
    yield* b.set("one", { ...ended, usedAt: 40 })
    expect(yield* a.get("one", 5)).toEqual({ ...ended, usedAt: 40 })
  })

  test.scoped("[D7 D11] that cannot be read are neither there nor absent: they may say that their session has ended", function*() {
    const { a, b, store } = yield* two()
    yield* a.set("one", ended)
    const [name, before] = (yield* store.rows.entries("sessions"))[0] ?? ["", ""]
    for (const text of ["", "no seal", before.replace(/.{8}$/, "AAAAAAAA")]) {
      const [, current] = (yield* store.rows.entries("sessions"))[0] ?? []
      yield* store.rows.change({ collection: "sessions", key: name, before: current, text })
      expect([text, yield* b.get("one", 5), yield* b.get("one")]).toEqual([text, "unknown", "unknown"])
    }
    // Whoever has the session writes it anew.
    yield* a.set("one", ended)
    expect(yield* b.get("one", 5)).toEqual(ended)
  })

  test.scoped.each(["refused", "unanswered"] as const)(
    "[G10][D5] that the store did not take are there as long as the process, and written when it is back: %s",
    function*(fate) {
      const { a, b, ways } = yield* two()
      yield* a.set("one", { usedAt: 1, level: "first" })
      ways[0].fate = fate
      yield* a.set("one", { usedAt: 2, level: "second" })
      yield* a.set("two", ended)
      yield* a.begin("two", { usedAt: 11 })
      const read = yield* Effect.fork(Effect.all([a.get("one", 1), a.get("two", 5)]))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(read)).toEqual([{ usedAt: 2, level: "second" }, ended])
      ways[0].fate = "ok"
      yield* TestClock.adjust("1 second")
      yield* Effect.promise(() => new Promise(setImmediate))
      expect([yield* b.get("one", 1), yield* b.get("two", 5)]).toEqual([{ usedAt: 2, level: "second" }, ended])
    }
  )

  test.scoped("[D7] that were written late do not bring a session back that has ended since", function*() {
    const { a, b, ways } = yield* two()
    yield* a.set("one", { usedAt: 1 })
    ways[0].fate = "refused"
    yield* a.set("one", { usedAt: 2, level: "late" })
    yield* b.set("one", ended)
    ways[0].fate = "ok"
    expect(yield* a.get("one", 5)).toEqual(ended)
    yield* TestClock.adjust("2 seconds")
    expect([yield* a.get("one", 5), yield* b.get("one", 5)]).toEqual([ended, ended])
  })

  test.scoped.each(["refused", "unanswered", "late"] as const)(
    "[D11] that nobody can read are unknown, and have not ended: %s",
    function*(fate) {
      const { a, b, ways } = yield* two()
      yield* b.set("one", { usedAt: 1 })
      yield* b.set("ended", ended)
      yield* a.get("one", 1)
      ways[0].fate = fate
      const read = yield* Effect.fork(Effect.all([a.get("one", 1), a.get("two", 1), a.get("three"), a.get("ended")]))
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(read)).toEqual(["unknown", "unknown", "unknown", "unknown"])
      const patient = yield* Effect.fork(Effect.all([a.get("one", 1), a.get("two", 1), a.get("ended")]))
      yield* TestClock.adjust("600 millis")
      ways[0].fate = "ok"
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(patient)).toEqual([{ usedAt: 1 }, undefined, ended])
    }
  )

  test.scoped("[X5] are removed when no session can need them", function*() {
    const { a, b, store } = yield* two()
    yield* a.set("old", { usedAt: 0 })
    yield* TestClock.adjust(lifetime)
    yield* b.set("new", { usedAt: lifetime })
    expect(yield* a.get("old")).toEqual({ usedAt: 0 })
    // A day more, for what was written late.
    yield* TestClock.adjust("1 day")
    expect((yield* store.rows.entries("sessions")).map(([name]) => name)).toContain(nameOf("old"))
    yield* TestClock.adjust("2 days")
    expect((yield* store.rows.entries("sessions")).map(([name]) => name)).toEqual([nameOf("new")])
  })

  test.scoped("[X5] are never many more than promised, and those that made room have ended if they may have", function*() {
    const { a, b, store } = yield* two({ maxSessions: 3, maxChars: 100_000, lookEvery: 1 })
    for (let born = 1; born <= 2; born++) {
      yield* a.set(`ended ${born}`, { usedAt: born * 1000 + 500, hasEnded: true, born })
      yield* TestClock.adjust("1 second")
    }
    expect(yield* b.get("other", 1)).toBeUndefined()
    for (let used = 3; used <= 8; used++) {
      yield* a.set(`alive ${used}`, { usedAt: used * 1000 })
      yield* TestClock.adjust("1 second")
      expect((yield* store.rows.entries("sessions")).length).toBeLessThanOrEqual(3)
    }
    for (const one of [a, b]) {
      expect(yield* one.get("ended 1", 1)).toEqual(presumed)
      expect(yield* one.get("ended 2", 2)).toEqual(presumed)
      expect(yield* one.get("alive 3", 3)).toBeUndefined()
      expect(yield* one.get("alive 8", 3)).toEqual({ usedAt: 8000 })
      expect(yield* one.get("ended 1")).toBeUndefined()
    }
  })
  test.scoped("[X5] that made room and do not say when they began have ended if they began before their last use, and no others", function*() {
    const { a, b } = yield* two({ maxSessions: 2, maxChars: 100_000, lookEvery: 1 })
    yield* a.set("ended", { usedAt: 2500, hasEnded: true })
    for (let used = 3; used <= 8; used++) {
      yield* a.set(`alive ${used}`, { usedAt: used * 1000 })
      yield* TestClock.adjust("1 second")
    }
    for (const one of [a, b]) {
      expect(yield* one.get("ended", 2)).toEqual(presumed)
      expect(yield* one.get("alive 3", 3)).toBeUndefined()
    }
  })
})
