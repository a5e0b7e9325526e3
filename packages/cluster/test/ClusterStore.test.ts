import * as Reactivity from "@effect/experimental/Reactivity"
import { PgClient } from "@effect/sql-pg"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Exit, Option, Redacted, Scope } from "effect"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import * as Postgres from "../../testing/test/support/Postgres.js"
import { type Change, type Claims, type ClusterStore, type RowLimits, StoreError } from "../src/ClusterStore.js"
import * as PostgresStore from "../src/PostgresStore.js"
import { defaults as terms, termsOf } from "../src/Terms.js"
import * as MemoryStore from "../src/testing/MemoryStore.js"

// Connections to the database are kept for all tests of this file, and made when they are needed.
beforeEach(() => mayLeave("timers"))

const run = Effect.runPromise
const key = Redacted.make("a key that all replicas of this test have in common")
let ids = 0
const newId = () => `id-${ids++}`
/** A moment that is another one for each clock. */
const later = () => new Promise((resolve) => setTimeout(resolve, 2))
let servers = 0
const newServer = () => `server-${servers++}`

const contract = (store: () => ClusterStore): void => {
  const joined = async (): Promise<string> => {
    const id = newId()
    await run(store().join(id, `http://${id}`))
    return id
  }

  it("[D1] counts renewals, and tells everybody's leases with their witnesses", async () => {
    const [a, b] = [await joined(), await joined()]
    expect((await run(store().renew(a, []))).renewals).toBe(1)
    expect((await run(store().renew(a, [b]))).renewals).toBe(2)
    const { renewals, replicas } = await run(store().renew(b, [a]))
    expect(renewals).toBe(1)
    expect(replicas.find(({ id }) => id === a)).toMatchObject({
      id: a,
      address: `http://${a}`,
      renewals: 2,
      witnesses: [b],
      hasEnded: false
    })
  })

  it("[D1] renews no lease that has ended, or that was never there", async () => {
    const [a, b] = [await joined(), await joined()]
    expect(await run(store().end(a, undefined))).toBe(true)
    expect((await run(store().renew(a, []))).renewals).toBeUndefined()
    expect((await run(store().renew(newId(), []))).renewals).toBeUndefined()
    const { replicas } = await run(store().renew(b, []))
    expect(replicas.find(({ id }) => id === a)).toMatchObject({ hasEnded: true, renewals: 0 })
  })

  it("[D1] ends a lease only if it was not renewed since it was seen", async () => {
    const a = await joined()
    await run(store().renew(a, []))
    expect(await run(store().end(a, 0))).toBe(false)
    expect((await run(store().renew(a, []))).renewals).toBe(2)
    expect(await run(store().end(a, 2))).toBe(true)
    expect(await run(store().end(a, 2))).toBe(true)
    expect((await run(store().renew(a, []))).renewals).toBeUndefined()
  })

  it("[D1] gives a server to the first, and to another one only after release or end, with a new generation", async () => {
    const [a, b, server] = [await joined(), await joined(), newServer()]
    expect(await run(store().find(server))).toBeUndefined()
    const first = { owner: a, address: `http://${a}`, generation: 1 }
    expect(await run(store().claim(a, server))).toEqual(first)
    expect(await run(store().claim(b, server))).toEqual(first)
    expect(await run(store().claim(a, server))).toEqual(first)
    expect(await run(store().find(server))).toEqual(first)
    await run(store().release(b, server, 1))
    await run(store().release(a, server, 2))
    expect(await run(store().find(server))).toEqual(first)
    await run(store().release(a, server, 1))
    expect(await run(store().find(server))).toBeUndefined()
    expect(await run(store().claim(b, server))).toMatchObject({ owner: b, generation: 2 })
    await run(store().end(b, undefined))
    expect(await run(store().find(server))).toBeUndefined()
    expect(await run(store().claim(a, server))).toMatchObject({ owner: a, generation: 3 })
  })

  it("[D1] replaces the generation of its owner, and then a release of the one before does nothing", async () => {
    const [a, b, server] = [await joined(), await joined(), newServer()]
    await run(store().claim(a, server))
    expect(await run(store().claim(b, server, 1))).toMatchObject({ owner: a, generation: 1 })
    expect(await run(store().claim(a, server, 1))).toMatchObject({ owner: a, generation: 2 })
    expect(await run(store().claim(a, server, 1))).toMatchObject({ owner: a, generation: 2 })
    await run(store().release(a, server, 1))
    expect(await run(store().find(server))).toMatchObject({ owner: a, generation: 2 })
  })

  it("[D1] gives no server to a replica whose lease has ended", async () => {
    const [a, server] = [await joined(), newServer()]
    await run(store().end(a, undefined))
    expect(await run(store().claim(a, server))).toBeUndefined()
    expect(await run(store().claim(newId(), server))).toBeUndefined()
  })

  it("[D1] gives a server to one of those who want it at the same time", async () => {
    const replicas = await Promise.all(Array.from({ length: 8 }, joined))
    for (let round = 0; round < 5; round++) {
      const server = newServer()
      const owners = await Promise.all(replicas.map((id) => run(store().claim(id, server))))
      expect(new Set(owners.map((one) => JSON.stringify(one))).size).toBe(1)
      expect(owners[0]?.generation).toBe(1)
    }
  })

  describe.each<[string, string, (store: ClusterStore) => Claims]>([
    ["session", "D3", ({ sessions }) => sessions],
    ["lock", "D7", ({ locks }) => locks]
  ])("a %s", (_, promise, of) => {
    const claims = () => of(store())

    it(`[${promise}] is of the first, and of another one after release or end, with another generation`, async () => {
      const [a, b, name] = [await joined(), await joined(), newServer()]
      expect(await run(claims().find(name))).toBeUndefined()
      const first = await run(claims().claim(a, name))
      expect(first).toMatchObject({ owner: a, address: `http://${a}` })
      expect(await run(claims().claim(b, name))).toEqual(first)
      expect(await run(claims().claim(a, name))).toEqual(first)
      await run(claims().release(b, name, first!.generation))
      await run(claims().release(a, name, first!.generation + 1))
      expect(await run(claims().find(name))).toEqual(first)
      await run(claims().release(a, name, first!.generation))
      expect(await run(claims().find(name))).toBeUndefined()
      const second = await run(claims().claim(b, name))
      expect(second?.owner).toBe(b)
      await run(store().end(b, undefined))
      expect(await run(claims().find(name))).toBeUndefined()
      const third = await run(claims().claim(a, name))
      expect(third?.owner).toBe(a)
      expect(new Set([first, second, third].map((one) => one?.generation)).size).toBe(3)
    })

    it(`[${promise}] is not released by a release that comes late`, async () => {
      const [a, name] = [await joined(), newServer()]
      const first = await run(claims().claim(a, name))
      const second = await run(claims().claim(a, name, first!.generation))
      expect(second?.generation).not.toBe(first!.generation)
      await run(claims().release(a, name, first!.generation))
      expect(await run(claims().find(name))).toEqual(second)
      await run(claims().release(a, name, second!.generation))
      const third = await run(claims().claim(a, name))
      await run(claims().release(a, name, second!.generation))
      expect(await run(claims().find(name))).toEqual(third)
    })

    it(`[${promise}] is of no replica that has ended`, async () => {
      const [a, name] = [await joined(), newServer()]
      await run(store().end(a, undefined))
      expect(await run(claims().claim(a, name))).toBeUndefined()
    })

    it(`[${promise}] is of one of those who want it at the same time`, async () => {
      const replicas = await Promise.all(Array.from({ length: 8 }, joined))
      const name = newServer()
      const owners = await Promise.all(replicas.map((id) => run(claims().claim(id, name))))
      expect(new Set(owners.map((one) => JSON.stringify(one))).size).toBe(1)
      expect(owners[0]).toBeDefined()
    })
  })

  describe("what replicas share", () => {
    const get = (collection: string, key: string) => run(store().rows.get(collection, key))
    const entries = (collection: string) => run(store().rows.entries(collection))
    const change = (one: Change) => run(store().rows.change(one))
    const use = (collection: string, key: string) => run(store().rows.use(collection, key))
    const prune = (collection: string, limits: RowLimits) => run(store().rows.prune(collection, limits))

    it("[D7] is changed by who knows it, and by nobody else", async () => {
      const [collection, key] = [newServer(), "one"]
      expect(await get(collection, key)).toBeUndefined()
      expect(await change({ collection, key, before: "a", text: "b" })).toBeUndefined()
      expect(await change({ collection, key, before: undefined, text: "a" })).toBe("a")
      expect(await change({ collection, key, before: undefined, text: "b" })).toBe("a")
      expect(await change({ collection, key, before: "a", text: "b" })).toBe("b")
      // Not answered, and asked for again.
      expect(await change({ collection, key, before: "a", text: "b" })).toBe("b")
      expect(await change({ collection, key, before: "a", text: "c" })).toBe("b")
      expect(await change({ collection, key, before: "b", text: "b" })).toBe("b")
      expect(await change({ collection, key, before: undefined, text: undefined })).toBe("b")
      expect(await change({ collection, key, before: "a", text: undefined })).toBe("b")
      expect(await get(collection, key)).toBe("b")
      expect(await get(newServer(), key)).toBeUndefined()
      expect(await change({ collection, key, before: "b", text: undefined })).toBeUndefined()
      expect(await get(collection, key)).toBeUndefined()
      expect(await change({ collection, key, before: undefined, text: undefined })).toBeUndefined()
    })

    it("[D7] is listed by collection", async () => {
      const [collection, other] = [newServer(), newServer()]
      for (const key of ["b", "B", "a-1", "a"]) {
        await change({ collection, key, before: undefined, text: `text ${key}` })
      }
      await change({ collection: other, key: "c", before: undefined, text: "c" })
      expect(await entries(collection)).toEqual(["B", "a", "a-1", "b"].map((key) => [key, `text ${key}`]))
    })

    it("[D7] is changed by one of those who want to change the same", async () => {
      const [collection, key] = [newServer(), "one"]
      const before = await run(store().renew(await joined(), []))
      let now: string | undefined
      for (let round = 0; round < 3; round++) {
        const wanted = Array.from({ length: 8 }, (_, index) => `${round} ${index}`)
        const changed = (text: string) => change({ collection, key, before: now, text, isFollowed: true })
        const found = await Promise.all(wanted.map(changed))
        now = await get(collection, key)
        expect(found.filter((text, index) => text === wanted[index])).toEqual([now])
      }
      expect((await run(store().renew(await joined(), []))).changes - before.changes).toBe(3)
    })

    it("[D7] is counted where it is followed, and where it has changed", async () => {
      const [collection, key, id] = [newServer(), "one", await joined()]
      const { changes } = await run(store().renew(id, []))
      const since = async () => (await run(store().renew(id, []))).changes - changes
      await change({ collection, key, before: undefined, text: "a" })
      await change({ collection, key, before: "a", text: "b", isFollowed: false })
      expect(await since()).toBe(0)
      await change({ collection, key, before: "b", text: "c", isFollowed: true })
      expect(await since()).toBe(1)
      await change({ collection, key, before: "b", text: "d", isFollowed: true })
      await change({ collection, key, before: undefined, text: "d", isFollowed: true })
      await change({ collection, key, before: "c", text: "c", isFollowed: true })
      expect(await since()).toBe(1)
      await change({ collection, key, before: "c", text: undefined, isFollowed: true })
      await change({ collection, key, before: undefined, text: "e", isFollowed: true })
      expect(await since()).toBe(3)
    })

    it("[X5] is found where it is too much, what was unused for longest first", async () => {
      const [collection, other] = [newServer(), newServer()]
      for (
        const [collection_, key] of [[collection, "a"], [collection, "b"], [other, "z"], [collection, "c"]] as const
      ) {
        await change({ collection: collection_, key, before: undefined, text: key.repeat(100) })
        await later()
      }
      const excess = async (maxRows: number, maxChars: number) =>
        (await run(store().rows.excess(collection, { maxRows, maxChars }))).map(([key]) => key)
      expect(await excess(3, 1000)).toEqual([])
      expect(await excess(1, 1000)).toEqual(["a", "b"])
      expect(await excess(3, 250)).toEqual(["a"])
      expect(await excess(3, 150)).toEqual(["a", "b"])
      await use(collection, "a")
      expect(await run(store().rows.excess(collection, { maxRows: 2, maxChars: 1000 }))).toEqual([[
        "b",
        "b".repeat(100)
      ]])
    })

    it("[D7] is removed where it is too much, and what was unused for longest", async () => {
      const [collection, other] = [newServer(), newServer()]
      const add = async (collection: string, key: string) => {
        await change({ collection, key, before: undefined, text: key })
        await later()
      }
      for (const key of ["a", "b", "c", "d"]) await add(collection, key)
      await add(other, "a")
      await use(collection, "a")
      await use(collection, "nothing")
      await later()
      await change({ collection, key: "c", before: "c", text: "C" })
      await prune(collection, { maxRows: 3, maxUnused: 60_000 })
      expect((await entries(collection)).map(([key]) => key)).toEqual(["a", "c", "d"])
      await prune(collection, { maxRows: 2, maxUnused: 60_000 })
      expect((await entries(collection)).map(([key]) => key)).toEqual(["a", "c"])
      await later()
      await prune(collection, { maxRows: 10, maxUnused: 0 })
      expect(await entries(collection)).toEqual([])
      expect(await entries(other)).toEqual([["a", "a"]])
    })
  })

  it("[D8] lists the servers that run, with their owners, and neither sessions nor locks", async () => {
    const [a, b] = [await joined(), await joined()]
    const names = [newServer(), newServer(), newServer()]
    await run(store().claim(a, names[0]!))
    await run(store().claim(b, names[1]!))
    await run(store().claim(b, names[2]!))
    await run(store().sessions.claim(b, names[0]!))
    await run(store().locks.claim(b, names[0]!))
    await run(store().end(a, undefined))
    expect(await run(store().find(names[0]!))).toBeUndefined()
    const listed = (await run(store().servers)).filter(({ server }) => names.includes(server))
    const loads = await run(store().loads)
    expect([loads.get(a) ?? 0, loads.get(b)]).toEqual([0, 2])
    expect(listed.map(({ owner, server }) => [server, owner])).toEqual([[names[1], b], [names[2], b]])
    expect(Math.abs((listed[0]?.since ?? 0) - Date.now())).toBeLessThan(3_600_000)
  })
}

