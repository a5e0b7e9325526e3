/**
 * Keys are fetched at the start, from time to time, and when a token names an unknown one. While the server is away, known ones count for a while.
 */
import * as Keys from "@mcp-lifeline/sign-in/Keys"
import { Clock, Data, Deferred, Effect, FiberId } from "effect"
import type { JSONWebKeySet, JWTVerifyGetKey } from "jose"

export class KeysUnavailable extends Data.TaggedError("KeysUnavailable")<{ readonly issuer: string }> {}

/** In milliseconds. */
const refreshEvery = 10 * 60 * 1000
/** Without a fetch for so long, in milliseconds, keys do not count any more: one may have been withdrawn. */
const staleAfter = 60 * 60 * 1000
/** Between two fetches for unknown keys, which anybody can make up, in milliseconds. */
const askedEvery = 30_000
const fetchTimeout = "10 seconds"
/** After a fetch that failed, in milliseconds. The pause doubles. */
const [minPause, maxPause] = [1000, 30_000]

/** Only a gateway with `lifeline.auth` loads `jose`. */
type MakeKeySet = (keys: JSONWebKeySet) => JWTVerifyGetKey

export interface Options extends Keys.Options {
  readonly makeKeySet: MakeKeySet
  /** Called when the keys cannot be fetched, and when they can be again. Must not throw. */
  readonly onChange: (problem: string | undefined) => void
  /** Default: `Keys.fetchKeys`. */
  readonly fetchKeys?: ((options: Keys.Options) => Effect.Effect<unknown, { readonly detail: string }>) | undefined
}

export class IssuerKeys {
  readonly #options: Options
  readonly #permit = Effect.unsafeMakeSemaphore(1)
  readonly #first = Deferred.unsafeMake<void>(FiberId.none)
  #keySet: JWTVerifyGetKey | undefined
  #fetchedAt = 0
  #askedAt = Number.NEGATIVE_INFINITY
  /** Ended ones, and how many of the last have failed. */
  #fetches = 0
  #failures = 0
  #problem: string | undefined

  constructor(options: Options) {
    this.#options = options
  }

  /** Of the last fetch; `undefined` if it succeeded. */
  get problem(): string | undefined {
    return this.#problem
  }

  isUsable(now: number): boolean {
    return this.#keySet !== undefined && now - this.#fetchedAt < staleAfter
  }

  readonly run: Effect.Effect<never> = Effect.forever(
    Effect.suspend(() => this.#fetchUnless(this.#fetches)).pipe(
      Effect.zipRight(
        Effect.suspend(() =>
          Effect.sleep(this.#failures === 0 ? refreshEvery : Math.min(maxPause, minPause * 2 ** (this.#failures - 1)))
        )
      )
    )
  )

  /** Waits for the first fetch. */
  readonly known: Effect.Effect<JWTVerifyGetKey, KeysUnavailable> = Effect.gen(this, function*() {
    yield* Deferred.await(this.#first)
    // The machine was suspended, and `run` does not know yet.
    const isLate = this.#problem === undefined && !this.isUsable(yield* Clock.currentTimeMillis)
    if (isLate) yield* this.#fetchUnless(this.#fetches)
    return yield* this.#current
  })

  /** Fetched again, unless that was done only just now. */
  readonly afterUnknown: Effect.Effect<JWTVerifyGetKey, KeysUnavailable> = Effect.gen(this, function*() {
    const now = yield* Clock.currentTimeMillis
    if (now - this.#askedAt >= askedEvery) {
      this.#askedAt = now
      yield* this.#fetchUnless(this.#fetches)
    }
    // The issuer may have the key, and nobody can tell.
    if (this.#problem !== undefined) return yield* new KeysUnavailable(this.#options)
    return yield* this.#current
  })

  get #current(): Effect.Effect<JWTVerifyGetKey, KeysUnavailable> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      this.#keySet !== undefined && this.isUsable(now)
        ? Effect.succeed(this.#keySet)
        : new KeysUnavailable({ issuer: this.#options.issuer }))
  }

  /** Who waited for a fetch needs none of its own. */
  #fetchUnless(seen: number): Effect.Effect<void> {
    return this.#permit.withPermits(1)(Effect.suspend(() => this.#fetches === seen ? this.#fetch : Effect.void))
  }

  get #fetch(): Effect.Effect<void> {
    const { fetchKeys = Keys.fetchKeys, issuer, makeKeySet } = this.#options
    return fetchKeys(this.#options).pipe(
      Effect.flatMap((keys) =>
        Effect.mapError(
          Effect.try(() => makeKeySet(keys as JSONWebKeySet)),
          () => ({ detail: `the keys of ${issuer} are no JSON Web Key Set` })
        )
      ),
      Effect.timeoutFail({
        duration: fetchTimeout,
        onTimeout: () => ({ detail: `${issuer} does not answer within ${fetchTimeout}` })
      }),
      Effect.matchEffect({
        onFailure: ({ detail }) => Effect.sync(() => this.#ended(detail)),
        onSuccess: (keySet) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            this.#keySet = keySet
            this.#fetchedAt = now
            this.#ended(undefined)
          })
      })
    )
  }

  #ended(problem: string | undefined): void {
    const isChange = (problem === undefined) !== (this.#problem === undefined)
    this.#fetches++
    this.#failures = problem === undefined ? 0 : this.#failures + 1
    this.#problem = problem
    if (isChange) this.#options.onChange(problem)
    Deferred.unsafeDone(this.#first, Effect.void)
  }
}
