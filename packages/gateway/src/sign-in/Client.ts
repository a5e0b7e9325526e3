/**
 * Who we are to an authorization server.
 */
import type { Effect, Redacted } from "effect"
import { Schema } from "effect"
import * as StateFolder from "../state/StateFolder.js"

/** A client that an authorization server knows. */
export const Client = Schema.Struct({
  /** Where its id comes from. */
  origin: Schema.Literal("configured", "document", "registered"),
  id: Schema.String,
  secret: Schema.optional(Schema.Redacted(Schema.String)),
  /** How it shows at the token endpoint who it is, where that was agreed on. */
  authentication: Schema.optional(Schema.String),
  /** Where its registration ends, in milliseconds since 1970. */
  expiresAt: Schema.optional(Schema.Number),
  redirects: Schema.Array(Schema.String),
  /** The file of its private key: the key itself is kept by whoever has it. */
  signing: Schema.optional(Schema.Struct({ file: Schema.String, algorithm: Schema.String }))
})

/** A client that an authorization server knows. */
export type Client = typeof Client.Type

/** A key with which a client signs who it is (private_key_jwt): PEM (PKCS #8) or JWK as JSON, itself or in a file. */
export type SigningKey = ({ readonly key: Redacted.Redacted } | { readonly file: string }) & {
  /** For example `ES256`, `RS256`. */
  readonly algorithm: string
}

/** What a user has configured of the client. */
export interface Configured {
  /** The id of a client that was registered beforehand. */
  readonly id?: string | undefined
  readonly secret?: Redacted.Redacted | undefined
  readonly signingKey?: SigningKey | undefined
  /** The address of a client id metadata document: https, with a path. */
  readonly document?: string | undefined
}

/** A client that the user has configured, if there is one. */
export const configured = ({ id, secret, signingKey }: Configured): Client | undefined =>
  id === undefined ? undefined : {
    origin: "configured",
    id,
    secret,
    redirects: [],
    signing: signingKey !== undefined && "file" in signingKey ? signingKey : undefined
  }

/** The clients that we registered ourselves, in a state folder. */
export const registered = (folder: StateFolder.StateFolder["Type"]): StateFolder.Collection<Client> =>
  folder.collection("clients", Client)

/** Whose client it is: of one authorization server, for one server and account. */
export interface Owner {
  readonly issuer: string
  readonly server: string
  readonly account: string
}

/** The key of a registered client. */
export const key = ({ account, issuer, server }: Owner): string => StateFolder.key(issuer, server, account)

/** Forgets a client that its authorization server does not know any more. */
export const forget = (folder: StateFolder.StateFolder["Type"], owner: Owner): Effect.Effect<void> =>
  registered(folder).remove(key(owner))
