import type { Backend, Connector } from "@mcp-lifeline/core"
import type { Introduction } from "@mcp-lifeline/protocol"
import { Effect, Schedule, type Scope } from "effect"
import type { WantedServer } from "./Balance.js"
import type { Cluster } from "./Cluster.js"
import * as ClusterConnector from "./ClusterConnector.js"
import type * as Hop from "./hop/Hop.js"

export interface Options {
  readonly cluster: Cluster
  /** The same on all replicas. */
  readonly name: string
  /** With `Watchdog.env` in its environment. */
  readonly local: Connector
  /** Otherwise leaves the server to others. Must not throw. Default: it may. */
  readonly mayRun?: (() => boolean) | undefined
  /** Another one after a change of options. Called once it is there; must not throw. */
  readonly backend: () => Backend.Backend
  /** Runs while this replica has the server, connected or not, until its scope closes. */
  readonly whileOwned?: Effect.Effect<void, never, Scope.Scope> | undefined
}

/** Before their backend closes, in milliseconds. */
const longestCalls = 5000

const limited = <A>(work: Effect.Effect<A>): Effect.Effect<void> =>
  Effect.asVoid(Effect.timeoutOption(Effect.interruptible(work), longestCalls))

/** In milliseconds. */
const look = 50

const mayRunEvery = "1 second"

export interface ClusterServer extends ClusterConnector.ClusterConnector, WantedServer {}

/** When the scope closes, gives the server to the others: close the backend first. */
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
  { backend, cluster, local, mayRun, name, whileOwned: also = Effect.void }: Options
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
    const served = yield* hop.serve(name, { name, backend, introduction: () => introduction })
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
    watchdog
  })
}
