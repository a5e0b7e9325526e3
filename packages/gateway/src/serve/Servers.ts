/**
 * The servers behind the gateway: those that all clients share, in one fleet, and those of which each client has its own.
 */
import { type Backend, type Connector, Fleet, type InvalidOptions, type ServerNotification } from "@mcp-lifeline/core"
import { Incoming, type Introduction, JsonRpc } from "@mcp-lifeline/protocol"
import type { Scope } from "effect"
import { Effect, Option } from "effect"
import { optionsOf, type Server } from "../config/Backends.js"
import type { KeptServers } from "../known/Kept.js"
import { type Client, Remembered } from "../known/Remembered.js"

export type { Server } from "../config/Backends.js"

/** Who is told what servers do by themselves. None of it may throw. */
export interface Listener {
  /** A shared server says something to all. Called in the step in which it comes. */
  readonly notified: (server: string, notification: ServerNotification) => void
  /** The servers of which each client has its own are others now. */
  readonly ownChanged: () => void
  /** The configuration was applied anew. */
  readonly applied: () => void
  /** A person has signed in to a server. */
  readonly signedIn: (server: string) => void
}

/** The servers, as long as the scope is open in which they were made. */
export interface Servers {
  /** Those that all clients share. */
  readonly fleet: Fleet.Fleet
  /** Those of which each client has its own, as they are to be made now. */
  readonly own: () => ReadonlyArray<Server>
  /** Whether the time for a call of a server is configured; else it is the client's own affair. */
  readonly hasTimeout: (server: string) => boolean
  /** What a shared server has said of itself last, or one that is somebody's own. */
  readonly introduction: (server: string) => Introduction | undefined
  /** Notes what somebody's own server has said of itself. */
  readonly introduced: (server: string, introduction: Introduction) => void
  /** What is remembered of servers in the name of a client that has them to itself. */
  readonly remembered: (client: Client) => Remembered
  /** Has one more listener. Returns what takes it away. */
  readonly listen: (listener: Listener) => () => void
  /** Starts, stops and replaces what differs, for all clients. */
  readonly apply: (servers: ReadonlyArray<Server>) => Effect.Effect<Fleet.Applied, InvalidOptions>
  /** Connects a server to which a person has just signed in. */
  readonly signedIn: (server: string) => Effect.Effect<void>
}

/** Connects a backend that is not connected. */
export const connect = (backend: Backend.Backend): Effect.Effect<void> =>
  Effect.flatMap(backend.isConnected, (isConnected) => isConnected ? Effect.void : Effect.ignore(backend.reconnect))

/** A shared server cannot ask one of its clients, unless that is in place of the result of a call: it does not know who has called it. */
const declined = (server: string, method: string): Error =>
  Object.assign(
    new Error(
      `${method} is declined: the clients of this gateway share ${server}; with lifeline.sessions "per-client" each of them has its own`
    ),
    { code: JsonRpc.methodNotFound }
  )

/** In whose name shared servers are asked. */
const gateway: Client = { clientName: "mcp-lifeline", protocolVersion: "", capabilities: {} }

const isOwn = ({ sessions }: Server): boolean => sessions === "per-client"

/** A server as a fleet takes it. `remembered`: what is known of it from before. */
export const backendOf = (
  server: Server,
  remembered: Remembered,
  around: (connector: Connector) => Connector
): Backend.BackendOptions & { readonly id: string } => {
  const options = optionsOf(server)
  return { ...options, connector: around(options.connector), catalogMemory: remembered.memory(server.id) }
}

/** Makes something once for each connector, so that what has not changed stays the same. */
const oncePerConnector = (): (connector: Connector, make: () => Connector) => Connector => {
  const made = new WeakMap<Connector, Connector>()
  return (connector, make) => {
    const known = made.get(connector)
    if (known !== undefined) return known
    const next = make()
    made.set(connector, next)
    return next
  }
}

/** Whether two are configured alike. */
export const sameOptions = (a: Server, b: Server): boolean => {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof Server>
  return [...keys].every((key) => a[key] === b[key])
}

