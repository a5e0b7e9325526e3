/**
 * What all statements of the store have in common.
 */
import type { SqlError } from "@effect/sql/SqlError"
import { type Duration, Effect, type ParseResult, Schema } from "effect"
import type { StoreError } from "../ClusterStore.js"

/**
 * Does something that nobody can interrupt, but only wait for no longer. `what`: what the database could not do then. `duration`: other than that of
 * all statements.
 */
export type Limited = <A, E>(
  what: string,
  work: Effect.Effect<A, E>,
  duration?: Duration.DurationInput
) => Effect.Effect<A, StoreError>

/** Rows of a form. */
export const decoded = <A, I>(
  row: Schema.Schema<A, I>,
  rows: Effect.Effect<ReadonlyArray<unknown>, SqlError>
): Effect.Effect<ReadonlyArray<A>, SqlError | ParseResult.ParseError> =>
  Effect.flatMap(rows, Schema.decodeUnknown(Schema.Array(row)))
