/** A fleet, and the log levels and subscriptions of the clients that use it. */
import {
  type Backend,
  type Connector,
  type ConnectReason,
  type Event,
  Fleet,
  type InvalidOptions,
  type ServerNotification,
  Telemetry
} from "@mcp-lifeline/core"
import { Routing } from "@mcp-lifeline/core/internal"
import { type Caller, ownerOf } from "@mcp-lifeline/http-server/Caller"
import { Incoming, Initialize, type Introduction } from "@mcp-lifeline/protocol"
import { LogLevels } from "@mcp-lifeline/protocol/LogLevels"
import { Subscriptions } from "@mcp-lifeline/protocol/Subscriptions"
import * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import type { Temperaments } from "@mcp-lifeline/state/Temperaments"
import type { ToolPins } from "@mcp-lifeline/state/ToolPins"
import { Effect, FiberSet, Predicate, Scope, Stream } from "effect"
import type { Access } from "../access/Access.js"
import * as GroupCache from "../cache/GroupCache.js"
import { identityOf } from "../cache/offer.js"
import type { ServerCache } from "../cache/ServerCache.js"
import { optionsOf, runsOnce, sameOptions, type Server } from "../config/Backends.js"
import type { Replica } from "../replica/Replica.js"
import * as Fibers from "../text/Fibers.js"
import { clean } from "../text/Text.js"
import type { ClientGroup } from "./ClientGroup.js"
import { EncodedLists } from "./EncodedLists.js"
import * as ListChange from "./ListChange.js"
import * as SharedConnectors from "./SharedConnectors.js"

export interface Outage {
  /** In milliseconds since the epoch. */
  readonly since: number
  readonly reason: ConnectReason | undefined
}

/** Names that clients see otherwise than the servers have them. */
export const logNames = (reports: ReadonlyArray<Routing.NameReport>): Effect.Effect<void> =>
  Effect.forEach(
    reports,
    ({ backend, message }) => Effect.annotateLogs(Effect.logWarning(clean(message)), { backend }),
    { discard: true }
  )

/** Does nothing if there is no such server. */
export const connect = ({ backend }: Fleet.Fleet, server: string): Effect.Effect<void> =>
  Effect.ignore(
    Effect.flatMap(backend(server), ({ isConnected, reconnect }) => Effect.unlessEffect(reconnect, isConnected))
  )

/** Derived from the events of a fleet. */
export class Outages {
  readonly #all = new Map<string, Outage>()

  note(event: Event.Event): void {
    const { at, backend } = event
    if (event._tag === "Installed") this.#all.delete(backend)
    else if (event._tag === "StateChanged" && event.to === "Closed") this.#all.delete(backend)
    else if (event._tag === "RuntimeLost") this.#all.set(backend, { since: at, reason: undefined })
    else if (event._tag === "AttemptFailed") {
      const since = this.#all.get(backend)?.since ?? at - event.duration
      this.#all.set(backend, { since, reason: event.error.reason })
    }
  }

  of(server: string): Outage | undefined {
    return this.#all.get(server)
  }
}

export interface GroupFleet {
  readonly fleet: Fleet.Fleet
  readonly levels: LogLevels
  readonly subscriptions: Subscriptions
  readonly outages: Outages
  readonly lists: Effect.Effect<EncodedLists>
  /** As read or announced last. */
  readonly listed: () => EncodedLists
  /** Whether the hints of a tool say that it does no harm to call it twice. */
  readonly isHarmless: (tool: string, access: Access) => boolean
  /** For a client that asks for a task. */
  readonly takesTask: (tool: string, access: Access) => boolean
  /** Whether each server has connected, failed to, or exceeded the time for that. */
  readonly isReady: () => boolean
  readonly ready: Effect.Effect<void>
  readonly introduction: (server: string) => Introduction | undefined
  /** Whether a server got the capabilities of its client in a handshake. If not, each request includes them. */
  readonly knowsItsClient: (server: string) => boolean
  /** To connected servers: the others read again what has changed when they reconnect. */
  readonly notify: (notification: ServerNotification) => void
  /** Whether its servers are those of the client as it is known now: its token may say something else. */
  readonly isCurrent: () => boolean
  /** Starts, stops and replaces servers whose configuration, or client, has changed. */
  readonly apply: Effect.Effect<Fleet.Applied, InvalidOptions>
}

