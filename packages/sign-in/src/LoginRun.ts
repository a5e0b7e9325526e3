/**
 * One process owns a login (a lock in the state folder); the others show the same address and wait for its tokens. Where the owner
 * ends, another takes over.
 */
import { firstOf } from "@mcp-lifeline/core/internal"
import { LoginFailure } from "@mcp-lifeline/protocol"
import { CredentialFailure } from "@mcp-lifeline/transport-http"
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Cause, Clock, Deferred, Duration, Effect, Exit, Fiber, Option, Ref, Schedule } from "effect"
import { isSameIssuer } from "./addresses.js"
import type { Browser } from "./Browser.js"
import * as Client from "./Client.js"
import type { Discovered } from "./Discovery.js"
import { type Later, Refused } from "./Failures.js"
import * as Grant from "./Grant.js"
import * as Login from "./Login.js"
import type { Person } from "./LoginPage.js"
import * as PendingLogin from "./PendingLogin.js"
import type { PublicRedirects } from "./PublicRedirects.js"
import type * as RedirectListener from "./RedirectListener.js"
import { grantOf, refusalTime, type Subject } from "./Renewal.js"
import * as scopes from "./scopes.js"
import type { State } from "./State.js"

/** No login for as much is begun before `until`, in milliseconds since 1970. */
export interface RefusedLogin {
  readonly issuer: string
  readonly scope: string | undefined
  readonly detail: string
  readonly until: number
}

export interface Request {
  readonly subject: Subject
  readonly fetch: FetchLike
  readonly discovered: Discovered
  readonly scope: string | undefined
  readonly stepUp: boolean
  readonly places: ReadonlyArray<RedirectListener.Place>
  readonly publicRedirects: PublicRedirects | undefined
  readonly person: Person | undefined
  readonly browser: Browser | undefined
  readonly before: Grant.Grant | undefined
  readonly refusedLogins: Ref.Ref<ReadonlyArray<RefusedLogin>>
  /** Whether a client may still be known to the authorization server. */
  readonly trusts: (client: Client.Client, now: number) => boolean
  /** With tokens of another login that this process goes on with. */
  readonly adopted: Effect.Effect<Grant.Grant>
  /** By whichever process; again where the login changes. */
  readonly onWaiting: (login: PendingLogin.PendingLogin) => Effect.Effect<void>
}

const pollInterval = 200

/** The time that a login needs to be gone on with, in milliseconds. */
const worthwhile = 5_000

