/**
 * A server that runs once in the cluster, as a replica sees it: what its backend connects with, and what serves it to the other replicas while
 * it runs here.
 */
import type { Backend, Connector } from "@mcp-lifeline/core"
import type { Introduction } from "@mcp-lifeline/protocol"
import { Effect, Schedule, type Scope } from "effect"
import type { Cluster } from "./Cluster.js"
import * as ClusterConnector from "./ClusterConnector.js"
import type * as Hop from "./hop/Hop.js"
import type { WantedServer } from "./WantedServer.js"

/** What a replica needs for a server. */
export interface Options {
  readonly cluster: Cluster
  /** The same on all replicas. */
  readonly name: string
  /** Starts the server on this replica, with `Watchdog.env` in its environment. */
  readonly local: Connector
  /** Whether this replica may have the server, as far as it is concerned; else it leaves it to others, who may. Must not throw. Default: it may. */
  readonly mayRun?: (() => boolean) | undefined
  /** The backend that has the connector. After a change of its options it may be another one. Called once it is there; must not throw. */
  readonly backend: () => Backend.Backend
  /** Runs while this replica has the server, whether it is connected or not, until its scope closes. */
  readonly whileOwned?: Effect.Effect<void, never, Scope.Scope> | undefined
  readonly began?: Hop.Served["began"]
}

/** How long calls may go on before their backend closes, in milliseconds. */
const longestCalls = 5000

const limited = <A>(work: Effect.Effect<A>): Effect.Effect<void> =>
  Effect.asVoid(Effect.timeoutOption(Effect.interruptible(work), longestCalls))

/** How often is looked whether they have ended, in milliseconds. */
const look = 50

/** How often is looked whether this replica may still have it. */
const mayRunEvery = "1 second"

/** The connector of the server's backend, and the server as this replica has it. */
export interface ClusterServer extends ClusterConnector.ClusterConnector, WantedServer {}

/** Makes the connector of the backend. When the scope closes, this replica gives the server to the others: close the backend first. */
export const make = (options: Options): Effect.Effect<ClusterServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { backend, cluster, mayRun = () => true, name } = options
    const connector = yield* connectorOf(options)
    const status = Effect.suspend(() => backend().status)
    const calls = Effect.map(status, ({ inFlight, waiting }) => inFlight + waiting)
    const given = (isForGood: boolean) =>
      Effect.gen(function*() {
        const { state } = yield* status
        connector.leave(isForGood)
        if (connector.isHere() && state === "Connected") yield* Effect.ignore(backend().reconnect)
      })
    const ended = Effect.repeat(calls, { until: (count) => count === 0, schedule: Schedule.spaced(look) })
    const server: ClusterServer = {
      ...connector,
      name,
      calls,
      handOver: given(false),
      stop: Effect.zipRight(limited(Effect.zipRight(given(true), ended)), limited(connector.unserve))
    }
    const leaving = Effect.suspend(() => connector.isHere() && !mayRun() ? server.handOver : Effect.void)
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(Effect.delay(leaving, mayRunEvery))))
    yield* Effect.acquireRelease(
      Effect.sync(() => cluster.servers.add(server)),
      () => Effect.sync(() => cluster.servers.delete(server))
    )
    return server
  })

const connectorOf = (
  { backend, began, cluster, local, mayRun, name, whileOwned: also = Effect.void }: Options
): Effect.Effect<ClusterConnector.ClusterConnector, never, Scope.Scope> => {
  const { hop, membership, store, watchdog } = cluster
  let introduction: Introduction | undefined
  let listeners: Hop.Listeners | undefined
  const heard: Connector = {
    ...local,
    connect: (options) =>
      local.connect({
        ...options,
        report: (report) => {
          options.report(report)
          if (report._tag === "Notification") listeners?.notified(report.notification)
        }
      }).pipe(Effect.tap((connection) => {
        introduction = connection
        listeners?.connected()
        const end = options.offers?.onAnnounced((notification) => listeners?.notified(notification))
        return end === undefined ? Effect.void : Effect.addFinalizer(() => Effect.sync(end))
      }))
  }
  const whileOwned = Effect.gen(function*() {
    const served = yield* hop.serve(name, { name, backend, began, introduction: () => introduction })
    listeners = served
    yield* also
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        if (listeners === served) listeners = undefined
      })
    )
  })
  return ClusterConnector.make({
    membership,
    store,
    server: name,
    local: heard,
    mayTake: mayRun,
    remote: (owner) => hop.connector(name, owner),
    whileOwned,
    watch: watchdog.group,
    unwatch: watchdog.gone
  })
}
