/**
 * Renews logins, one process at a time (a lock in the state folder): a refresh token that is good for one time is never used twice.
 */
import type { Lock } from "@mcp-lifeline/state/FileLock"
import type * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { TokenRefusals } from "@mcp-lifeline/transport-http"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Clock, Data, Effect, Either, Redacted } from "effect"
import { isSameIssuer } from "./addresses.js"
import type { Challenge } from "./Challenge.js"
import * as Client from "./Client.js"
import { discover, type Discovered } from "./Discovery.js"
import { type Later, Refused } from "./Failures.js"
import * as Grant from "./Grant.js"
import * as scopes from "./scopes.js"
import * as TokenEndpoint from "./TokenEndpoint.js"

/** How long a person is not asked again for what was not granted, in milliseconds. */
export const refusalTime = 600_000

export interface Subject {
  readonly folder: StateFolder.StateFolder["Type"]
  readonly kept: StateFolder.Collection<Grant.Grant>
  readonly url: URL
  readonly server: string
  readonly account: string
  readonly id: string
  readonly method: Grant.Method | undefined
  readonly configured: Client.Configured
  readonly scope: string | undefined
}

export type Outcome =
  | { readonly _tag: "Renewed"; readonly grant: Grant.Grant }
  | {
    readonly _tag: "LoginNeeded"
    readonly discovered: Discovered
    readonly scope: string | undefined
    readonly dead: Dead | undefined
  }
  /** More rights are wanted than anybody grants. */
  | { readonly _tag: "Pointless" }

export const grantOf = (
  subject: Pick<Subject, "account" | "server">,
  discovered: Pick<Discovered, "issuer" | "metadata"> & { readonly resource?: string | undefined },
  from: Pick<Grant.Grant, "method" | "client" | "asked" | "obtainedAt">,
  tokens: TokenEndpoint.Tokens
): Grant.Grant => ({
  server: subject.server,
  account: subject.account,
  issuer: discovered.issuer,
  metadata: discovered.metadata,
  resource: discovered.resource,
  ...from,
  access: tokens.access,
  refresh: tokens.refresh,
  scope: tokens.scope ?? from.asked,
  expiresAt: tokens.expiresAt
})

/** It was refused each time. The grant is kept until the next login: the server may have been wrong. */
export interface Dead {
  readonly _tag: "Dead"
  /** The id of a client that is not known any more. */
  readonly unknownClient: string | undefined
}

/** This process was stopped; another may have used the refresh token meanwhile. */
class LockLost extends Data.TaggedError("LockLost") {}

/** Begins again where the lock is lost before a refresh token is used. */
const alone = <A, E>(
  subject: Subject,
  work: (lock: Lock) => Effect.Effect<A, E | LockLost>
): Effect.Effect<A, Exclude<E, LockLost>> =>
  Effect.flatMap(subject.folder.lock(`tokens-${subject.id}`), work).pipe(
    Effect.scoped,
    Effect.catchIf((error) => error instanceof LockLost, () => alone(subject, work))
  ) as Effect.Effect<A, Exclude<E, LockLost>>

type Refreshed = { readonly _tag: "Renewed"; readonly grant: Grant.Grant } | Dead | undefined

/** `wasDead`: it is asked once. */
const refresh = (
  subject: Subject,
  fetch: FetchLike,
  grant: Grant.Grant,
  lock: Lock,
  wasDead: boolean
): Effect.Effect<Refreshed, Later | Refused | LockLost> =>
  Effect.gen(function*() {
    const { refresh } = grant
    if (refresh === undefined) return undefined
    const asker = {
      fetch,
      metadata: grant.metadata,
      client: grant.client,
      signingKey: Client.signingKeyFor(subject.configured, grant),
      resource: grant.resource
    }
    const ask = Effect.gen(function*() {
      if (!(yield* lock.isHeld)) return yield* new LockLost()
      const parameters = { grant_type: "refresh_token", refresh_token: Redacted.value(refresh) }
      return yield* Effect.either(TokenEndpoint.tokens(asker, parameters))
    })
    const isRefused = (outcome: Effect.Effect.Success<typeof ask>) =>
      Either.isLeft(outcome) && outcome.left._tag === "Refused" && outcome.left.isAnswer === true
    let outcome = yield* ask
    for (const pause of wasDead ? [] : TokenRefusals.pauses) {
      if (!isRefused(outcome)) break
      yield* Effect.interruptible(Effect.sleep(pause))
      outcome = yield* ask
    }
    if (Either.isRight(outcome)) {
      const tokens = outcome.right
      const obtainedAt = yield* Clock.currentTimeMillis
      const next: Grant.Grant = {
        ...grant,
        access: tokens.access,
        refresh: tokens.refresh ?? refresh,
        scope: tokens.scope ?? grant.scope,
        obtainedAt,
        expiresAt: tokens.expiresAt
      }
      yield* Grant.save(subject.kept, next)
      return { _tag: "Renewed", grant: next }
    }
    const failure = outcome.left
    if (failure._tag === "Later" || failure.isAnswer !== true) return yield* failure
    return { _tag: "Dead", unknownClient: Client.isUnknown(failure) ? grant.client.id : undefined }
  })

