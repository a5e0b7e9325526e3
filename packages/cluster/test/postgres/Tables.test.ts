import * as Reactivity from "@effect/experimental/Reactivity"
import { PgClient } from "@effect/sql-pg"
import { Effect, Exit, Redacted, Scope } from "effect"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { mayLeave } from "../../../testing/test/support/Holdings.js"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import type { ClusterKeys } from "../../src/ClusterKey.js"
import { StoreError } from "../../src/ClusterStore.js"
import * as Tables from "../../src/postgres/Tables.js"
import * as PostgresStore from "../../src/PostgresStore.js"
import { defaults as terms } from "../../src/Terms.js"

// Connections to the database are closed in the background, when it has answered.
beforeEach(() => mayLeave("timers"))

const run = Effect.runPromise
const key = Redacted.make("a key that all replicas of this test have in common")

const grants =
  "SELECT, INSERT, UPDATE and DELETE on lifeline_terms, lifeline_replica, lifeline_claim and lifeline_row, and SELECT on lifeline_version"

describe.skipIf(!Postgres.isInstalled)(`the tables in PostgreSQL${Postgres.title}`, () => {
  const scope = Effect.runSync(Scope.make())
  let postgres: Postgres.Postgres
  let admin: PgClient.PgClient
  let databases = 0
  let database: string

  const client = (user = "lifeline"): Promise<PgClient.PgClient> =>
    run(Scope.extend(
      PgClient.make({ url: Redacted.make(urlOf(user)) }).pipe(Effect.provide(Reactivity.layer)),
      scope
    ))
  const urlOf = (user = "lifeline") => {
    const url = new URL(postgres.url)
    url.username = user
    url.pathname = database
    return url.href
  }
  const store = (
    user?: string,
    options: Partial<PostgresStore.Options> = {}
  ): Effect.Effect<PostgresStore.PostgresStore, StoreError, Scope.Scope> =>
    PostgresStore.make({ url: Redacted.make(urlOf(user)), terms, key, ...options })
  const opened = (...given: Parameters<typeof store>) => run(Scope.extend(store(...given), scope))
  const refused = (...given: Parameters<typeof store>) => run(Effect.flip(Effect.scoped(store(...given))))
  const tables = async (sql: PgClient.PgClient) =>
    (await run(sql`SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename`))
      .map(({ tablename }) => tablename)

  beforeAll(async () => {
    postgres = await run(Scope.extend(Postgres.make, scope))
    database = "postgres"
    admin = await client()
  })
  afterAll(() => run(Scope.close(scope, Exit.void)))
  beforeEach(async () => {
    database = `test_${databases++}`
    await run(admin.unsafe(`CREATE DATABASE ${database}`))
    await run(admin.unsafe(`CREATE ROLE ${database} LOGIN`))
  })

  it("[D1] are made once by many that start together, and found by the next one", async () => {
    await Promise.all(Array.from({ length: 5 }, () => opened()))
    const sql = await client()
    const [version] = await run(sql`SELECT version FROM lifeline_version`)
    expect(version).toEqual({ version: Tables.steps.length })
    await run(sql`INSERT INTO lifeline_row (collection, key, text) VALUES ('kept', 'one', 'text')`)
    const next = await opened()
    expect(await run(next.rows.get("kept", "one"))).toBe("text")
  })

  it("[D1] of a later version are left alone", async () => {
    await opened()
    const sql = await client()
    await run(sql`UPDATE lifeline_version SET version = 99`)
    const error = await refused()
    expect(error).toBeInstanceOf(StoreError)
    expect(error.message).toBe(
      `the tables of the cluster are of version 99, and this version of Lifeline knows them up to ${Tables.steps.length}: `
        + "run the version that the other replicas have, or a later one"
    )
    expect(await run(sql`SELECT version FROM lifeline_version`)).toEqual([{ version: 99 }])
  })

  it("[D1] grow by the steps that they do not have yet, or not at all", async () => {
    const sql = await client()
    const prepare = (steps: ReadonlyArray<string>) =>
      run(Effect.either(sql.withTransaction(Tables.prepare(sql, steps))))
    const versions = async () => (await run(sql`SELECT version FROM lifeline_version`)).map(({ version }) => version)
    const [first, second, third] = [
      "CREATE TABLE a (x int)",
      "ALTER TABLE a ADD y int",
      "CREATE TABLE c (x int)"
    ] as const
    expect((await prepare([first]))._tag).toBe("Right")
    expect([await tables(sql), await versions()]).toEqual([["a", "lifeline_version"], [1]])
    expect((await prepare([first, second, third, "nonsense"]))._tag).toBe("Left")
    expect([await tables(sql), await versions()]).toEqual([["a", "lifeline_version"], [1]])
    await run(sql`INSERT INTO a (x) VALUES (1)`)
    for (let times = 0; times < 2; times++) {
      expect((await prepare([first, second, third]))._tag).toBe("Right")
      expect([await tables(sql), await versions()]).toEqual([["a", "c", "lifeline_version"], [3]])
    }
    expect(await run(sql`SELECT x, y FROM a`)).toEqual([{ x: 1, y: null }])
    expect(await prepare([first, second])).toMatchObject({ _tag: "Left", left: { _tag: "StoreError" } })
  })

  it("[D1] need no more privileges than are named, when they are there", async () => {
    const role = database
    const [sql] = [await client(), await opened()]
    const named = /^(.*) on (.*), and SELECT on (.*)$/.exec(grants)!
    await run(sql.unsafe(`GRANT ${named[1]!.replace(" and", ",")} ON ${named[2]!.replace(" and", ",")} TO ${role}`))
    await run(sql.unsafe(`GRANT SELECT ON ${named[3]} TO ${role}`))
    const { claim, end, find, join, loads, locks, release, renew, rows, servers, sessions } = await opened(role)
    await run(join("a", "http://a"))
    await run(join("b", "http://b"))
    expect((await run(renew("a", ["b"]))).renewals).toBe(1)
    for (const claims of [{ claim, find, release }, locks, sessions]) {
      const generation = (await run(claims.claim("a", "one")))!.generation
      expect(await run(claims.find("one"))).toMatchObject({ owner: "a" })
      await run(claims.release("a", "one", generation))
      await run(claims.claim("b", "one"))
    }
    expect([(await run(servers)).length, (await run(loads)).get("b")]).toEqual([1, 1])
    const change = { collection: "c", key: "k", isFollowed: true }
    await run(rows.change({ ...change, before: undefined, text: "a" }))
    await run(rows.change({ ...change, before: "a", text: "b" }))
    expect([await run(rows.get("c", "k")), await run(rows.entries("c"))]).toEqual(["b", [["k", "b"]]])
    await run(rows.use("c", "k"))
    expect(await run(rows.excess("c", { maxRows: 0, maxChars: 10 }))).toHaveLength(1)
    await run(rows.prune("c", { maxRows: 1, maxUnused: 60_000 }))
    await run(rows.change({ ...change, before: "b", text: undefined }))
    expect((await run(renew("a", []))).changes).toBe(3)
    expect(await run(end("b", undefined))).toBe(true)
    // What b had is of nobody when it is forgotten.
    await run(sql`UPDATE lifeline_replica SET ended_at = now() - interval '2 hours' WHERE id = 'b'`)
    await run(join("c", "http://c"))
    expect(await run(sql`SELECT FROM lifeline_claim WHERE owner = 'b'`)).toEqual([])
    expect(await run(claim("a", "one"))).toMatchObject({ owner: "a", generation: 3 })
    // Also when the first one was another role.
    await run(sql`DELETE FROM lifeline_terms`)
    await opened(role)
  })

  it("[D1] cannot be made by a role without privileges, which learns what it needs", async () => {
    const error = await refused(database)
    expect(error.message).toBe(
      "the role of this replica may not create the tables of the cluster: give it CREATE on the schema and make it the owner of the tables, or "
        + `start a replica once with a role that is, and give this one ${grants}`
    )
    const sql = await client()
    expect(await tables(sql)).toEqual([])
    await opened()
    expect((await refused(database)).message).toMatch(
      /^the database could not prepare its tables: permission denied for/
    )
    await run(sql`UPDATE lifeline_version SET version = 0`)
    await run(sql.unsafe(`GRANT SELECT ON lifeline_version TO ${database}`))
    expect((await refused(database)).message).toMatch(
      /^the role of this replica may not create the tables of the cluster: /
    )
  })

  it("[G26 D1] let in whoever has one of the keys while they change, and refuse the old one when it was taken away", async () => {
    const [old, fresh] = ["o", "n"].map((letter) => Redacted.make(letter.repeat(40))) as [typeof key, typeof key]
    const store = (key: ClusterKeys) => opened(undefined, { key })
    const one = await store(old)
    expect(await run(one.keys.begin)).toBe(false)
    expect((await refused(undefined, { key: fresh })).message).toContain("another key")
    const both = await store([fresh, old])
    expect(await run(both.keys.begin)).toBe(false)
    await run(both.keys.end)
    for (const key of [old, fresh]) await store(key)
    // One that has not got the new key yet takes nothing away.
    expect(await run(one.keys.begin)).toBe(true)
    await run(one.keys.end)
    const last = await store(fresh)
    expect(await run(last.keys.begin)).toBe(false)
    await store(old)
    await run(last.keys.end)
    expect((await refused(undefined, { key: old })).message).toContain("another key")
    expect((await run(Effect.flip(one.keys.begin))).message).toContain("another key")
  })

  it("[G26 D7] give all rows, some at a time, and their age stays if they are only sealed anew", async () => {
    const { rows } = await opened()
    const places = ["a/1", "a/2", "b/1", "B/2", "b-/3", "ä/1"]
    for (const place of places) {
      const [collection = "", key = ""] = place.split("/")
      await run(rows.change({ collection, key, before: undefined, text: "old" }))
    }
    const sql = await client()
    await run(sql`UPDATE lifeline_row SET used_at = now() - interval '1 day'`)
    const found: Array<string> = []
    let last: { readonly collection: string; readonly key: string } | undefined
    while (true) {
      const page = await run(rows.after(last, 2))
      expect(page.length).toBeLessThanOrEqual(2)
      last = page.at(-1)
      if (last === undefined) break
      for (const { collection, key, text } of page) {
        found.push(`${collection}/${key}`)
        await run(rows.change({ collection, key, before: text, text: "new", keepsAge: true }))
      }
    }
    expect(found.toSorted()).toEqual(places.toSorted())
    const fresh = () => run(sql`SELECT key FROM lifeline_row WHERE used_at > now() - interval '1 hour'`)
    expect(await fresh()).toEqual([])
    await run(rows.change({ collection: "a", key: "1", before: "new", text: "newer" }))
    expect(await fresh()).toHaveLength(1)
  })

  it("[D1] refuse a replica with another key, which is not in them", async () => {
    await opened()
    const other = Redacted.make("the key of another cluster, which is as long")
    const error = await refused(undefined, { key: other })
    expect(error.message).toBe(
      "this replica has another key than the cluster; give all replicas the same, or, to replace it, the old one as a second line of "
        + "--cluster-key-file; or, for a new cluster, stop them all and delete the rows of lifeline_terms and lifeline_row, with which logins "
        + "are lost"
    )
    const sql = await client()
    const [kept] = await run(sql`SELECT key_fingerprint FROM lifeline_terms`)
    expect(String(kept?.["key_fingerprint"])).toMatch(/^[\w-]{43}$/)
    await run(sql`DELETE FROM lifeline_terms`)
    await opened(undefined, { key: other })
    expect((await refused()).message).toContain("another key")
    expect((await refused(undefined, { key: Redacted.make("short") })).message).toBe(
      "the key of the cluster has 5 bytes, and needs at least 32: make one with: openssl rand -base64 32"
    )
  })

  it("[D3] of a replica with many sessions, which is forgotten", async () => {
    const one = await opened()
    const sql = await client()
    await run(one.join("a", "http://a"))
    await run(one.claim("a", "server"))
    await run(sql`
      INSERT INTO lifeline_claim (kind, name, owner, generation, since)
      SELECT 'session', 'session ' || n, 'a', n, now() FROM generate_series(1, 5000) AS n`)
    await run(one.end("a", undefined))
    await run(sql`UPDATE lifeline_replica SET ended_at = now() - interval '2 hours'`)
    await run(one.join("b", "http://b"))
    expect(await run(sql`SELECT id FROM lifeline_replica`)).toEqual([{ id: "b" }])
    const [left] = await run(sql`SELECT count(*)::int AS claims, count(owner)::int AS owners FROM lifeline_claim`)
    expect(left).toEqual({ claims: 5001, owners: 0 })
  })
})
