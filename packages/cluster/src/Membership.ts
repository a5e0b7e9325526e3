/** Keeps this replica's lease, and ends those of replicas that have gone. */
import { Deferred, Effect, Exit, FiberId, Option, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import type { ClusterStore, Renewal, Replica, StoreError } from "./ClusterStore.js"
import { LeaseRules, type Needed, type ReplicaId } from "./LeaseRules.js"
import type { Answers, Peers } from "./Peers.js"
import { longestAnswer, type Terms } from "./Terms.js"

export interface Held {
  readonly id: ReplicaId
  /** Whether servers may be started and used now. */
  readonly isHeld: () => boolean
  readonly lapsed: Effect.Effect<void>
}

/** The lease ends with the scope of `make`. */
export interface Membership {
  readonly terms: Terms
  readonly id: () => ReplicaId
  readonly answers: Answers
  /** Waits until there is a lease, as long as the database is away. */
  readonly held: Effect.Effect<Held>
  /** Until the scope closes, the lease is not ended early. */
  readonly running: Effect.Effect<void, never, Scope.Scope>
  /** As last seen, with this one, without ended ones. */
  readonly replicas: () => ReadonlyArray<Replica>
  /** As last seen. undefined while the store does not answer. */
  readonly changes: () => number | undefined
  /** Ends when the lease of a replica has ended, and everything that it ran has stopped. */
  readonly ended: (id: ReplicaId) => Effect.Effect<void>
}

export interface Options {
  readonly store: ClusterStore
  readonly peers: Peers
  readonly terms: Terms
  readonly address: string
  readonly id?: ReplicaId | undefined
  /** Milliseconds of a clock that never jumps, and counts while the machine sleeps. */
  readonly now: () => number
  /** Tells somebody who survives this process when all has to have stopped. Must not throw. */
  readonly watch: (until: number) => void
  /** Whether that somebody answers; otherwise the lease is not renewed. Default: always. */
  readonly isWatched?: Effect.Effect<boolean> | undefined
}

interface Current {
  readonly held: Held
  readonly lapsed: Deferred.Deferred<void>
}

interface Waiting {
  readonly id: ReplicaId
  /** Only a later round has seen every replica that there was. */
  readonly after: number
  readonly ended: Deferred.Deferred<void>
}

/** Keeps a lease until the scope closes. Fails if the store cannot be reached now. */
export const make = (
  { address, id: firstId = randomUUID(), isWatched = Effect.succeed(true), now, peers, store, terms, watch }: Options
): Effect.Effect<Membership, StoreError, Scope.Scope> =>
  Effect.gen(function*() {
    let rules = new LeaseRules(firstId, terms)
    let replicas: ReadonlyMap<ReplicaId, Replica> = new Map()
    let changes: number | undefined
    let rounds = 0
    let lives = 0
    const waiting = new Set<Waiting>()
    let current: Current | undefined
    const given = yield* Effect.makeLatch()

    const update = Effect.gen(function*() {
      const isHeld = rules.isHeld(now())
      if (isHeld) watch(rules.until)
      if (isHeld === (current !== undefined)) return
      if (current !== undefined) {
        const { lapsed } = current
        current = undefined
        yield* given.close
        return Deferred.unsafeDone(lapsed, Exit.void)
      }
      const own = rules
      const lapsed = yield* Deferred.make<void>()
      const isHeldNow = (): boolean => current?.lapsed === lapsed && own.isHeld(now())
      current = { held: { id: own.id, isHeld: isHeldNow, lapsed: Deferred.await(lapsed) }, lapsed }
      yield* given.open
    })

    const limited = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<Option.Option<A>> =>
      Effect.option(Effect.timeout(Effect.disconnect(work), longestAnswer(terms)))

    /** No answer is a no. */
    const affirmed = (work: Effect.Effect<boolean, unknown>): Effect.Effect<boolean> =>
      Effect.map(limited(work), Option.contains(true))

    const askWitnesses = (question: keyof Answers, about: ReplicaId, { renewals, witnesses }: Needed) =>
      Effect.forEach(witnesses, (id) => {
        const witness = replicas.get(id)
        return witness === undefined ? Effect.succeed(false) : affirmed(peers[question](witness, about, renewals))
      }, { concurrency: "unbounded" })

    const askForPromises = Effect.gen(function*() {
      const asked = now()
      const { needed } = rules
      if (needed === undefined) return
      const answers = yield* askWitnesses("promise", rules.id, needed)
      if (!answers.includes(false)) rules.extended(asked)
    })

    const seenEnded = (isOver: (one: Waiting) => boolean): void => {
      for (const one of waiting) if (isOver(one)) Deferred.unsafeDone(one.ended, Exit.void)
    }

    const end = (replica: Replica): Effect.Effect<void> =>
      Effect.gen(function*() {
        const needs = rules.ending(now(), replica.id)
        if (needs === undefined) return
        if (needs._tag === "Ask" && !(yield* askWitnesses("consent", replica.id, needs)).includes(true)) return
        if (!rules.refuse(now(), replica.id, needs.renewals)) return
        if (yield* affirmed(store.end(replica.id, needs.renewals))) seenEnded(({ id }) => id === replica.id)
      })

    const saw = (round: number, renewal: Renewal): void => {
      replicas = new Map(renewal.replicas.map((replica) => [replica.id, replica]))
      rules.saw(now(), renewal.replicas)
      seenEnded(({ after, id }) => after < round && replicas.get(id)?.hasEnded !== false)
    }

    const round = Effect.gen(function*() {
      if (!(yield* affirmed(isWatched))) return yield* update
      const number = ++rounds
      const asked = now()
      const witnesses = rules.nextWitnesses()
      rules.renewing(witnesses)
      const renewal = yield* limited(store.renew(rules.id, witnesses))
      changes = Option.getOrUndefined(renewal)?.changes
      if (Option.isNone(renewal)) {
        yield* askForPromises
        return yield* update
      }
      const { renewals } = renewal.value
      saw(number, renewal.value)
      if (renewals === undefined) {
        // What ran here has stopped before another replica ended the lease.
        rules.ended()
        yield* update
        rules = new LeaseRules(randomUUID(), terms)
        return yield* Effect.ignore(store.join(rules.id, address))
      }
      rules.renewed(asked, renewals, witnesses)
      yield* update
      const others = renewal.value.replicas.filter(({ id }) => id !== rules.id)
      yield* Effect.forEach(others, end, { concurrency: "unbounded", discard: true })
    })

    const pause = Effect.suspend(() => {
      const soonest = Math.max(rules.nextEnding() - now(), terms.renewal / 10)
      return Effect.sleep(Math.min(terms.renewal, soonest))
    })

    const lapse = given.await.pipe(
      Effect.zipRight(Effect.suspend(() => Effect.sleep(Math.max(rules.until - now(), 1)))),
      Effect.zipRight(update)
    )

    yield* store.join(rules.id, address)
    yield* Effect.addFinalizer(() => lives === 0 ? Effect.ignore(limited(store.end(rules.id, undefined))) : Effect.void)
    yield* round
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(Effect.zipRight(pause, round))))
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(lapse)))

    return {
      terms,
      id: () => rules.id,
      answers: {
        promise: (from, renewals) => rules.promise(now(), from, renewals),
        consent: (of, renewals) => rules.refuse(now(), of, renewals)
      },
      held: Effect.repeat(
        Effect.map(given.await, () => current),
        { until: (one): one is Current => one !== undefined }
      ).pipe(Effect.map(({ held }) => held)),
      running: Effect.asVoid(Effect.acquireRelease(
        Effect.sync(() => void lives++),
        () => Effect.sync(() => void lives--)
      )),
      replicas: () => Array.from(replicas.values()).filter(({ hasEnded }) => !hasEnded),
      changes: () => changes,
      ended: (id) =>
        Effect.suspend(() => {
          const one: Waiting = { id, after: rounds, ended: Deferred.unsafeMake(FiberId.none) }
          waiting.add(one)
          return Effect.ensuring(Deferred.await(one.ended), Effect.sync(() => waiting.delete(one)))
        })
    }
  })