type Opened = Pick<GroupFleet, "fleet" | "introduction" | "apply"> & Partial<Pick<GroupFleet, "isCurrent">>

/** Until the scope closes. */
export const over = <E>(
  group: Pick<ClientGroup, "sessions" | "listsChanged">,
  open: (subscriptions: Subscriptions) => Effect.Effect<Opened, E, Scope.Scope>,
  reports: Routing.NameReports = new Map()
): Effect.Effect<GroupFleet, E, Scope.Scope> =>
  Effect.gen(function*() {
    const run = yield* FiberSet.makeRuntime<never>()
    const subscriptions = new Subscriptions(run)
    const { apply, fleet, introduction, isCurrent = () => true } = yield* open(subscriptions)
    const levels = new LogLevels({
      fork: run,
      all: fleet.backends,
      hasLogging: (server) => introduction(server)?.capabilities.logging !== undefined
    })
    const outages = new Outages()
    let lists = new EncodedLists(yield* fleet.catalog)
    const listsOf = (catalog: Fleet.FleetCatalog): EncodedLists => {
      if (catalog !== lists.catalog) lists = new EncodedLists(catalog)
      return lists
    }
    let isReady = false
    const ready = yield* Effect.makeLatch()
    const connected = (server: string): Effect.Effect<void> =>
      Effect.ignore(Effect.map(fleet.backend(server), (backend) => {
        levels.connected(backend)
        subscriptions.connected(backend)
      }))
    const events = fleet.events.pipe(
      Stream.tap((event) => Effect.sync(() => outages.note(event))),
      Stream.runForEach((event) => event._tag === "Installed" ? connected(event.backend) : Effect.void)
    )
    const changes = fleet.catalog.changes.pipe(
      Stream.mapAccum(lists, (before, catalog) => {
        const after = listsOf(catalog)
        return [after, after === before ? undefined : ListChange.between(before, after)] as const
      }),
      Stream.runForEach((change) =>
        Effect.suspend(() => {
          if (change !== undefined) group.listsChanged(change)
          return logNames(Routing.reportNames(reports, lists.catalog))
        })
      )
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
      listed: () => lists,
      isHarmless: (tool, access) => {
        const { readOnlyHint, idempotentHint } = lists.visibleTo(access).catalog.tools.get(tool)?.value.annotations ??
          {}
        return readOnlyHint === true || idempotentHint === true
      },
      takesTask: (tool, access) => {
        const entry = lists.visibleTo(access).catalog.tools.get(tool)
        const support = entry?.value.execution?.taskSupport
        return entry !== undefined && (support === "required" || support === "optional") &&
          introduction(entry.backend)?.capabilities.tasks?.requests?.tools?.call !== undefined
      },
      isReady: () => isReady,
      ready: ready.await,
      introduction,
      knowsItsClient: (server) =>
        group.sessions === "per-client"
        || Initialize.versions.includes(introduction(server)?.protocolVersion ?? ""),
      notify: ({ method, params }) => {
        const notify = (backend: Backend.Backend) =>
          Effect.ignore(Effect.whenEffect(backend.notify(method, params), backend.isConnected))
        run(Effect.flatMap(fleet.backends, Effect.forEach(notify, { concurrency: "unbounded", discard: true })))
      },
      isCurrent,
      apply
    }
  })

const withServerName = (server: string, { method, params }: ServerNotification): ServerNotification => {
  const logger = Predicate.isString(params?.["logger"]) ? `${server}/${params["logger"]}` : server
  return { method, params: { ...params, logger } }
}