describe("the store in memory", () => {
  const store = MemoryStore.make()
  contract(() => store)
})

describe.skipIf(!Postgres.isInstalled)(`the store in PostgreSQL${Postgres.title}`, () => {
  const scope = Effect.runSync(Scope.make())
  let postgres: Postgres.Postgres
  let store: ClusterStore
  // For hangs, unless a test waits for it.
  const connect = (url = postgres.url, timeout = 60_000) =>
    Effect.runPromise(Scope.extend(PostgresStore.make({ url: Redacted.make(url), terms, key, timeout }), scope))

  beforeAll(async () => {
    postgres = await run(Scope.extend(Postgres.make, scope))
    // Replicas that start together on an empty database.
    const stores = await Promise.all(Array.from({ length: 6 }, () => connect()))
    store = stores[0]!
  })
  afterAll(() => run(Scope.close(scope, Exit.void)))

  contract(() => store)

  it("[D3] leaves no row of a session that was released, nor of one whose owner has ended long ago", async () => {
    const query = <A>(sql: (client: PgClient.PgClient) => Effect.Effect<A, SqlError>) =>
      run(Effect.scoped(
        Effect.flatMap(PgClient.make({ url: Redacted.make(postgres.url) }), sql).pipe(Effect.provide(Reactivity.layer))
      ))
    const [alive, ended] = [newId(), newId()]
    for (const id of [alive, ended]) await run(store.join(id, "http://here"))
    const names = ["released", "young", "old", "used", "server"].map((name) => `${name}-${newServer()}`)
    const [released, young, old, used, server] = names as [string, string, string, string, string]
    const { generation } = (await run(store.sessions.claim(alive, released)))!
    await run(store.sessions.release(alive, released, generation))
    for (const name of [young, old]) await run(store.sessions.claim(ended, name))
    await run(store.sessions.claim(alive, used))
    await run(store.claim(ended, server))
    await run(store.end(ended, undefined))
    await query((sql) =>
      sql`UPDATE lifeline_claim SET since = now() - interval '32 days' WHERE name IN ${sql.in([old, used, server])}`
    )
    await run(store.join(newId(), "http://here"))
    const kept = await query((sql) => sql`SELECT name FROM lifeline_claim WHERE name IN ${sql.in(names)}`)
    expect(kept.map(({ name }) => name).toSorted()).toEqual([server, used, young])
    // Its replica is forgotten.
    await query((sql) => sql`UPDATE lifeline_replica SET ended_at = now() - interval '2 hours' WHERE id = ${ended}`)
    await query((sql) => sql`UPDATE lifeline_claim SET since = now() - interval '32 days' WHERE name = ${young}`)
    await run(store.join(newId(), "http://here"))
    const left = await query((sql) => sql`SELECT name FROM lifeline_claim WHERE name IN ${sql.in(names)}`)
    expect(left.map(({ name }) => name).toSorted()).toEqual([server, used])
    expect((await run(store.claim(alive, server)))?.generation).toBe(2)
  })

  it.each([
    [termsOf({ lease: 7000 }), "the lease", "7 s", "6 s", "--cluster-lease"],
    [
      termsOf({ withoutStore: 60_000 }),
      "the time without the database",
      "1 min",
      "10 min",
      "--cluster-without-database"
    ],
    [{ ...terms, margin: 1000 }, "the margin", "1 s", "1500 ms", "terms"]
  ])("[D1] refuses a replica with other terms, and says what to do: %j", async (other, name, own, kept, option) => {
    const made = PostgresStore.make({ url: Redacted.make(postgres.url), terms: other, key })
    const error = await run(Effect.flip(Effect.scoped(made)))
    expect(error.message).toBe(
      `${name} of this replica is ${own}, and that of the cluster ${kept}; give all replicas the same ${option}, or, to change it, stop them all, `
        + "delete the row of lifeline_terms, and start them anew"
    )
  })

  it("[D5] says that it does not reach a database, without its password", async () => {
    const url = Redacted.make("postgres://someone:secret@127.0.0.1:1/nothing")
    const error = await run(Effect.flip(Effect.scoped(PostgresStore.make({ url, terms, key }))))
    expect(error).toBeInstanceOf(StoreError)
    expect(error.message).toBe("the database could not connect: connect ECONNREFUSED 127.0.0.1:1")
    expect(JSON.stringify(error)).not.toContain("secret")
  })

  it("[D5] fails while the database is away, and works again when it is back", async () => {
    const id = newId()
    await run(store.join(id, "http://here"))
    await postgres.crash()
    const error = await run(Effect.flip(store.renew(id, [])))
    expect(error).toBeInstanceOf(StoreError)
    await postgres.start()
    expect((await run(store.renew(id, []))).renewals).toBe(1)
  })

  it("[D5] fails while the database does not answer, and uses new connections then", async () => {
    const impatient = await connect(postgres.url, 5000)
    const id = newId()
    await run(impatient.join(id, "http://here"))
    postgres.freeze()
    try {
      const error = await run(Effect.flip(impatient.renew(id, [])))
      expect(error.message).toBe("the database did not renew the lease within 5s")
    } finally {
      postgres.thaw()
    }
    const renewed = Effect.retry(impatient.renew(id, []), { while: () => true })
    expect((await run(renewed)).renewals).toBeGreaterThan(0)
  })

  it("[D5] is not interrupted by who does not wait any longer", async () => {
    const [id, server] = [newId(), newServer()]
    await run(store.join(id, "http://here"))
    expect(await run(Effect.timeoutOption(store.claim(id, server), 0))).toEqual(Option.none())
    await expect.poll(() => run(store.find(server))).toMatchObject({ owner: id })
  })
})
