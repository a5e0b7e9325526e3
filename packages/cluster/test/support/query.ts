/** Asks the database of a test in SQL, as somebody who is no replica. */
import { layer as reactivity } from "@effect/experimental/Reactivity"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"

export type Row = Readonly<Record<string, unknown>>

export const query = (
  url: string,
  run: (sql: PgClient.PgClient) => Effect.Effect<ReadonlyArray<Row>, unknown>
): Promise<ReadonlyArray<Row>> =>
  Effect.runPromise(Effect.scoped(
    Effect.flatMap(PgClient.make({ url: Redacted.make(url) }), run).pipe(Effect.provide(reactivity), Effect.orDie)
  ))
