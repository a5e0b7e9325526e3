/**
 * The store of a cluster in PostgreSQL, 13 or later. Nothing that has to hold depends on the clock of the database.
 *
 * The role needs `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the tables `lifeline_terms`, `lifeline_replica`, `lifeline_claim` and
 * `lifeline_row`, and `SELECT` on `lifeline_version`. The first replica makes them, and the first of a later version changes them: its role
 * also needs `CREATE` on the schema, and has to own the tables.
 *
 * A commit must not be lost: a standby that can take over has to be synchronous (`synchronous_standby_names`).
 */
import { layer as reactivity } from "@effect/experimental/Reactivity"
import { PgClient } from "@effect/sql-pg"
import { TimeSpan } from "@mcp-lifeline/core/options"
import { Duration, Effect, Fiber, type Redacted, Schema, Scope } from "effect"
import { Socket } from "node:net"
import type { ConnectionOptions } from "node:tls"
import type { ClusterKeys } from "./ClusterKey.js"
import { type ClusterStore, type Replica, StoreError } from "./ClusterStore.js"
import type { ReplicaId } from "./LeaseRules.js"
import * as Claims from "./postgres/Claims.js"
import * as KeyPrints from "./postgres/KeyPrints.js"
import * as Rows from "./postgres/Rows.js"
import * as SealedAddresses from "./postgres/SealedAddresses.js"
import { decoded, type Limited } from "./postgres/statements.js"
import * as Tables from "./postgres/Tables.js"
import { defaults, type Terms } from "./Terms.js"
import * as uptime from "./uptime.js"

export interface Options {
  /**
   * `postgres://user:password@host:port/database`, with parameters. Those for TLS differ from `psql`:
   *
   * - `sslmode=verify-full`: only TLS, with a certificate for the URL's host, signed by somebody that Node.js trusts, or by `sslrootcert`,
   *   the path of a PEM file. Use it wherever the network is not your own.
   * - `prefer`, `require`, `verify-ca`, and any other word: the same. With `uselibpqcompat=true` they are those of `psql`: `require` alone
   *   verifies nothing, and `verify-ca` no name.
   * - `no-verify`: TLS with whoever answers.
   * - `disable`, or neither `sslmode` nor `sslrootcert`, `sslcert` or `sslkey`: no TLS.
   *
   * No mode falls back to no TLS.
   */
  readonly url: Redacted.Redacted
  /** Options of TLS, or whether to use it. Only where the URL says nothing of TLS. */
  readonly ssl?: boolean | ConnectionOptions | undefined
  /** Kept in the store. Default: `defaults`. */
  readonly terms?: Terms | undefined
  /** At least 32 bytes. The store keeps a fingerprint. */
  readonly key: ClusterKeys
  /** Then a statement fails, and its connections count as broken. Default 3 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
}

const forgotten = "1 hour"

/** For sessions that ended with their owner: none goes on after that long unused. */
const oldest = "31 days"

const atOnce = 2000

const preparation = "1 minute"

export interface PostgresStore extends ClusterStore {
  readonly keys: KeyPrints.KeyPrints
}

const TermsRow = Schema.Struct({
  terms: Schema.Struct({
    lease: Schema.Number,
    margin: Schema.Number,
    renewal: Schema.Number,
    withoutStore: Schema.Number
  })
})
const ReplicaRow = Schema.Struct({
  id: Schema.String,
  address: Schema.String,
  renewals: Schema.NumberFromString,
  witnesses: Schema.Array(Schema.String),
  hasEnded: Schema.Boolean,
  mine: Schema.NullOr(Schema.NumberFromString),
  changes: Schema.NullOr(Schema.NumberFromString),
  now: Schema.Number
})
const LoadRow = Schema.Struct({ owner: Schema.String, load: Schema.NumberFromString })
const ServerRow = Schema.Struct({ ...Claims.OwnershipRow.fields, server: Schema.String, since: Schema.Number })

const termNames: Readonly<Record<keyof Terms, readonly [name: string, option: string]>> = {
  lease: ["the lease", "--cluster-lease"],
  withoutStore: ["the time without the database", "--cluster-without-database"],
  margin: ["the margin", "terms"],
  renewal: ["the time between two renewals", "terms"]
}

const otherTerms = (own: Terms, kept: Terms): string | undefined => {
  const other = (Object.keys(termNames) as Array<keyof Terms>).find((name) => kept[name] !== own[name])
  if (other === undefined) return undefined
  const [name, option] = termNames[other]
  return `${name} of this replica is ${TimeSpan.show(own[other])}, and that of the cluster ${
    TimeSpan.show(kept[other])
  }; give all replicas the same ${option}, or, to change it, stop them all, delete the row of lifeline_terms, and start them anew`
}

const reason = (error: unknown): string => {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}

const failed = (what: string) => (cause: unknown) =>
  cause instanceof StoreError
    ? cause
    : new StoreError({ message: `the database could not ${what}: ${reason(cause)}${Tables.remedy(cause)}`, cause })

/**
 * Connects, and makes or migrates the tables. At most six connections, which close with the scope.
 *
 * Fails with a StoreError if the database cannot be reached, the role lacks a privilege, the cluster has another key or other terms, its
 * tables are of a later version, or the key has less than 32 bytes. Later, an operation that is not answered within `timeout` fails with
 * one. An interrupted operation may still be carried out.
 */
export const make = (
  { key, ssl, terms = defaults, timeout = "3 seconds", url }: Options
): Effect.Effect<PostgresStore, StoreError, Scope.Scope> =>
  Effect.gen(function*() {
    const { addresses, prints } = yield* Effect.try({
      try: () => ({
        prints: KeyPrints.of(key),
        addresses: SealedAddresses.make(key, terms.withoutStore + terms.lease)
      }),
      catch: (cause) => new StoreError({ message: reason(cause), cause })
    })
    const sockets = new Set<Socket>()
    const disconnect = Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
    })
    const stream = (): Socket => {
      const socket = new Socket()
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
      return socket
    }
    const scope = yield* Effect.scope
    const limited: Limited = (what, work, duration = timeout) =>
      work.pipe(
        Effect.mapError(failed(what)),
        Effect.disconnect,
        Effect.timeoutFail({
          duration,
          onTimeout: () =>
            new StoreError({
              message: `the database did not ${what} within ${Duration.format(Duration.decode(duration))}`
            })
        }),
        Effect.tapError((error) => error.cause === undefined ? disconnect : Effect.void),
        Effect.forkIn(scope),
        Effect.flatMap(Fiber.join)
      )
    const sql = yield* limited(
      "connect",
      PgClient.make({ url, ssl, stream, maxConnections: 6, connectTimeout: timeout, applicationName: "mcp-lifeline" })
        .pipe(
          Effect.provide(reactivity),
          Scope.extend(scope)
        )
    )
    yield* Effect.addFinalizer(() => disconnect)