export interface Options {
  /** Default: nothing is cached. */
  readonly kept?: ServerCache | undefined
  /** Default: kept as long as the servers run. */
  readonly temperaments?: Temperaments | undefined
  /** Default: kept as long as the servers run. */
  readonly pins?: ToolPins | undefined
  /** How long `ready` waits at most. Default: 10 s. */
  readonly waitTimeout?: Fleet.FleetOptions["waitTimeout"]
  /** Default: this process is alone. */
  readonly replica?: Replica | undefined
  /** Default: the telemetry in the context. */
  readonly telemetry?: ((sessions: ClientGroup["sessions"]) => Telemetry.Telemetry) | undefined
}

export interface Settings extends Options {
  /** Of the configuration, as it is now. */
  readonly servers: () => ReadonlyArray<Server>
  readonly isOff: (server: Server) => boolean
  /** Called when an own server of a caller introduces itself. */
  readonly introduced: (caller: Caller, server: string, introduction: Introduction) => void
  /** For a server that runs once in the cluster. */
  readonly mayRun: (server: string) => boolean
  readonly reports: Routing.NameReports
}

interface Configured {
  readonly server: Server
  /** Empty if the server does not depend on the client. */
  readonly client: string
  readonly options: Fleet.FleetBackend & { readonly id: string }
}

/** The backend is there: it has a connection. */
const backendOf = (fleet: Fleet.Fleet | undefined, name: string): Backend.Backend => {
  if (fleet === undefined) throw new Error("the servers have not started")
  // Reads a Ref, which is synchronous.
  return Effect.runSync(fleet.backend(name))
}

