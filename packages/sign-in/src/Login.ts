/**
 * Logins that a person has to finish: in a browser that comes back here, or with a code on any device.
 *
 * `begin` makes one, `finish` waits for it. Between the two it is kept in the state folder, and any process can take `finish` over.
 */
import { HttpConnector } from "@mcp-lifeline/transport-http"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Clock, Effect, Either, Redacted, Schedule, Schema } from "effect"
import type { Scope } from "effect"
import { randomBytes } from "node:crypto"
import {
  AuthorizationResponseError,
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  validateAuthResponse
} from "oauth4webapi"
import { isSameIssuer } from "./addresses.js"
import { endpoint, refusal } from "./ask.js"
import * as Client from "./Client.js"
import type { Discovered } from "./Discovery.js"
import { type Later, quoted, reasonOf, Refused } from "./Failures.js"
import { LoginPage, type Person } from "./LoginPage.js"
import { OptionNames } from "./OptionNames.js"
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
  /** A client that was registered before. */
  readonly kept: Client.Client | undefined
  readonly method: "browser" | "device"
  /** Where the browser comes back to: the first place that is free. */
  readonly places: ReadonlyArray<RedirectListener.Place>
  /** Where it comes back to in place of these, if that is not this machine. */
  readonly publicRedirects?: PublicRedirects | undefined
  /** Who is to log in, where that is one of several. */
  readonly person?: Person | undefined
}

export interface Waiting {
  readonly login: PendingLogin.PendingLogin
  /** Undefined for a login on another device. */
  readonly listener: RedirectListener.RedirectListener | undefined
}

/** An address to which a person is sent: none of this machine or of a private network, unless the authorization server is there. */
const forPeople = (address: unknown, what: string, issuer: string): Effect.Effect<URL, Refused> =>
  Effect.filterOrFail(
    endpoint(address, what),
    (url) => !HttpConnector.isLocal(url) || HttpConnector.isLocal(new URL(issuer)),
    ({ origin, pathname }) =>
      new Refused({
        detail: `the authorization server ${issuer} names an ${what} where it is not itself, which nobody is sent to: ${
          quoted(origin + pathname)
        }`
      })
  )

/** Refuses a server with which the code could be stolen on its way. */
const checkBrowserLogin = ({ issuer, metadata }: Discovered): Effect.Effect<URL, Refused> =>
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
    return yield* forPeople(metadata.authorization_endpoint, "authorization endpoint", issuer)
  })

const common = ({ account, discovered, person, scope, server }: Request, client: Client.Client) => ({
  server,
  account,
  issuer: discovered.issuer,
  metadata: discovered.metadata,
  resource: discovered.resource,
  client,
  scope,
  isPersonal: person === undefined ? undefined : true,
  opened: false
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

const beginInBrowser = (request: Request): Effect.Effect<Waiting, Later | Refused, Scope.Scope> =>
  Effect.gen(function*() {
    const { discovered, scope } = request
    const address = yield* checkBrowserLogin(discovered)
    const { person, publicRedirects } = request
    const loginPage = person === undefined
      ? undefined
      : new LoginPage({ person, server: request.server }, publicRedirects?.site)
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
      resource: discovered.resource
    }
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== undefined) address.searchParams.set(name, value)
    }
    loginPage?.begin(address.href)
    const login: PendingLogin.PendingLogin = {
      ...common(request, client),
      address: loginPage === undefined ? address.href : base + loginPage.path,
      until: now + PendingLogin.lifetime,
      way: { _tag: "Browser", redirect, state: Redacted.make(state), verifier: Redacted.make(verifier) }
    }
    return { login, listener }
  })

const Device = Schema.Struct({
  device_code: Schema.String,
  user_code: Schema.String,
  verification_uri: Schema.String,
  verification_uri_complete: Schema.optionalWith(Schema.String, { nullable: true }),
  expires_in: TokenEndpoint.Seconds,
  interval: Schema.optionalWith(TokenEndpoint.Seconds, { nullable: true })
})
const decodeDevice = Schema.decodeUnknownEither(Device)

const beginOnDevice = (request: Request): Effect.Effect<Waiting, Later | Refused> =>
  Effect.gen(function*() {
    const { discovered, fetch, scope } = request
    const { issuer, metadata, resource } = discovered
    if (metadata.device_authorization_endpoint === undefined) {
      const { device } = yield* OptionNames
      return yield* new Refused({ detail: `${issuer} offers no login on another device: log in without ${device}` })
    }
    const url = yield* endpoint(metadata.device_authorization_endpoint, "device authorization endpoint")
    const now = yield* Clock.currentTimeMillis
    const redirect = request.kept?.redirects[0] ?? "http://localhost/callback"
    const client = yield* Registration.choose({ ...request, redirect, now })
    const asker = {
      fetch,
      metadata,
      client,
      signingKey: Client.signingKeyFor(request.configured, { client, issuer }),
      resource
    }
    const answer = yield* TokenEndpoint.post(asker, url, { scope, resource, client_id: client.id })
    const decoded = decodeDevice(answer.json)
    if (!answer.ok || Either.isLeft(decoded)) {
      return yield* refusal(`${issuer} starts no login on another device`, answer)
    }
    const said = decoded.right
    // As it is shown and opened: an address that was checked has no characters that control a terminal.
    const { href: address } = yield* forPeople(
      said.verification_uri_complete ?? said.verification_uri,
      "address for a login on another device",
      issuer
    )
    const login: PendingLogin.PendingLogin = {
      ...common(request, client),
      address,
      until: now + said.expires_in * 1000,
      way: {
        _tag: "Device",
        code: Redacted.make(said.device_code),
        userCode: quoted(said.user_code),
        interval: Math.max(1, said.interval ?? 5) * 1000
      }
    }
    return { login, listener: undefined }
  })

