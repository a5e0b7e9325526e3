/** A free server goes to the replica that runs the fewest. Only a preference: others wait a moment, then take it. */
import { createHash } from "node:crypto"
import type { ReplicaId } from "./LeaseRules.js"

/** Those without any may be left out. */
export type Loads = ReadonlyMap<ReplicaId, number>

/** Differs for each server, so that idle replicas do not all want the same one. */
const weight = (replica: ReplicaId, server: string): string =>
  createHash("sha256").update(JSON.stringify([replica, server])).digest("hex")

/** How many should take the server first. */
export const rank = (server: string, own: ReplicaId, replicas: Iterable<ReplicaId>, loads: Loads): number => {
  const load = (id: ReplicaId): number => loads.get(id) ?? 0
  const isBefore = (id: ReplicaId): boolean =>
    load(id) < load(own) || (load(id) === load(own) && weight(id, server) > weight(own, server))
  return [...new Set(replicas)].filter((id) => id !== own && isBefore(id)).length
}

/** If another replica has room; never less than 0. */
export const excess = (own: ReplicaId, replicas: Iterable<ReplicaId>, loads: Loads): number => {
  const all = new Set([...replicas, own])
  const total = Array.from(all, (id) => loads.get(id) ?? 0).reduce((sum, load) => sum + load, 0)
  return Math.max(0, (loads.get(own) ?? 0) - Math.ceil(total / all.size))
}
