/**
 * The headers that are the user's: static ones, those of a provider that is asked for each request, and OAuth's.
 */
import type { LoginFailure } from "@mcp-lifeline/protocol"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect, Redacted } from "effect"
import { validateHeaderName, validateHeaderValue } from "node:http"
import type { Authorization, Refusal } from "./Authorization.js"
import { CredentialFailure, oneLine } from "./HttpFailure.js"

/** Header names and values; values that are secrets as `Redacted`. */
export type Headers = Readonly<Record<string, string | Redacted.Redacted<string>>>

/** Headers evaluated for each request: an Effect or a function. */
export type HeaderProvider = Effect.Effect<Headers, unknown> | (() => Headers | PromiseLike<Headers>)

/** Headers whose values were read for one connection. */
export interface SecretHeaders {
  /** The values as they were last read. */
  readonly current: () => Readonly<Record<string, Redacted.Redacted>>
  /**
   * Called with the headers that were refused. Reads the values again, unless that was done a moment ago, and succeeds with whether they
   * differ from the refused ones.
   */
  readonly renew: (refused: Readonly<Record<string, string>>) => Effect.Effect<boolean>
}

/** The user's headers for each request, and their renewal after a 401. */
export interface Credentials {
  /** Headers by lower-case name. The provider's win over static ones, the token of OAuth over both. */
  readonly headers: Effect.Effect<Record<string, string>, CredentialFailure>
  /** Whether a refusal may pass by itself, because there is a provider. */
  readonly renewable: boolean
  /**
   * Called with the headers that were refused, by 401 or for want of a scope; succeeds with whether it is worth trying once
   * more.
   */
  readonly renew: (
    refused: Record<string, string>,
    refusal: Refusal
  ) => Effect.Effect<boolean, CredentialFailure | LoginFailure.LoginFailure>
  /** Whether they are tokens, and no person has to log in. */
  readonly isRenewed: () => boolean
  /** Called when the server has taken a request that it had refused before. */
  readonly accepted: () => void
  /** Replaces every secret value of 8 characters or more that was ever sent. */
  readonly mask: (text: string) => string
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Whether HTTP can carry a header. */
export const isHeader = (name: string, value: unknown): boolean => {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, String(Redacted.isRedacted(value) ? Redacted.value(value) : value))
    return true
  } catch {
    return false
  }
}

/** Userinfo of a URL as an Authorization header. */
const basic = (url: URL): Headers =>
  url.username === "" && url.password === "" ? {} : {
    authorization: Redacted.make(
      `Basic ${Buffer.from(`${decode(url.username)}:${decode(url.password)}`).toString("base64")}`
    )
  }

/** Credentials from a connector's options. `fetch` is what OAuth's own requests use. */
export const make = (options: {
  readonly url: URL
  readonly headers: Headers
  /** They override `headers`. */
  readonly secretHeaders?: SecretHeaders | undefined
  readonly headerProvider: HeaderProvider | undefined
  readonly authorization: Authorization | undefined
  readonly fetch: FetchLike
}): Credentials => {
  const { authorization, headerProvider, secretHeaders } = options
  /** Of the options, and the last ones of what provides them: a rotating token must not make the set grow without a bound. */
  const configured = new Set<string>()
  const recent = new Set<string>()
  const remember = (value: string, secrets = recent) => {
    for (const part of [value, ...value.split(/[\s:;,=]+/)]) {
      if (part.length < 8) continue
      secrets.delete(part)
      secrets.add(part)
    }
    for (const oldest of recent) {
      if (recent.size <= 64) break
      recent.delete(oldest)
    }
  }
  for (const value of options.url.searchParams.values()) remember(value, configured)
  for (const part of [options.url.username, options.url.password]) remember(decode(part), configured)

  const mask = (text: string): string => {
    let masked = text
    for (const secret of [...configured, ...recent]) masked = masked.replaceAll(secret, "***")
    return masked
  }
  const failure = (what: string) => (cause: unknown) => {
    const why = oneLine(mask(cause instanceof Error ? cause.message : String(cause)))
    return new CredentialFailure({ detail: `${what}: ${why}`, cause })
  }

  const masked = ({ cause, detail }: CredentialFailure) => new CredentialFailure({ detail: mask(detail), cause })

  const plain = (headers: Headers, into: Record<string, string>, secrets = recent): Record<string, string> => {
    for (const [name, value] of Object.entries(headers)) {
      const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
      into[name.toLowerCase()] = text
      remember(text, secrets)
    }
    return into
  }
  const fixed = plain({ ...basic(options.url), ...options.headers }, {}, configured)

  const provided: Effect.Effect<Headers, CredentialFailure> | undefined = headerProvider === undefined
    ? undefined
    : (Effect.isEffect(headerProvider)
      ? headerProvider
      : Effect.tryPromise(async () => await headerProvider())).pipe(
        Effect.mapError(failure("the header provider failed, so that nothing was sent"))
      )

  const withSecrets = (): Record<string, string> =>
    secretHeaders === undefined ? { ...fixed } : plain(secretHeaders.current(), { ...fixed })

  const headers = provided === undefined && authorization === undefined
    ? Effect.sync(withSecrets)
    : Effect.gen(function*() {
      const all = withSecrets()
      if (provided !== undefined) plain(yield* provided, all)
      if (authorization !== undefined) {
        const tokens = yield* Effect.mapError(authorization.tokens(options.fetch), masked)
        if (tokens !== undefined) {
          all["authorization"] = `Bearer ${Redacted.value(tokens.access)}`
          remember(Redacted.value(tokens.access))
          if (tokens.refresh !== undefined) remember(Redacted.value(tokens.refresh))
        }
      }
      const invalid = Object.keys(all).find((name) => !isHeader(name, all[name]))
      if (invalid === undefined) return all
      return yield* new CredentialFailure({
        detail: `${
          oneLine(JSON.stringify(invalid))
        } is not a valid HTTP header, so that nothing was sent: correct what ${
          invalid === "authorization" && authorization !== undefined ? "the auth provider" : "the header provider"
        } gives (no spaces in a name; one line of Latin-1 characters as a value)`,
        cause: undefined
      })
    })

  const renew: Credentials["renew"] = (refused, refusal) => {
    if (authorization === undefined && headerProvider === undefined) {
      return secretHeaders?.renew(refused) ?? Effect.succeed(false)
    }
    if (authorization === undefined) return Effect.succeed(true)
    return Effect.gen(function*() {
      const current = yield* headers
      // Another request has renewed it meanwhile.
      if (current["authorization"] !== refused["authorization"]) return true
      return yield* authorization.renew(refusal, options.fetch).pipe(
        Effect.mapError((error) => error._tag === "CredentialFailure" ? masked(error) : error)
      )
    })
  }

  return {
    headers,
    renewable: headerProvider !== undefined || secretHeaders !== undefined || authorization !== undefined,
    renew,
    isRenewed: () => authorization !== undefined && authorization.needed?.() === undefined,
    accepted: () => authorization?.accepted?.(),
    mask
  }
}
