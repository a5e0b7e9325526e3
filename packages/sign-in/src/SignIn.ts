/**
 * Tokens are kept, renewed before they end, and asked of a person only where nothing else helps.
 */
import type { Backend } from "@mcp-lifeline/core"
import { firstOf, Hub } from "@mcp-lifeline/core/internal"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import type { Authorization, Refusal } from "@mcp-lifeline/transport-http"
import { CredentialFailure, HttpConnector, TokenRefusals } from "@mcp-lifeline/transport-http"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Clock, Deferred, Duration, Effect, Fiber, FiberHandle, Option, Ref, Stream } from "effect"
import type { Scope } from "effect"
import * as Challenge from "./Challenge.js"
import { Later, Refused } from "./Failures.js"
import * as Grant from "./Grant.js"
import { IssuerOption } from "./IssuerOption.js"
import type { LoginUnderWay, RefusedLogin } from "./LoginRun.js"
import type { Options } from "./Options.js"
import { placesFor } from "./places.js"
import * as Registration from "./Registration.js"
import type * as Renewal from "./Renewal.js"
import * as State from "./State.js"

export type { Person } from "./LoginPage.js"
export type { Options } from "./Options.js"

export interface SignIn {
  /** Without query and credentials. */
  readonly server: string
  readonly account: string
  /** For the option of `HttpConnector`. */
  readonly authorization: Authorization
  readonly state: Effect.Effect<State.State>
  /** The state as it is, and each change. */
  readonly changes: Stream.Stream<State.State>
  /** Runs `use` with the state as it is, and with each change, one after the other; does not end. Holds less than `changes`. */
  readonly follow: <R>(use: (state: State.State) => Effect.Effect<void, never, R>) => Effect.Effect<void, never, R>
  /** Lets what was refused be asked for again. */
  readonly askAgain: Effect.Effect<void>
  /** Begins a login unless one is under way, also where none was asked for or one was refused; waits until it is done. */
  readonly login: Effect.Effect<void, Later | Refused>
}

/** How long a closing scope waits for tokens that are on their way: they could not be had again. */
const closeTime = Duration.seconds(2)

/** How long missing tokens are not looked for again, in milliseconds: a server that needs none is called often. */
const absentTime = 1000

/** How long refused tokens are not tried again while a person is asked, in milliseconds. */
const deadTime = 60_000

/** After so many logins within this time, in milliseconds, none is begun. */
const [maxLogins, loginTime] = [3, 600_000]

const loadRenewal = Effect.promise(() => import("./Renewal.js"))
const loadLoginRun = Effect.promise(() => import("./LoginRun.js"))

const outcomeOf = (grant: Grant.Grant | undefined): Renewal.Outcome =>
  grant === undefined ? { _tag: "Pointless" } : { _tag: "Renewed", grant }

