/**
 * While replicas differ, as in a rolling update, the newest configuration of a server that runs once counts. It is as old as its first use
 * by a replica that still runs; clocks of machines decide, so two changes within moments may be taken for each other.
 */
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Clock, Effect, Option, Schema } from "effect"
import type { Server } from "../config/Backends.js"
import { configurations } from "../replica/collections.js"
import type { Gateways } from "../replica/Gateways.js"

const Used = Schema.Struct({
  /** `Server.identity`. */
  identity: Schema.String,
  /** In milliseconds since 1970. */
  since: Schema.Number
})
type Used = typeof Used.Type

const Configuration = Schema.Struct({
  address: Schema.String,
  servers: Schema.Record({ key: Schema.String, value: Used })
})
type Configuration = typeof Configuration.Type

export interface SharedConfigurations {
  readonly publish: (servers: ReadonlyArray<Server>) => Effect.Effect<void>
  readonly look: Effect.Effect<void>
  /** The address of a replica with a newer configuration, as far as `look` has seen; `undefined` if none has. */
  readonly newer: (server: string) => string | undefined
}

const bounds = { maxFiles: 1000, maxUnused: 7 * 24 * 60 * 60 * 1000 }

const usedIn = (servers: Configuration["servers"], server: string): Used | undefined =>
  Object.hasOwn(servers, server) ? servers[server] : undefined

/** When this replica stops, the others forget what it has told. */
export const make = (state: StateFolder.StateFolder["Type"], gateways: Pick<Gateways, "others" | "own">) =>
  Effect.gen(function*() {
    const collection = state.collection(configurations, Configuration, bounds)
    const { address } = gateways.own()
    const key = StateFolder.key(address)
    let own: Configuration["servers"] = {}
    let others: ReadonlyArray<Configuration> = []

    const look = Effect.map(collection.entries, (entries) => {
      const alive = new Set(gateways.others().map((one) => one.address))
      others = entries.map(([, one]) => one).filter((one) => one.address !== address && alive.has(one.address))
    })
    const all = (server: string): ReadonlyArray<Used & { readonly address: string }> =>
      others.flatMap(({ address, servers }) => {
        const used = usedIn(servers, server)
        return used === undefined ? [] : [{ ...used, address }]
      })
    const publish = (servers: ReadonlyArray<Server>): Effect.Effect<void> =>
      Effect.gen(function*() {
        yield* look
        const now = yield* Clock.currentTimeMillis
        const before = Option.getOrUndefined(yield* collection.get(key))?.servers ?? {}
        own = Object.fromEntries(servers.flatMap(({ id, identity }) => {
          if (identity === undefined) return []
          const known = [usedIn(own, id), ...all(id)].find((one) => one?.identity === identity)
          return [[id, { identity, since: known?.since ?? now }]]
        }))
        if (JSON.stringify(before) !== JSON.stringify(own)) yield* collection.set(key, { address, servers: own })
      })
    yield* Effect.addFinalizer(() => collection.remove(key))

    const result: SharedConfigurations = {
      publish,
      look,
      newer: (server) => {
        const mine = usedIn(own, server)
        if (mine === undefined) return undefined
        const [newest] = all(server).toSorted((a, b) => b.since - a.since)
        return newest !== undefined && newest.identity !== mine.identity && newest.since > mine.since
          ? newest.address
          : undefined
      }
    }
    return result
  })
