import { Effect, Exit, Fiber, Logger, Option, Redacted, Schema, Scope, TestClock } from "effect"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import type { ClusterStore } from "../../src/ClusterStore.js"
import * as MemoryStore from "../../src/testing/MemoryStore.js"
import { type Replica, replica } from "./Replica.js"

const Text = Schema.Struct({ text: Schema.String, at: Schema.optional(Schema.DateFromString) })

const texts = ({ state }: Replica, collection = "texts") => {
  const values = state.collection(collection, Text)
  return {
    ...values,
    set: (key: string, text: string) => values.set(key, { text }),
    get: (key: string) => Effect.map(values.get(key), (found) => Option.getOrUndefined(found)?.text),
    entries: Effect.map(values.entries, (all) => Object.fromEntries(all.map(([key, { text }]) => [key, text])))
  }
}

const logged = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label} ${String(message)}`))
    return Effect.map(Effect.provide(work, Logger.replace(Logger.defaultLogger, logger)), (value) => ({ lines, value }))
  })

describe.each([["a collection", []], ["a followed collection", ["texts"]]])("%s", (_, followed) => {
  const two = (store: ClusterStore) => Effect.all([replica(store, { followed }), replica(store, { followed })])

  test.scoped("[D7] is the same for all replicas", function*() {
    const [a, b] = (yield* two(MemoryStore.make())).map((one) => texts(one)) as [
      ReturnType<typeof texts>,
      ReturnType<typeof texts>
    ]
    expect(yield* b.get("one")).toBeUndefined()
    expect(yield* a.set("one", "first")).toBe(true)
    expect(yield* b.get("one")).toBe("first")
    expect(yield* b.set("one", "second")).toBe(true)
    expect(yield* a.set("two", "other")).toBe(true)
    expect([yield* a.entries, yield* b.entries]).toEqual(
      Array.from({ length: 2 }, () => ({ one: "second", two: "other" }))
    )
    yield* a.remove("one")
    yield* a.remove("nothing")
    expect([yield* a.get("one"), yield* b.get("one"), yield* b.entries]).toEqual([undefined, undefined, {
      two: "other"
    }])
  })

  test.scoped("[D7] is read from memory while the database is away, and what is written then is written later", function*() {
    const [a, b] = yield* two(MemoryStore.make())
    const [ofA, ofB] = [texts(a), texts(b)]
    for (const key of ["one", "two", "three"]) yield* ofA.set(key, `first ${key}`)
    yield* ofB.set("four", "of b")
    expect(yield* ofA.get("four")).toBe("of b")
    a.way.fate = "refused"
    expect(yield* ofA.get("one")).toBe("first one")
    expect(yield* ofA.set("two", "second")).toBe(false)
    expect(yield* ofA.set("two", "third")).toBe(false)
    expect(yield* ofA.set("five", "new")).toBe(false)
    yield* ofA.remove("three")
    const now = { one: "first one", two: "third", four: "of b", five: "new" }
    expect([yield* ofA.get("two"), yield* ofA.get("three"), yield* ofA.entries]).toEqual(["third", undefined, now])
    expect(yield* ofB.get("two")).toBe("first two")
    yield* TestClock.adjust("10 seconds")
    a.way.fate = "ok"
    expect([yield* ofA.get("two"), yield* ofA.entries]).toEqual(["third", now])
    yield* TestClock.adjust("1 second")
    expect([yield* ofA.entries, yield* ofB.entries]).toEqual([now, now])
  })

  test.scoped("[D7] keeps what another replica has written since, and not what is written late", function*() {
    const [a, b] = yield* two(MemoryStore.make())
    const [ofA, ofB] = [texts(a), texts(b)]
    for (const key of ["one", "two", "three"]) yield* ofA.set(key, "first")
    a.way.fate = "refused"
    yield* ofA.set("one", "late")
    yield* ofA.remove("two")
    yield* ofA.set("three", "late")
    yield* ofA.set("four", "late")
    yield* ofB.set("one", "newer")
    yield* ofB.set("two", "newer")
    yield* ofB.remove("three")
    yield* ofB.set("four", "newer")
    a.way.fate = "ok"
    yield* TestClock.adjust("1 second")
    const now = { one: "newer", two: "newer", four: "newer" }
    expect([yield* ofA.entries, yield* ofB.entries]).toEqual([now, now])
    a.way.fate = "refused"
    expect(yield* ofA.entries).toEqual(now)
  })

  test.scoped("[D7] takes what was not answered as written or not, whichever it is", function*() {
    const [a, b] = yield* two(MemoryStore.make())
    const [ofA, ofB] = [texts(a), texts(b)]
    yield* ofA.set("one", "first")
    for (const text of ["second", "third"]) {
      a.way.fate = "unanswered"
      expect(yield* ofA.set("one", text)).toBe(false)
      a.way.fate = "refused"
      expect(yield* ofA.set("one", `${text} again`)).toBe(false)
      expect(yield* ofA.get("one")).toBe(`${text} again`)
    }
    a.way.fate = "ok"
    yield* TestClock.adjust("1 second")
    expect([yield* ofA.get("one"), yield* ofB.get("one")]).toEqual(["third again", "third again"])
    a.way.fate = "unanswered"
    yield* ofA.remove("one")
    a.way.fate = "ok"
    expect(yield* ofA.set("one", "back")).toBe(true)
    expect([yield* ofA.get("one"), yield* ofB.get("one")]).toEqual(["back", "back"])
  })

  test.scoped("[D7] is not what was read before it was written", function*() {
    const [a] = yield* two(MemoryStore.make())
    yield* texts(a).set("one", "first")
    for (const read of [Effect.asVoid(texts(a).get("one")), Effect.asVoid(texts(a).entries)]) {
      yield* texts(a).set("one", "first")
      const answer = yield* Effect.makeLatch()
      a.way.answering = answer.await
      const reading = yield* Effect.fork(read)
      yield* TestClock.adjust("1 second")
      a.way.answering = Effect.void
      yield* texts(a).set("one", "second")
      yield* answer.open
      yield* Fiber.join(reading)
      a.way.fate = "refused"
      expect(yield* texts(a).get("one")).toBe("second")
      a.way.fate = "ok"
    }
  })

  test.scoped("[D7] is written at the end, if it has not been before", function*() {
    const store = MemoryStore.make()
    const scope = yield* Scope.make()
    const [a, b] = [yield* Scope.extend(replica(store, { followed }), scope), yield* replica(store, { followed })]
    a.way.fate = "refused"
    yield* texts(a).set("one", "late")
    a.way.fate = "ok"
    yield* Scope.close(scope, Exit.void)
    expect(yield* texts(b).get("one")).toBe("late")
  })

  test.scoped("[D7] warns once while the database is away", function*() {
    const { lines } = yield* logged(Effect.gen(function*() {
      const [a] = yield* two(MemoryStore.make())
      for (let times = 0; times < 2; times++) {
        a.way.fate = "refused"
        yield* texts(a).get("one")
        yield* texts(a).set("one", "late")
        yield* TestClock.adjust("1 minute")
        a.way.fate = "ok"
        yield* TestClock.adjust("1 second")
      }
    }))
    const warning =
      "WARN the database is away; until it is back, this replica goes on with what it knows of logins and other shared "
      + "state, and keeps changes in its memory"
    const back = "WARN the database of the cluster answers again"
    expect(lines).toEqual([warning, back, warning, back])
  })

  test.scoped("[D7] is sealed, for its place and its cluster", function*() {
    const store = MemoryStore.make()
    const [a] = yield* two(store)
    yield* texts(a).set("one", "a secret")
    yield* texts(a).set("two", "another")
    const [[, sealed], [, other]] = (yield* store.rows.entries("texts")) as [[string, string], [string, string]]
    expect(sealed).not.toContain("secret")
    expect(Buffer.from(sealed, "base64url").toString("latin1")).not.toContain("secret")
    yield* texts(a).set("one", "a secret")
    expect(yield* store.rows.get("texts", "one")).not.toBe(sealed)
    const { lines, value } = yield* logged(Effect.gen(function*() {
      const put = (collection: string, key: string, text: string) =>
        Effect.flatMap(
          store.rows.get(collection, key),
          (before) => store.rows.change({ collection, key, before, text, isFollowed: true })
        )
      yield* put("texts", "one", other)
      yield* put("elsewhere", "two", other)
      yield* put("texts", "short", "")
      const stranger = yield* replica(store, { key: Redacted.make("the key of another cluster, as long") })
      yield* texts(a).entries
      return [yield* texts(a).entries, yield* texts(a, "elsewhere").get("two"), yield* texts(stranger).get("two")]
    }))
    expect(value).toEqual([{ two: "another" }, undefined, undefined])
    expect(lines).toHaveLength(4)
    expect(lines[0]).toBe(
      "WARN what replicas share as texts/one was not written by this version of mcp-lifeline with the key of this cluster, and is ignored"
    )
  })
})

test.scoped("[G24] what cannot be read, or not be asked for, is not taken for nothing", function*() {
  const store = MemoryStore.make()
  for (const followed of [[], ["texts"]]) {
    const a = yield* replica(store, { followed })
    const { keys, read, set } = a.state.collection("texts", Text)
    expect(yield* read("none")).toEqual(Option.none())
    yield* set("one", { text: "1" })
    expect(yield* read("one")).toEqual(Option.some({ text: "1" }))
    yield* store.rows.change({ collection: "texts", key: "bad", before: undefined, text: "?", isFollowed: true })
    expect(yield* Effect.flip(read("bad"))).toMatchObject({ _tag: "Unreadable", file: "the cluster's texts/bad" })
    expect(yield* keys).toContain("bad")
    a.way.fate = "refused"
    expect(yield* read("one")).toEqual(Option.some({ text: "1" }))
    expect(yield* Effect.flip(read("unasked"))).toMatchObject({ reason: expect.stringContaining("away") })
    expect(yield* Effect.flip(keys)).toMatchObject({ _tag: "Unreadable" })
    a.way.fate = "ok"
  }
})

test.scoped("[D7] a key is a name", function*() {
  const { state } = yield* replica(MemoryStore.make())
  expect(() => state.collection("a/b", Text)).toThrow("not a name for something that replicas share: a/b")
  for (const work of [texts({ state } as Replica).remove("a/b"), Effect.asVoid(Effect.scoped(state.lock("")))]) {
    expect(Exit.isFailure(yield* Effect.exit(work))).toBe(true)
  }
  expect(state.path).toBe("/nowhere")
})

test.scoped("[D7][D10] nobody asks for a followed collection that has not changed, except under a lock", function*() {
  const store = MemoryStore.make()
  const followed = ["texts"]
  const [a, b] = [yield* replica(store, { followed }), yield* replica(store, { followed })]
  yield* texts(a).set("one", "first")
  yield* texts(b).entries
  b.way.asked = []
  for (let times = 0; times < 5; times++) expect(yield* texts(b).get("one")).toBe("first")
  expect(b.way.asked).toEqual([])
  yield* texts(a, "others").set("one", "of no interest")
  expect(yield* texts(b).entries).toEqual({ one: "first" })
  expect(b.way.asked).toEqual([])
  yield* texts(a).set("one", "second")
  expect([yield* texts(b).get("one"), yield* texts(b).get("one")]).toEqual(["second", "second"])
  expect(b.way.asked).toEqual(["entries"])
  yield* Effect.scoped(Effect.gen(function*() {
    yield* b.state.lock("lock")
    b.way.asked = []
    yield* texts(b).get("one")
    yield* texts(b).get("one")
    expect(b.way.asked).toEqual(["entries", "entries"])
  }))
  b.way.asked = []
  yield* texts(b).get("one")
  expect(b.way.asked).toEqual([])
})

test.scoped("[D7] of a collection with bounds, what is read is marked as used once a day", function*() {
  const store = MemoryStore.make()
  const a = yield* replica(store)
  const bounded = a.state.collection("bounded", Text, { maxFiles: 3, maxUnused: 1e12 })
  yield* bounded.set("a", { text: "a" })
  const marked = () => a.way.asked.filter((what) => what === "use").length
  yield* bounded.get("a")
  for (const nth of [1, 2]) {
    expect(marked()).toBe(nth)
    yield* TestClock.adjust("23 hours")
    yield* bounded.get("a")
    expect(marked()).toBe(nth)
    yield* TestClock.adjust("1 hour")
    yield* bounded.get("a")
  }
  expect(marked()).toBe(3)
})

test.scoped("[D7] of a collection with bounds, what was unused for longest is removed", function*() {
  const store = MemoryStore.make()
  const day = 24 * 60 * 60 * 1000
  const bounded = ({ state }: Replica) => state.collection("bounded", Text, { maxFiles: 3, maxUnused: 100 * day })
  const a = bounded(yield* replica(store))
  for (const key of ["a", "b", "c", "d"]) {
    yield* a.set(key, { text: key })
    yield* TestClock.adjust("2 days")
  }
  yield* a.get("a")
  yield* TestClock.adjust("1 second")
  const b = bounded(yield* replica(store))
  yield* b.set("e", { text: "e" })
  expect((yield* b.entries).map(([key]) => key)).toEqual(["a", "d", "e"])
})

describe("a lock", () => {
  const hold = ({ state }: Replica, name: string, holders: Array<string>, who: string) =>
    Effect.fork(Effect.scoped(Effect.gen(function*() {
      yield* state.lock(name)
      holders.push(who)
      yield* Effect.addFinalizer(() => Effect.sync(() => void holders.splice(holders.indexOf(who), 1)))
      return yield* Effect.never
    })))

  test.scoped("[D7] is held by one fiber of one replica at a time", function*() {
    const store = MemoryStore.make()
    const [a, b] = [yield* replica(store), yield* replica(store)]
    const holders: Array<string> = []
    const fibers = new Map<string, Fiber.Fiber<unknown, unknown>>()
    for (const [who, one] of [["a1", a], ["a2", a], ["b1", b], ["b2", b]] as const) {
      fibers.set(who, yield* hold(one, "lock", holders, who))
      yield* TestClock.adjust("1 minute")
    }
    const other = yield* hold(b, "another", [], "other")
    const seen: Array<string> = []
    while (fibers.size > 0) {
      expect(holders).toHaveLength(1)
      const [holder] = holders as [string]
      seen.push(holder)
      yield* Fiber.interrupt(fibers.get(holder)!)
      fibers.delete(holder)
      yield* TestClock.adjust("1 minute")
    }
    expect(seen.toSorted()).toEqual(["a1", "a2", "b1", "b2"])
    expect(yield* store.locks.find("lock")).toBeUndefined()
    expect(yield* store.locks.find("another")).toBeDefined()
    yield* Fiber.interrupt(other)
  })

  test.scoped("[D7] is released after an error, too", function*() {
    const store = MemoryStore.make()
    const [a, b] = [yield* replica(store), yield* replica(store)]
    yield* Effect.exit(Effect.scoped(Effect.zipRight(a.state.lock("lock"), Effect.die("an error"))))
    const { isHeld } = yield* b.state.lock("lock")
    expect(yield* isHeld).toBe(true)
  })

  test.scoped("[D7] ends with the lease of its replica", function*() {
    const store = MemoryStore.make()
    const [a, b] = [yield* replica(store), yield* replica(store)]
    const ofA = yield* a.state.lock("lock")
    const holders: Array<string> = []
    yield* hold(b, "lock", holders, "b")
    yield* TestClock.adjust("1 minute")
    expect([holders, yield* ofA.isHeld]).toEqual([[], true])
    yield* a.lapse
    yield* TestClock.adjust("2 seconds")
    expect([holders, yield* ofA.isHeld]).toEqual([["b"], false])
    // With a new lease, it is another claim.
    yield* a.renew
    yield* TestClock.adjust("1 minute")
    expect([holders, yield* ofA.isHeld]).toEqual([["b"], false])
  })

  test.scoped("[D7] is waited for without a lease", function*() {
    const a = yield* replica(MemoryStore.make())
    yield* a.lapse
    const holders: Array<string> = []
    yield* hold(a, "lock", holders, "a")
    yield* TestClock.adjust("1 minute")
    expect(holders).toEqual([])
    yield* a.renew
    yield* TestClock.adjust("1 second")
    expect(holders).toEqual(["a"])
  })

  test.scoped.each(["refused", "unanswered"] as const)(
    "[D7] is waited for while the database is away: %s",
    function*(fate) {
      const store = MemoryStore.make()
      const [a, b] = [yield* replica(store), yield* replica(store)]
      const holders: Array<string> = []
      a.way.fate = fate
      const fiber = yield* hold(a, "lock", holders, "a")
      yield* TestClock.adjust("1 minute")
      expect(holders).toEqual([])
      a.way.fate = "ok"
      yield* TestClock.adjust("2 seconds")
      expect(holders).toEqual(["a"])
      yield* Fiber.interrupt(fiber)
      yield* hold(b, "lock", holders, "b")
      yield* TestClock.adjust("2 seconds")
      expect(holders).toEqual(["b"])
    }
  )

  test.scoped.each(["refused", "unanswered"] as const)(
    "[D7] that nobody waits for any more is nobody's: %s",
    function*(fate) {
      const store = MemoryStore.make()
      const [a, b] = [yield* replica(store), yield* replica(store)]
      const holders: Array<string> = []
      a.way.fate = fate
      const fiber = yield* hold(a, "lock", holders, "a")
      yield* TestClock.adjust("1 minute")
      yield* Fiber.interrupt(fiber)
      a.way.fate = "ok"
      yield* hold(b, "lock", holders, "b")
      yield* TestClock.adjust("10 seconds")
      expect(holders).toEqual(["b"])
    }
  )

  test.scoped.each(["refused", "unanswered"] as const)(
    "[D7] whose release is not answered is released later: %s",
    function*(fate) {
      const store = MemoryStore.make()
      const [a, b] = [yield* replica(store), yield* replica(store)]
      const holders: Array<string> = []
      const fiber = yield* hold(a, "lock", holders, "a")
      yield* TestClock.adjust("1 second")
      a.way.fate = fate
      yield* Fiber.interrupt(fiber)
      const next = yield* hold(a, "lock", holders, "a again")
      yield* TestClock.adjust("1 minute")
      expect(holders).toEqual([])
      a.way.fate = "ok"
      yield* TestClock.adjust("10 seconds")
      expect(holders).toEqual(["a again"])
      yield* hold(b, "lock", holders, "b")
      yield* TestClock.adjust("1 minute")
      expect(holders).toEqual(["a again"])
      yield* Fiber.interrupt(next)
      yield* TestClock.adjust("10 seconds")
      expect(holders).toEqual(["b"])
    }
  )

  test.scoped("[D7] is released when what was written under it is in the store", function*() {
    const store = MemoryStore.make()
    const [a, b] = [yield* replica(store), yield* replica(store)]
    const holders: Array<string> = []
    yield* texts(a).set("one", "first")
    yield* Effect.scoped(Effect.gen(function*() {
      const { isHeld } = yield* a.state.lock("lock")
      yield* texts(a).get("one")
      a.way.fate = "refused"
      yield* texts(a).set("one", "rotated")
      // It was read while the database was there.
      expect(yield* isHeld).toBe(true)
    }))
    const read: Array<string | undefined> = []
    yield* Effect.fork(Effect.scoped(Effect.gen(function*() {
      yield* b.state.lock("lock")
      holders.push("b")
      read.push(yield* texts(b).get("one"))
    })))
    yield* TestClock.adjust("1 minute")
    expect(holders).toEqual([])
    a.way.fate = "ok"
    yield* TestClock.adjust("10 seconds")
    expect([holders, read]).toEqual([["b"], ["rotated"]])
  })

  test.scoped.each([{ followed: [] }, { followed: ["texts"] }])(
    "[D7] is not held after a read that others may know better: %j",
    function*({ followed }) {
      const a = yield* replica(MemoryStore.make(), { followed })
      yield* texts(a).set("one", "first")
      const { isHeld } = yield* a.state.lock("lock")
      yield* texts(a).get("one")
      a.way.fate = "refused"
      expect(yield* isHeld).toBe(true)
      yield* texts(a).get("one")
      a.way.fate = "ok"
      expect(yield* isHeld).toBe(false)
      yield* Effect.scoped(Effect.gen(function*() {
        const other = yield* a.state.lock("another")
        expect(yield* other.isHeld).toBe(true)
      }))
    }
  )

  test.scoped("[D7] is released after what was written, also when the database is back before", function*() {
    const store = MemoryStore.make()
    const a = yield* replica(store)
    const found = Effect.all([store.locks.find("lock"), store.rows.get("texts", "one")])
    yield* Effect.scoped(Effect.gen(function*() {
      yield* a.state.lock("lock")
      a.way.fate = "refused"
      yield* texts(a).set("one", "rotated")
      a.way.fate = "ok"
    }))
    expect(yield* found).toEqual([expect.anything(), undefined])
    yield* TestClock.adjust("2 seconds")
    expect(yield* found).toEqual([undefined, expect.anything()])
  })

  test.scoped("[D7] is held by nobody who still has something older to write", function*() {
    const store = MemoryStore.make()
    const [a, b] = [yield* replica(store), yield* replica(store)]
    yield* texts(a).set("one", "first")
    a.way.fate = "refused"
    yield* texts(a).set("one", "late")
    yield* texts(b).set("one", "newer")
    a.way.fate = "ok"
    yield* a.state.lock("lock")
    expect(yield* texts(a).get("one")).toBe("newer")
  })

  test.scoped("[D7] is not released by a release of the one before that comes late", function*() {
    const store = MemoryStore.make()
    const [a, b] = [yield* replica(store), yield* replica(store)]
    const holders: Array<string> = []
    const fiber = yield* hold(a, "lock", holders, "a")
    yield* TestClock.adjust("1 second")
    a.way.fate = "late"
    yield* Fiber.interrupt(fiber)
    a.way.fate = "ok"
    yield* hold(a, "lock", holders, "a again")
    yield* TestClock.adjust("1 second")
    for (const release of a.way.late) yield* release
    yield* hold(b, "lock", holders, "b")
    yield* TestClock.adjust("1 minute")
    expect(holders).toEqual(["a again"])
  })

  test.scoped("[D7] is released at the end, if it could not be before", function*() {
    const store = MemoryStore.make()
    const scope = yield* Scope.make()
    const a = yield* Scope.extend(replica(store), scope)
    yield* Effect.scoped(Effect.zipRight(
      a.state.lock("lock"),
      Effect.sync(() => {
        a.way.fate = "refused"
      })
    ))
    expect(yield* store.locks.find("lock")).toBeDefined()
    a.way.fate = "ok"
    yield* Scope.close(scope, Exit.void)
    expect(yield* store.locks.find("lock")).toBeUndefined()
  })
})
