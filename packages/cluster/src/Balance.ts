/**
 * Moves servers, one at a time and with their calls answered, from a replica that runs more than its share to others.
 *
 * A moved server is started again, so nothing moves before the replicas, and what each runs, have been the same for a while. A lock lets no
 * two begin at once.
 */
import { Clock, Effect, Random } from "effect"
import type { ClusterStore, StoreError } from "./ClusterStore.js"
import type { Membership } from "./Membership.js"
import { excess } from "./placement.js"

export interface WantedServer {
  readonly name: string
  readonly isHere: () => boolean
  /** In flight, or waiting for a connection, on this replica. */
  readonly calls: Effect.Effect<number>
  /** Once the calls in flight are answered, if it is here and another replica takes it. */
  readonly handOver: Effect.Effect<void>
  /**
   * Before the backend closes, so that no call fails: lets calls end, for 5 seconds at most, and hands the server over for good. Later
   * calls wait for the other replica, until the backend closes.
   */
  readonly stop: Effect.Effect<void>
}

/** In milliseconds. */
export interface Options {
  readonly store: Pick<ClusterStore, "loads" | "locks">
  readonly membership: Pick<Membership, "held" | "replicas">
  readonly servers: Iterable<WantedServer>
  /** Looks are 3 to 6 times as far apart. */
  readonly renewal: number
  /** How long nothing must have changed. */
  readonly calm: number
}

const lock = "balance"

const leastUsed = (servers: ReadonlyArray<WantedServer>): Effect.Effect<WantedServer | undefined> =>
  Effect.map(
    Effect.forEach(servers, (server) => Effect.map(server.calls, (calls) => ({ server, calls }))),
    (all) => all.toSorted((one, other) => one.calls - other.calls)[0]?.server
  )

export const run = ({ calm, membership, renewal, servers, store }: Options): Effect.Effect<never> =>
  Effect.suspend(() => {
    let replicas = ""
    let seen = ""
    let since = 0
    /** No other replica has taken them. */
    const unwanted = new Set<string>()

    const look: Effect.Effect<void, StoreError> = Effect.gen(function*() {
      const { id } = yield* membership.held
      const ids = membership.replicas().map((replica) => replica.id).toSorted()
      const loads = yield* store.loads
      const now = yield* Clock.currentTimeMillis
      if (ids.join() !== replicas) unwanted.clear()
      replicas = ids.join()
      const sees = JSON.stringify([ids, ids.map((one) => loads.get(one) ?? 0)])
      if (sees !== seen) {
        seen = sees
        since = now
      }
      if (now - since < calm || excess(id, ids, loads) === 0) return
      const server = yield* leastUsed([...servers].filter((one) => one.isHere() && !unwanted.has(one.name)))
      if (server === undefined) return
      const locked = yield* store.locks.claim(id, lock)
      if (locked?.owner !== id) return
      yield* Effect.ensuring(server.handOver, Effect.ignore(store.locks.release(id, lock, locked.generation)))
      if (server.isHere()) return void unwanted.add(server.name)
      yield* Effect.logInfo(`${server.name} was given to another replica, because this one ran more than its share`)
    })

    const pause = Effect.flatMap(Random.next, (random) => Effect.sleep(renewal * (3 + 3 * random)))
    return Effect.forever(Effect.zipRight(pause, Effect.ignore(look)))
  })
