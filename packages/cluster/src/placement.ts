/**
 * Which replica takes a server that nobody runs: the one that runs the fewest. It is a preference, not a rule: who is not preferred waits a
 * moment, and then takes it.
 */
import { createHash } from "node:crypto"
import type { ReplicaId } from "./LeaseRules.js"

/** How many servers each replica runs; those that run none may be left out. */
export type Loads = ReadonlyMap<ReplicaId, number>

/** The same on each replica, and different for each server, so that replicas without servers do not all want the same one. */
const weight = (replica: ReplicaId, server: string): string =>
  createHash("sha256").update(JSON.stringify([replica, server])).digest("hex")

/** How many replicas should take a server before this one. */
export const rank = (server: string, own: ReplicaId, replicas: Iterable<ReplicaId>, loads: Loads): number => {
  const load = (id: ReplicaId): number => loads.get(id) ?? 0
  const isBefore = (id: ReplicaId): boolean =>
    load(id) < load(own) || (load(id) === load(own) && weight(id, server) > weight(own, server))
  return [...new Set(replicas)].filter((id) => id !== own && isBefore(id)).length
}

/** How many servers this replica has more than its share, if another one has room for them; never less than 0. */
export const excess = (own: ReplicaId, replicas: Iterable<ReplicaId>, loads: Loads): number => {
  const all = new Set([...replicas, own])
  const total = Array.from(all, (id) => loads.get(id) ?? 0).reduce((sum, load) => sum + load, 0)
  return Math.max(0, (loads.get(own) ?? 0) - Math.ceil(total / all.size))
}
