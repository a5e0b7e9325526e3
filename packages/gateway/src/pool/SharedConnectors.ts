/** One for each name. It stays when the options of its server change, so that this replica keeps the server. */
import type { Backend, Connector } from "@mcp-lifeline/core"
import { Effect, ExecutionStrategy, Exit, Scope } from "effect"
import type { Server } from "../config/Backends.js"
import type { Replica } from "../replica/Replica.js"

interface Entry {
  readonly scope: Scope.CloseableScope
  readonly connector: Connector
  /** As configured now. */
  local: Connector
}

export interface SharedConnectors {
  readonly of: (server: Server) => Effect.Effect<Connector>
  /** Leaves all other servers to other replicas. Their backends have to be closed. */
  readonly keep: (names: ReadonlySet<string>) => Effect.Effect<void>
}

export const make = (
  replica: Replica,
  mayRun: (name: string) => boolean,
  backend: (name: string) => Backend.Backend
): Effect.Effect<SharedConnectors, never, Scope.Scope> =>
  Effect.gen(function*() {
    const parent = yield* Effect.scope
    const entries = new Map<string, Entry>()
    const add = ({ connector: local, id }: Server): Effect.Effect<Entry> =>
      Effect.gen(function*() {
        const scope = yield* Scope.fork(parent, ExecutionStrategy.parallel)
        const connector = yield* Scope.extend(
          replica.shared({
            name: id,
            mayRun: () => mayRun(id),
            local: { ...local, connect: (options) => (entries.get(id)?.local ?? local).connect(options) },
            backend: () => backend(id)
          }),
          scope
        )
        const entry = { scope, connector, local }
        entries.set(id, entry)
        return entry
      })
    return {
      of: (server) =>
        Effect.gen(function*() {
          const { heartbeat, status, target, transport, usageLimit } = server.connector
          const entry = entries.get(server.id) ?? (yield* add(server))
          entry.local = server.connector
          return { ...entry.connector, transport, target, heartbeat, status, usageLimit }
        }),
      keep: (names) =>
        Effect.forEach(
          [...entries].filter(([name]) => !names.has(name)),
          ([name, { scope }]) => {
            entries.delete(name)
            return Scope.close(scope, Exit.void)
          },
          { concurrency: "unbounded", discard: true }
        )
    }
  })
