/**
 * Who we are to an authorization server: registered beforehand, by a metadata document, or registered by ourselves, in this order.
 */
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect, Either, Redacted, Schema } from "effect"
import * as StateFolder from "../state/StateFolder.js"
import { ask, endpoint, refusal } from "./ask.js"
import type { Discovered, Metadata } from "./Discovery.js"
import type { Later } from "./Failures.js"
import { Refused } from "./Failures.js"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { nullable: true })

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
  redirects: Schema.Array(Schema.String)
})

/** A client that an authorization server knows. */
export type Client = typeof Client.Type

/** A key with which a client signs who it is (private_key_jwt). */
export interface SigningKey {
  /** PEM (PKCS #8) or JWK as JSON. */
  readonly key: Redacted.Redacted
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

const Registration = Schema.Struct({
  client_id: Schema.String,
  client_secret: optional(Schema.String),
  token_endpoint_auth_method: optional(Schema.String),
  client_secret_expires_at: optional(Schema.Number)
})
const decodeRegistration = Schema.decodeUnknownEither(Registration)

/** The grant of RFC 8628. */
export const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

/** How a client that nobody else knows shows who it is: not at all, where the server takes that. */
const authenticationFor = ({ token_endpoint_auth_methods_supported: supported }: Metadata): string | undefined =>
  ["none", "client_secret_basic", "client_secret_post"].find((one) => supported?.includes(one))

const register = (fetch: FetchLike, discovered: Discovered, redirect: string, scope: string | undefined) =>
  Effect.gen(function*() {
    const { issuer, metadata } = discovered
    const url = yield* endpoint(metadata.registration_endpoint, "registration endpoint")
    const authentication = authenticationFor(metadata)
    const answer = yield* ask(fetch, url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        client_name: "Lifeline",
        application_type: "native",
        redirect_uris: [redirect],
        grant_types: [
          "authorization_code",
          "refresh_token",
          ...(metadata.device_authorization_endpoint === undefined ? [] : [deviceGrant])
        ],
        response_types: ["code"],
        ...(authentication === undefined ? {} : { token_endpoint_auth_method: authentication }),
        ...(scope === undefined ? {} : { scope })
      })
    })
    if (!answer.ok) return yield* refusal(`${issuer} does not register a client`, answer)
    const decoded = decodeRegistration(answer.json)
    if (Either.isLeft(decoded)) {
      return yield* new Refused({
        detail: `${issuer} answers a registration with no client id: correct this at the server`
      })
    }
    const {
      client_id: id,
      client_secret: secret,
      client_secret_expires_at: expires,
      token_endpoint_auth_method: agreed
    } = decoded.right
    return {
      origin: "registered",
      id,
      secret: secret === undefined ? undefined : Redacted.make(secret),
      authentication: agreed ?? authentication,
      expiresAt: expires === undefined || expires === 0 ? undefined : expires * 1000,
      redirects: [redirect]
    } satisfies Client
  })

const isDocument = (url: string): boolean =>
  URL.canParse(url) && new URL(url).protocol === "https:" && new URL(url).pathname !== "/"

/** A client that the user has configured, if there is one. */
export const configured = ({ id, secret }: Configured): Client | undefined =>
  id === undefined ? undefined : { origin: "configured", id, secret, redirects: [] }

/** The client for a login that comes back to `redirect`; `kept` is one that was registered before. */
export const choose = (options: {
  readonly fetch: FetchLike
  readonly discovered: Discovered
  readonly configured: Configured
  readonly kept: Client | undefined
  readonly redirect: string
  readonly scope: string | undefined
  readonly now: number
}): Effect.Effect<Client, Later | Refused> => {
  const { discovered, fetch, kept, now, redirect, scope } = options
  const { document } = options.configured
  const known = configured(options.configured)
  if (known !== undefined) return Effect.succeed(known)
  if (document !== undefined && discovered.metadata.client_id_metadata_document_supported === true) {
    return isDocument(document)
      ? Effect.succeed({ origin: "document", id: document, authentication: "none", redirects: [] })
      : new Refused({ detail: `${document} cannot be a client id: give an https address with a path` })
  }
  if (kept?.redirects.includes(redirect) === true && (kept.expiresAt === undefined || kept.expiresAt > now)) {
    return Effect.succeed(kept)
  }
  return discovered.metadata.registration_endpoint === undefined
    ? new Refused({
      detail:
        `${discovered.issuer} registers no clients by itself: register one there with the redirect ${redirect}, and give its id`
    })
    : register(fetch, discovered, redirect, scope)
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
