/** Each server runs once for each group of clients: all together, or a single one. */
import type { Backend, Fleet, InvalidOptions } from "@mcp-lifeline/core"
import { Pins } from "@mcp-lifeline/extensions"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import type { Introduction } from "@mcp-lifeline/protocol"
import type { Scope } from "effect"
import { Array as Arr, Clock, Effect, FiberSet, PubSub } from "effect"
import { sameOptions, type Server } from "../config/Backends.js"
import * as ClientGroup from "./ClientGroup.js"
import { ClientServers, type Pool } from "./ClientServers.js"
import * as GroupFleet from "./GroupFleet.js"
import { OwnIntroductions } from "./OwnIntroductions.js"
import * as SharedConfigurations from "./SharedConfigurations.js"
import * as SharedSwitches from "./SharedSwitches.js"

export type { Server } from "../config/Backends.js"
export type { Options } from "./GroupFleet.js"

/** They stop when the scope of `make` closes. */
export interface ServerPool {
  readonly shared: GroupFleet.GroupFleet
  /** Of the current configuration, in its order, whether they run or not. */
  readonly servers: () => ReadonlyArray<Server>
  /** One for each group that has the server. Waits for fleets that are being made. */
  readonly backends: (server: string) => Effect.Effect<ReadonlyArray<Backend.Backend>>
  /** The address of another replica with a newer configuration of the server, which is used; `undefined` if there is none. */
  readonly newerOn: (server: string) => string | undefined
  /** Whether the configuration limits the time of calls. If not, that is up to the client. */
  readonly hasTimeout: (server: string) => boolean
  /** What the shared server, or that of this caller, said about itself last. */
  readonly introduction: (server: Server, caller: Caller) => Introduction | undefined
  /** What was approved of the tools, whether the server runs or not; `undefined` without the option `pin`. */
  readonly pins: (server: Server) => Effect.Effect<Pins.Kept | undefined>
  /** How a server was disabled or enabled last; `undefined` if its configuration has changed since, and decides again. */
  readonly switched: (server: Server) => SharedSwitches.Switched | undefined
  /** Whether a server starts disabled for new groups. */
  readonly isOff: (server: Server) => boolean
  /** Disables or enables a server for new groups. */
  readonly switch: (server: Server, isOff: boolean) => Effect.Effect<void>
  /**
   * Has all replicas switch a server, also those that start later. Returns whether those learn of it that cannot be reached now. A gateway
   * that is alone does nothing.
   */
  readonly switchAll: (server: Server, isOff: boolean) => Effect.Effect<boolean>
  readonly join: (member: ClientGroup.Member) => ClientServers
  /** Calls the listener after each new configuration. Returns what removes the listener. */
  readonly whenApplied: (listener: () => void) => () => void
  /** Starts, stops and replaces servers that differ, for all clients. */
  readonly apply: (servers: ReadonlyArray<Server>) => Effect.Effect<Fleet.Applied, InvalidOptions>
  /** Connects a server after the user has signed in to it. */
  readonly signedIn: (server: string) => Effect.Effect<void>
}

const withCallTimeout = (servers: ReadonlyArray<Server>): ReadonlySet<string> =>
  new Set(servers.flatMap(({ id, timeouts }) => timeouts?.request === undefined ? [] : [id]))

const isOwn = ({ sessions }: Server): boolean => sessions === "per-client"

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
    return replaced.includes(server.id) || !sameOptions(old, server)
  }
  return {
    started: [...names].filter((id) => !was.has(id)),
    stopped: [...was.keys()].filter((id) => !names.has(id)),
    replaced: after.filter(isReplaced).map(({ id }) => id),
    kept
  }
}

/** How often to look for switches on other replicas. Asks the database for nothing that is known. */
const followEvery = "1 second"

