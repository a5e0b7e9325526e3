/**
 * Runs several processes of one server behind one connection, for a server that keeps nothing between calls.
 *
 * Each process is supervised by itself, as the only one of another server would be. The first one is started alone, so an attempt fails as
 * it would with one process; the others follow once it is connected. The connection is lost when no process is connected any more.
 */
import { type Connector, Policy } from "@mcp-lifeline/core"
import { supervisionOf } from "@mcp-lifeline/core/internal"
import { Effect, ExecutionStrategy, FiberSet, Scope } from "effect"
import { Pool } from "./Pool.js"

/** What a connector of several processes needs. */
export interface Options {
  /** Starts one process for each connection. */
  readonly connector: Connector
  /** How many processes run at the same time. A whole number of at least 1. */
  readonly processes: number
}

/**
 * Makes the connector. Each request goes to the process that works on the fewest, in turn where several do. If a process is lost, the
 * requests that it was working on end with the fate that they have there, and the core sends again, at once and to another process, what
 * may be sent again. Closing the connection closes all processes at the same time.
 *
 * All connections to this server may be open at the same time, so a reconnect makes the new one before it closes the old one.
 *
 * @example
 * import { PooledConnector } from "@mcp-lifeline/transport-stdio"
 * import type { Connector } from "@mcp-lifeline/core"
 *
 * export const threeOf = (connector: Connector) => PooledConnector.make({ connector, processes: 3 })
 */
export const make = ({ connector, processes }: Options): Connector => ({
  transport: connector.transport,
  target: connector.target,
  overlap: true,
  status: connector.status,
  startLimit: connector.startLimit,
  connect: (options) =>
    Effect.gen(function*() {
      const supervision = options.supervision ?? supervisionOf(connector.target, Policy.defaults)
      const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.parallel)
      const run = yield* FiberSet.makeRuntime<never>()
      const pool = new Pool({
        supervision,
        connector,
        options,
        run: (work) => void run(work),
        runtime: yield* Effect.runtime<never>()
      })
      yield* Scope.extend(pool.begin(), scope)
      for (let number = 2; number <= processes; number++) yield* Scope.extend(pool.add(number), scope)
      return pool.connection
    })
})
