/**
 * A server that runs once in the cluster, as a replica sees it: what its backend connects with, and what serves it to the other replicas while
 * it runs here.
 */
import type { Backend, Connector } from "@mcp-lifeline/core"
import type { Introduction } from "@mcp-lifeline/protocol"
import { Effect, type Scope } from "effect"
import type { Cluster } from "./Cluster.js"
import * as ClusterConnector from "./ClusterConnector.js"
import type * as Hop from "./hop/Hop.js"

/** What a replica needs for a server. */
export interface Options {
  readonly cluster: Cluster
  /** The same on all replicas. */
  readonly name: string
  /** Starts the server on this replica, with `Watchdog.env` in its environment. */
  readonly local: Connector
  /** The backend that has the connector. After a change of its options it may be another one. Called once it is there; must not throw. */
  readonly backend: () => Backend.Backend
  /** Runs while this replica has the server, whether it is connected or not, until its scope closes. */
  readonly whileOwned?: Effect.Effect<void, never, Scope.Scope> | undefined
  readonly began?: Hop.Served["began"]
}

/** Makes the connector of the backend. When the scope closes, this replica gives the server to the others: close the backend first. */
export const make = (
  { backend, began, cluster, local, name, whileOwned: also = Effect.void }: Options
): Effect.Effect<ClusterConnector.ClusterConnector, never, Scope.Scope> => {
  const { hop, membership, store, watchdog } = cluster
  let introduction: Introduction | undefined
  let listeners: Hop.Listeners | undefined
  const heard: Connector = {
    ...local,
    connect: (options) =>
      local.connect({
        ...options,
        onNotification: (notification) => {
          options.onNotification(notification)
          listeners?.notified(notification)
        }
      }).pipe(Effect.tap((connection) =>
        Effect.sync(() => {
          introduction = connection
          listeners?.connected()
        })
      ))
  }
  const whileOwned = Effect.gen(function*() {
    listeners = yield* hop.serve(name, { name, backend, began, introduction: () => introduction })
    yield* also
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        listeners = undefined
      })
    )
  })
  return ClusterConnector.make({
    membership,
    store,
    server: name,
    local: heard,
    remote: (owner) => hop.connector(name, owner),
    whileOwned,
    watch: watchdog.group,
    unwatch: watchdog.gone
  })
}
