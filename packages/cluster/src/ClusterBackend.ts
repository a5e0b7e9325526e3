/**
 * A backend whose server runs once in the cluster, whichever replica has it.
 */
import { Backend, type Connector, type InvalidOptions } from "@mcp-lifeline/core"
import type { Introduction } from "@mcp-lifeline/protocol"
import { type Context, Deferred, Effect, Layer, type Scope } from "effect"
import { Cluster } from "./Cluster.js"
import * as ClusterConnector from "./ClusterConnector.js"
import type * as Hop from "./hop/Hop.js"

/** The options of a backend, and how its server is started here. */
export interface Options<R = never> extends Omit<Backend.BackendOptions<R>, "connector"> {
  /**
   * Starts the server on this replica. `env`: variables that the server needs in its environment, so that it is found if it has to be ended
   * while this process cannot.
   */
  readonly connector: (env: Readonly<Record<string, string>>) => Connector
}

/**
 * Makes the backend. Its server has the same name on all replicas. When the scope closes, another replica can take the server at once.
 */
export const make = <R = never>(
  name: string,
  { connector, ...options }: Options<R>
): Effect.Effect<Backend.Backend, InvalidOptions, Cluster | R | Scope.Scope> =>
  Effect.gen(function*() {
    const { hop, membership, store, watchdog } = yield* Cluster
    const made = yield* Deferred.make<Backend.Backend>()
    let introduction: Introduction | undefined
    let listeners: Hop.Listeners | undefined
    const inner = connector(watchdog.env)
    const local: Connector = {
      ...inner,
      connect: (options) =>
        inner.connect({
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
      const backend = yield* Deferred.await(made)
      listeners = yield* hop.serve(name, { backend, introduction: () => introduction })
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          listeners = undefined
        })
      )
    })
    const clusterConnector = yield* ClusterConnector.make({
      membership,
      store,
      server: name,
      local,
      remote: (owner) => hop.connector(name, owner),
      whileOwned,
      watch: watchdog.group,
      unwatch: watchdog.gone
    })
    const backend = yield* Backend.make(name, { ...options, connector: clusterConnector })
    yield* Deferred.succeed(made, backend)
    return backend
  })

/** `make` as a layer of a tag. */
export const layer = <Self, R = never>(
  tag: Context.Tag<Self, Backend.Backend>,
  name: string,
  options: Options<R>
): Layer.Layer<Self, InvalidOptions, Cluster | R> => Layer.scoped(tag, make(name, options))
