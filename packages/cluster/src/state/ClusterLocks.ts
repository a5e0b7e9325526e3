/**
 * Locks of the cluster are claims in the store, which end with the replica's lease. Released when all that the replica has written is in
 * the store, so that the next one finds it.
 */
import type { Lock } from "@mcp-lifeline/state/FileLock"
import { Effect, Either, Option, Random, type Scope } from "effect"
import type { Claims } from "../ClusterStore.js"
import type { ReplicaId } from "../LeaseRules.js"
import type { Held, Membership } from "../Membership.js"
import type { SharedRows } from "./SharedRows.js"

/** Waits for another replica, and after a failed release, in milliseconds. */
const [shortest, longest, again] = [50, 1000, 1000]

export interface Options {
  readonly locks: Claims
  readonly membership: Pick<Membership, "held">
  readonly rows: Pick<SharedRows, "exact" | "guesses" | "isWritten" | "written">
}

export interface ClusterLocks {
  /**
   * Waits while the store is away, too; released when the scope closes. `isHeld` is also false after a read while the store was away:
   * another replica may have changed that since.
   */
  readonly lock: (name: string) => Effect.Effect<Lock, never, Scope.Scope>
}

/** The store may still have it. */
interface Left {
  readonly id: ReplicaId
  readonly generation: number | undefined
}

interface Local {
  readonly name: string
  readonly holding: Effect.Semaphore
  /** So nothing is given back that was just taken. */
  readonly asking: Effect.Semaphore
  left: Left | undefined
}

interface Taken {
  readonly held: Held
  readonly generation: number
}

/** When the scope closes, releases what is left. */
export const make = ({ locks, membership, rows }: Options): Effect.Effect<ClusterLocks, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const locals = new Map<string, Local>()

    /** Unless it is used again. Fails if the store is away. */
    const giveBack = (local: Local, one: Left | undefined) =>
      Effect.gen(function*() {
        if (one === undefined || local.left !== one) return
        const found = yield* locks.find(local.name)
        if (found?.owner === one.id) yield* locks.release(one.id, local.name, found.generation)
        local.left = undefined
      }).pipe(local.asking.withPermits(1))
    const giveBackLater = (local: Local, one: Left) =>
      Effect.sleep(again).pipe(
        Effect.zipRight(rows.written),
        Effect.zipRight(giveBack(local, one)),
        Effect.retry({ while: () => true }),
        Effect.interruptible,
        Effect.forkIn(scope)
      )
    const release = (local: Local, { generation, held: { id } }: Taken) =>
      Effect.gen(function*() {
        if (rows.isWritten() && (yield* Effect.isSuccess(locks.release(id, local.name, generation)))) return
        local.left = { id, generation }
        yield* giveBackLater(local, local.left)
      })
    yield* Effect.addFinalizer(() =>
      Effect.forEach(
        locals.values(),
        (local) => rows.isWritten() ? Effect.ignore(giveBack(local, local.left)) : Effect.void,
        { discard: true }
      )
    )

    const take = (local: Local, held: Held): Effect.Effect<Taken | undefined> =>
      Effect.gen(function*() {
        const { id } = held
        const instead = local.left?.id === id ? local.left.generation : undefined
        const claimed = yield* Effect.either(locks.claim(id, local.name, instead))
        if (Either.isLeft(claimed)) local.left = { id, generation: instead }
        if (Either.isLeft(claimed) || claimed.right?.owner !== id) return undefined
        local.left = undefined
        return { held, generation: claimed.right.generation }
      }).pipe(local.asking.withPermits(1))
    const pause = (millis: number) => Effect.flatMap(Random.next, (part) => Effect.sleep(millis * (0.5 + part)))
    const isFree = (name: string, id: ReplicaId) =>
      Effect.map(Effect.option(locks.find(name)), Option.exists((found) => found === undefined || found.owner === id))

    const acquire = (local: Local, restore: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) =>
      Effect.gen(function*() {
        let millis = shortest
        while (true) {
          const held = yield* restore(membership.held)
          const taken = yield* take(local, held)
          if (taken !== undefined) return taken
          do {
            yield* restore(pause(millis))
            millis = Math.min(2 * millis, longest)
          } while (!(yield* restore(isFree(local.name, held.id))))
        }
      }).pipe(Effect.onInterrupt(() => local.left === undefined ? Effect.void : giveBackLater(local, local.left)))

    return {
      lock: (name) =>
        Effect.gen(function*() {
          const local = locals.get(name) ??
            { name, holding: Effect.unsafeMakeSemaphore(1), asking: Effect.unsafeMakeSemaphore(1), left: undefined }
          locals.set(name, local)
          const { held } = yield* Effect.uninterruptibleMask((restore) =>
            restore(local.holding.take(1)).pipe(
              Effect.zipRight(Effect.addFinalizer(() => local.holding.release(1))),
              Effect.zipRight(acquire(local, restore)),
              Effect.tap((taken) => Effect.addFinalizer(() => release(local, taken)))
            )
          )
          yield* rows.written
          yield* rows.exact
          const guesses = rows.guesses()
          return { isHeld: Effect.sync(() => held.isHeld() && rows.guesses() === guesses) }
        })
    }
  })
