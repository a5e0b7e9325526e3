/**
 * A cluster in the memory of one process, for tests of programs: no database, no other processes, no network, and no watchdog. It takes time from
 * `Clock`, so under `TestClock` it takes no real time. All else is as in a real cluster: leases, takeovers, calls that pass from one replica
 * to another, and what their callers are told.
 */
import { Effect, Layer } from "effect"
import * as Cluster from "./Cluster.js"
import { type ClusterStore, type Replica, StoreError } from "./ClusterStore.js"
import * as MemoryHop from "./hop/MemoryHop.js"
import type { ReplicaId } from "./LeaseRules.js"
import * as Membership from "./Membership.js"
import * as MemoryStore from "./MemoryStore.js"
import { PeerError, type Peers } from "./Peers.js"
import { defaults, type Terms } from "./Terms.js"
import type { Watchdog } from "./Watchdog.js"

/** How the cluster is. */
export interface Options {
  /** Default: those of real clusters, `defaults`. */
  readonly terms?: Terms | undefined
  /** See `Cluster.Options`. In milliseconds. Default 10,000. */
  readonly calm?: number | undefined
}

/** Any number of replicas. */
export interface TestCluster {
  /**
   * A replica with this name. Each build of the layer is a new one; at most one of a name at a time. One that is cut off cannot join: its layer
   * dies.
   *
   * When its scope closes, it leaves in order, as a program that ends. While there are others, that takes up to 10 seconds of the clock: under
   * `TestClock`, close the scope in a fiber, and adjust the clock meanwhile.
   */
  readonly replica: (name: string) => Layer.Layer<Cluster.Cluster>
  /**
   * From now on, all that a replica sends or is sent is lost, to the store and to the others, as when its network
   * fails. With the usual terms, it ends its servers within 4.5 seconds, and another replica takes them within 8.
   */
  readonly cutOff: (name: string) => Effect.Effect<void>
  /** Ends that: the replica takes part again. */
  readonly restore: (name: string) => Effect.Effect<void>
}

/** Nobody has to kill what runs: this process does not die without its servers. */
const noWatchdog: Watchdog = {
  watch: () => {},
  group: () => {},
  gone: () => {},
  env: {},
  answers: Effect.succeed(true)
}

const addressOf = (name: string): string => `memory://${name}`

/** What a replica reaches of the store. */
const reached = (store: ClusterStore, isCut: () => boolean): ClusterStore => {
  const reach = (value: unknown): unknown => {
    if (Effect.isEffect(value)) {
      return Effect.suspend(() => isCut() ? new StoreError({ message: "this replica is cut off" }) : value)
    }
    if (typeof value === "function") {
      return (...given: ReadonlyArray<unknown>) => reach(Reflect.apply(value, undefined, given))
    }
    return Object.fromEntries(Object.entries(value as object).map(([name, member]) => [name, reach(member)]))
  }
  return reach(store) as ClusterStore
}

/** A cluster without replicas. */
export const make = ({ calm = Cluster.defaultCalm, terms = defaults }: Options = {}): TestCluster => {
  const store = MemoryStore.make()
  const cut = new Set<string>()
  const memberships = new Map<string, Membership.Membership>()
  const network: MemoryHop.Network = {
    served: new Map(),
    isOpen: (from, to) => !cut.has(from) && !cut.has(to)
  }

  const peersOf = (from: string): Peers => {
    const ask = (name: keyof Peers) => (to: Replica, about: ReplicaId, renewals: number) =>
      Effect.suspend(() => {
        const { address = "" } = to
        const answers = network.isOpen(from, address) ? memberships.get(address)?.asked(to.id) : undefined
        return answers === undefined
          ? new PeerError({ message: `${address} does not answer` })
          : Effect.succeed(answers[name](about, renewals))
      })
    return { promise: ask("promise"), consent: ask("consent") }
  }

  const replica = (name: string) =>
    Effect.gen(function*() {
      const address = addressOf(name)
      const clock = yield* Effect.clock
      const own = reached(store, () => cut.has(address))
      const made = yield* Effect.orDie(Membership.make({
        store: own,
        peers: peersOf(address),
        terms,
        address,
        now: () => clock.unsafeCurrentTimeMillis(),
        watch: noWatchdog.watch
      }))
      // Nobody waits for one that has left.
      const membership: Membership.Membership = {
        ...made,
        replicas: () => made.replicas().filter((one) => memberships.has(one.address ?? ""))
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => memberships.set(address, membership)),
        () => Effect.sync(() => memberships.delete(address))
      )
      return yield* Cluster.assemble(
        { store: own, membership, watchdog: noWatchdog },
        (missed) => ({ hop: MemoryHop.make(network, address, missed), handle: () => false }),
        terms,
        calm
      )
    })

  return {
    replica: (name) => Layer.fresh(Layer.scoped(Cluster.Cluster, replica(name))),
    cutOff: (name) => Effect.sync(() => void cut.add(addressOf(name))),
    restore: (name) => Effect.sync(() => void cut.delete(addressOf(name)))
  }
}

/** A replica that is alone in a cluster of its own. */
export const layer: Layer.Layer<Cluster.Cluster> = Layer.suspend(() => make().replica("alone"))
