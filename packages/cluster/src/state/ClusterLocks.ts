/**
 * Locks of the cluster are claims in the store, which end with the replica's lease. Released when all that the replica has written is in
 * the store, so that the next one finds it.
 */
import type { Lock } from "@mcp-lifeline/state/FileLock"
import { Effect, Random, type Scope } from "effect"
import type { Claims } from "../ClusterStore.js"
import type { ReplicaId } from "../LeaseRules.js"
import type { Held, Membership } from "../Membership.js"
import type { SharedRows } from "./SharedRows.js"

/** The shortest and longest wait for another replica, and for a failed release, in milliseconds. */
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
    const giveBack = (name: string, local: Local, one: Left) =>
      Effect.gen(function*() {
        if (local.left !== one) return
        const found = yield* locks.find(name)
        if (found?.owner === one.id) yield* locks.release(one.id, name, found.generation)
        local.left = undefined
      }).pipe(local.asking.withPermits(1))
    const giveBackLater = (name: string, local: Local, one: Left) =>
      Effect.sleep(again).pipe(
        Effect.zipRight(rows.written),
        Effect.zipRight(giveBack(name, local, one)),
        Effect.retry({ while: () => true }),
        Effect.interruptible,
        Effect.forkIn(scope)
      )
    const release = (name: string, local: Local, { generation, held: { id } }: Taken) =>
      Effect.gen(function*() {
        const released = rows.isWritten() && (yield* Effect.isSuccess(locks.release(id, name, generation)))
        if (released) return
        local.left = { id, generation }
        yield* giveBackLater(name, local, local.left)
      })
    yield* Effect.addFinalizer(() =>
      Effect.forEach(
        locals,
        ([name, local]) =>
          local.left === undefined || !rows.isWritten()
            ? Effect.void
            : Effect.ignore(giveBack(name, local, local.left)),
        {
          discard: true
        }
      )
    )

    const take = (name: string, local: Local, held: Held): Effect.Effect<Taken | undefined> =>
      Effect.suspend(() => {
        const { id } = held
        const instead = local.left?.id === id ? local.left.generation : undefined
        return locks.claim(id, name, instead).pipe(
          Effect.map((found) => {
            if (found?.owner !== id) return undefined
            local.left = undefined
            return { held, generation: found.generation }
          }),
          Effect.catchAll(() =>
            Effect.sync(() => {
              local.left = { id, generation: instead }
              return undefined
            })
          )
        )
      }).pipe(local.asking.withPermits(1))
    const pause = (millis: number) => Effect.flatMap(Random.next, (part) => Effect.sleep(millis * (0.5 + part)))
    const isFree = (name: string, id: ReplicaId) =>
      Effect.match(locks.find(name), {
        onSuccess: (found) => found === undefined || found.owner === id,
        onFailure: () => false
      })

    const acquire = (
      name: string,
      local: Local,
      restore: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    ): Effect.Effect<Taken> =>
      Effect.gen(function*() {
        let millis = shortest
        while (true) {
          const held = yield* restore(membership.held)
          const taken = yield* take(name, local, held)
          if (taken !== undefined) return taken
          do {
            yield* restore(pause(millis))
            millis = Math.min(2 * millis, longest)
          } while (!(yield* restore(isFree(name, held.id))))
        }
      }).pipe(
        Effect.onInterrupt(() => local.left === undefined ? Effect.void : giveBackLater(name, local, local.left))
      )

    return {
      lock: (name) =>
        Effect.gen(function*() {
          const local = locals.get(name) ??
            { holding: Effect.unsafeMakeSemaphore(1), asking: Effect.unsafeMakeSemaphore(1), left: undefined }
          locals.set(name, local)
          const { held } = yield* Effect.uninterruptibleMask((restore) =>
            restore(local.holding.take(1)).pipe(
              Effect.zipRight(Effect.addFinalizer(() => local.holding.release(1))),
              Effect.zipRight(acquire(name, local, restore)),
              Effect.tap((taken) => Effect.addFinalizer(() => release(name, local, taken)))
            )
          )
          yield* rows.written
          yield* rows.exact
          const guesses = rows.guesses()
          return { isHeld: Effect.sync(() => held.isHeld() && rows.guesses() === guesses) }
        })
    }
  })
