/**
 * Which replica a client's session lives on: the one on which it began, and after the end of that one's lease the one that took it over. So
 * what belongs to a session is in one place: its streams, its open requests, its settings, and the servers that run for it alone.
 */
import { Effect, type Scope } from "effect"
import { createHash } from "node:crypto"
import type { Claims, Replica, StoreError } from "../ClusterStore.js"
import type { ReplicaId } from "../LeaseRules.js"
import type { Held, Membership } from "../Membership.js"

/** See the head of the file. */
export interface SessionHomes {
  /** This replica, as the home of sessions that begin now; `undefined` while it has no lease. */
  readonly own: () => ReplicaId | undefined
  /** Whether a session lives here, as far as that is known without asking. `born`: the replica on which it began. */
  readonly isHere: (session: string, born: ReplicaId | undefined) => boolean
  /** The replica on which a session lives, which may be this one. Takes it over if its last home has gone; waits while that may still be there, and while this replica has no lease. */
  readonly find: (session: string, born: ReplicaId | undefined) => Effect.Effect<Replica, StoreError>
  /** Ends when a home has gone: whoever asks again gets another one. */
  readonly gone: (home: ReplicaId) => Effect.Effect<void>
  /** A session has ended for good. */
  readonly ended: (session: string) => Effect.Effect<void, StoreError>
}

/** How often it looks whether a replica that it has not seen yet is there, in milliseconds. */
const look = 100

/** For how many sessions that have moved it remembers where to. */
const maxMoved = 100_000

/** Ids of sessions are secrets, and long. */
const keyOf = (session: string): string => createHash("sha256").update(session).digest("base64url")

/** A session that did not begin where it lives. */
interface Moved {
  readonly home: ReplicaId
  readonly generation: number
}

/** `lapsed`: runs each time that this replica's lease has ended. Everything that lives here has to end then. */
export const make = (
  membership: Membership,
  claims: Claims,
  lapsed: Effect.Effect<void>
): Effect.Effect<SessionHomes, never, Scope.Scope> =>
  Effect.gen(function*() {
    let current: Held | undefined
    /** By the keys of sessions, the oldest first. */
    const moved = new Map<string, Moved>()
    const remember = (key: string, one: Moved): void => {
      moved.delete(key)
      moved.set(key, one)
      const [oldest] = moved.keys()
      if (moved.size > maxMoved && oldest !== undefined) moved.delete(oldest)
    }
    const own = (): ReplicaId | undefined => current?.isHeld() === true ? current.id : undefined
    const replica = (id: ReplicaId): Replica | undefined => membership.replicas().find((one) => one.id === id)
    const isThere = (id: ReplicaId): boolean => replica(id) !== undefined

    const follow = Effect.gen(function*() {
      const held = yield* membership.held
      current = held
      yield* held.lapsed
      current = undefined
      yield* lapsed
    })
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(follow)))

    /** Where it lives, as far as that is known without asking. */
    const known = (key: string, born: ReplicaId | undefined): ReplicaId | undefined => {
      const now = own()
      const isAlive = (id: ReplicaId): boolean => id === now || isThere(id)
      if (born !== undefined && isAlive(born)) return born
      const last = moved.get(key)?.home
      return last !== undefined && isAlive(last) ? last : undefined
    }

    /** Waits until a replica that began after the last look is seen, or has surely gone. */
    const sought = (id: ReplicaId): Effect.Effect<void> =>
      Effect.raceFirst(
        membership.ended(id),
        Effect.repeat(Effect.sleep(look), { until: () => isThere(id) })
      )

    const find = (key: string, born: ReplicaId | undefined): Effect.Effect<Replica, StoreError> =>
      Effect.gen(function*() {
        const { id } = yield* membership.held
        const home = replica(known(key, born) ?? "")
        if (home !== undefined) return home
        if (born !== undefined) yield* sought(born)
        if (born === undefined || !isThere(born)) {
          const found = (yield* claims.find(key)) ?? (yield* claims.claim(id, key))
          if (found === undefined) yield* Effect.sleep(look)
          else {
            remember(key, { home: found.owner, generation: found.generation })
            if (!isThere(found.owner)) yield* sought(found.owner)
          }
        }
        return yield* find(key, born)
      })

    return {
      own,
      isHere: (session, born) => {
        const now = own()
        return now !== undefined && (born === now || moved.get(keyOf(session))?.home === now)
      },
      find: (session, born) => find(keyOf(session), born),
      gone: membership.ended,
      ended: (session) =>
        Effect.suspend(() => {
          const key = keyOf(session)
          const one = moved.get(key)
          moved.delete(key)
          return one === undefined ? Effect.void : claims.release(one.home, key, one.generation)
        })
    }
  })
