/**
 * The headers that are the user's: static ones, those of a provider that is asked for each request, and OAuth's.
 */
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import { auth, extractWWWAuthenticateParams } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect, Redacted } from "effect"
import { CredentialFailure } from "./HttpFailure.js"

/** Header names and values; values that are secrets as `Redacted`. */
export type Headers = Readonly<Record<string, string | Redacted.Redacted<string>>>

/** Headers evaluated for each request: an Effect or a function. */
export type HeaderProvider = Effect.Effect<Headers, unknown> | (() => Headers | PromiseLike<Headers>)

/** The user's headers for each request, and their renewal after a 401. */
export interface Credentials {
  /** Headers by lower-case name. The provider's win over static ones, OAuth's token over both. */
  readonly headers: Effect.Effect<Record<string, string>, CredentialFailure>
  /** Whether a refusal may pass by itself, because there is a provider. */
  readonly renewable: boolean
  /**
   * Called after a 401 with the headers that were refused; succeeds with whether it is worth trying once more. Concurrent
   * calls share one OAuth run.
   */
  readonly renew: (
    refused: Record<string, string>,
    challenge: string | undefined
  ) => Effect.Effect<boolean, CredentialFailure>
  /** Replaces every secret value of 8 characters or more that was ever sent. */
  readonly mask: (text: string) => string
}

/** How long one OAuth run may take, in milliseconds: discovery, registration, token. */
const oauthTimeout = 30_000

const failure = (what: string) => (cause: unknown) => new CredentialFailure({ detail: what, cause })

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
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
  readonly headerProvider: HeaderProvider | undefined
  readonly authProvider: OAuthClientProvider | undefined
  readonly fetch: FetchLike
}): Credentials => {
  const { authProvider, headerProvider } = options
  const secrets = new Set<string>()
  /** Values seen last, so that a rotating token does not make the set of secrets grow without a bound. */
  const remember = (value: string) => {
    for (const part of [value, ...value.split(/[\s:;,=]+/)]) {
      if (part.length < 8) continue
      secrets.delete(part)
      secrets.add(part)
    }
    for (const oldest of secrets) {
      if (secrets.size <= 64) break
      secrets.delete(oldest)
    }
  }
  for (const value of options.url.searchParams.values()) remember(value)
  if (options.url.password !== "") remember(decode(options.url.password))

  const plain = (headers: Headers, into: Record<string, string> = {}): Record<string, string> => {
    for (const [name, value] of Object.entries(headers)) {
      const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
      into[name.toLowerCase()] = text
      remember(text)
    }
    return into
  }
  const fixed = plain({ ...basic(options.url), ...options.headers })

  const provided: Effect.Effect<Headers, CredentialFailure> | undefined = headerProvider === undefined
    ? undefined
    : (Effect.isEffect(headerProvider)
      ? headerProvider
      : Effect.tryPromise(async () => await headerProvider())).pipe(
        Effect.mapError(failure("the header provider failed: see the cause"))
      )

  const headers = provided === undefined && authProvider === undefined
    ? Effect.sync(() => ({ ...fixed }))
    : Effect.gen(function*() {
      const all = { ...fixed }
      if (provided !== undefined) plain(yield* provided, all)
      if (authProvider !== undefined) {
        const tokens = yield* Effect.tryPromise({
          try: async () => await authProvider.tokens(),
          catch: failure("the OAuth provider failed to give its tokens: see the cause")
        })
        if (tokens !== undefined) {
          all["authorization"] = `Bearer ${tokens.access_token}`
          remember(tokens.access_token)
        }
      }
      return all
    })

  /** The OAuth run under way, shared by all requests that were refused meanwhile. */
  let running: Promise<boolean> | undefined
  const authorize = (provider: OAuthClientProvider, challenge: string | undefined): Promise<boolean> => {
    const parameters = challenge === undefined
      ? {}
      : extractWWWAuthenticateParams(new Response(null, { headers: { "www-authenticate": challenge } }))
    running ??= auth(
      provider,
      {
        serverUrl: new URL(options.url.origin + options.url.pathname),
        resourceMetadataUrl: parameters.resourceMetadataUrl,
        scope: parameters.scope,
        fetchFn: (url: string | URL, init?: RequestInit) =>
          options.fetch(url, { ...init, signal: AbortSignal.timeout(oauthTimeout) })
      } as Parameters<typeof auth>[1]
    ).then((result) => result === "AUTHORIZED").finally(() => {
      running = undefined
    })
    return running
  }

  const renew: Credentials["renew"] = (refused, challenge) => {
    if (authProvider === undefined) return Effect.succeed(headerProvider !== undefined)
    return Effect.gen(function*() {
      const current = yield* headers
      // Another request has renewed it meanwhile.
      if (current["authorization"] !== refused["authorization"]) return true
      return yield* Effect.tryPromise({
        try: () => authorize(authProvider, challenge),
        catch: failure("OAuth failed: see the cause, or log in again")
      }).pipe(
        Effect.timeoutFail({
          duration: oauthTimeout,
          onTimeout: () => new CredentialFailure({ detail: "OAuth did not finish in time", cause: undefined })
        })
      )
    })
  }

  return {
    headers,
    renewable: headerProvider !== undefined || authProvider !== undefined,
    renew,
    mask: (text) => {
      let masked = text
      for (const secret of secrets) masked = masked.replaceAll(secret, "***")
      return masked
    }
  }
}