/** What happens to the servers of which each client has its own. */
const difference = (before: ReadonlyArray<Server>, after: ReadonlyArray<Server>): Fleet.Applied => {
  const [old, now] = [before, after].map((all) => new Map(all.map((server) => [server.id, server] as const))) as [
    Map<string, Server>,
    Map<string, Server>
  ]
  return {
    started: [...now.keys()].filter((id) => !old.has(id)),
    stopped: [...old.keys()].filter((id) => !now.has(id)),
    replaced: [...now].flatMap(([id, server]) => {
      const was = old.get(id)
      return was === undefined || sameOptions(was, server) ? [] : [id]
    }),
    kept: []
  }
}

/** Both together; a server that is shared no more, or from now on, is replaced. */
const together = (a: Fleet.Applied, b: Fleet.Applied): Fleet.Applied => {
  const stopped = new Set([...a.stopped, ...b.stopped])
  const moved = [...a.started, ...b.started].filter((id) => stopped.has(id))
  return {
    started: [...a.started, ...b.started].filter((id) => !stopped.has(id)),
    stopped: [...stopped].filter((id) => !moved.includes(id)),
    replaced: [...a.replaced, ...b.replaced, ...moved],
    kept: a.kept
  }
}

/** How servers are made. */
export interface Options extends Pick<Fleet.FleetOptions, "waitTimeout"> {
  /** What is kept of servers between two runs. Default: nothing. */
  readonly kept?: KeptServers | undefined
}

/** Starts the shared ones. `waitTimeout`: how long lists wait for them; by default 10 s. */
export const make = (
  servers: ReadonlyArray<Server>,
  { kept, waitTimeout }: Options = {}
): Effect.Effect<Servers, InvalidOptions, Scope.Scope> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const remembered = new Remembered(kept, gateway, runtime)
    const listeners = new Set<Listener>()
    const introductions = new Map<string, Introduction>()
    const connectors = oncePerConnector()
    const shared = (all: ReadonlyArray<Server>) =>
      all.filter((server) => !isOwn(server)).map((server) =>
        backendOf(
          server,
          remembered,
          (connector) => connectors(connector, () => incomingOf(server.id).around(connector))
        )
      )
    const incomingOf = (id: string): Incoming => {
      const incoming = new Incoming()
      incoming.isRaw = true
      incoming.isStateless = true
      incoming.receiver = {
        notified: (notification) => {
          for (const listener of listeners) listener.notified(id, notification)
        },
        asked: ({ method }) => Promise.reject(declined(id, method)),
        introduced: (introduction) => {
          introductions.set(id, introduction)
          return undefined
        }
      }
      return incoming
    }
    const timed = (all: ReadonlyArray<Server>) =>
      new Set(all.flatMap(({ id, timeouts }) => timeouts?.request === undefined ? [] : [id]))
    const applyShared = (next: ReadonlyArray<Server>) =>
      Effect.zipRight(
        remembered.recall(next.filter((server) => !isOwn(server))),
        Effect.suspend(() => fleet.apply(shared(next)))
      )
    let own = servers.filter(isOwn)
    let withTimeout = timed(servers)
    yield* remembered.recall(servers.filter((server) => !isOwn(server)))
    const fleet = yield* Fleet.make({ backends: shared(servers), waitTimeout })
    return {
      fleet,
      own: () => own,
      hasTimeout: (server) => withTimeout.has(server),
      introduction: (server) => introductions.get(server) ?? remembered.introduction(server),
      remembered: (client) => new Remembered(kept, client, runtime),
      introduced: (server, introduction) => void introductions.set(server, introduction),
      listen: (listener) => {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
      apply: (next) =>
        Effect.map(applyShared(next), (applied) => {
          const before = own
          own = next.filter(isOwn)
          withTimeout = timed(next)
          const names = new Set(next.map(({ id }) => id))
          for (const name of introductions.keys()) if (!names.has(name)) introductions.delete(name)
          const changed = difference(before, own)
          if (changed.started.length + changed.stopped.length + changed.replaced.length > 0) {
            for (const listener of listeners) listener.ownChanged()
          }
          for (const listener of listeners) listener.applied()
          return together(applied, changed)
        }),
      signedIn: (server) =>
        Effect.flatMap(Effect.option(fleet.backend(server)), (backend) => {
          for (const listener of listeners) listener.signedIn(server)
          return Option.isSome(backend) ? connect(backend.value) : Effect.void
        })
    }
  })
