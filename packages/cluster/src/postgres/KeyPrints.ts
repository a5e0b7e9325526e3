/** Newest first. They only say whether replicas have a key in common. */
import type { PgClient } from "@effect/sql-pg"
import { Effect, Schema } from "effect"
import * as ClusterKey from "../ClusterKey.js"
import { StoreError } from "../ClusterStore.js"
import { decoded, type Limited } from "./statements.js"

type Prints = ReadonlyArray<string>

/** A change is complete when everything shared is sealed with these keys, and no others. */
export interface KeyPrints {
  /** Lets in replicas with these keys, too. Returns whether others have newer ones. Fails if no key is in common. */
  readonly begin: Effect.Effect<boolean, StoreError>
  /** Refuses replicas with none of these keys, unless others have newer ones. */
  readonly end: Effect.Effect<void, StoreError>
}

const info = "mcp-lifeline cluster: fingerprint of the key, form 1"

const separator = " "

const Row = Schema.Struct({ prints: Schema.String })

export const of = (keys: ClusterKey.ClusterKeys): Prints =>
  ClusterKey.allDerived(keys, info).map((key) => key.toString("base64url"))

export const text = (prints: Prints): string => prints.join(separator)

/** The cluster has newer keys. */
const isBehind = (own: Prints, known: Prints): boolean =>
  known.slice(0, Math.max(0, known.indexOf(own[0] ?? ""))).some((print) => !own.includes(print))

/** undefined if no key is in common. */
export const merged = (own: Prints, known: Prints): Prints | undefined => {
  if (!own.some((print) => known.includes(print))) return undefined
  return isBehind(own, known) ? known : [...own, ...known.filter((print) => !own.includes(print))]
}

const refused = new StoreError({
  message:
    "this replica has another key than the cluster; give all replicas the same, or, to replace it, the old one as a second line of "
    + "--cluster-key-file; or, for a new cluster, stop them all and delete the rows of lifeline_terms and lifeline_row, with which logins are lost"
})

/** In the current transaction. Returns what the cluster has then. */
export const admit = (sql: PgClient.PgClient, own: Prints) =>
  Effect.gen(function*() {
    const [row] = yield* decoded(Row, sql`SELECT key_fingerprint AS prints FROM lifeline_terms FOR UPDATE`)
    const known = row?.prints.split(separator) ?? own
    const next = merged(own, known)
    if (next === undefined) return yield* refused
    if (text(next) !== text(known)) yield* sql`UPDATE lifeline_terms SET key_fingerprint = ${text(next)}`
    return next
  })

export const make = (sql: PgClient.PgClient, limited: Limited, own: Prints): KeyPrints => ({
  begin: limited(
    "change its key",
    Effect.map(sql.withTransaction(admit(sql, own)), (next) => isBehind(own, next))
  ),
  end: limited(
    "change its key",
    sql.withTransaction(
      Effect.flatMap(admit(sql, own), (next) =>
        isBehind(own, next)
          ? Effect.void
          : Effect.asVoid(sql`UPDATE lifeline_terms SET key_fingerprint = ${text(own)}`))
    )
  )
})
