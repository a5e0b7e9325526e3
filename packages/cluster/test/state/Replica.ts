import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Deferred, Effect, Redacted, type Scope } from "effect"
import type { ClusterKeys } from "../../src/ClusterKey.js"
import { type Claims, type ClusterStore, type Rows, StoreError } from "../../src/ClusterStore.js"
import type { Held } from "../../src/Membership.js"
import * as ClusterState from "../../src/state/ClusterState.js"

export const key = Redacted.make("a key that all replicas of this test have in common")

export type Fate =
  | "ok"
  | "refused"
  /** It is carried out. */
  | "unanswered"
  /** It is not answered, and carried out when the test does so. */
  | "late"

export class Way {
  fate: Fate = "ok"
  asked: Array<string> = []
  readonly late: Array<Effect.Effect<unknown, StoreError>> = []
  starting: Effect.Effect<void> = Effect.void
  answering: Effect.Effect<void> = Effect.void
  /** Whether it learns of changes. */
  isRenewed = true
  /** Called once, after the next lock was taken. */
  lock: (() => void) | undefined
  readonly store: ClusterStore

  constructor(store: ClusterStore) {
    const over = <A>(name: string, work: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
      Effect.suspend(() => {
        const { fate } = this
        this.asked.push(name)
        const failure = Effect.fail(new StoreError({ message: "the database is away" }))
        if (fate === "ok") {
          return Effect.flatMap(Effect.zipRight(this.starting, work), (answer) => Effect.as(this.answering, answer))
        }
        if (fate === "late") this.late.push(work)
        return fate === "unanswered" ? Effect.zipRight(work, failure) : failure
      })
    const claims = (inner: Claims): Claims => ({
      find: (...given) => over("find", inner.find(...given)),
      claim: (...given) => over("claim", inner.claim(...given)),
      release: (...given) => over("release", inner.release(...given))
    })
    const rows = (inner: Rows): Rows => ({
      get: (...given) => over("get", inner.get(...given)),
      entries: (...given) => over("entries", inner.entries(...given)),
      after: (...given) => over("after", inner.after(...given)),
      change: (...given) => over("change", inner.change(...given)),
      use: (...given) => over("use", inner.use(...given)),
      excess: (...given) => over("excess", inner.excess(...given)),
      prune: (...given) => over("prune", inner.prune(...given))
    })
    const locks = claims(store.locks)
    const claim: Claims["claim"] = (...given) =>
      Effect.tap(locks.claim(...given), () =>
        Effect.sync(() => {
          this.lock?.()
          this.lock = undefined
        }))
    this.store = { ...store, ...claims(store), locks: { ...locks, claim }, rows: rows(store.rows) }
  }
}

export interface Replica {
  readonly way: Way
  readonly state: StateFolder.StateFolder["Type"]
  readonly lapse: Effect.Effect<void>
  readonly renew: Effect.Effect<void>
}

let names = 0

const changesOf = (store: ClusterStore): number =>
  Effect.runSync(Effect.orDie(Effect.map(store.renew("nobody", []), ({ changes }) => changes)))

export const replica = (
  store: ClusterStore,
  options: { readonly followed?: Iterable<string>; readonly key?: ClusterKeys } = {}
): Effect.Effect<Replica, never, Scope.Scope> =>
  Effect.gen(function*() {
    const way = new Way(store)
    let given = yield* Deferred.make<Held>()
    let changes: number | undefined
    let lease = { id: "", isHeld: false }
    const renew = Effect.gen(function*() {
      const one = { id: `replica-${names++}`, isHeld: true }
      lease = one
      yield* Effect.orDie(store.join(one.id, `http://${one.id}`))
      yield* Deferred.succeed(given, { id: one.id, isHeld: () => one.isHeld, lapsed: Effect.never })
    })
    const lapse = Effect.gen(function*() {
      lease.isHeld = false
      given = yield* Deferred.make<Held>()
      yield* Effect.orDie(store.end(lease.id, undefined))
    })
    yield* renew
    const state = yield* ClusterState.make({
      store: way.store,
      key: options.key ?? key,
      membership: {
        held: Effect.suspend(() => Deferred.await(given)),
        changes: () => {
          if (way.isRenewed) changes = changesOf(store)
          return way.fate === "ok" ? changes : undefined
        }
      },
      local: StateFolder.make("/nowhere"),
      followed: options.followed
    })
    return { way, state, lapse, renew }
  })
