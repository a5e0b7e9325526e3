/**
 * Between `begin` and `finish` a login is kept in the state folder, and any process can take `finish` over.
 */
import { HttpConnector } from "@mcp-lifeline/transport-http"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Clock, Effect, Either, Redacted, Schedule } from "effect"
import type { Scope } from "effect"
import { randomBytes } from "node:crypto"
import {
  AuthorizationResponseError,
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  validateAuthResponse
} from "oauth4webapi"
import { endpoint } from "./ask.js"
import * as Client from "./Client.js"
import type { Discovered } from "./Discovery.js"
import { type Later, quoted, reasonOf, Refused } from "./Failures.js"
import { LoginPage, type Person } from "./LoginPage.js"
import * as PendingLogin from "./PendingLogin.js"
import type { PublicRedirects } from "./PublicRedirects.js"
import * as RedirectListener from "./RedirectListener.js"
import * as Registration from "./Registration.js"
import * as scopes from "./scopes.js"
import * as TokenEndpoint from "./TokenEndpoint.js"

export interface Request {
  readonly fetch: FetchLike
  readonly server: string
  readonly account: string
  readonly discovered: Discovered
  readonly scope: string | undefined
  readonly configured: Client.Configured
  readonly kept: Client.Client | undefined
  readonly places: ReadonlyArray<RedirectListener.Place>
  readonly publicRedirects?: PublicRedirects | undefined
  readonly person?: Person | undefined
}

export interface Waiting {
  readonly login: PendingLogin.PendingLogin
  readonly listener: RedirectListener.RedirectListener
}

/** Refuses a server with which the code could be stolen on its way. */
const addressOf = ({ issuer, metadata }: Discovered): Effect.Effect<URL, Refused> =>
  Effect.gen(function*() {
    if (metadata.code_challenge_methods_supported?.includes("S256") !== true) {
      return yield* new Refused({
        detail:
          `${issuer} does not offer PKCE with S256, which a login needs (code_challenge_methods_supported): correct this at the server`
      })
    }
    if (metadata.response_types_supported?.includes("code") === false) {
      return yield* new Refused({ detail: `${issuer} offers no login with a code (response_types_supported)` })
    }
    const url = yield* endpoint(metadata.authorization_endpoint, "authorization endpoint")
    if (!HttpConnector.isLocal(url) || HttpConnector.isLocal(new URL(issuer))) return url
    return yield* new Refused({
      detail:
        `the authorization server ${issuer} names an authorization endpoint where it is not itself, which nobody is sent to: ${
          quoted(url.origin + url.pathname)
        }`
    })
  })

const listen = ({ places, publicRedirects }: Request, loginPage: LoginPage | undefined) =>
  Effect.gen(function*() {
    if (publicRedirects !== undefined) return yield* publicRedirects.listener(loginPage)
    for (const place of places) {
      const listener = yield* RedirectListener.make(place, loginPage)
      if (listener !== undefined) return listener
    }
    return yield* new Refused({
      detail: `port ${
        places[0]?.port
      } is taken, and the login has to come back there: end what uses it, or allow another port`
    })
  })

/** The browser can come back from the moment that this succeeds until the scope closes. */
export const begin = (request: Request): Effect.Effect<Waiting, Later | Refused, Scope.Scope> =>
  Effect.gen(function*() {
    const { account, discovered, person, publicRedirects, scope, server } = request
    const { issuer, metadata, resource } = discovered
    const address = yield* addressOf(discovered)
    const loginPage = person === undefined ? undefined : new LoginPage({ person, server }, publicRedirects?.site)
    const listener = yield* listen(request, loginPage)
    const { base, redirect } = listener
    const now = yield* Clock.currentTimeMillis
    const client = yield* Registration.choose({ ...request, redirect, now })
    const state = randomBytes(24).toString("base64url")
    const verifier = generateRandomCodeVerifier()
    const parameters = {
      response_type: "code",
      client_id: client.id,
      code_challenge: yield* Effect.promise(() => calculatePKCECodeChallenge(verifier)),
      code_challenge_method: "S256",
      redirect_uri: redirect,
      state,
      scope,
      // OpenID Connect gives a refresh token only to whom the person has agreed anew.
      prompt: scopes.covers(scope, "offline_access") ? "consent" : undefined,
      resource
    }
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) address.searchParams.set(name, value)
    }
    loginPage?.begin(address.href)
    const login: PendingLogin.PendingLogin = {
      server,
      account,
      issuer,
      metadata,
      resource,
      client,
      scope,
      address: loginPage === undefined ? address.href : base + loginPage.path,
      until: now + PendingLogin.lifetime,
      isPersonal: person === undefined ? undefined : true,
      opened: false,
      redirect,
      state: Redacted.make(state),
      verifier: Redacted.make(verifier)
    }
    return { login, listener }
  })