const withCredentials = (
  subject: Subject,
  fetch: FetchLike,
  discovered: Pick<Discovered, "issuer" | "metadata" | "resource">,
  scope: string | undefined,
  before: Grant.Grant | undefined
): Effect.Effect<Grant.Grant, Later | Refused> =>
  Effect.gen(function*() {
    const { issuer, metadata, resource } = discovered
    const client = (yield* Client.configuredFor(subject.configured, issuer)) ?? before?.client
    if (client === undefined) {
      return yield* new Refused({ detail: "a sign-in with client credentials needs the id of a client" })
    }
    const signingKey = Client.signingKeyFor(subject.configured, { client, issuer })
    const asker = { fetch, metadata, client, signingKey, resource }
    const tokens = yield* TokenEndpoint.tokens(asker, { grant_type: "client_credentials", scope })
    const obtainedAt = yield* Clock.currentTimeMillis
    const grant = grantOf(subject, discovered, { method: "credentials", client, asked: scope, obtainedAt }, tokens)
    yield* Grant.save(subject.kept, grant)
    return grant
  })

/** Undefined where only a login helps. `wasDead`: the refresh token was refused before. */
export const beforeTheEnd = (
  subject: Subject,
  fetch: FetchLike,
  current: Grant.Grant,
  wasDead = false
): Effect.Effect<Grant.Grant | undefined, Later | Refused> =>
  alone(subject, (lock) =>
    Effect.gen(function*() {
      const stored = yield* Grant.find(subject.kept, subject.server, subject.account)
      if (stored === undefined || !Grant.isSame(stored, current)) return stored
      if (stored.method !== "credentials") {
        const refreshed = yield* refresh(subject, fetch, stored, lock, wasDead)
        return refreshed?._tag === "Renewed" ? refreshed.grant : undefined
      }
      const { issuer, metadata, resource } = stored
      return yield* withCredentials(
        subject,
        fetch,
        { issuer, metadata, resource },
        stored.asked,
        stored
      )
    }))

/** Of a refresh token; `vain`: what it brings is refused each time. */
export type Hope = "good" | "dead" | "vain"

export const afterRefusal = (
  subject: Subject,
  fetch: FetchLike,
  challenge: Challenge,
  refused: Grant.Grant | undefined,
  hope: Hope
): Effect.Effect<Outcome, Later | Refused> =>
  alone(subject, (lock) =>
    Effect.gen(function*() {
      const { kept, url } = subject
      const stored = yield* Grant.find(kept, subject.server, subject.account)
      if (stored !== undefined && !Grant.isSame(stored, refused)) return { _tag: "Renewed", grant: stored }
      const stepUp = challenge.status === 403
      const found = yield* Effect.either(discover(fetch, url, challenge, subject.configured.issuer ?? stored?.issuer))
      if (Either.isLeft(found)) {
        // A token can be renewed also while the metadata is out of reach.
        const renewed = stepUp || stored === undefined || found.left._tag === "Refused"
          ? undefined
          : yield* refresh(subject, fetch, stored, lock, hope === "dead")
        return renewed?._tag === "Renewed" ? renewed : yield* found.left
      }
      const discovered = found.right
      // Before anything is asked of it.
      yield* Client.checkIssuer(subject.configured, discovered.issuer)
      // What another authorization server gave stays with it.
      const mine = stored !== undefined && isSameIssuer(stored.issuer, discovered.issuer) ? stored : undefined
      const isMachine = (subject.method ?? mine?.method) === "credentials"
      const scope = scopes.wanted({
        configured: subject.scope,
        challenge: challenge.scope,
        resource: discovered.scopes,
        server: isMachine ? undefined : discovered.metadata.scopes_supported,
        before: stepUp ? scopes.union(mine?.asked, mine?.scope) ?? "" : undefined
      })
      if (stepUp && mine !== undefined && scopes.covers(mine.asked, scope)) {
        const now = yield* Clock.currentTimeMillis
        if (now - mine.obtainedAt < refusalTime) return { _tag: "Pointless" }
      }
      if (isMachine && hope === "vain") {
        return yield* new Refused({ detail: `the server refuses each token that ${discovered.issuer} gives for it` })
      }
      if (isMachine) {
        return { _tag: "Renewed", grant: yield* withCredentials(subject, fetch, discovered, scope, mine) }
      }
      const refreshed = stepUp || mine === undefined || hope === "vain"
        ? undefined
        : yield* refresh(subject, fetch, { ...mine, metadata: discovered.metadata }, lock, hope === "dead")
      return refreshed?._tag === "Renewed" ? refreshed : { _tag: "LoginNeeded", discovered, scope, dead: refreshed }
    }))
