/**
 * The servers behind the gateway. Each runs once for each holder that has it: all clients together, or one client for itself.
 */
import type { Backend, Fleet, InvalidOptions } from "@mcp-lifeline/core"
import type { Introduction } from "@mcp-lifeline/protocol"
import type { Scope } from "effect"
import { Array as Arr, Clock, Effect, FiberSet, PubSub } from "effect"
import type { Server } from "../../config/Backends.js"
import { ClientServers, type Pool } from "./ClientServers.js"
import * as Holder from "./Holder.js"
import * as HolderFleet from "./HolderFleet.js"

export type { Server } from "../../config/Backends.js"

/** How somebody switched a server. */
export interface Switched {
  readonly isOff: boolean
  /** In milliseconds since 1970. */
  readonly at: number
}

/** The servers, as long as the scope is open in which they were made. */
export interface ServerPool {
  /** Those that all clients share. */
  readonly shared: HolderFleet.HolderFleet
  /** All servers as they are configured now, in the order of the configuration, whether anybody holds them or not. */
  readonly servers: () => ReadonlyArray<Server>
  /** The backends of a server now: one for each holder that has it. Waits for those that are just being made. */
  readonly backends: (server: string) => Effect.Effect<ReadonlyArray<Backend.Backend>>
  /** Whether the time for a call of a server is configured; else it is the client's own affair. */
  readonly hasTimeout: (server: string) => boolean
  /** What a server has said of itself last, to whichever holder. */
  readonly introduction: (server: string) => Introduction | undefined
  /** How a server was switched last. One that is configured otherwise since then starts as its configuration says. */
  readonly switched: (server: Server) => Switched | undefined
  /** Whether a server is switched off for holders to come. */
  readonly isOff: (server: Server) => boolean
  /** Switches a server off or on for holders to come. */
  readonly switch: (server: Server, isOff: boolean) => Effect.Effect<void>
  /** Has one more client. */
  readonly join: (member: Holder.Member) => ClientServers
  /** Calls this each time the configuration was applied. Returns what ends that. */
  readonly whenApplied: (listener: () => void) => () => void
  /** Starts, stops and replaces what differs, for all clients. */
  readonly apply: (servers: ReadonlyArray<Server>) => Effect.Effect<Fleet.Applied, InvalidOptions>
  /** Connects a server to which a person has just signed in. */
  readonly signedIn: (server: string) => Effect.Effect<void>
}

/** The servers for whose calls a time is configured. */
const timed = (servers: ReadonlyArray<Server>): ReadonlySet<string> =>
  new Set(servers.flatMap(({ id, timeouts }) => timeouts?.request === undefined ? [] : [id]))

const isOwn = ({ sessions }: Server): boolean => sessions === "per-client"

/** What a new configuration has changed, whoever holds the servers. */
const outcome = (
  before: ReadonlyArray<Server>,
  after: ReadonlyArray<Server>,
  { kept, replaced }: Fleet.Applied
): Fleet.Applied => {
  const was = new Map(before.map((server) => [server.id, server]))
  const names = new Set(after.map(({ id }) => id))
  const isReplaced = (server: Server): boolean => {
    const old = was.get(server.id)
    if (old === undefined || kept.includes(server.id)) return false
    return replaced.includes(server.id) || !HolderFleet.sameOptions(old, server)
  }
  return {
    started: [...names].filter((id) => !was.has(id)),
    stopped: [...was.keys()].filter((id) => !names.has(id)),
    replaced: after.filter(isReplaced).map(({ id }) => id),
    kept
  }
}

/** Connects a backend that is not connected. */
const connect = (backend: Backend.Backend): Effect.Effect<void> =>
  Effect.flatMap(backend.isConnected, (isConnected) => isConnected ? Effect.void : Effect.ignore(backend.reconnect))

/** How servers are made. */
export type Options = Partial<Pick<HolderFleet.Settings, "kept" | "telemetry" | "waitTimeout">>

/** Starts the shared ones. */
export const make = (
  first: ReadonlyArray<Server>,
  { kept, telemetry, waitTimeout }: Options = {}
): Effect.Effect<ServerPool, InvalidOptions, Scope.Scope> =>
  Effect.gen(function*() {
    let servers = first
    let withTimeout = timed(servers)
    const switched = new Map<string, Switched & { readonly server: Server }>()
    const introductions = new Map<string, Introduction>()
    const clients = new Map<Holder.Member, ClientServers>()
    const listeners = new Set<() => void>()
    const changes = yield* PubSub.sliding<void>(1)

    const lastSwitched = (server: Server): Switched | undefined => {
      const last = switched.get(server.id)
      return last !== undefined && HolderFleet.sameOptions(last.server, server) ? last : undefined
    }
    const isOff = (server: Server): boolean => lastSwitched(server)?.isOff ?? server.lifecycle?.disabled === true
    const settings: HolderFleet.Settings = {
      servers: () => servers,
      isOff,
      introduced: (server, introduction) => void introductions.set(server, introduction),
      kept,
      telemetry,
      waitTimeout
    }
    const shared = yield* HolderFleet.make(Holder.everyone(() => clients.keys()), settings)
    const pool: Pool = {
      everyones: [shared],
      settings,
      changes: PubSub.subscribe(changes),
      run: yield* FiberSet.makeRuntime<never, void>(),
      leave: (member) => void clients.delete(member)
    }
    const backends = (server: string): Effect.Effect<ReadonlyArray<Backend.Backend>> =>
      Effect.map(
        Effect.all(
          [Effect.option(shared.fleet.backend(server)), ...Array.from(clients.values(), (one) => one.backend(server))],
          { concurrency: "unbounded" }
        ),
        Arr.getSomes
      )
    return {
      shared,
      servers: () => servers,
      backends: (server) => Effect.suspend(() => backends(server)),
      hasTimeout: (server) => withTimeout.has(server),
      introduction: (server) => introductions.get(server) ?? shared.introduction(server),
      switched: lastSwitched,
      isOff,
      switch: (server, isOff) =>
        Effect.map(Clock.currentTimeMillis, (at) => void switched.set(server.id, { server, isOff, at })),
      join: (member) => {
        const joined = new ClientServers(pool, member)
        clients.set(member, joined)
        return joined
      },
      whenApplied: (listener) => {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
      apply: (next) =>
        Effect.gen(function*() {
          const before = servers
          servers = next
          const applied = yield* Effect.tapError(shared.apply, () =>
            Effect.sync(() => {
              servers = before
            }))
          withTimeout = timed(next)
          const names = new Set(next.map(({ id }) => id))
          for (const name of introductions.keys()) if (!names.has(name)) introductions.delete(name)
          const changed = outcome(before, next, applied)
          const own = new Set([...before, ...next].filter(isOwn).map(({ id }) => id))
          if ([...changed.started, ...changed.stopped, ...changed.replaced].some((id) => own.has(id))) {
            yield* PubSub.publish(changes, undefined)
            for (const client of clients.values()) client.changed()
          }
          for (const listener of listeners) listener()
          return changed
        }),
      signedIn: (server) =>
        Effect.flatMap(
          Effect.suspend(() => backends(server)),
          Effect.forEach(connect, { concurrency: "unbounded", discard: true })
        )
    }
  })