/** What is over must not be written again. */
const alone = <A>({ subject: { folder, id } }: Request, work: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.scoped(Effect.zipRight(folder.lock(`browser-${id}`), work))

const openOnce = (request: Request, login: PendingLogin.PendingLogin): Effect.Effect<void> => {
  const { browser, subject } = request
  if (browser === undefined || login.opened) return Effect.void
  const pending = PendingLogin.pendingLogins(subject.folder)
  const isFirst = alone(
    request,
    Effect.gen(function*() {
      const stored = yield* pending.get(subject.id)
      if (Option.isNone(stored) || stored.value.opened || stored.value.address !== login.address) return false
      yield* pending.set(subject.id, { ...stored.value, opened: true })
      return true
    })
  )
  return Effect.asVoid(Effect.whenEffect(browser.open(login.address), isFirst))
}

/** A login is over: its code is good for one time. */
const forget = (request: Request): Effect.Effect<void> =>
  alone(request, PendingLogin.pendingLogins(request.subject.folder).remove(request.subject.id))

const watch = (request: Request): Effect.Effect<void> => {
  const { folder, id } = request.subject
  const pending = PendingLogin.pendingLogins(folder)
  let shown: string | undefined
  return Effect.gen(function*() {
    const stored = yield* pending.get(id)
    if (Option.isNone(stored) || stored.value.until < (yield* Clock.currentTimeMillis)) return
    if (stored.value.address !== shown) yield* request.onWaiting(stored.value)
    shown = stored.value.address
    yield* openOnce(request, stored.value)
  }).pipe(Effect.repeat(Schedule.spaced(pollInterval)), Effect.asVoid)
}

const inherited = (request: Request) =>
  Effect.gen(function*() {
    const { discovered, scope, subject } = request
    const now = yield* Clock.currentTimeMillis
    const stored = yield* PendingLogin.pendingLogins(subject.folder).get(subject.id)
    if (Option.isNone(stored)) return undefined
    const login = stored.value
    const fits = login.isPersonal !== true && isSameIssuer(login.issuer, discovered.issuer) &&
      login.server === subject.server &&
      login.account === subject.account && scopes.covers(login.scope, scope) &&
      (subject.configured.id === undefined || subject.configured.id === login.client.id) &&
      request.trusts(login.client, now)
    if (!fits || login.until - now < worthwhile) return undefined
    return yield* Login.resume(login)
  })

const begin = (request: Request) =>
  Effect.gen(function*() {
    const { discovered, subject } = request
    const clients = Client.registered(subject.folder)
    const owner = { ...subject, issuer: discovered.issuer }
    const now = yield* Clock.currentTimeMillis
    const known = Option.filter(yield* clients.get(Client.key(owner)), (client) => request.trusts(client, now))
    const waiting = yield* Login.begin({ ...owner, ...request, kept: Option.getOrUndefined(known) })
    const { login } = waiting
    if (login.client.origin === "registered") {
      yield* clients.set(Client.key(owner), { offeredUntil: login.until, ...login.client })
    }
    yield* PendingLogin.pendingLogins(subject.folder).set(subject.id, login)
    return waiting
  })

/** How often tokens from another login are looked for, in milliseconds. */
const elsewhereInterval = 1_000

/** A login makes up for those that were refused for no more. */
const allow = ({ refusedLogins }: Pick<Request, "refusedLogins">, { asked }: Grant.Grant): Effect.Effect<void> =>
  Ref.update(refusedLogins, (all) => all.filter(({ scope }) => !scopes.covers(asked, scope)))

export const elsewhere = (
  { before, refusedLogins, subject }: Pick<Request, "before" | "refusedLogins" | "subject">
): Effect.Effect<Grant.Grant> =>
  Effect.gen(function*() {
    while (true) {
      yield* Effect.sleep(elsewhereInterval)
      const stored = yield* Grant.find(subject.kept, subject.server, subject.account)
      if (stored === undefined || Grant.isSame(stored, before)) continue
      yield* allow({ refusedLogins }, stored)
      return stored
    }
  })

const commandOf = ({ account, server }: Subject): string =>
  `mcp-lifeline login ${server}${account === "default" ? "" : ` --account ${account}`}`

/** Remembers the failure for a while, unless the next login can end otherwise. */
const refuse = (request: Request, { client, issuer, scope }: PendingLogin.PendingLogin, failure: Refused) =>
  Effect.gen(function*() {
    const { person, refusedLogins, stepUp, subject } = request
    const isUnknown = Client.isUnknown(failure)
    if (isUnknown) yield* Client.forget(subject.folder, { ...subject, issuer })
    if (failure === Login.overdue || (isUnknown && client.origin === "registered")) return yield* failure
    const again = person !== undefined
      ? "begin a login on the status page of the gateway"
      : stepUp
      ? "wait for 10 minutes"
      : `run ${commandOf(subject)}`
    const detail = `${failure.detail}; to be asked again, ${again}`
    const now = yield* Clock.currentTimeMillis
    yield* Ref.update(refusedLogins, (all) => [
      ...all.filter(({ until }) => until > now),
      { issuer, scope, detail, until: now + refusalTime }
    ])
    return yield* new Refused({ detail, code: failure.code })
  })

export const run = (request: Request): Effect.Effect<Grant.Grant, Later | Refused> =>
  Effect.scoped(Effect.gen(function*() {
    const { adopted, before, discovered: { issuer }, fetch, refusedLogins, scope, subject } = request
    const { account, folder, id, kept, server } = subject
    const locked = Effect.as(folder.lock(`login-${id}`), undefined)
    const found = yield* firstOf(locked, Effect.zipRight(watch(request), Effect.never), adopted)
    if (found !== undefined) return found
    const stored = yield* Grant.find(kept, server, account)
    if (stored !== undefined && !Grant.isSame(stored, before)) return stored
    const now = yield* Clock.currentTimeMillis
    const refused = (yield* Ref.get(refusedLogins)).find((one) =>
      one.until > now && isSameIssuer(one.issuer, issuer) && scopes.covers(scope, one.scope)
    )
    if (refused !== undefined) return yield* new Refused({ detail: refused.detail })
    const waiting = (yield* inherited(request)) ?? (yield* begin(request))
    const { login } = waiting
    const { client } = login
    yield* request.onWaiting(login)
    yield* Effect.forkScoped(Effect.interruptible(openOnce(request, login)))
    let grant: Grant.Grant | undefined
    const asker = {
      fetch,
      metadata: login.metadata,
      client,
      signingKey: Client.signingKeyFor(subject.configured, login),
      resource: login.resource
    }
    const keep = (tokens: Parameters<typeof grantOf>[3]) =>
      Effect.gen(function*() {
        const obtainedAt = yield* Clock.currentTimeMillis
        grant = grantOf(subject, login, { method: "browser", client, asked: login.scope, obtainedAt }, tokens)
        yield* Grant.save(kept, grant)
        if (client.origin === "registered") {
          yield* Client.registered(folder).set(Client.key(grant), { ...client, offeredUntil: undefined })
        }
        yield* forget(request)
      })
    const finish = Effect.zipRight(Login.finish(waiting, asker, keep), Effect.suspend(() => Effect.fromNullable(grant)))
    const finishing = yield* Effect.forkScoped(Effect.interruptible(finish))
    return yield* firstOf(elsewhere(request), adopted, Fiber.join(finishing)).pipe(
      // It may be just storing the tokens.
      Effect.ensuring(Fiber.interrupt(finishing)),
      Effect.catchTag("NoSuchElementException", () => Effect.dieMessage("a login ended without tokens")),
      Effect.catchTag("Refused", (failure) => refuse(request, login, failure)),
      // When this process ends first, another one goes on with it.
      Effect.tapBoth({ onFailure: () => forget(request), onSuccess: () => forget(request) })
    )
  })).pipe(Effect.tap((grant) => allow(request, grant)))

/** Until the address of a login is known: metadata, registration. */
const addressTime = Duration.seconds(20)

export class LoginUnderWay {
  readonly fiber: Fiber.RuntimeFiber<Grant.Grant, Later | Refused>
  readonly #shown: Deferred.Deferred<void>

  constructor(fiber: LoginUnderWay["fiber"], shown: Deferred.Deferred<void>) {
    this.fiber = fiber
    this.#shown = shown
  }

  /** False if it ends with an earlier refusal. */
  get isAsking(): Effect.Effect<boolean> {
    return firstOf(Effect.as(Deferred.await(this.#shown), true), Effect.map(Fiber.await(this.fiber), Exit.isSuccess))
  }

  /** Succeeds once it has, within `time` after its address is known. `now`: how things are when that is over. */
  waitFor(
    time: Duration.Duration,
    now: () => { readonly status: number; readonly state: State; readonly isPersonal: boolean }
  ): Effect.Effect<boolean, CredentialFailure | LoginFailure.LoginFailure> {
    return Effect.gen(this, function*() {
      const ended = Fiber.await(this.fiber)
      yield* Effect.ignore(firstOf(Deferred.await(this.#shown), ended, Effect.sleep(addressTime)))
      const exit = Option.getOrUndefined(yield* Effect.timeoutOption(ended, time))
      if (exit !== undefined && Exit.isSuccess(exit)) return true
      const failure = exit === undefined ? Option.none() : Cause.failureOption(exit.cause)
      if (Option.isSome(failure)) {
        return yield* new CredentialFailure({ detail: failure.value.detail, cause: undefined })
      }
      const { isPersonal, state, status } = now()
      return yield* new LoginFailure.LoginFailure({
        status,
        detail: state._tag === "LoginNeeded"
          ? isPersonal ? "only who is to log in is told where" : ""
          : "where to log in is not known yet: the authorization server takes its time",
        address: state._tag === "LoginNeeded" && !isPersonal ? state.address : undefined,
        cause: new UnauthorizedError("a person has to log in")
      })
    })
  }
}
