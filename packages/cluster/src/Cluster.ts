import { Context, Effect, Layer, Runtime, type Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Balance from "./Balance.js"
import type { WantedServer } from "./Balance.js"
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
import * as Watchdog from "./Watchdog.js"

export interface Options {
  readonly store: ClusterStore
  /** The same for all replicas, known to nobody else, at least 32 bytes. To change it, keep the old one as a second one meanwhile. */
  readonly key: ClusterKeys
  /** Where other replicas reach `handle`, as a URL without a path. */
  readonly address: string
  /** Under its first lease. Nobody may have had it before. Default: a new one. */
  readonly id?: ReplicaId | undefined
  /** The same for all replicas and the store. Default: `defaults`. */
  readonly terms?: Terms | undefined
  /**
   * How long the replicas, and what each runs, must not have changed before a server moves to a replica that runs less, in milliseconds.
   * `Infinity`: none moves. Default 10,000.
   */
  readonly calm?: number | undefined
}

/** Programs use `handle` and `leave`; the rest is for what runs in it, as `ClusterBackend`. */
export interface Cluster {
  readonly store: ClusterStore
  readonly membership: Membership.Membership
  readonly watchdog: Watchdog.Watchdog
  readonly hop: Hop.Hop
  readonly servers: Set<WantedServer>
  /**
   * Stops all servers, and waits until other replicas have their answers, for 5 seconds at most. Call it before their backends close, and
   * while `handle` is still called.
   */
  readonly leave: Effect.Effect<void>
  /** True if the path is one of the other replicas'. Never throws. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
}

/** @internal */
export const defaultCalm = 10_000

const longestLeave = 5000

/**
 * Joins a cluster, until the scope closes. Close the backends first: layers do. The listener with `handle` and the store have to outlive
 * it.
 *
 * Fails with a StoreError if the store does not answer, and with a WatchdogError if the watchdog cannot be started, as on Windows. Dies
 * with a RangeError if the key has less than 32 bytes. Later nothing fails: while the store is away, servers go on as long as other
 * replicas allow, for `Terms.withoutStore` at most.
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
      const answer = PeerAnswers.handler({ keys: key, own: membership.id, failed }, membership.answers)
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

/** `missed`: for each server that another replica looks for here in vain. */
type Ways = (missed: (server: string) => void) => Pick<Cluster, "hop" | "handle">

/** @internal */
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

export const Cluster: Context.Tag<Cluster, Cluster> = Context.GenericTag<Cluster>("@mcp-lifeline/cluster/Cluster")

/** The store and the listener outlive it. */
export const layer = (options: Options): Layer.Layer<Cluster, StoreError | Watchdog.WatchdogError> =>
  Layer.scoped(Cluster, make(options))
