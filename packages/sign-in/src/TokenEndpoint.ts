import * as UserFile from "@mcp-lifeline/state/UserFile"
import { selectClientAuthMethod } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Clock, Effect, Option, Predicate, Redacted, Schema } from "effect"
import { type Answer, ask, endpoint, property, refusal } from "./ask.js"
import type { Client, SigningKey } from "./Client.js"
import type { Later } from "./Failures.js"
import { reasonOf, Refused } from "./Failures.js"
import type { Metadata } from "./Metadata.js"

export interface Tokens {
  readonly access: Redacted.Redacted
  /** Undefined where none was given; after a renewal the old one may go on. */
  readonly refresh: Redacted.Redacted | undefined
  /** Undefined where it is what was asked for. */
  readonly scope: string | undefined
  /** Milliseconds since 1970. */
  readonly expiresAt: number | undefined
}

export interface Asker {
  readonly fetch: FetchLike
  readonly metadata: Metadata
  readonly client: Client
  readonly signingKey: SigningKey | undefined
  readonly resource: string | undefined
}

/** Some servers write a number as a text. */
const seconds = Schema.decodeUnknownOption(
  Schema.Union(Schema.Finite, Schema.compose(Schema.NumberFromString, Schema.Finite))
)

const text = (value: unknown): string | undefined => typeof value === "string" && value !== "" ? value : undefined

/** Of no use without more than the token. */
const isBound = (type: unknown): boolean => typeof type === "string" && /^(?:dpop|mac|pop)$/i.test(type)

/** RFC 6749, 2.3.1. */
const formEncoded = (text: string): string => new URLSearchParams({ a: text }).toString().slice(2)

const read = (signingKey: SigningKey): Effect.Effect<string, Refused> =>
  "key" in signingKey ? Effect.succeed(Redacted.value(signingKey.key)) : Effect.mapError(
    UserFile.text(signingKey.file),
    ({ message }) => new Refused({ detail: `the private key ${signingKey.file} cannot be read: ${message}` })
  )

const loadClientAssertion = Effect.promise(() => import("./ClientAssertion.js"))

const authenticate = (
  { client, metadata, signingKey = client.signing }: Asker,
  headers: Headers,
  form: URLSearchParams
): Effect.Effect<void, Refused> =>
  Effect.gen(function*() {
    if (signingKey !== undefined) {
      const { algorithm } = signingKey
      const key = yield* read(signingKey)
      const ClientAssertion = yield* loadClientAssertion
      return yield* Effect.tryPromise({
        try: () => ClientAssertion.add(form, { algorithm, client: client.id, issuer: metadata.issuer, key }),
        catch: (cause) => new Refused({ detail: `the private key cannot sign with ${algorithm}: ${reasonOf(cause)}` })
      })
    }
    const { authentication, id, secret } = client
    const method = selectClientAuthMethod(
      {
        client_id: id,
        ...(secret === undefined ? {} : { client_secret: Redacted.value(secret) }),
        ...(authentication === undefined ? {} : { token_endpoint_auth_method: authentication })
      },
      [...metadata.token_endpoint_auth_methods_supported ?? []]
    )
    if (method === "client_secret_basic" && secret !== undefined) {
      const pair = `${formEncoded(id)}:${formEncoded(Redacted.value(secret))}`
      headers.set("authorization", `Basic ${Buffer.from(pair).toString("base64")}`)
      return
    }
    form.set("client_id", id)
    if (method === "client_secret_post" && secret !== undefined) form.set("client_secret", Redacted.value(secret))
  })

const isRefusal = ({ json, ok }: Answer): boolean => !ok || typeof property(json, "error") === "string"

export const post = (asker: Asker, url: URL, parameters: Readonly<Record<string, string | undefined>>) =>
  Effect.gen(function*() {
    const headers = new Headers({ accept: "application/json", "content-type": "application/x-www-form-urlencoded" })
    const form = new URLSearchParams()
    for (const [name, value] of Object.entries(parameters)) if (value !== undefined) form.set(name, value)
    yield* authenticate(asker, headers, form)
    return yield* ask(asker.fetch, url, { method: "POST", headers, body: form })
  })

/** Only the token itself is needed of the answer: it may be the last one. */
export const tokens = (
  asker: Asker,
  grant: Readonly<Record<string, string | undefined>> & { readonly grant_type: string }
): Effect.Effect<Tokens, Later | Refused> =>
  Effect.gen(function*() {
    const { issuer, token_endpoint: address } = asker.metadata
    const url = yield* endpoint(address, "token endpoint")
    const answer = yield* post(asker, url, { ...grant, resource: asker.resource })
    if (isRefusal(answer)) return yield* refusal(`${issuer} gives no token`, answer)
    const access = text(property(answer.json, "access_token"))
    if (access === undefined || isBound(property(answer.json, "token_type"))) {
      return yield* new Refused({
        detail: access === undefined
          ? `${issuer} answers with something that is no token: correct this at the server`
          : `${issuer} gives a token that is no bearer token, which Lifeline cannot use`
      })
    }
    const refresh = text(property(answer.json, "refresh_token"))
    const scope = property(answer.json, "scope")
    const lasts = Option.getOrUndefined(seconds(property(answer.json, "expires_in")))
    return {
      access: Redacted.make(access),
      refresh: refresh === undefined ? undefined : Redacted.make(refresh),
      scope: Array.isArray(scope) ? scope.filter(Predicate.isString).join(" ") : text(scope),
      expiresAt: lasts === undefined ? undefined : (yield* Clock.currentTimeMillis) + lasts * 1000
    }
  })
