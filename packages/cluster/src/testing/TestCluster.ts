/**
 * A cluster in the memory of one process, for tests of programs: no database, other processes, network or watchdog. Time comes from
 * `Clock`. All else is real: leases, takeovers, calls between replicas, and what their callers are told.
 */
import { Effect, Layer } from "effect"
import * as Cluster from "../Cluster.js"
import { type ClusterStore, type Replica, StoreError } from "../ClusterStore.js"
import type { ReplicaId } from "../LeaseRules.js"
import * as Membership from "../Membership.js"
import { PeerError, type Peers } from "../Peers.js"
import { defaults, type Terms } from "../Terms.js"
import type { Watchdog } from "../Watchdog.js"
import * as MemoryHop from "./MemoryHop.js"
import * as MemoryStore from "./MemoryStore.js"

export interface Options {
  /** Default: `defaults`. */
  readonly terms?: Terms | undefined
  readonly calm?: number | undefined
}

export interface TestCluster {
  /**
   * Each build of the layer is a new replica, at most one of a name at a time. The layer of one that is cut off dies.
   *
   * When its scope closes, it leaves in order. While there are others, that takes up to 10 seconds of the clock: under `TestClock`, close
   * the scope in a fiber, and adjust the clock meanwhile.
   */
  readonly replica: (name: string) => Layer.Layer<Cluster.Cluster>
  /**
   * All that a replica sends or is sent is lost, to the store and to the others. With the default terms, it ends its servers within 4.5
   * seconds, and another replica takes them within 8.
   */
  readonly cutOff: (name: string) => Effect.Effect<void>
  readonly restore: (name: string) => Effect.Effect<void>
}

/** This process does not die without its servers. */
const noWatchdog: Watchdog = {
  watch: () => {},
  group: () => {},
  gone: () => {},
  env: {},
  answers: Effect.succeed(true)
}

const addressOf = (name: string): string => `memory://${name}`

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
        const asked = network.isOpen(from, address) ? memberships.get(address) : undefined
        return asked?.id() === to.id
          ? Effect.succeed(asked.answers[name](about, renewals))
          : new PeerError({ message: `${address} does not answer` })
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

export const layer: Layer.Layer<Cluster.Cluster> = Layer.suspend(() => make().replica("alone"))
