import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Redacted, Schema } from "effect"
import { isSameIssuer, issuerKey } from "./addresses.js"
import { Client, type Configured } from "./Client.js"
import { Metadata } from "./Metadata.js"
import * as scopes from "./scopes.js"

/** In a browser that comes back to this machine, or by a machine alone. */
export const Method = Schema.Literal("browser", "credentials")

export type Method = typeof Method.Type

/** Times are milliseconds since 1970. */
export const Grant = Schema.Struct({
  server: Schema.String,
  account: Schema.String,
  issuer: Schema.String,
  method: Method,
  metadata: Metadata,
  resource: Schema.optional(Schema.String),
  client: Client,
  access: Schema.Redacted(Schema.String),
  refresh: Schema.optional(Schema.Redacted(Schema.String)),
  /** What was given. */
  scope: Schema.optional(Schema.String),
  /** What was asked for. */
  asked: Schema.optional(Schema.String),
  obtainedAt: Schema.Number,
  expiresAt: Schema.optional(Schema.Number)
})

export type Grant = typeof Grant.Type

export const grants = (state: StateFolder.StateFolder["Type"]): StateFolder.Collection<Grant> =>
  state.collection("grants", Grant)

/** Never by the value of a header. */
export const key = ({ account, issuer, server }: Pick<Grant, "account" | "issuer" | "server">): string =>
  StateFolder.key(issuerKey(issuer), server, account)

/** The newest, from whichever authorization server. */
export const find = (
  kept: StateFolder.Collection<Grant>,
  server: string,
  account: string
): Effect.Effect<Grant | undefined> =>
  Effect.map(
    kept.entries,
    (all) =>
      all.map(([, grant]) => grant).filter((grant) => grant.server === server && grant.account === account)
        .toSorted((a, b) => b.obtainedAt - a.obtainedAt)[0]
  )

/** Forgets grants of other authorization servers for the same server and account. */
export const save = (kept: StateFolder.Collection<Grant>, grant: Grant): Effect.Effect<void> =>
  Effect.gen(function*() {
    yield* kept.set(key(grant), grant)
    for (const [other, { account, server }] of yield* kept.entries) {
      if (other !== key(grant) && server === grant.server && account === grant.account) yield* kept.remove(other)
    }
  })

/** By the access token. */
export const isSame = (a: Grant | undefined, b: Grant | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && Redacted.value(a.access) === Redacted.value(b.access))

/** Whether a login with these options would be made in the same way, by the same client, for no more rights. Without any option, any grant will do. */
export const isAskedFor = (
  { asked, client, issuer, metadata, method, scope }: Grant,
  wanted: { readonly method: Method; readonly client: Configured; readonly scope: string | undefined }
): boolean => {
  const { document, id, issuer: chosen } = wanted.client
  if (wanted.method === "browser" && [document, id, chosen, wanted.scope].every((one) => one === undefined)) return true
  // An authorization server that knows no such documents has registered the client.
  const ofDocument = metadata.client_id_metadata_document_supported === true ? document : undefined
  return method === wanted.method &&
    (id ?? ofDocument ?? client.id) === client.id &&
    (chosen === undefined || isSameIssuer(chosen, issuer)) &&
    scopes.covers(scopes.union(asked, scope), wanted.scope)
}

/** What is left of a token when it is renewed: a fifth, at most five minutes. */
const margin = ({ expiresAt = 0, obtainedAt }: Grant): number =>
  Math.min(300_000, Math.max(0, expiresAt - obtainedAt) / 5)

export const isDue = (grant: Grant, now: number): boolean =>
  grant.expiresAt !== undefined && grant.expiresAt - now <= margin(grant) &&
  (grant.refresh !== undefined || grant.method === "credentials")
