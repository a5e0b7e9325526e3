import type { PgClient } from "@effect/sql-pg"
import { Effect, Schema } from "effect"
import type { Claims, Ownership } from "../ClusterStore.js"
import type { SealedAddresses } from "./SealedAddresses.js"
import { decoded, type Limited } from "./statements.js"

export type Kind = "server" | "session" | "lock"

export const OwnershipRow = Schema.Struct({
  owner: Schema.String,
  address: Schema.String,
  generation: Schema.NumberFromString,
  now: Schema.Number
})

/** In milliseconds since 1970. */
export const nowColumn = `(extract(epoch FROM now()) * 1000)::float8 AS now`

export const opened =
  (addresses: SealedAddresses) => <A extends typeof OwnershipRow.Type>({ address, now, ...row }: A) => ({
    ...row,
    address: addresses.open(row.owner, address, now)
  })

export const make = (
  sql: PgClient.PgClient,
  limited: Limited,
  addresses: SealedAddresses,
  kind: Kind
): Claims => {
  // The row of a server stays, and counts. For others, each transaction has its own number.
  const isCounted = kind === "server"
  const first = sql.literal(isCounted ? "1" : "pg_current_xact_id()::text::bigint")
  const next = sql.literal(isCounted ? "held.generation + 1" : "excluded.generation")
  const ownership = (name: string) =>
    Effect.map(
      decoded(
        OwnershipRow,
        sql`
          SELECT owner, address, generation, ${
          sql.literal(nowColumn)
        } FROM lifeline_claim JOIN lifeline_replica ON id = owner
          WHERE kind = ${kind} AND name = ${name} AND ended_at IS NULL`
      ),
      ([found]): Ownership | undefined => found && opened(addresses)(found)
    )
  return {
    find: (name) => limited(`find a ${kind}`, ownership(name)),
    // An owner has ended if its row says so, not if there is none: this statement may not see one that has just joined.
    claim: (id, name, instead = 0) =>
      limited(
        `assign a ${kind}`,
        Effect.zipRight(
          sql`
            INSERT INTO lifeline_claim AS held (kind, name, owner, generation, since)
            SELECT ${kind}, ${name}, id, ${first}, now() FROM lifeline_replica WHERE id = ${id} AND ended_at IS NULL
            ON CONFLICT (kind, name) DO UPDATE
            SET owner = excluded.owner, generation = ${next}, since = now()
            WHERE held.owner IS NULL OR (held.owner = ${id} AND held.generation = ${instead})
              OR EXISTS (SELECT FROM lifeline_replica WHERE id = held.owner AND ended_at IS NOT NULL)`,
          ownership(name)
        )
      ),
    release: (id, name, generation) => {
      const mine = sql`kind = ${kind} AND name = ${name} AND owner = ${id} AND generation = ${generation}`
      return limited(
        `release a ${kind}`,
        isCounted
          ? sql`UPDATE lifeline_claim SET owner = NULL WHERE ${mine}`
          : sql`DELETE FROM lifeline_claim WHERE ${mine}`
      )
    }
  }
}
