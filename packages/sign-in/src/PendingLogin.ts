/**
 * All processes show the same address, and another one can finish the login when the first has ended.
 */
import type * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Schema } from "effect"
import { Client } from "./Client.js"
import { Metadata } from "./Metadata.js"

/** How long a login waits, in milliseconds. Authorization servers give up after about as long. */
export const lifetime = 600_000

/** Times are milliseconds since 1970. */
export const PendingLogin = Schema.Struct({
  server: Schema.String,
  account: Schema.String,
  issuer: Schema.String,
  metadata: Metadata,
  resource: Schema.optional(Schema.String),
  client: Client,
  scope: Schema.optional(Schema.String),
  address: Schema.String,
  until: Schema.Number,
  /** For one of several people: only the process that began it can go on, and the address is that person's. */
  isPersonal: Schema.optional(Schema.Boolean),
  opened: Schema.Boolean,
  redirect: Schema.String,
  state: Schema.Redacted(Schema.String),
  verifier: Schema.Redacted(Schema.String)
})

export type PendingLogin = typeof PendingLogin.Type

export const pendingLogins = (state: StateFolder.StateFolder["Type"]): StateFolder.Collection<PendingLogin> =>
  state.collection("logins", PendingLogin)
