import type { SqlError } from "@effect/sql/SqlError"
import { type Duration, Effect, type ParseResult, Schema } from "effect"
import type { StoreError } from "../ClusterStore.js"

/** Cannot be interrupted, but only waited for no longer. `what`: for the message. `duration`: other than for all statements. */
export type Limited = <A, E>(
  what: string,
  work: Effect.Effect<A, E>,
  duration?: Duration.DurationInput
) => Effect.Effect<A, StoreError>

export const decoded = <A, I>(
  row: Schema.Schema<A, I>,
  rows: Effect.Effect<ReadonlyArray<unknown>, SqlError>
): Effect.Effect<ReadonlyArray<A>, SqlError | ParseResult.ParseError> =>
  Effect.flatMap(rows, Schema.decodeUnknown(Schema.Array(row)))