    const prepare = sql.withTransaction(Effect.gen(function*() {
      yield* Tables.prepare(sql)
      yield* sql`
        INSERT INTO lifeline_terms (terms, key_fingerprint) VALUES (${JSON.stringify(terms)}::jsonb, ${
        KeyPrints.text(prints)
      })
        ON CONFLICT DO NOTHING`
      yield* KeyPrints.admit(sql, prints)
      return yield* decoded(TermsRow, sql`SELECT terms FROM lifeline_terms`)
    }))
    const [kept] = yield* limited("prepare its tables", prepare, preparation)
    const message = kept && otherTerms(terms, kept.terms)
    if (message !== undefined) return yield* new StoreError({ message })

    const own = new Map<ReplicaId, string>()
    /** As last seen, and the machine's then. */
    let clock = { database: 0, here: 0 }
    const saw = (database: number): void => {
      clock = { database, here: uptime.now() }
    }
    const sealed = (id: ReplicaId, address: string): string =>
      addresses.seal(id, address, clock.database + uptime.now() - clock.here)

    let told: ReadonlyArray<ReplicaId> = []
    /** Somebody else, or another version, writes to the database. */
    const tell = (replicas: ReadonlyArray<Replica>): Effect.Effect<void> =>
      Effect.suspend(() => {
        const unsealed = replicas.filter(({ address, hasEnded }) => address === undefined && !hasEnded)
          .map(({ id }) => id)
        const isNew = unsealed.some((id) => !told.includes(id))
        told = unsealed
        return isNew
          ? Effect.logWarning(
            `the database has replicas whose addresses were not sealed with the key of this cluster of late, so nothing is sent to them: ${
              unsealed.map((id) => JSON.stringify(id.slice(0, 100))).slice(0, 10).join(", ")
            }; who else writes to it?`
          )
          : Effect.void
      })

