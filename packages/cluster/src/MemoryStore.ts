/**
 * A store in the memory of one process, for tests of programs, with any number of replicas.
 */
import { Clock, Effect } from "effect"
import type { ClusterStore, Ownership, Replica } from "./ClusterStore.js"

interface Row {
  replica: Replica
}

interface Server {
  owner: string | undefined
  generation: number
  since: number
}

/** An empty store. */
export const make = (): ClusterStore => {
  const replicas = new Map<string, Row>()
  const servers = new Map<string, Server>()
  const isAlive = (id: string | undefined): boolean => id !== undefined && replicas.get(id)?.replica.hasEnded === false
  const ownership = ({ generation, owner }: Server): Ownership | undefined =>
    owner === undefined || !isAlive(owner)
      ? undefined
      : { owner, address: replicas.get(owner)?.replica.address ?? "", generation }
  return {
    join: (id, address) =>
      Effect.sync(() =>
        void replicas.set(id, { replica: { id, address, renewals: 0, witnesses: [], hasEnded: false } })
      ),
    renew: (id, witnesses) =>
      Effect.sync(() => {
        const row = replicas.get(id)
        const replica = row?.replica
        if (row !== undefined && replica?.hasEnded === false) {
          row.replica = { ...replica, renewals: replica.renewals + 1, witnesses }
        }
        return {
          renewals: isAlive(id) ? row?.replica.renewals : undefined,
          replicas: Array.from(replicas.values(), (one) => one.replica)
        }
      }),
    end: (id, renewals) =>
      Effect.sync(() => {
        const row = replicas.get(id)
        if (row === undefined || row.replica.hasEnded) return true
        if (renewals !== undefined && row.replica.renewals !== renewals) return false
        row.replica = { ...row.replica, hasEnded: true }
        return true
      }),
    find: (server) =>
      Effect.sync(() => {
        const row = servers.get(server)
        return row === undefined ? undefined : ownership(row)
      }),
    claim: (id, server, instead) =>
      Effect.map(Clock.currentTimeMillis, (since) => {
        const row = servers.get(server) ?? { owner: undefined, generation: 0, since }
        const isReplaced = row.owner === id && row.generation === instead
        if ((!isAlive(row.owner) || isReplaced) && isAlive(id)) {
          servers.set(server, { owner: id, generation: row.generation + 1, since })
        }
        return ownership(servers.get(server) ?? row)
      }),
    release: (id, server, generation) =>
      Effect.sync(() => {
        const row = servers.get(server)
        if (row?.owner === id && row.generation === generation) row.owner = undefined
      }),
    loads: Effect.sync(() => {
      const loads = new Map<string, number>()
      for (const { owner } of servers.values()) {
        if (owner !== undefined && isAlive(owner)) loads.set(owner, (loads.get(owner) ?? 0) + 1)
      }
      return loads
    }),
    servers: Effect.sync(() =>
      Array.from(servers).flatMap(([server, row]) => {
        const owned = ownership(row)
        return owned === undefined ? [] : [{ server, since: row.since, ...owned }]
      })
    )
  }
}