export const make = (
  group: ClientGroup,
  {
    introduced,
    isOff,
    kept,
    mayRun,
    pins,
    replica,
    reports,
    servers,
    telemetry,
    temperaments,
    waitTimeout
  }: Settings
): Effect.Effect<GroupFleet, InvalidOptions, Scope.Scope> =>
  over(group, (subscriptions) =>
    Effect.gen(function*() {
      const { identity: { protocolVersion }, sessions } = group
      // Lets writes to the cache finish when the scope closes.
      const { fork } = yield* Fibers.make("1 second")
      const cache = GroupCache.make(kept, group.identity, fork)
      const introductions = new Map<string, Introduction>()
      /** The same objects as long as the configuration is the same, even if a server is disabled or enabled. */
      let configured: ReadonlyMap<string, Configured> = new Map()
      const turn = yield* Effect.makeSemaphore(1)

      const onNotification = (server: string, notification: ServerNotification): void => {
        const { method, params } = notification
        if (method === "notifications/resources/updated") return subscriptions.updated(server, params ?? {})
        // The backend reads the lists again, and the comparison of catalogues announces what differs.
        if (method.endsWith("/list_changed")) return
        // Clients must not rely on these, and one client's tasks do not concern the others.
        if (method.startsWith("notifications/tasks")) return
        if (method === "notifications/message") group.logged(server, withServerName(server, notification))
        else group.notified(server, notification)
      }
      const incomingOf = (server: string): Incoming => {
        const incoming = new Incoming()
        incoming.isRaw = true
        incoming.isStateless = group.isStateless
        if (sessions === "per-client") incoming.protocolVersion = protocolVersion
        incoming.receiver = {
          notified: (notification) => onNotification(server, notification),
          asked: (request, signal) => group.asked(server, request, signal),
          introduced: (introduction) => {
            introductions.set(server, introduction)
            if (sessions === "per-client") introduced(group.caller(), server, introduction)
            return undefined
          }
        }
        return incoming
      }
      let running: Fleet.Fleet | undefined
      const shared = replica === undefined || sessions === "per-client"
        ? undefined
        : yield* SharedConnectors.make(replica, mayRun, (name) => backendOf(running, name))
      const scope = yield* Effect.scope
      const connectNow = (server: string): Effect.Effect<void> =>
        Effect.suspend(() => running === undefined ? Effect.void : connect(running, server))
      const clientOf = ({ forClient }: Server): string => forClient?.keyOf(group.caller()) ?? ""
      const connectorOf = (server: Server): Effect.Effect<Connector> =>
        server.forClient === undefined
          ? Effect.succeed(server.connector)
          : Scope.extend(
            Effect.flatMap(server.forClient.start(group.caller()), ({ connector, signIn }) =>
              Effect.as(
                signIn === undefined ? Effect.void : SignIn.whenDone(signIn, connectNow(server.id)),
                connector
              )),
            scope
          )
      const placedConnectorOf = (server: Server, connector: Connector): Effect.Effect<Connector> => {
        if (shared !== undefined && runsOnce(server)) return shared.of(server)
        const isOwned = replica !== undefined && sessions === "per-client" && runsOnce(server)
        return Effect.succeed(isOwned ? replica.own(connector) : connector)
      }
      const pinStoreOf = ({ id, origin }: Server) => origin && pins?.of(id, origin)
      /** `isOther`: replaces that of another client, which must not stay in use until this one is connected. */
      const makeOptions = (server: Server, client: string, isOther: boolean): Effect.Effect<Configured> =>
        connectorOf(server).pipe(
          Effect.flatMap((connector) => placedConnectorOf(server, connector)),
          Effect.map((connector) => ({
            server,
            client,
            options: {
              ...optionsOf(server, pinStoreOf(server)),
              prefix: server.prefix,
              ...(isOther ? { reconnect: { ...server.reconnect, overlap: false } } : {}),
              connector: incomingOf(server.id).around(connector),
              catalogMemory: cache.of(server.id)?.memory,
              temperamentMemory: temperaments?.of(server.identity),
              lifecycle: { ...server.lifecycle, disabled: isOff(server) },
              ...group.introduction
            }
          }))
        )
      /** One at a time, so that each run knows the options of the one before. */
      const passServers = <A, E, R>(take: (backends: ReadonlyArray<Configured["options"]>) => Effect.Effect<A, E, R>) =>
        Effect.gen(function*() {
          const all = servers().filter((server) =>
            (server.sessions ?? "shared") === sessions && group.mayUse(server.id)
          )
          const clients = new Map(all.map((server) => [server.id, clientOf(server)]))
          // What the server of one caller has said is for no other.
          const owner = sessions === "per-client" ? ownerOf(group.caller()) : ""
          yield* cache.load(
            yield* Effect.forEach(all, (server) =>
              Effect.map(
                identityOf(server, owner + (clients.get(server.id) ?? ""), pinStoreOf(server)),
                (identity) => ({ id: server.id, identity })
              ))
          )
          const options = yield* Effect.forEach(all, (server) => {
            const before = configured.get(server.id)
            const client = clients.get(server.id) ?? ""
            if (before === undefined || before.client !== client || !sameOptions(before.server, server)) {
              return makeOptions(server, client, before !== undefined && before.client !== client)
            }
            const { prefix } = server
            return Effect.succeed(
              before.server.prefix === prefix ? before : { ...before, server, options: { ...before.options, prefix } }
            )
          })
          const next = new Map(options.map((one) => [one.server.id, one]))
          const result = yield* take(Array.from(next.values(), ({ options }) => options))
          configured = next
          yield* shared?.keep(new Set(all.filter(runsOnce).map(({ id }) => id))) ?? Effect.void
          return result
        }).pipe(turn.withPermits(1))
      const fleet = yield* Effect.provideService(
        passServers((backends) =>
          Effect.tap(Fleet.make({ backends, waitTimeout }), (fleet) =>
            Effect.sync(() => {
              running = fleet
            }))
        ),
        Telemetry.Current,
        telemetry?.(sessions) ?? (yield* Telemetry.Current)
      )
      return {
        fleet,
        introduction: (server) => introductions.get(server) ?? cache.of(server)?.introduction,
        isCurrent: () => {
          for (const { client, server } of configured.values()) if (client !== clientOf(server)) return false
          return true
        },
        apply: passServers(fleet.apply)
      }
    }), reports)
