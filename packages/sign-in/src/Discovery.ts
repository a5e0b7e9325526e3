/**
 * RFC 9728, then RFC 8414 or OpenID Connect Discovery; for servers of 2025-03-26 the paths of that revision.
 */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import { Audience } from "@mcp-lifeline/transport-http"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect, Either, Option, Schema } from "effect"
import { isSameIssuer, isSecure } from "./addresses.js"
import { endpoint, property } from "./ask.js"
import type { Challenge } from "./Challenge.js"
import { type Later, quoted, Refused } from "./Failures.js"
import { Metadata, optional } from "./Metadata.js"
import * as WellKnown from "./WellKnown.js"

export interface Discovered {
  /** Every credential is bound to it. */
  readonly issuer: string
  readonly metadata: Metadata
  /** For whom tokens are asked (RFC 8707); undefined for a server of 2025-03-26. */
  readonly resource: string | undefined
  /** No metadata was found: these are the paths of 2025-03-26. */
  readonly isGuessed: boolean
  readonly scopes: ReadonlyArray<string> | undefined
}

const texts = optional(Schema.Array(Schema.String))

const Resource = Schema.Struct({
  resource: Schema.String,
  authorization_servers: texts,
  scopes_supported: texts
})

const decode = <A, I>(schema: Schema.Schema<A, I>) => {
  const read = Schema.decodeUnknownEither(schema)
  return (json: unknown, url: URL): Effect.Effect<A, Refused> =>
    Either.match(read(json), {
      onLeft: () => new Refused({ detail: `the metadata at ${url.href} is not valid: correct it at the server` }),
      onRight: Effect.succeed
    })
}
const decodeResource = decode(Resource)
const decodeMetadata = decode(Metadata)

const resourceUrls = (server: URL, named: URL | undefined): ReadonlyArray<URL> => {
  const path = server.pathname.replace(/\/$/, "")
  const known = [...new Set([Audience.wellKnown + path, Audience.wellKnown])].map((one) => new URL(one, server.origin))
  return named === undefined ? known : [named, ...known.filter(({ href }) => href !== named.href)]
}

/** Of 2025-03-26, to which PKCE belongs. */
const unsaid = (origin: string): Metadata => ({
  issuer: origin,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  registration_endpoint: `${origin}/register`,
  code_challenge_methods_supported: ["S256"]
})

const metadataOf = (fetch: FetchLike, issuer: URL) =>
  Effect.flatMap(
    WellKnown.issuer(fetch, issuer),
    Option.match({
      onNone: () => Effect.succeedNone,
      onSome: ({ json, url }) => Effect.asSome(decodeMetadata(json, url))
    })
  )

/** A server that names no authorization server is its own, as in 2025-03-26. */
const legacy = (fetch: FetchLike, server: URL): Effect.Effect<Discovered, Later | Refused> =>
  Effect.gen(function*() {
    const found = yield* metadataOf(fetch, new URL(server.origin))
    const metadata = Option.getOrElse(found, () => unsaid(server.origin))
    if (parseUrl(metadata.issuer)?.origin !== server.origin) {
      return yield* new Refused({
        detail: `the metadata at ${server.origin} is that of another authorization server, ${
          quoted(metadata.issuer)
        }, and is not used`
      })
    }
    return {
      issuer: metadata.issuer,
      metadata,
      isGuessed: Option.isNone(found),
      resource: undefined,
      scopes: undefined
    }
  })

/** `known` is preferred where the server names several issuers. */
export const discover = (
  fetch: FetchLike,
  server: URL,
  challenge: Challenge,
  known: string | undefined
): Effect.Effect<Discovered, Later | Refused> =>
  Effect.gen(function*() {
    if (challenge.metadata !== undefined && !isSecure(challenge.metadata)) {
      return yield* new Refused({
        detail: `the server names metadata that is not https, which is not used: ${quoted(challenge.metadata.href)}`
      })
    }
    const found = yield* WellKnown.first(fetch, resourceUrls(server, challenge.metadata))
    // What is no object of metadata at all is a page that answers to every path.
    if (Option.isNone(found) || property(found.value.json, "resource") === undefined) {
      return yield* legacy(fetch, server)
    }
    const said = yield* decodeResource(found.value.json, found.value.url)
    const resource = Audience.of(server, said.resource, found.value.url)
    if (resource === undefined) {
      return yield* new Refused({
        detail:
          `the metadata at ${found.value.url.href} is for ${
            quoted(said.resource)
          } and not for ${server.href}, so that no login ` +
          "is started: correct it at the server, or check the URL"
      })
    }
    const issuers = said.authorization_servers ?? []
    const named = issuers.find((one) => known !== undefined && isSameIssuer(one, known)) ?? issuers[0]
    if (named === undefined) {
      return { ...yield* legacy(fetch, server), resource, scopes: said.scopes_supported }
    }
    const issuer = yield* endpoint(named, "issuer")
    const metadata = yield* Effect.flatMap(
      metadataOf(fetch, issuer),
      Effect.catchTag(
        "NoSuchElementException",
        () =>
          new Refused({
            detail: `the authorization server ${quoted(named)} has no metadata: correct this at the server`
          })
      )
    )
    if (!isSameIssuer(metadata.issuer, named)) {
      return yield* new Refused({
        detail: `the authorization server ${quoted(named)} calls itself ${
          quoted(metadata.issuer)
        }, and is not used: correct this at the server`
      })
    }
    return {
      issuer: metadata.issuer,
      metadata,
      isGuessed: false,
      resource,
      scopes: said.scopes_supported
    }
  })
