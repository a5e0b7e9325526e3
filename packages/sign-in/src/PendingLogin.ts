/**
 * A login that waits for a person, as it is kept in the state folder: so that all processes show the same address, and another one can
 * finish it when the process that began it has ended.
 */
import type * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Schema } from "effect"
import { Client } from "./Client.js"
import { Metadata } from "./Metadata.js"

/** How long a login waits, in milliseconds. Authorization servers give up after about as long. */
export const lifetime = 600_000

/** A login that waits for a person; times are milliseconds since 1970. */
export const PendingLogin = Schema.Struct({
  server: Schema.String,
  account: Schema.String,
  issuer: Schema.String,
  metadata: Metadata,
  resource: Schema.optional(Schema.String),
  client: Client,
  scope: Schema.optional(Schema.String),
  /** Where the person goes. */
  address: Schema.String,
  until: Schema.Number,
  /** Whether it is for one of several people: then only the process that began it can go on with it, and its address is that person's. */
  isPersonal: Schema.optional(Schema.Boolean),
  /** Whether a browser was opened for it. */
  opened: Schema.Boolean,
  redirect: Schema.String,
  state: Schema.Redacted(Schema.String),
  verifier: Schema.Redacted(Schema.String)
})

export type PendingLogin = typeof PendingLogin.Type

export const pendingLogins = (state: StateFolder.StateFolder["Type"]): StateFolder.Collection<PendingLogin> =>
  state.collection("logins", PendingLogin)