    return {
      join: (id, address) =>
        Effect.gen(function*() {
          const time = decoded(Schema.Struct({ now: Schema.Number }), sql`SELECT ${sql.literal(Claims.nowColumn)}`)
          yield* Effect.map(limited("add this replica", time), ([row]) => saw(row?.now ?? 0))
          own.set(id, address)
          const isLeft = sql`owner IN (SELECT id FROM lifeline_replica WHERE ended_at < now() - ${forgotten}::interval)`
          // Many sessions are a few statements, so that none takes too long.
          const leave = sql`
            UPDATE lifeline_claim SET owner = NULL WHERE (kind, name) IN (
              SELECT kind, name FROM lifeline_claim WHERE ${isLeft} LIMIT ${atOnce}
            ) RETURNING true`
          yield* Effect.repeat(limited("forget replicas", leave), { until: (left) => left.length < atOnce })
          const add = Effect.all([
            sql`DELETE FROM lifeline_replica WHERE ended_at < now() - ${forgotten}::interval`,
            sql`
              DELETE FROM lifeline_claim WHERE kind <> 'server' AND since < now() - ${oldest}::interval AND (owner IS NULL
                OR EXISTS (SELECT FROM lifeline_replica WHERE id = owner AND ended_at IS NOT NULL))`,
            sql`INSERT INTO lifeline_replica (id, address) VALUES (${id}, ${
              sealed(id, address)
            }) ON CONFLICT DO NOTHING`
          ], { discard: true })
          yield* limited("add this replica", add)
        }),
      renew: (id, witnesses) => {
        const address = own.get(id)
        const seal = address === undefined ? null : sealed(id, address)
        const rows = sql`
          WITH mine AS (
            UPDATE lifeline_replica SET renewals = renewals + 1, witnesses = ${JSON.stringify(witnesses)}::jsonb,
              address = COALESCE(${seal}, address)
            WHERE id = ${id} AND ended_at IS NULL RETURNING renewals
          )
          SELECT id, address, renewals, witnesses, ended_at IS NOT NULL AS "hasEnded", (SELECT renewals FROM mine) AS mine,
            (SELECT changes FROM lifeline_terms) AS changes, ${sql.literal(Claims.nowColumn)}
          FROM lifeline_replica`
        return limited(
          "renew the lease",
          Effect.map(decoded(ReplicaRow, rows), (found) => {
            const [first] = found
            if (first !== undefined) saw(first.now)
            const renewals = first?.mine ?? undefined
            if (renewals === undefined) own.delete(id)
            const replicas = found.map((row) => ({ ...row, address: addresses.open(row.id, row.address, row.now) }))
            return { renewals, replicas, changes: first?.changes ?? 0 }
          })
        ).pipe(Effect.tap(({ replicas }) => tell(replicas)))
      },
      end: (id, renewals) =>
        limited(
          "end a lease",
          Effect.gen(function*() {
            const seen = renewals ?? null
            yield* sql`
              UPDATE lifeline_replica SET ended_at = now()
              WHERE id = ${id} AND ended_at IS NULL AND (${seen}::bigint IS NULL OR renewals = ${seen}::bigint)`
            const alive = yield* sql`SELECT FROM lifeline_replica WHERE id = ${id} AND ended_at IS NULL`
            return alive.length === 0
          })
        ),
      ...Claims.make(sql, limited, addresses, "server"),
      sessions: Claims.make(sql, limited, addresses, "session"),
      locks: Claims.make(sql, limited, addresses, "lock"),
      rows: Rows.make(sql, limited),
      keys: KeyPrints.make(sql, limited, prints),
      loads: limited(
        "count the servers",
        Effect.map(
          decoded(
            LoadRow,
            sql`
              SELECT owner, count(*) AS load FROM lifeline_claim JOIN lifeline_replica ON id = owner
              WHERE kind = 'server' AND ended_at IS NULL GROUP BY owner`
          ),
          (rows) => new Map(rows.map(({ load, owner }) => [owner, load]))
        )
      ),
      servers: limited(
        "list the servers",
        Effect.map(
          decoded(
            ServerRow,
            sql`
            SELECT name AS server, owner, address, generation, ${
              sql.literal(Claims.nowColumn)
            }, (extract(epoch FROM since) * 1000)::float8 AS since
            FROM lifeline_claim JOIN lifeline_replica ON id = owner
            WHERE kind = 'server' AND ended_at IS NULL ORDER BY name`
          ),
          (rows) => rows.map(Claims.opened(addresses))
        )
      )
    }
  })