/** The port of a process that has just ended is tried again: some systems close sockets a moment later. */
const [resumeTries, resumeInterval] = [10, "100 millis"] as const

/** Undefined where it cannot come back to this process. */
export const resume = (login: PendingLogin.PendingLogin): Effect.Effect<Waiting | undefined, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { hostname, pathname, port } = new URL(login.redirect)
    const place = { host: hostname, port: Number(port), path: pathname }
    let listener = yield* RedirectListener.make(place)
    for (let tries = 0; listener === undefined && tries < resumeTries; tries++) {
      yield* Effect.sleep(resumeInterval)
      listener = yield* RedirectListener.make(place)
    }
    return listener && { login, listener }
  })

const notGranted = ({ metadata: { issuer } }: PendingLogin.PendingLogin, cause: unknown): Refused => {
  if (!(cause instanceof AuthorizationResponseError)) {
    return new Refused({
      detail: `the answer to the login is not one of ${issuer}, and is not used: ${reasonOf(cause)}`
    })
  }
  const { error, error_description: description } = cause
  const said = description === undefined ? error : `${error}: ${description}`
  return new Refused({ detail: `the login was not granted: ${quoted(said)}`, code: error })
}

const fromBrowser = (
  login: PendingLogin.PendingLogin,
  parameters: URLSearchParams,
  asker: TokenEndpoint.Asker
): Effect.Effect<TokenEndpoint.Tokens, Later | Refused> =>
  Effect.gen(function*() {
    const { authorization_response_iss_parameter_supported: names, issuer } = login.metadata
    const server = { issuer, authorization_response_iss_parameter_supported: names === true }
    const answer = yield* Effect.try({
      try: () => validateAuthResponse(server, { client_id: login.client.id }, parameters, Redacted.value(login.state)),
      catch: (cause) => notGranted(login, cause)
    })
    const code = answer.get("code") ?? ""
    if (code === "") return yield* new Refused({ detail: "the login was not granted" })
    return yield* TokenEndpoint.tokens(asker, {
      grant_type: "authorization_code",
      code,
      code_verifier: Redacted.value(login.verifier),
      redirect_uri: login.redirect
    }).pipe(Effect.retry({
      while: ({ _tag }) => _tag === "Later",
      schedule: Schedule.intersect(Schedule.exponential("500 millis"), Schedule.recurs(4))
    }))
  })

export const overdue = new Refused({ detail: "nobody has finished the login in time" })

/**
 * `keep` gets the tokens before the person is told. What may bring the tokens is not interrupted: a code is good for one time. Fails with Refused
 * where the time is up.
 */
export const finish = (
  { listener, login }: Waiting,
  asker: TokenEndpoint.Asker,
  keep: (tokens: TokenEndpoint.Tokens) => Effect.Effect<void>
): Effect.Effect<void, Later | Refused> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const left = Math.max(0, login.until - (yield* Clock.currentTimeMillis))
      const arrival = yield* restore(Effect.timeoutFail(
        listener.arrival(Redacted.value(login.state)),
        { duration: left, onTimeout: () => overdue }
      ))
      const outcome = yield* Effect.either(fromBrowser(login, arrival.parameters, asker))
      if (Either.isLeft(outcome)) {
        yield* arrival.reply(`${outcome.left.detail}. You can close this page.`, false)
        return yield* outcome.left
      }
      yield* keep(outcome.right)
      yield* arrival.reply("You can close this page and go on where you were.", true)
    })
  )
