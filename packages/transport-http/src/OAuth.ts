/**
 * The official SDK's OAuth, shared by all connections of one connector.
 *
 * Each run invalidates the login of the one before (the server knows one code verifier), so no other login is asked for while one
 * is pending.
 */
import { LoginFailure } from "@mcp-lifeline/protocol"
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Clock, Effect, Option, Redacted, Runtime } from "effect"
import type { Authorization } from "./Authorization.js"
import { CredentialFailure, oneLine } from "./HttpFailure.js"
import * as OAuthRun from "./OAuthRun.js"
import * as TokenRefusals from "./TokenRefusals.js"

/** Of one run (discovery, registration, token), in milliseconds. */
const timeout = 30_000

/** In milliseconds. Authorization servers give up after about as long. */
const loginTime = 600_000

/** A run without new credentials, or any run for more rights. */
interface Asked {
  readonly status: number
  readonly scope: string | undefined
  /** When the run ended. */
  readonly token: string | undefined
  /** A person has to log in. */
  readonly pending: boolean
  readonly at: number
}

/** Cuts the SDK's lengthy note that the answer is no OAuth error. */
const withoutPrefix = (message: string): string => {
  const start = message.indexOf("Invalid OAuth error response: ")
  const body = "Raw body: "
  const end = start < 0 ? -1 : message.indexOf(body, start)
  return end < 0 ? message : message.slice(0, start) + message.slice(end + body.length)
}

/** The OAuth error code, if any, and the text. */
const said = (cause: unknown): string => {
  if (!(cause instanceof Error)) return oneLine(String(cause))
  const code = "errorCode" in cause && cause.errorCode !== "server_error" ? String(cause.errorCode) : ""
  const text = withoutPrefix(cause.message)
  return oneLine([code, text].filter((part) => part !== "").join(": ")) || cause.name
}

/**
 * OAuth with a provider of the official SDK. Concurrent `renew` calls share one run. A login for a scope is asked for again after
 * 10 minutes at the earliest, unless it brought a token that is refused by 401: a scope that was not granted is not asked for with
 * every call.
 */
export const make = (provider: OAuthClientProvider, url: URL): Authorization => {
  const serverUrl = new URL(url.origin + url.pathname)
  let running: OAuthRun.Run | undefined
  let asked: Asked | undefined
  /** Until the server has accepted it. */
  let renewed: { readonly token: string | undefined; readonly until: number } | undefined
  /** Consecutive renewals in vain. */
  let vain = 0

  const kept = (what = "") =>
    Effect.tryPromise({
      try: async () => await provider.tokens(),
      catch: (cause) =>
        new CredentialFailure({ detail: `the auth provider failed to give its tokens${what}: ${said(cause)}`, cause })
    })

  const begin = (
    parameters: Pick<OAuthRun.Request, "needsLogin" | "resourceMetadataUrl" | "scope" | "sleep">,
    fetch: FetchLike
  ) => {
    const run = OAuthRun.start({
      ...parameters,
      provider,
      serverUrl,
      fetch: (address, init) => fetch(address, { ...init, signal: AbortSignal.timeout(timeout) })
    })
    running = run
    const over = () => {
      running = undefined
    }
    void run.outcome.then(over)
    return run
  }

  /** `why`: the login could not even be shown. */
  const loginNeeded = (
    status: number,
    UnauthorizedError: new(message: string) => Error,
    why?: string
  ): LoginFailure.LoginFailure =>
    new LoginFailure.LoginFailure({
      status,
      detail: why === undefined ? "" : `the auth provider could not show the login: ${why}`,
      cause: new UnauthorizedError("a person has to log in")
    })

  return {
    tokens: () =>
      Effect.map(kept(", so that nothing was sent"), (tokens) =>
        tokens && {
          access: Redacted.make(tokens.access_token),
          refresh: tokens.refresh_token === undefined ? undefined : Redacted.make(tokens.refresh_token)
        }),
    accepted: () => {
      renewed = undefined
    },
    isRunning: () => running !== undefined,
    renew: ({ challenge, status }, fetch) =>
      Effect.gen(function*() {
        const { UnauthorizedError, extractWWWAuthenticateParams } = yield* Effect.promise(OAuthRun.sdk)
        const { resourceMetadataUrl, scope } = challenge === undefined
          ? { resourceMetadataUrl: undefined, scope: undefined }
          : extractWWWAuthenticateParams(new Response(null, { headers: { "www-authenticate": challenge } }))
        const before = (yield* kept())?.access_token
        const now = yield* Clock.currentTimeMillis
        if (
          running === undefined && asked !== undefined && asked.status === status && asked.scope === scope &&
          now - asked.at < loginTime && (status === 403 || asked.token === before)
        ) {
          // Otherwise more rights were asked for, and not granted.
          return asked.pending && asked.token === before ? yield* loginNeeded(status, UnauthorizedError) : false
        }
        if (running === undefined && status !== 403) {
          vain = renewed !== undefined && renewed.token === before && now < renewed.until ? vain + 1 : 0
        }
        const needsLogin = status === 403 || vain >= TokenRefusals.maxVain
        const runtime = yield* Effect.runtime()
        const sleep = (milliseconds: number) => Runtime.runPromise(runtime)(Effect.sleep(milliseconds))
        const run = running ?? begin({ resourceMetadataUrl, scope, needsLogin, sleep }, fetch)
        const outcome = yield* Effect.promise(() => run.outcome).pipe(Effect.timeoutOption(timeout))
        const failed = Option.isSome(outcome) && outcome.value._tag === "Failed" ? outcome.value : undefined
        if (!run.redirected()) {
          if (failed !== undefined) {
            const { cause } = failed
            return yield* new CredentialFailure({ detail: `OAuth failed: ${said(cause)}`, cause })
          }
          if (Option.isNone(outcome)) {
            const detail = `OAuth did not finish within ${timeout / 1000} s: can the authorization server be reached?`
            return yield* new CredentialFailure({ detail, cause: undefined })
          }
        }
        // A provider may wait until the login is over.
        const tokens = yield* kept()
        const token = tokens?.access_token
        const isRenewed = Option.exists(outcome, ({ _tag }) => _tag === "Authorized") ||
          (token !== undefined && token !== before)
        asked = isRenewed && status !== 403 ? undefined : { status, scope, token, pending: !isRenewed, at: now }
        if (isRenewed) {
          const lifetime = Math.min(TokenRefusals.freshTime, (tokens?.expires_in ?? Number.POSITIVE_INFINITY) * 1000)
          renewed = { token, until: (yield* Clock.currentTimeMillis) + lifetime }
          return true
        }
        return yield* loginNeeded(status, UnauthorizedError, failed && said(failed.cause))
      })
  }
}