/** Starts the shared servers. */
export const make = (
  first: ReadonlyArray<Server>,
  options: GroupFleet.Options = {}
): Effect.Effect<ServerPool, InvalidOptions, Scope.Scope> =>
  Effect.gen(function*() {
    const { pins, replica } = options
    let servers = first
    let limited = withCallTimeout(servers)
    const switched = new Map<string, SharedSwitches.Switched & { readonly server: Server }>()
    const introductions = new OwnIntroductions()
    const clients = new Map<ClientGroup.Member, ClientServers>()
    const listeners = new Set<() => void>()
    const changes = yield* PubSub.sliding<void>(1)

    const switches = replica === undefined ? undefined : yield* SharedSwitches.make(replica.state)
    const configurations = replica === undefined
      ? undefined
      : yield* SharedConfigurations.make(replica.state, replica.gateways)
    yield* configurations?.publish(first) ?? Effect.void
    const lastSwitched = (server: Server): SharedSwitches.Switched | undefined => {
      const last = switched.get(server.id)
      return last !== undefined && sameOptions(last.server, server) ? last : switches?.of(server)
    }
    const isOff = (server: Server): boolean => lastSwitched(server)?.isOff ?? server.lifecycle?.disabled === true
    const settings: GroupFleet.Settings = {
      ...options,
      servers: () => servers,
      isOff,
      introduced: (caller, server, introduction) => introductions.set(caller, server, introduction),
      mayRun: (server) => configurations?.newer(server) === undefined,
      reports: new Map()
    }
    const shared = yield* GroupFleet.make(ClientGroup.allClients(() => clients.keys()), settings)
    yield* Effect.addFinalizer(() => replica?.leave ?? Effect.void)
    const pool: Pool = {
      sharedFleet: shared,
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
    const run = yield* FiberSet.makeRuntime<never>()
    const follow = ({ look, of }: SharedSwitches.SharedSwitches) =>
      Effect.gen(function*() {
        const before = new Map(servers.map((server) => [server.id, { was: of(server), isOff: isOff(server) }]))
        yield* look
        for (const server of servers) {
          const { isOff: wasOff, was } = before.get(server.id) ?? {}
          if (of(server)?.at === was?.at) continue
          // What was done here is older.
          switched.delete(server.id)
          if (isOff(server) === wasOff) continue
          const act = ({ disable, enable }: Backend.Backend) => Effect.ignore(isOff(server) ? disable : enable)
          run(Effect.flatMap(backends(server.id), Effect.forEach(act, { concurrency: "unbounded", discard: true })))
        }
      })
    const repeat = (look: Effect.Effect<void>) =>
      Effect.forkScoped(Effect.interruptible(Effect.forever(Effect.delay(look, followEvery))))
    if (switches !== undefined) yield* repeat(follow(switches))
    if (configurations !== undefined) yield* repeat(configurations.look)
    return {
      shared,
      servers: () => servers,
      newerOn: (server) => configurations?.newer(server),
      backends: (server) => Effect.suspend(() => backends(server)),
      hasTimeout: (server) => limited.has(server),
      introduction: (server, caller) =>
        isOwn(server) ? introductions.of(caller, server.id) : shared.introduction(server.id),
      pins: (server) => {
        const { id, origin, pin = "off" } = server
        if (pin === "off" || origin === undefined || pins === undefined) return Effect.succeed(undefined)
        return Pins.read(id, pin, pins.of(id, origin))
      },
      switched: lastSwitched,
      isOff,
      switch: (server, isOff) =>
        Effect.map(Clock.currentTimeMillis, (at) => void switched.set(server.id, { server, isOff, at })),
      switchAll: (server, isOff) => switches?.set(server, isOff) ?? Effect.succeed(true),
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
          yield* configurations?.publish(next) ?? Effect.void
          limited = withCallTimeout(next)
          introductions.keep(new Set(next.filter(isOwn).map(({ id }) => id)))
          const changed = outcome(before, next, applied)
          const own = new Set([...before, ...next].filter(isOwn).map(({ id }) => id))
          const prefixes = new Map(before.map(({ id, prefix }) => [id, prefix]))
          const renamed = next.filter(({ id, prefix }) => prefixes.has(id) && prefixes.get(id) !== prefix)
          const differing = [
            ...changed.started,
            ...changed.stopped,
            ...changed.replaced,
            ...renamed.map(({ id }) => id)
          ]
          if (differing.some((id) => own.has(id))) {
            yield* PubSub.publish(changes, undefined)
            for (const client of clients.values()) client.changed()
          }
          for (const listener of listeners) listener()
          return changed
        }),
      signedIn: (server) =>
        Effect.suspend(() =>
          Effect.all(
            [GroupFleet.connect(shared.fleet, server), ...Array.from(clients.values(), (one) => one.connect(server))],
            { concurrency: "unbounded", discard: true }
          )
        )
    }
  })