/** Starts a login. The browser can come back from the moment that this succeeds until the scope closes. */
export const begin = (request: Request): Effect.Effect<Waiting, Later | Refused, Scope.Scope> =>
  request.method === "device" ? beginOnDevice(request) : beginInBrowser(request)

/** How often, and how soon again, the port of a process that has just ended is tried: some systems close sockets a moment later. */
const [resumeTries, resumeInterval] = [10, "100 millis"] as const

/** Goes on with a login that another process began; undefined where it cannot come back to this one. */
export const resume = (login: PendingLogin.PendingLogin): Effect.Effect<Waiting | undefined, never, Scope.Scope> =>
  Effect.gen(function*() {
    if (login.way._tag === "Device") return { login, listener: undefined }
    const { hostname, pathname, port } = new URL(login.way.redirect)
    const place = { host: hostname, port: Number(port), path: pathname }
    let listener = yield* RedirectListener.make(place)
    for (let tries = 0; listener === undefined && tries < resumeTries; tries++) {
      yield* Effect.sleep(resumeInterval)
      listener = yield* RedirectListener.make(place)
    }
    return listener && { login, listener }
  })

/** Why what the browser has brought is no answer of this authorization server, or one that grants nothing. */
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

/** Tokens for what the browser has brought. */
const fromBrowser = (
  login: PendingLogin.PendingLogin,
  way: PendingLogin.PendingLogin["way"] & { readonly _tag: "Browser" },
  parameters: URLSearchParams,
  asker: TokenEndpoint.Asker
): Effect.Effect<TokenEndpoint.Tokens, Later | Refused> =>
  Effect.gen(function*() {
    const { authorization_response_iss_parameter_supported: names, issuer } = login.metadata
    const from = parameters.get("iss") ?? issuer
    const server = {
      issuer: isSameIssuer(from, issuer) ? from : issuer,
      authorization_response_iss_parameter_supported: names === true
    }
    const answer = yield* Effect.try({
      try: () => validateAuthResponse(server, { client_id: login.client.id }, parameters, Redacted.value(way.state)),
      catch: (cause) => notGranted(login, cause)
    })
    const code = answer.get("code") ?? ""
    if (code === "") return yield* new Refused({ detail: "the login was not granted" })
    return yield* TokenEndpoint.tokens(asker, {
      grant_type: "authorization_code",
      code,
      code_verifier: Redacted.value(way.verifier),
      redirect_uri: way.redirect
    }).pipe(Effect.retry({
      while: ({ _tag }) => _tag === "Later",
      schedule: Schedule.intersect(Schedule.exponential("500 millis"), Schedule.recurs(4))
    }))
  })

const overdue = new Refused({ detail: "nobody has finished the login in time", code: "expired_token" })

/** Tokens once the person has logged in elsewhere. The answer to each question is waited for: it may have the tokens. */
const fromDevice = (
  { until }: PendingLogin.PendingLogin,
  way: PendingLogin.PendingLogin["way"] & { readonly _tag: "Device" },
  asker: TokenEndpoint.Asker,
  restore: <A, E>(work: Effect.Effect<A, E>) => Effect.Effect<A, E>
): Effect.Effect<TokenEndpoint.Tokens, Later | Refused> =>
  Effect.gen(function*() {
    let interval = way.interval
    while (true) {
      const left = until - (yield* Clock.currentTimeMillis)
      if (left <= 0) return yield* overdue
      yield* restore(Effect.sleep(Math.min(interval, left)))
      if ((yield* Clock.currentTimeMillis) >= until) return yield* overdue
      const outcome = yield* Effect.either(TokenEndpoint.tokens(asker, {
        grant_type: Registration.deviceGrant,
        device_code: Redacted.value(way.code)
      }))
      if (Either.isRight(outcome)) return outcome.right
      const { left: failure } = outcome
      if (failure._tag === "Later" || failure.code === "slow_down") interval += 5_000
      else if (failure.code !== "authorization_pending") return yield* failure
    }
  })

/**
 * Waits until the person has done their part, and gets the tokens. `keep` is called with them before the person is told. What has the tokens, or may
 * bring them, is not interrupted: a code is good for one time. Fails with Refused where the time is up.
 */
export const finish = (
  { listener, login }: Waiting,
  asker: TokenEndpoint.Asker,
  keep: (tokens: TokenEndpoint.Tokens) => Effect.Effect<void>
): Effect.Effect<void, Later | Refused> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const { until, way } = login
      if (way._tag === "Device") return yield* Effect.flatMap(fromDevice(login, way, asker, restore), keep)
      if (listener === undefined) return yield* overdue
      const left = Math.max(0, until - (yield* Clock.currentTimeMillis))
      const arrival = yield* restore(Effect.timeoutFail(
        listener.arrival(Redacted.value(way.state)),
        { duration: left, onTimeout: () => overdue }
      ))
      const outcome = yield* Effect.either(fromBrowser(login, way, arrival.parameters, asker))
      if (Either.isLeft(outcome)) {
        yield* arrival.reply(`${outcome.left.detail}. You can close this page.`, false)
        return yield* outcome.left
      }
      yield* keep(outcome.right)
      yield* arrival.reply("You can close this page and go on where you were.", true)
    })
  )