/** Ends with the scope; a login that waits for a person goes on in another process, if there is one. */
export const make = (options: Options): Effect.Effect<SignIn, never, Scope.Scope | StateFolder.StateFolder> =>
  Effect.gen(function*() {
    const folder = yield* StateFolder.StateFolder
    const given = new URL(String(options.url))
    const url = new URL(given.origin + given.pathname)
    const [server, account] = [url.href, options.account ?? "default"]
    const { isAutomatic = true, issuerOption, method, person } = options
    const loginWait = Duration.decode(options.loginWait ?? "2 seconds")
    const subject: Renewal.Subject = {
      folder,
      kept: Grant.grants(folder),
      url,
      server,
      account,
      id: StateFolder.key(server, account),
      method,
      configured: options.client ?? {},
      scope: options.scope
    }
    const named = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      issuerOption === undefined ? effect : Effect.provideService(effect, IssuerOption, issuerOption)
    let state: State.State = { _tag: "NotAsked" }
    const states = new Hub<State.State>()
    const reached = (next: State.State) =>
      Effect.sync(() => {
        state = next
        states.emit(next)
      })
    const changes = states.stream(() => [state])

    let current: Grant.Grant | undefined
    /** Their refresh token was refused; `at`: when it was last used. Kept, but not sent. */
    let dead: { readonly grant: Grant.Grant; readonly at: number } | undefined
    const isDead = (grant: Grant.Grant | undefined) => grant !== undefined && Grant.isSame(grant, dead?.grant)
    let absentAt: number | undefined
    let lastFetch: FetchLike | undefined
    let login: LoginUnderWay | undefined
    let renewing: Fiber.Fiber<Renewal.Outcome, Later | Refused> | undefined
    /** Since the last finished login: a person who is not there gets no second browser. */
    let hasOpened = false
    /** A person asks, who may have seen that no login can be finished with the registered client. */
    let isAsked = false
    const refusedLogins = yield* Ref.make<ReadonlyArray<RefusedLogin>>([])
    /** Several waits can end with the tokens of one login. */
    const finished = new Set<number>()
    let renewed: Grant.Grant | undefined
    /** When renewed tokens were refused at once, one after the other. */
    const vain = new Set<number>()

    const browser = options.browser && {
      open: (address: string) =>
        Effect.suspend(() => {
          hasOpened = true
          return options.browser?.open(address) ?? Effect.succeed(false)
        })
    }

    const adopt = (grant: Grant.Grant) =>
      Effect.suspend(() => {
        current = grant
        dead = undefined
        return reached(State.signedIn(grant))
      })

    /** What uses these tokens waits until the login that is under way here has ended, so that it is not shown any more. */
    const adoptFound = (grant: Grant.Grant) =>
      Effect.suspend(() => {
        const ended = login && Effect.ignore(Effect.timeout(Fiber.await(login.fiber), closeTime))
        return Effect.zipRight(adopt(grant), ended ?? Effect.void)
      })

    /** Without more scopes, the tokens are as good as before. */
    const failed = ({ _tag, detail }: Later | Refused, stepUp: boolean) =>
      Effect.suspend(() => {
        const shown = reached({ _tag, detail })
        return stepUp && current !== undefined ? Effect.zipRight(shown, adopt(current)) : shown
      })

    const load = Effect.gen(function*() {
      const stored = yield* Grant.find(subject.kept, server, account)
      const good = isDead(stored) ? undefined : stored
      if (good !== undefined) yield* adoptFound(good)
      absentAt = good === undefined ? yield* Clock.currentTimeMillis : undefined
      return good
    })

    /** Runs once for all who want it at the same time; the result is kept, also when they go away. */
    const shared = (
      work: (renewal: typeof Renewal) => Effect.Effect<Renewal.Outcome, Later | Refused>,
      stepUp = false
    ) =>
      Effect.suspend(() => {
        if (renewing !== undefined) return Fiber.join(renewing)
        const run = Effect.flatMap(loadRenewal, work).pipe(
          named,
          Effect.tap((outcome) => outcome._tag === "Renewed" ? adopt(outcome.grant) : Effect.void),
          Effect.tapError((failure) => failed(failure, stepUp)),
          Effect.ensuring(Effect.sync(() => void (renewing = undefined))),
          Effect.uninterruptible
        )
        return Effect.flatMap(Effect.forkDaemon(run), (fiber) => {
          if (fiber.unsafePoll() === null) renewing = fiber
          return Fiber.join(fiber)
        })
      })
    const interrupt = Effect.suspend(() =>
      Fiber.interruptAll([renewing, login?.fiber].filter((fiber) => fiber !== undefined))
    )
    yield* Effect.addFinalizer(() =>
      interrupt.pipe(Effect.interruptible, Effect.disconnect, Effect.timeout(closeTime), Effect.ignore)
    )

    /** Named by the user, now or when the tokens were asked for. */
    const isChosen = (address: URL): boolean => {
      const issuer = subject.configured.issuer ?? current?.client.issuer
      return issuer !== undefined && parseUrl(issuer)?.origin === address.origin
    }

    const tokens: Authorization["tokens"] = (fetch) =>
      Effect.gen(function*() {
        lastFetch = fetch
        const now = yield* Clock.currentTimeMillis
        const known = isDead(current) ? undefined : current
        // Tokens of a login elsewhere are found later, or when a request is refused.
        const isAbsent = login === undefined && absentAt !== undefined && Math.abs(now - absentAt) < absentTime
        const grant = known ?? (isAbsent ? undefined : yield* load)
        if (grant === undefined) return undefined
        if (Grant.isDue(grant, now)) {
          yield* shared((renewal) =>
            renewal.beforeTheEnd(subject, fetch, grant).pipe(
              Effect.tap((next) => next === undefined ? died(grant) : Effect.void),
              Effect.map(outcomeOf)
            )
          ).pipe(Effect.catchAll((failure) =>
            // As long as the old one is good, there is no hurry.
            grant.expiresAt !== undefined && grant.expiresAt > now ? Effect.void : unobtainable(failure)
          ))
        }
        return current === undefined || isDead(current)
          ? undefined
          : { access: current.access, refresh: current.refresh }
      })

    const died = (grant: Grant.Grant) =>
      Effect.map(Clock.currentTimeMillis, (at) => {
        dead = { grant, at }
      })

    /** Tries once in a while. */
    const isGoodAgain = (fetch: FetchLike) =>
      Effect.gen(function*() {
        const last = dead
        const now = yield* Clock.currentTimeMillis
        if (last === undefined || !isDead(current) || now - last.at < deadTime) return false
        yield* died(last.grant)
        const outcome = yield* shared((renewal) =>
          renewal.beforeTheEnd(subject, fetch, last.grant, true).pipe(
            Effect.orElseSucceed(() => undefined),
            Effect.map(outcomeOf)
          )
        )
        return outcome._tag === "Renewed"
      })

    const unobtainable = (failure: Later | Refused) => new CredentialFailure({ detail: failure.detail, cause: failure })

    const watching = yield* FiberHandle.make<void>()
    /** Until there are tokens, adopts those of another login. */
    const watch = (elsewhere: Effect.Effect<Grant.Grant>, before: Grant.Grant | undefined) => {
      const goesOn = ({ _tag }: State.State) => _tag === "Refused" || (_tag === "SignedIn" && current === before)
      const over = Effect.asVoid(Stream.runHead(Stream.filter(changes, (next) => !goesOn(next))))
      return FiberHandle.run(watching, firstOf(Effect.flatMap(elsewhere, adopt), over), { onlyIfMissing: true })
    }

    const askAgain = Effect.suspend(() => {
      isAsked = true
      return Ref.set(refusedLogins, [])
    })

    const begin = (
      fetch: FetchLike,
      { dead, discovered, scope: wanted }: Extract<Renewal.Outcome, { readonly _tag: "LoginNeeded" }>,
      stepUp: boolean,
      before: Grant.Grant | undefined
    ): Effect.Effect<LoginUnderWay> =>
      Effect.gen(function*() {
        const LoginRun = yield* loadLoginRun
        const shown = yield* Deferred.make<void>()
        if (login !== undefined) return login
        const elsewhere = LoginRun.elsewhere({ subject, before, refusedLogins })
        const run = LoginRun.run({
          subject,
          fetch,
          discovered,
          scope: wanted,
          stepUp,
          places: placesFor(subject.id, options.redirect),
          publicRedirects: options.publicRedirects,
          person,
          browser: hasOpened ? undefined : browser,
          before,
          refusedLogins,
          trusts: (client, now) =>
            client.id !== dead?.unknownClient &&
            (!isAsked || client.origin !== "registered" || Registration.isNew(client, now)),
          adopted: changes.pipe(
            Stream.filterMap(() => Grant.isSame(current, before) ? Option.none() : Option.fromNullable(current)),
            Stream.runHead,
            Effect.flatMap(Option.match({ onNone: () => Effect.never, onSome: Effect.succeed }))
          ),
          onWaiting: ({ address, until }) =>
            Effect.tap(reached({ _tag: "LoginNeeded", address, until, stepUp }), Deferred.succeed(shown, undefined))
        }).pipe(
          named,
          Effect.tap((grant) => {
            finished.add(grant.obtainedAt)
            hasOpened = false
            return adopt(grant)
          }),
          Effect.tapError((failure) => failed(failure, stepUp)),
          Effect.tapErrorTag("Refused", () => watch(elsewhere, before)),
          Effect.ensuring(Effect.sync(() => {
            login = undefined
            isAsked = false
          })),
          Effect.interruptible
        )
        const fiber = yield* Effect.forkDaemon(run)
        const begun = new LoginRun.LoginUnderWay(fiber, shown)
        if (fiber.unsafePoll() === null) login = begun
        return begun
      }).pipe(Effect.uninterruptible)

    const waitFor = (login: LoginUnderWay, status: number) =>
      login.waitFor(loginWait, () => ({ status, state, isPersonal: person !== undefined }))

    /** Counts renewed tokens that the server refuses before they have ended. */
    const countVain = (refused: Grant.Grant | undefined, now: number): void => {
      const isFresh = refused !== undefined && Grant.isSame(refused, renewed) &&
        now - refused.obtainedAt < TokenRefusals.freshTime &&
        (refused.expiresAt === undefined || now < refused.expiresAt)
      if (isFresh) vain.add(refused.obtainedAt)
      else vain.clear()
    }

    const renew = (refusal: Refusal, fetch: FetchLike) =>
      Effect.gen(function*() {
        lastFetch = fetch
        const refused = current
        const stored = yield* Grant.find(subject.kept, server, account)
        if (stored !== undefined && !Grant.isSame(stored, refused)) return yield* Effect.as(adoptFound(stored), true)
        const underWay = login
        if (underWay !== undefined) {
          return (yield* Effect.catchAll(isGoodAgain(fetch), unobtainable)) ||
            (yield* waitFor(underWay, refusal.status))
        }
        if (!isAutomatic && stored === undefined) return false
        const stepUp = refusal.status === 403
        if (!stepUp) countVain(refused, yield* Clock.currentTimeMillis)
        const hope = vain.size >= TokenRefusals.maxVain ? "vain" : isDead(refused) ? "dead" : "good"
        const outcome = yield* shared(
          (renewal) => renewal.afterRefusal(subject, fetch, Challenge.read(refusal), refused, hope),
          stepUp
        ).pipe(Effect.catchAll(unobtainable))
        if (outcome._tag === "Renewed") {
          renewed = outcome.grant
          return true
        }
        if (outcome._tag === "Pointless") return false
        if (outcome.dead !== undefined && stored !== undefined) yield* died(stored)
        const now = yield* Clock.currentTimeMillis
        for (const at of finished) if (now - at >= loginTime) finished.delete(at)
        if (finished.size >= maxLogins) {
          const vain = new Refused({
            detail:
              `the server refuses the tokens that ${outcome.discovered.issuer} gives for it, so that no further ` +
              "login is begun for 10 minutes"
          })
          yield* failed(vain, stepUp)
          return yield* unobtainable(vain)
        }
        return yield* waitFor(yield* begin(fetch, outcome, stepUp, refused), refusal.status)
      })

    yield* load
    return {
      server,
      account,
      authorization: {
        tokens,
        renew,
        // What follows is no refusal at once.
        accepted: () => {
          renewed = undefined
        },
        isChosen,
        needed: () => State.needed(state, person !== undefined),
        isRunning: () => renewing !== undefined || login !== undefined
      },
      state: Effect.sync(() => state),
      changes,
      follow: (use) => states.forEachAfter(() => [state], use),
      askAgain,
      login: Effect.gen(function*() {
        const fetch = lastFetch ?? (yield* HttpConnector.fetchFor(url, isChosen))
        // Before the check: what is under way may have met the last refusal already, and what comes after it does not.
        yield* askAgain
        const underWay = login
        if (underWay !== undefined && (yield* underWay.isAsking)) {
          return yield* Effect.asVoid(Fiber.join(underWay.fiber))
        }
        const before = current
        const outcome = yield* shared((renewal) => renewal.afterRefusal(subject, fetch, Challenge.none, before, "dead"))
        if (outcome._tag !== "LoginNeeded") return
        yield* Fiber.join((yield* begin(fetch, outcome, false, before)).fiber)
      })
    }
  })

/** Ends with the scope. */
export const whenDone = (signIn: SignIn, done: Effect.Effect<void>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    let before: State.State["_tag"] = "SignedIn"
    return signIn.follow(({ _tag }) => {
      const isNew = _tag === "SignedIn" && before !== _tag
      before = _tag
      return isNew ? done : Effect.void
    })
  }).pipe(Effect.interruptible, Effect.forkScoped, Effect.asVoid)

/** Does not wait for the backend's next attempt. Ends with the scope. */
export const reconnectWhenDone = (signIn: SignIn, backend: Backend.Backend): Effect.Effect<void, never, Scope.Scope> =>
  whenDone(signIn, Effect.asVoid(Effect.unlessEffect(Effect.ignore(backend.reconnect), backend.isConnected)))
