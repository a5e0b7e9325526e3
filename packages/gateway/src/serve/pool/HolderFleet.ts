/**
 * The servers of one holder: its fleet, and what the clients that use it have asked of it.
 */
import { type Backend, Fleet, type InvalidOptions, type ServerNotification, Telemetry } from "@mcp-lifeline/core"
import { Incoming, Initialize, type Introduction } from "@mcp-lifeline/protocol"
import { Effect, FiberSet, Predicate, type Scope, Stream } from "effect"
import { optionsOf, type Server } from "../../config/Backends.js"
import * as Fibers from "../../Fibers.js"
import type { KeptServers } from "../../known/Kept.js"
import { Remembered } from "../../known/Remembered.js"
import { EncodedLists } from "../EncodedLists.js"
import { LogLevels } from "../LogLevels.js"
import * as Outages from "../Outages.js"
import { Subscriptions } from "../Subscriptions.js"
import type { Holder } from "./Holder.js"

/** The fleet of a holder. */
export interface HolderFleet {
  readonly fleet: Fleet.Fleet
  readonly levels: LogLevels
  readonly subscriptions: Subscriptions
  /** Since when servers are down. */
  readonly outages: Outages.Outages
  /** As they are now. */
  readonly lists: Effect.Effect<EncodedLists>
  /** Whether lists that were read or announced have an entry of this name. */
  readonly hasListed: (kind: Fleet.Routed, name: string) => boolean
  /** Whether each server has had its first outcome, or its time for it. */
  readonly isReady: () => boolean
  /** Ends when that is so. */
  readonly ready: Effect.Effect<void>
  /** What a server has said of itself last. */
  readonly introduction: (server: string) => Introduction | undefined
  /** Whether a server was told in a handshake what its clients can do. If not, each request tells it. */
  readonly knowsItsClient: (server: string) => boolean
  /** Passes a notification of the holder on to its servers that are connected: the others ask for what has changed when they are back. */
  readonly tell: (notification: ServerNotification) => void
  /** Starts, stops and replaces what the configuration has changed. */
  readonly apply: Effect.Effect<Fleet.Applied, InvalidOptions>
}

/** A fleet before anybody uses it. */
type Opened = Pick<HolderFleet, "fleet" | "introduction" | "apply">

/** Runs a fleet for a holder as long as the scope is open. `open` makes the fleet. */
export const over = <E>(
  holder: Pick<Holder, "sessions" | "listsChanged">,
  open: (subscriptions: Subscriptions) => Effect.Effect<Opened, E, Scope.Scope>
): Effect.Effect<HolderFleet, E, Scope.Scope> =>
  Effect.gen(function*() {
    const run = yield* FiberSet.makeRuntime<never>()
    const subscriptions = new Subscriptions(run)
    const { apply, fleet, introduction } = yield* open(subscriptions)
    const levels = new LogLevels({
      fork: run,
      all: fleet.backends,
      hasLogging: (server) => introduction(server)?.capabilities.logging !== undefined
    })
    const outages = new Outages.Outages()
    let lists = new EncodedLists(yield* fleet.catalog)
    const listsOf = (catalog: Fleet.FleetCatalog): EncodedLists => {
      if (catalog !== lists.catalog) lists = new EncodedLists(catalog)
      return lists
    }
    let isReady = false
    const ready = yield* Effect.makeLatch()
    const connected = (server: string): Effect.Effect<void> =>
      Effect.match(fleet.backend(server), {
        onFailure: () => undefined,
        onSuccess: (backend) => {
          levels.connected(backend)
          subscriptions.connected(backend)
        }
      })
    const events = fleet.events.pipe(
      Stream.tap((event) => Effect.sync(() => outages.note(event))),
      Stream.runForEach((event) => event._tag === "Installed" ? connected(event.backend) : Effect.void)
    )
    const changes = fleet.catalog.changes.pipe(
      Stream.mapAccum(lists, (before, catalog) => {
        const after = listsOf(catalog)
        return [after, after === before ? [] : after.changedSince(before)] as const
      }),
      Stream.runForEach((kinds) => Effect.sync(() => kinds.length === 0 ? undefined : holder.listsChanged(kinds)))
    )
    const firstOutcomes = Effect.flatMap(fleet.ready, () => {
      isReady = true
      return ready.open
    })
    yield* Effect.forEach(
      [events, changes, firstOutcomes],
      (work) => Effect.forkScoped(Effect.interruptible(work)),
      { discard: true }
    )
    return {
      fleet,
      levels,
      subscriptions,
      outages,
      lists: Effect.map(fleet.catalog, listsOf),
      hasListed: (kind, name) => lists.catalog[kind].has(name),
      isReady: () => isReady,
      ready: ready.await,
      introduction,
      knowsItsClient: (server) =>
        holder.sessions === "per-client"
        || Initialize.versions.includes(introduction(server)?.protocolVersion ?? ""),
      tell: ({ method, params }) => {
        const tell = (backend: Backend.Backend) =>
          Effect.flatMap(
            backend.isConnected,
            (isConnected) => isConnected ? Effect.ignore(backend.notify(method, params)) : Effect.void
          )
        run(Effect.flatMap(fleet.backends, Effect.forEach(tell, { concurrency: "unbounded", discard: true })))
      },
      apply
    }
  })

