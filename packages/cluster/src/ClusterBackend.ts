import { Backend, type Connector, type InvalidOptions } from "@mcp-lifeline/core"
import { type Context, Effect, Layer, type Scope } from "effect"
import { Cluster } from "./Cluster.js"
import * as ClusterServer from "./ClusterServer.js"

export interface Options<R = never> extends Omit<Backend.BackendOptions<R>, "connector"> {
  /** Starts the server on this replica. `env`: variables that the server needs, to be found if it has to be ended while this process cannot. */
  readonly connector: (env: Readonly<Record<string, string>>) => Connector
}

/**
 * The server has the same name and options on all replicas; its handlers are used where it runs. A change of the owner is a lost
 * connection: calls wait for the next one (`timeouts.wait`), and a call whose answer is lost is sent again only if that does no harm;
 * otherwise it fails with ResultUnknown.
 *
 * Fails with InvalidOptions. When the scope closes, calls in flight are answered first, for 5 seconds at most, and another replica takes
 * the server; nobody can interrupt that.
 */
export const make = <R = never>(
  name: string,
  { connector, ...options }: Options<R>
): Effect.Effect<Backend.Backend, InvalidOptions, Cluster | R | Scope.Scope> =>
  Effect.gen(function*() {
    const cluster = yield* Cluster
    let backend: Backend.Backend | undefined
    const server = yield* ClusterServer.make({
      cluster,
      name,
      local: connector(cluster.watchdog.env),
      backend: () => backend!
    })
    backend = yield* Backend.make(name, { ...options, connector: server })
    yield* Effect.addFinalizer(() => server.stop)
    return backend
  })

export const layer = <Self, R = never>(
  tag: Context.Tag<Self, Backend.Backend>,
  name: string,
  options: Options<R>
): Layer.Layer<Self, InvalidOptions, Cluster | R> => Layer.scoped(tag, make(name, options))
