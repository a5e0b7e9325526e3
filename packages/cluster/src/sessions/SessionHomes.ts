/**
 * A session lives where it began, or was taken over after the end of that lease. So its streams, open requests, settings and own servers
 * are in one place.
 */
import { firstOf } from "@mcp-lifeline/core/internal"
import type { Home } from "@mcp-lifeline/http-server/McpEndpoint"
import { Deferred, Effect, FiberId, FiberSet, type Scope } from "effect"
import { createHash } from "node:crypto"
import type { Claims, Ownership, Replica, StoreError } from "../ClusterStore.js"
import type { ReplicaId } from "../LeaseRules.js"
import type { Held, Membership } from "../Membership.js"

export interface SessionHomes extends Home {
  /** Takes a session over if its last home has gone. Waits while that may still be there, and, to take over, for a lease. */
  readonly find: (session: string, born: ReplicaId | undefined) => Effect.Effect<Replica, StoreError>
  readonly here: Effect.Effect<Replica>
  readonly gone: (home: ReplicaId) => Effect.Effect<void>
  readonly ended: (session: string) => Effect.Effect<void, StoreError>
}

const look = 100

const longestEnd = 5000

const maxGone = 10_000

/** Ids of sessions are secrets, and long. */
const keyOf = (session: string): string => createHash("sha256").update(session).digest("base64url")

const trim = (all: Map<string, unknown> | Set<string>, size: number): void => {
  for (const key of all.keys()) {
    if (all.size <= size) return
    all.delete(key)
  }
}

/** `lapsed`: runs after each lease: everything that lives here has to end. `maxMoved`: for other sessions that have moved, the store is asked. */
export const make = (
  membership: Membership,
  claims: Claims,
  lapsed: Effect.Effect<void>,
  maxMoved = 100_000
): Effect.Effect<SessionHomes, never, Scope.Scope> =>
  Effect.gen(function*() {
    let current: Held | undefined
    /** Sessions that did not begin there. */
    const moved = new Map<string, Ownership>()
    const hasGone = new Set<ReplicaId>()
    const claiming = new Map<string, Deferred.Deferred<Ownership | undefined, StoreError>>()
    const fork = yield* FiberSet.makeRuntime<never>()

    const own = (): ReplicaId | undefined => current?.isHeld() === true ? current.id : undefined
    const replica = (id: ReplicaId): Replica | undefined =>
      hasGone.has(id) ? undefined : membership.replicas().find((one) => one.id === id)

    const follow = Effect.gen(function*() {
      const held = yield* membership.held
      current = held
      yield* held.lapsed
      current = undefined
      yield* Effect.exit(Effect.timeoutOption(Effect.disconnect(lapsed), longestEnd))
    })
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(follow)))

    const gone = (id: ReplicaId): Effect.Effect<void> =>
      Effect.suspend(() =>
        hasGone.has(id) ? Effect.void : Effect.map(membership.ended(id), () => {
          hasGone.add(id)
          trim(hasGone, maxGone)
        })
      )

    const known = (key: string, born: ReplicaId | undefined): Replica | undefined => {
      const first = born === undefined ? undefined : replica(born)
      if (first !== undefined) return first
      const last = moved.get(key)
      return last === undefined ? undefined : replica(last.owner)
    }

    /** Until a replica that began after the last look is seen, or has surely gone. */
    const sought = (id: ReplicaId): Effect.Effect<void> =>
      Effect.suspend(() =>
        replica(id) !== undefined
          ? Effect.void
          : firstOf(gone(id), Effect.repeat(Effect.sleep(look), { until: () => replica(id) !== undefined }))
      )

    const claim = (key: string): Effect.Effect<Ownership | undefined, StoreError> =>
      Effect.gen(function*() {
        const { id } = yield* membership.held
        return (yield* claims.find(key)) ?? (yield* claims.claim(id, key))
      })

    const claimed = (key: string): Effect.Effect<Ownership | undefined, StoreError> =>
      Effect.suspend(() => {
        const before = claiming.get(key)
        if (before !== undefined) return Deferred.await(before)
        const made = Deferred.unsafeMake<Ownership | undefined, StoreError>(FiberId.none)
        claiming.set(key, made)
        fork(Effect.intoDeferred(Effect.ensuring(claim(key), Effect.sync(() => claiming.delete(key))), made))
        return Deferred.await(made)
      })

    const find = (key: string, born: ReplicaId | undefined): Effect.Effect<Replica, StoreError> =>
      Effect.gen(function*() {
        while (true) {
          const home = known(key, born)
          if (home !== undefined) return home
          if (born !== undefined) yield* sought(born)
          if (born !== undefined && replica(born) !== undefined) continue
          const found = yield* claimed(key)
          if (found === undefined) yield* Effect.sleep(look)
          else {
            moved.delete(key)
            moved.set(key, found)
            trim(moved, maxMoved)
            yield* sought(found.owner)
          }
        }
      })

    const here: Effect.Effect<Replica> = Effect.flatMap(membership.held, ({ id }) => {
      const found = replica(id)
      return found === undefined ? Effect.zipRight(Effect.sleep(look), here) : Effect.succeed(found)
    })

    return {
      own,
      here,
      isHere: (session, born) => {
        const now = own()
        return now !== undefined && (born === now || moved.get(keyOf(session))?.owner === now)
      },
      find: (session, born) => Effect.suspend(() => find(keyOf(session), born)),
      gone,
      ended: (session) =>
        Effect.suspend(() => {
          const key = keyOf(session)
          const one = moved.get(key)
          moved.delete(key)
          return one === undefined ? Effect.void : claims.release(one.owner, key, one.generation)
        })
    }
  })
