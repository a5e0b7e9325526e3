import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import type { Redacted } from "effect"
import { Effect, Schema } from "effect"
import { isSameIssuer, issuerKey } from "./addresses.js"
import { quoted, Refused } from "./Failures.js"
import { IssuerOption } from "./IssuerOption.js"

export const Client = Schema.Struct({
  origin: Schema.Literal("configured", "document", "registered"),
  id: Schema.String,
  secret: Schema.optional(Schema.Redacted(Schema.String)),
  /** Named by the user for it, at any address. */
  issuer: Schema.optional(Schema.String),
  /** How it authenticates at the token endpoint, where that was agreed on. */
  authentication: Schema.optional(Schema.String),
  /** Where its registration ends, in milliseconds since 1970. */
  expiresAt: Schema.optional(Schema.Number),
  /** Until when it is offered without a finished login, in milliseconds since 1970: only a person sees that it was forgotten. */
  offeredUntil: Schema.optional(Schema.Number),
  redirects: Schema.Array(Schema.String),
  /** The key itself is kept by whoever has it. */
  signing: Schema.optional(Schema.Struct({ file: Schema.String, algorithm: Schema.String }))
})

export type Client = typeof Client.Type

/** For `private_key_jwt`: PEM (PKCS #8) or JWK as JSON, itself or in a file. */
export type SigningKey = ({ readonly key: Redacted.Redacted } | { readonly file: string }) & {
  /** For example `ES256`, `RS256`. */
  readonly algorithm: string
}

export interface Configured {
  /**
   * Where the client is registered; no other authorization server is asked. Needed with a secret or a key: otherwise the server could name
   * one of its own, and get the secret.
   */
  readonly issuer?: string | undefined
  /** Of a client that was registered beforehand. */
  readonly id?: string | undefined
  readonly secret?: Redacted.Redacted | undefined
  readonly signingKey?: SigningKey | undefined
  /** The address of a client id metadata document: https, with a path. */
  readonly document?: string | undefined
}

/** Refuses an authorization server other than the named one, and any where one has to be named. */
export const checkIssuer = (
  { id, issuer, secret, signingKey }: Configured,
  offered: string
): Effect.Effect<void, Refused> => {
  if (issuer !== undefined) {
    return isSameIssuer(issuer, offered) ? Effect.void : Effect.flatMap(IssuerOption, (option) =>
      new Refused({
        detail:
          `the server names the authorization server ${quoted(offered)}, and you have named ${issuer} (${option}), ` +
          "so that no login is started: correct the one that is wrong"
      }))
  }
  // Without an id nobody uses them.
  if (id === undefined) return Effect.void
  const what = secret !== undefined ? "client secret" : signingKey !== undefined ? "client's key" : undefined
  return what === undefined ? Effect.void : Effect.flatMap(IssuerOption, (option) =>
    new Refused({
      detail:
        `the ${what} is not used, because it is for one authorization server, and you have not said which: if it is ` +
        `${quoted(offered)}, which the server names, add ${option} ${quoted(offered)}`
    }))
}

export const configuredFor = (
  configured: Configured,
  offered: string
): Effect.Effect<Client | undefined, Refused> => {
  const { id, issuer, secret, signingKey } = configured
  return Effect.as(
    checkIssuer(configured, offered),
    id === undefined ? undefined : {
      origin: "configured" as const,
      id,
      secret,
      issuer,
      redirects: [],
      signing: signingKey !== undefined && "file" in signingKey ? signingKey : undefined
    }
  )
}

export const signingKeyFor = (
  { issuer, signingKey }: Configured,
  { client, issuer: of }: { readonly client: Client; readonly issuer: string }
): SigningKey | undefined =>
  client.origin === "configured" && issuer !== undefined && isSameIssuer(issuer, of) ? signingKey : undefined

export const registered = (folder: StateFolder.StateFolder["Type"]): StateFolder.Collection<Client> =>
  folder.collection("clients", Client)

export interface Owner {
  readonly issuer: string
  readonly server: string
  readonly account: string
}

export const key = ({ account, issuer, server }: Owner): string => StateFolder.key(issuerKey(issuer), server, account)

export const isUnknown = ({ code }: Refused): boolean => code === "invalid_client" || code === "unauthorized_client"

export const forget = (folder: StateFolder.StateFolder["Type"], owner: Owner): Effect.Effect<void> =>
  registered(folder).remove(key(owner))
