/** Serves all servers as one MCP server. */
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import type { Begin } from "@mcp-lifeline/http-server/Conversation"
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import { ServerOperations } from "@mcp-lifeline/opentelemetry"
import { Initialize, type Introduction, ListChanges } from "@mcp-lifeline/protocol"
import type { ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import type { Scope } from "effect"
import { type Duration, Effect, Struct } from "effect"
import type { Access } from "../access/Access.js"
import * as AccessControl from "../access/AccessControl.js"
import { CallRates } from "../access/CallRates.js"
import { FleetConversation } from "../clients/FleetConversation.js"
import type { GatewayContext } from "../clients/GatewayContext.js"
import * as StatusTool from "../clients/StatusTool.js"
import type { Server } from "../config/Backends.js"
import { shuttingDown } from "../conversation/errors.js"
import { announced, unknownServer } from "../conversation/introductions.js"
import * as Shown from "../http-api/Shown.js"
import type { ClientServers } from "../pool/ClientServers.js"
import { type Kind, result } from "../pool/EncodedLists.js"
import type { GroupFleet } from "../pool/GroupFleet.js"
import * as Instructions from "../pool/Instructions.js"
import * as ListChange from "../pool/ListChange.js"
import type { ServerPool } from "../pool/ServerPool.js"
import * as Fibers from "../text/Fibers.js"
import { version } from "../text/Version.js"

export interface Options {
  readonly servers: ServerPool
  /** Whether clients get the status of the servers, as a tool and as a resource. Default: true. */
  readonly hasStatus?: (() => boolean) | undefined
  /** Whether there is one server, of which each client has its own: clients get its introduction. Default: false. */
  readonly isSingle?: boolean | undefined
  /** What the user of a client has to do now to sign in to a server. */
  readonly login?: ((server: string, caller: Caller) => string | undefined) | undefined
  /** The sign-in of a client to a server, if it has its own and is in use. Default: none. */
  readonly personalSignIn?: GatewayContext["personalSignIn"]
  /** How long the answer to `initialize` waits for connecting servers, to include their instructions. Default: 5 s. */
  readonly introductionWait?: Duration.DurationInput | undefined
  /** Default: everybody may use everything. */
  readonly rules?: AccessControl.AccessControl | undefined
  /** Marks what belongs to a caller. Default: with a key that ends with these clients. */
  readonly seal?: SealedId.Seal | undefined
  /** Default: calls are not recorded. */
  readonly audit?: GatewayContext["audit"]
}

export interface Clients {
  readonly begin: Begin
  /** How many calls each caller has made. */
  readonly rates: CallRates
  readonly seal: SealedId.Seal
  /** Whether each shared server has connected, or failed to connect, since the start. */
  readonly isReady: Effect.Effect<boolean>
  /** Ends when every request of a client has its answer. */
  readonly drained: Effect.Effect<void>
  /** Answers all open requests with an error that says why. */
  readonly interrupt: Effect.Effect<void>
}

/** For the server of a client, if the gateway stands for that. Hosts wait 10 s or more. */
const singleWait = "8 seconds"

/** They collide with no server's: `Fleet` leaves out what servers offer under the gateway's names. */
const ownEntries = (kind: Kind): string =>
  kind === "tools" ? StatusTool.entries.tools : kind === "resources" ? StatusTool.entries.resources : ""

/** What some server can, but to list tasks, because clients may share a server. */
const tasksOf = (
  introductions: ReadonlyArray<Introduction | undefined>
): ServerCapabilities => {
  const all = introductions.flatMap((one) => one === undefined ? [] : [one.capabilities])
  const extension = "io.modelcontextprotocol/tasks"
  return {
    ...(all.some(({ tasks }) => tasks?.requests?.tools?.call !== undefined)
      ? { tasks: { cancel: {}, requests: { tools: { call: {} } } } }
      : {}),
    ...(all.some(({ extensions }) => extensions?.[extension] !== undefined)
      ? { extensions: { [extension]: {} } }
      : {})
  }
}

/** Closing the scope ends every conversation. */
export const make = (
  {
    audit,
    rules = AccessControl.open,
    hasStatus = () => true,
    isSingle = false,
    login: loginNow = () => undefined,
    introductionWait = "5 seconds",
    seal = SealedId.make(SealedId.randomSecret()),
    personalSignIn,
    servers
  }: Options
): Effect.Effect<Clients, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { shared } = servers
    const rates = new CallRates(yield* Effect.clock)
    const fibers = yield* Fibers.make()
    const operations = yield* ServerOperations.make
    const conversations = new Set<FleetConversation>()
    yield* Effect.addFinalizer(() =>
      Effect.promise(() => Promise.allSettled([...conversations].map((one) => one.close(shuttingDown))))
    )
    let hadStatus = hasStatus()
    const stop = servers.whenApplied(() => {
      if (hasStatus() === hadStatus) return
      hadStatus = hasStatus()
      for (const one of conversations) one.listsChanged(ListChange.ofAll(["tools", "resources"]))
    })
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    const stopAccess = rules.whenChanged(() => {
      for (const one of conversations) one.accessChanged()
    })
    yield* Effect.addFinalizer(() => Effect.sync(stopAccess))

    const list: GatewayContext["list"] = (kind, fleets, { access, isStateless }) =>
      Effect.map(Effect.forEach(fleets, ({ lists }) => lists), (all) => {
        const shown = all.map((one) => {
          const visible = one.visibleTo(access)
          return isStateless ? visible : visible.withObjectResults
        })
        const own = hasStatus() ? ownEntries(kind) : ""
        const [only, ...others] = shown
        return only !== undefined && others.length === 0 ? only.result(kind, own) : result(kind, shown, own)
      })

    /** Where somebody signs in for all is for admins. */
    const login: GatewayContext["login"] = (server, caller) => {
      const found = loginNow(server, caller)
      const isForAll = personalSignIn?.(server, caller) === undefined
      return Shown.login(rules.of(caller), server, found, isForAll)
    }
    const shown: GatewayContext["shown"] = (error, caller) => Shown.error(rules.of(caller), error)
    const reported = ({ fleet, outages }: GroupFleet, caller: Caller) =>
      Effect.map(fleet.status, (statuses) =>
        Object.values(statuses).map((status): StatusTool.ServerState => ({
          name: status.backend,
          status: Shown.connection(rules.of(caller), status),
          ...outages.of(status.backend),
          login: login(status.backend, caller)
        })))
    const status: GatewayContext["status"] = (fleets, { hasServer, isWhole }, caller) =>
      Effect.gen(function*() {
        const all = (yield* Effect.forEach(fleets, (fleet) => reported(fleet, caller))).flat()
          .filter(({ name }) => hasServer(name))
        const names = new Set(all.map(({ name }) => name))
        const others = servers.servers()
          .filter(({ id, sessions }) => sessions === "per-client" && !names.has(id) && hasServer(id))
          .map((server): StatusTool.ServerState => ({
            name: server.id,
            status: undefined,
            isOff: servers.isOff(server),
            login: login(server.id, caller)
          }))
        const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        return StatusTool.report([...all, ...others], now, isWhole)
      })

    const capabilities: ServerCapabilities = ListChanges.announcing({
      tools: {},
      prompts: {},
      resources: { subscribe: true },
      logging: {},
      completions: {}
    })
    const introductionNow = ({ hasServer }: Access, caller: Caller): Introduction => {
      const visible = servers.servers().filter(({ id }) => hasServer(id)).map((server) => {
        const introduction = servers.introduction(server, caller)
        return { server: server.id, introduction, instructions: introduction?.instructions }
      })
      return {
        serverInfo: { name: "mcp-lifeline", version },
        capabilities: { ...capabilities, ...tasksOf(visible.map(({ introduction }) => introduction)) },
        instructions: Instructions.join(visible, hasStatus() ? StatusTool.about : undefined),
        protocolVersion: Initialize.latestVersion,
        sessionId: undefined
      }
    }
    const sharedReady = Effect.timeoutOption(shared.ready, introductionWait)
    const introduced = Effect.suspend(() => shared.isReady() ? Effect.void : sharedReady)
    const introductionOf = ({ id }: Server, clientServers: ClientServers) =>
      Effect.gen(function*() {
        clientServers.need()
        yield* clientServers.made
        const { own } = clientServers
        if (own?.introduction(id) === undefined) yield* Effect.timeoutOption(own?.ready ?? Effect.void, singleWait)
        const known = own?.introduction(id)
        const { capabilities: all, ...said } = known ?? unknownServer(id, Initialize.latestVersion)
        const passed = Struct.pick(all, ...Struct.keys(capabilities))
        return announced({ ...said, capabilities: { ...passed, ...tasksOf([known]) } })
      })
    const introduction: GatewayContext["introduction"] = (access, caller, clientServers) => {
      const [single] = isSingle ? servers.servers() : []
      return single === undefined
        ? Effect.map(introduced, () => introductionNow(access, caller))
        : introductionOf(single, clientServers)
    }

    const context: GatewayContext = {
      rules,
      rates,
      seal,
      fibers,
      operations,
      audit,
      servers,
      introduction,
      hasStatus,
      status,
      list,
      login,
      shown,
      personalSignIn
    }
    return {
      rates,
      seal,
      begin: (client, resumed) => {
        const conversation: FleetConversation = new FleetConversation(
          context,
          client,
          resumed,
          () => conversations.delete(conversation)
        )
        conversations.add(conversation)
        return conversation
      },
      isReady: Effect.sync(shared.isReady),
      drained: Effect.promise(() => Promise.all([...conversations].map((one) => one.settled))),
      interrupt: Effect.zipRight(
        Effect.promise(() => Promise.all([...conversations].map((one) => one.interrupt(shuttingDown)))),
        // The transport writes the answers in the following microtasks.
        Effect.sleep(0)
      )
    }
  })
