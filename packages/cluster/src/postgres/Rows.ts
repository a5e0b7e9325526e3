import type { PgClient } from "@effect/sql-pg"
import { Effect, Schema } from "effect"
import type { Change, Rows } from "../ClusterStore.js"
import { decoded, type Limited } from "./statements.js"

const PlacedRow = Schema.Struct({ collection: Schema.String, key: Schema.String, text: Schema.String })
const TextRow = Schema.Struct({ key: Schema.String, text: Schema.String })

const entries = (rows: Parameters<typeof decoded>[1]) =>
  Effect.map(decoded(TextRow, rows), (all) => all.map(({ key, text }) => [key, text] as const))

export const make = (sql: PgClient.PgClient, limited: Limited): Rows => {
  const found = (collection: string, key: string) =>
    Effect.map(
      decoded(TextRow, sql`SELECT key, text FROM lifeline_row WHERE collection = ${collection} AND key = ${key}`),
      ([row]): string | undefined => row?.text
    )
  const changing = ({ before, collection, keepsAge = false, key, text }: Change) => {
    if (before === undefined) {
      return sql`
        INSERT INTO lifeline_row (collection, key, text) VALUES (${collection}, ${key}, ${text ?? null})
        ON CONFLICT DO NOTHING RETURNING key`
    }
    const where = sql`WHERE collection = ${collection} AND key = ${key} AND text = ${before} RETURNING key`
    return text === undefined
      ? sql`DELETE FROM lifeline_row ${where}`
      : keepsAge
      ? sql`UPDATE lifeline_row SET text = ${text} ${where}`
      : sql`UPDATE lifeline_row SET text = ${text}, used_at = now() ${where}`
  }
  /** Who commits later, counts later. */
  const counted = (change: Change) =>
    sql`
      WITH changed AS (${changing(change)}),
        counted AS (UPDATE lifeline_terms SET changes = changes + 1 WHERE EXISTS (SELECT FROM changed))
      SELECT key FROM changed`
  return {
    get: (collection, key) => limited("read what replicas share", found(collection, key)),
    entries: (collection) =>
      limited(
        "read what replicas share",
        entries(sql`SELECT key, text FROM lifeline_row WHERE collection = ${collection} ORDER BY key COLLATE "C"`)
      ),
    after: (place, maxRows) =>
      limited(
        "read what replicas share",
        decoded(
          PlacedRow,
          place === undefined
            ? sql`SELECT collection, key, text FROM lifeline_row ORDER BY collection, key LIMIT ${maxRows}`
            : sql`
              SELECT collection, key, text FROM lifeline_row
              WHERE (collection, key) > (${place.collection}, ${place.key}) ORDER BY collection, key LIMIT ${maxRows}`
        )
      ),
    change: (change) => {
      const { before, collection, isFollowed = false, key, text } = change
      const changed = Effect.map(isFollowed ? counted(change) : changing(change), (rows) => rows.length > 0)
      return limited(
        "write what replicas share",
        before === text
          ? found(collection, key)
          : Effect.if(changed, { onTrue: () => Effect.succeed(text), onFalse: () => found(collection, key) })
      )
    },
    use: (collection, key) =>
      limited(
        "write what replicas share",
        sql`UPDATE lifeline_row SET used_at = now() WHERE collection = ${collection} AND key = ${key}`
      ),
    excess: (collection, { maxChars, maxRows }) =>
      limited(
        "find what replicas do not use",
        entries(sql`
          SELECT key, text FROM lifeline_row JOIN (
            SELECT key, row_number() OVER newest AS number, sum(pg_column_size(text)) OVER newest AS chars
            FROM lifeline_row WHERE collection = ${collection} WINDOW newest AS (ORDER BY used_at DESC, key)
          ) AS counted USING (key)
          WHERE collection = ${collection} AND (number > ${maxRows} OR chars > ${maxChars})
          ORDER BY number DESC LIMIT 1000`)
      ),
    prune: (collection, { maxRows, maxUnused }) =>
      limited(
        "remove what replicas do not use",
        sql`
          DELETE FROM lifeline_row WHERE collection = ${collection} AND (
            used_at < now() - ${maxUnused} * interval '1 millisecond'
            OR key IN (SELECT key FROM lifeline_row WHERE collection = ${collection} ORDER BY used_at DESC OFFSET ${maxRows})
          )`
      )
  }
}
