import type { PgClient } from "@effect/sql-pg"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, type ParseResult, Predicate, Schema } from "effect"
import { StoreError } from "../ClusterStore.js"
import { decoded } from "./statements.js"

/** Replicas that start together must not make the tables twice. */
const lock = 7_310_562_903

/** Version n has the first n of these. None is changed once published. */
export const steps: ReadonlyArray<string> = [
  `
  CREATE TABLE lifeline_terms (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    terms jsonb NOT NULL,
    key_fingerprint text NOT NULL,
    changes bigint NOT NULL DEFAULT 0
  );
  CREATE TABLE lifeline_replica (
    id text PRIMARY KEY,
    address text NOT NULL,
    renewals bigint NOT NULL DEFAULT 0,
    witnesses jsonb NOT NULL DEFAULT '[]',
    ended_at timestamptz
  ) WITH (fillfactor = 50);
  CREATE TABLE lifeline_claim (
    kind text,
    name text,
    owner text REFERENCES lifeline_replica (id) ON DELETE SET NULL,
    generation bigint NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (kind, name)
  );
  CREATE INDEX lifeline_claim_owner ON lifeline_claim (owner);
  CREATE TABLE lifeline_row (
    collection text,
    key text,
    text text NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection, key)
  );
`
]

const VersionRow = Schema.Struct({ version: Schema.Number })

const privileges =
  "SELECT, INSERT, UPDATE and DELETE on lifeline_terms, lifeline_replica, lifeline_claim and lifeline_row, and SELECT on lifeline_version"

const insufficientPrivilege = "42501"

const isForbidden = (error: unknown): error is SqlError =>
  Predicate.isTagged(error, "SqlError") && Predicate.hasProperty(error, "cause")
  && Predicate.hasProperty(error.cause, "code") && error.cause.code === insufficientPrivilege

export const remedy = (error: unknown): string => isForbidden(error) ? `; its role needs ${privileges}` : ""

const forbidden = (cause: SqlError, version: number): StoreError =>
  new StoreError({
    message:
      `the role of this replica may not ${
        version === 0 ? "create the tables of the cluster" : `change the tables of the cluster from version ${version}`
      }: give it CREATE on the schema and make it the owner of the tables, or start a replica once with a role that is, and give this one `
      + privileges,
    cause
  })

/** In the current transaction. */
export const prepare = (
  sql: PgClient.PgClient,
  all: ReadonlyArray<string> = steps
): Effect.Effect<void, SqlError | ParseResult.ParseError | StoreError> =>
  Effect.gen(function*() {
    yield* sql`SELECT pg_advisory_xact_lock(${lock})`
    const [table] = yield* sql`SELECT to_regclass('lifeline_version') IS NOT NULL AS "isThere"`
    const found = table?.["isThere"] === true
      ? yield* decoded(VersionRow, sql`SELECT version FROM lifeline_version`)
      : []
    const version = found[0]?.version ?? 0
    if (version > all.length) {
      return yield* new StoreError({
        message:
          `the tables of the cluster are of version ${version}, and this version of Lifeline knows them up to ${all.length}: `
          + "run the version that the other replicas have, or a later one"
      })
    }
    if (version === all.length) return
    yield* Effect.gen(function*() {
      if (table?.["isThere"] !== true) {
        yield* sql`CREATE TABLE lifeline_version (one boolean PRIMARY KEY DEFAULT true CHECK (one), version int NOT NULL)`
      }
      for (const step of all.slice(version)) yield* sql.unsafe(step)
      yield* sql`
        INSERT INTO lifeline_version (version) VALUES (${all.length}) ON CONFLICT (one) DO UPDATE SET version = excluded.version`
    }).pipe(
      Effect.catchIf(isForbidden, (error) => forbidden(error, version))
    )
  })
