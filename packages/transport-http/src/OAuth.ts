/**
 * The official SDK's OAuth, run for all connections of one connector.
 *
 * A run may end with a login that only a person can finish, and each new run takes back the one before it (the server knows one
 * code verifier): so as long as a login is under way, no other is asked for.
 */
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import { auth, extractWWWAuthenticateParams } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Clock, Effect } from "effect"
import { CredentialFailure } from "./HttpFailure.js"

/** Why new credentials are wanted. */
export interface Refusal {
  readonly status: number
  /** The `WWW-Authenticate` header. */
  readonly challenge: string | undefined
}

/** OAuth with one provider. */
export interface OAuth {
  readonly provider: OAuthClientProvider
  /**
   * Gets new credentials; succeeds with whether there are some. Concurrent calls share one run. No login is asked for again
   * within 10 minutes of the last one for the same scope, unless that has brought a token and it is refused by 401: a scope
   * that was asked for and not granted is not asked for with every call.
   */
  readonly renew: (refusal: Refusal, fetch: FetchLike) => Effect.Effect<boolean, CredentialFailure>
}

/** How long one run may take, in milliseconds: discovery, registration, token. */
const timeout = 30_000

/** How long a login may take, in milliseconds. Authorization servers give up after about as long. */
const patience = 600_000

const failure = (what: string) => (cause: unknown) => new CredentialFailure({ detail: what, cause })

/** A run that ended without new credentials of its own, or one for more rights, whatever it brought. */
interface Asked {
  readonly status: number
  readonly scope: string | undefined
  readonly token: string | undefined
  readonly at: number
}

/** OAuth for a server. */
export const make = (provider: OAuthClientProvider, url: URL): OAuth => {
  const serverUrl = new URL(url.origin + url.pathname)
  let running: Promise<boolean> | undefined
  let asked: Asked | undefined

  const accessToken = Effect.tryPromise({
    try: async () => (await provider.tokens())?.access_token,
    catch: failure("the OAuth provider failed to give its tokens: see the cause")
  })

  const run = (parameters: ReturnType<typeof extractWWWAuthenticateParams>, fetch: FetchLike): Promise<boolean> =>
    running ??= auth(
      provider,
      {
        serverUrl,
        resourceMetadataUrl: parameters.resourceMetadataUrl,
        scope: parameters.scope,
        fetchFn: (url: string | URL, init?: RequestInit) =>
          fetch(url, { ...init, signal: AbortSignal.timeout(timeout) })
      } as Parameters<typeof auth>[1]
    ).then((result) => result === "AUTHORIZED").finally(() => {
      running = undefined
    })

  return {
    provider,
    renew: ({ challenge, status }, fetch) =>
      Effect.gen(function*() {
        const parameters = challenge === undefined
          ? {}
          : extractWWWAuthenticateParams(new Response(null, { headers: { "www-authenticate": challenge } }))
        const token = yield* accessToken
        const now = yield* Clock.currentTimeMillis
        if (
          running === undefined && asked !== undefined && asked.status === status && asked.scope === parameters.scope &&
          now - asked.at < patience && (status === 403 || asked.token === token)
        ) return false
        const authorized = yield* Effect.tryPromise({
          try: () => run(parameters, fetch),
          catch: failure("OAuth failed: see the cause, or log in again")
        }).pipe(
          Effect.timeoutFail({
            duration: timeout,
            onTimeout: () => new CredentialFailure({ detail: "OAuth did not finish in time", cause: undefined })
          })
        )
        asked = authorized && status !== 403 ? undefined : { status, scope: parameters.scope, token, at: now }
        // A provider may wait in `redirectToAuthorization` until the login is over.
        return authorized || (yield* accessToken) !== token
      })
  }
}