/** A log message as clients are given it: `logger` begins with the server's name. */
const named = (server: string, { method, params }: ServerNotification): ServerNotification => {
  const logger = Predicate.isString(params?.["logger"]) ? `${server}/${params["logger"]}` : server
  return { method, params: { ...params, logger } }
}

/** Whether two servers are configured alike. */
export const sameOptions = (a: Server, b: Server): boolean => {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof Server>
  return [...keys].every((key) => a[key] === b[key])
}

/** What the fleets of all holders are made from. */
export interface Settings {
  /** The servers of the configuration, as it is now. */
  readonly servers: () => ReadonlyArray<Server>
  /** Whether somebody has switched a server off. */
  readonly isOff: (server: Server) => boolean
  /** Called when a server introduces itself. */
  readonly introduced: (server: string, introduction: Introduction) => void
  /** What is kept of servers between two runs. Default: nothing. */
  readonly kept: KeptServers | undefined
  /** How long `ready` waits at most. Default 10 s. */
  readonly waitTimeout: Fleet.FleetOptions["waitTimeout"]
  /** Makes what measures the servers of one holder. Default: the telemetry that is provided. */
  readonly telemetry: ((sessions: Holder["sessions"]) => Telemetry.Telemetry) | undefined
}

/** A server as a fleet has it. */
interface Made {
  readonly server: Server
  readonly options: Backend.BackendOptions & { readonly id: string }
}

/** Starts the servers of a holder. */
export const make = (
  holder: Holder,
  { introduced, isOff, kept, servers, telemetry, waitTimeout }: Settings
): Effect.Effect<HolderFleet, InvalidOptions, Scope.Scope> =>
  over(holder, (subscriptions) =>
    Effect.gen(function*() {
      const { identity: { protocolVersion }, sessions } = holder
      // What is just being written for the next time is written to its end.
      const { fork } = yield* Fibers.make("1 second")
      const remembered = new Remembered(kept, holder.identity, fork)
      const introductions = new Map<string, Introduction>()
      /** What each was made with: it stays as it is while its configuration is the same, however it was switched since. */
      let made: ReadonlyMap<string, Made> = new Map()
      const turn = yield* Effect.makeSemaphore(1)

      const heard = (server: string, notification: ServerNotification): void => {
        const { method, params } = notification
        if (method === "notifications/resources/updated") return subscriptions.updated(server, params ?? {})
        // Changed lists are compared when they are read again.
        if (method.endsWith("/list_changed")) return
        if (method === "notifications/message") holder.logged(server, named(server, notification))
        else holder.notified(server, notification)
      }
      const incomingOf = (server: string): Incoming => {
        const incoming = new Incoming()
        incoming.isRaw = true
        if (sessions === "shared") incoming.isStateless = true
        else incoming.protocolVersion = protocolVersion
        incoming.receiver = {
          notified: (notification) => heard(server, notification),
          asked: (request, signal) => holder.asked(server, request, signal),
          introduced: (introduction) => {
            introductions.set(server, introduction)
            introduced(server, introduction)
            return undefined
          }
        }
        return incoming
      }
      const makeOptions = (server: Server): Made => ({
        server,
        options: {
          ...optionsOf(server),
          connector: incomingOf(server.id).around(server.connector),
          catalogMemory: remembered.memory(server.id),
          lifecycle: { ...server.lifecycle, disabled: isOff(server) },
          ...holder.introduction
        }
      })
      /** Hands the servers that the holder has now to its fleet; one after the other, so that each knows what was made before. */
      const hand = <A, E, R>(take: (backends: ReadonlyArray<Made["options"]>) => Effect.Effect<A, E, R>) =>
        Effect.gen(function*() {
          const all = servers().filter((server) => (server.sessions ?? "shared") === sessions)
          yield* remembered.recall(all)
          const next = new Map(all.map((server) => {
            const before = made.get(server.id)
            const isSame = before !== undefined && sameOptions(before.server, server)
            return [server.id, isSame ? before : makeOptions(server)]
          }))
          const taken = yield* take(Array.from(next.values(), ({ options }) => options))
          made = next
          return taken
        }).pipe(turn.withPermits(1))
      const measured = telemetry === undefined ? yield* Telemetry.Current : telemetry(sessions)
      const fleet = yield* Effect.provideService(
        hand((backends) => Fleet.make({ backends, waitTimeout })),
        Telemetry.Current,
        measured
      )
      return {
        fleet,
        introduction: (server) => introductions.get(server) ?? remembered.introduction(server),
        apply: hand(fleet.apply)
      }
    }))
