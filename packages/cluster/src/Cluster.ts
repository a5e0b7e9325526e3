/**
 * This process as a part of a cluster, with everything that a replica needs: its lease, its watchdog, and the ways to the other replicas.
 */
import { Context, Effect, Layer, Runtime, type Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Balance from "./Balance.js"
import type { ClusterKeys } from "./ClusterKey.js"
import type { ClusterStore, StoreError } from "./ClusterStore.js"
import * as Hop from "./hop/Hop.js"
import * as HttpPeers from "./HttpPeers.js"
import type { ReplicaId } from "./LeaseRules.js"
import * as Membership from "./Membership.js"
import * as PeerAnswers from "./PeerAnswers.js"
import * as StaleOwnership from "./StaleOwnership.js"
import { defaults, type Terms } from "./Terms.js"
import * as uptime from "./uptime.js"
import type { WantedServer } from "./WantedServer.js"
import * as Watchdog from "./Watchdog.js"

/** What a replica needs. */
export interface Options {
  readonly store: ClusterStore
  /** The same for all replicas, and known to nobody else. At least 32 bytes. To change it, keep the one before as a second one meanwhile. */
  readonly key: ClusterKeys
  /** Where the other replicas reach this one, as a URL without a path: what `handle` answers there. */
  readonly address: string
  /** The id of this replica under its first lease. Nobody else may ever have had it. Default: a new one. */
  readonly id?: ReplicaId | undefined
  /** The same for all replicas, and for the store. Default: `defaults`. */
  readonly terms?: Terms | undefined
  /**
   * For how long the replicas, and what each of them runs, must have been the same before a server moves to a replica that runs less, in
   * milliseconds. `Infinity`: none ever does. Default 10,000.
   */
  readonly calm?: number | undefined
}

/** A replica of a cluster. Programs use `handle` and `leave`; the other members are for what runs in it, as `ClusterBackend`. */
export interface Cluster {
  readonly store: ClusterStore
  readonly membership: Membership.Membership
  readonly watchdog: Watchdog.Watchdog
  readonly hop: Hop.Hop
  /** The servers that this replica wants. Each adds itself, and removes itself. */
  readonly servers: Set<WantedServer>
  /**
   * Stops all of them, each as its `stop` says, and waits until the other replicas have what they were answered, for 5 seconds at most. To be
   * done before their backends close, and before nobody calls `handle` any more.
   */
  readonly leave: Effect.Effect<void>
  /** Answers the other replicas, at the address that was given. True if the path is one of theirs. Never throws. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
}

/**
 * See `Options.calm`.
 *
 * @internal
 */
export const defaultCalm = 10_000

/** How long is waited at the end until other replicas have closed their connections, in milliseconds. */
const longestLeave = 5000

/**
 * Joins a cluster, until the scope closes. Close the backends first: layers do. The listener with `handle` and the store have to be there
 * before, and until it has left.
 *
 * Fails with a StoreError if the store does not answer, and with a WatchdogError if the watchdog cannot be started, as on Windows. Dies with a
 * RangeError if the key has less than 32 bytes. Later, nothing fails: while the store is away, servers go on for as long as the other
 * replicas allow it, for `Terms.withoutStore` at most.
 */
export const make = (
  { address, id, key, store, terms = defaults, calm = defaultCalm }: Options
): Effect.Effect<Cluster, StoreError | Watchdog.WatchdogError, Scope.Scope> =>
  Effect.gen(function*() {
    const watchdog = yield* Watchdog.make
    const peers = HttpPeers.make({ key })
    const membership = yield* Membership.make({
      store,
      peers,
      terms,
      address,
      id,
      now: uptime.now,
      watch: watchdog.watch,
      isWatched: watchdog.answers
    })
    const runtime = yield* Effect.runtime<never>()
    const failed = (error: unknown): void =>
      void Runtime.runFork(runtime)(Effect.logError("a request of another replica failed inside this one", error))
    const ways: Ways = (missed) => {
      const hop = Hop.make(key, membership.id, failed, missed)
      const answer = PeerAnswers.handler(key, membership.asked)
      return {
        hop,
        handle: (request, response, path) => {
          if (path !== PeerAnswers.path) return hop.handle(request, response, path)
          answer(request, response)
          return true
        }
      }
    }
    return yield* assemble({ store, membership, watchdog }, ways, terms, calm)
  })

/** Makes the ways to the other replicas. `missed`: called with each server that another replica looks for here in vain. */
type Ways = (missed: (server: string) => void) => Pick<Cluster, "hop" | "handle">

/**
 * A replica of its parts.
 *
 * @internal
 */
export const assemble = (
  parts: Pick<Cluster, "store" | "membership" | "watchdog">,
  ways: Ways,
  { renewal }: Terms,
  calm: number
): Effect.Effect<Cluster, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { membership, store } = parts
    const servers = new Set<WantedServer>()
    const missed = yield* StaleOwnership.make({
      store,
      membership,
      isWanted: (server) => [...servers].some(({ name }) => name === server)
    })
    const { handle, hop } = ways(missed)
    const stops = Effect.suspend(() =>
      Effect.forEach([...servers], ({ stop }) => stop, { concurrency: "unbounded", discard: true })
    )
    const leave = Effect.zipRight(stops, Effect.timeoutOption(Effect.interruptible(hop.left), longestLeave))
    yield* Effect.addFinalizer(() => leave)
    yield* Effect.forkScoped(Effect.interruptible(Balance.run({ store, membership, servers, renewal, calm })))
    return { ...parts, hop, handle, servers, leave }
  })

/** This process as a replica. */
export const Cluster: Context.Tag<Cluster, Cluster> = Context.GenericTag<Cluster>("@mcp-lifeline/cluster/Cluster")

/** `make` as a layer, with a store and a listener that outlive it. */
export const layer = (options: Options): Layer.Layer<Cluster, StoreError | Watchdog.WatchdogError> =>
  Layer.scoped(Cluster, make(options))
