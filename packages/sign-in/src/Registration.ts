/**
 * In this order: a client that was registered beforehand, one with a metadata document, one that we register.
 */
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect, Either, Redacted, Schema } from "effect"
import { isDocument } from "./addresses.js"
import { ask, endpoint, refusal } from "./ask.js"
import { type Client, type Configured, configuredFor } from "./Client.js"
import type { Discovered } from "./Discovery.js"
import type { Later } from "./Failures.js"
import { Refused } from "./Failures.js"
import { type Metadata, optional } from "./Metadata.js"

const Registration = Schema.Struct({
  client_id: Schema.String,
  client_secret: optional(Schema.String),
  token_endpoint_auth_method: optional(Schema.String),
  client_secret_expires_at: optional(Schema.Number)
})
const decodeRegistration = Schema.decodeUnknownEither(Registration)

/** How long a new client is offered without a finished login, in milliseconds. */
const offered = 86_400_000

/** For a login that may still be waited for: nobody has forgotten the client. */
export const isNew = ({ offeredUntil = 0 }: Client, now: number): boolean => offeredUntil - now > offered - 600_000

/** Preferably not at all, where the server takes that. */
const authenticationFor = ({ token_endpoint_auth_methods_supported: supported }: Metadata): string | undefined =>
  ["none", "client_secret_basic", "client_secret_post"].find((one) => supported?.includes(one))

const register = ({ discovered, fetch, now, redirect, scope }: Parameters<typeof choose>[0]) =>
  Effect.gen(function*() {
    const { issuer, metadata } = discovered
    const url = yield* endpoint(metadata.registration_endpoint, "registration endpoint")
    const authentication = authenticationFor(metadata)
    const answer = yield* ask(fetch, url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        client_name: "Lifeline",
        // A native application comes back to its own machine over http, any other is "web" (OpenID Connect Registration).
        application_type: new URL(redirect).protocol === "http:" ? "native" : "web",
        redirect_uris: [redirect],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        ...(authentication === undefined ? {} : { token_endpoint_auth_method: authentication }),
        ...(scope === undefined ? {} : { scope })
      })
    })
    if (!answer.ok && discovered.isGuessed) {
      return yield* new Refused({
        detail: `the server wants credentials, and offers no login at ${issuer}: give it headers`
      })
    }
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
      offeredUntil: now + offered,
      redirects: [redirect]
    } satisfies Client
  })

/** `kept`: a client that was registered before. */
export const choose = (options: {
  readonly fetch: FetchLike
  readonly discovered: Discovered
  readonly configured: Configured
  readonly kept: Client | undefined
  readonly redirect: string
  readonly scope: string | undefined
  readonly now: number
}): Effect.Effect<Client, Later | Refused> => {
  const { configured, discovered } = options
  const { issuer } = configured
  return Effect.flatMap(
    configuredFor(configured, discovered.issuer),
    (known) =>
      known === undefined
        ? Effect.map(unconfigured(options), (client) => issuer === undefined ? client : { ...client, issuer })
        : Effect.succeed(known)
  )
}

const unconfigured = (options: Parameters<typeof choose>[0]): Effect.Effect<Client, Later | Refused> => {
  const { configured: { document }, discovered, kept, now, redirect } = options
  if (document !== undefined && discovered.metadata.client_id_metadata_document_supported === true) {
    return isDocument(document)
      ? Effect.succeed({ origin: "document", id: document, authentication: "none", redirects: [] })
      : new Refused({ detail: `${document} cannot be a client id: give an https address with a path` })
  }
  const isGood = [kept?.expiresAt, kept?.offeredUntil].every((end) => end === undefined || end > now)
  if (isGood && kept?.redirects.includes(redirect) === true) return Effect.succeed(kept)
  return discovered.metadata.registration_endpoint === undefined
    ? new Refused({
      detail:
        `${discovered.issuer} registers no clients by itself: register one there with the redirect ${redirect}, and give its id`
    })
    : register(options)
}
