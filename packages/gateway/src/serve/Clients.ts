/**
 * Serves all servers as one MCP server: begins a conversation with each client, and sends the clients the notifications that concern them.
 */
import type { Begin } from "@mcp-lifeline/http-server/Conversation"
import { ServerOperations } from "@mcp-lifeline/opentelemetry"
import { Initialize, type Introduction, ListChanges } from "@mcp-lifeline/protocol"
import type { ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import type { Scope } from "effect"
import { type Duration, Effect } from "effect"
import { shuttingDown } from "../conversation/errors.js"
import * as Fibers from "../Fibers.js"
import { version } from "../Version.js"
import { FleetConversation, type GatewayContext } from "./client/FleetConversation.js"
import { type Kind, result } from "./EncodedLists.js"
import * as Instructions from "./Instructions.js"
import type { GroupFleet } from "./pool/GroupFleet.js"
import type { ServerPool } from "./pool/ServerPool.js"
import * as StatusTool from "./StatusTool.js"

/** The servers to serve, and how. */
export interface Options {
  readonly servers: ServerPool
  /** Whether clients get the status of the servers, as a tool and as a resource. Default: true. */
  readonly hasStatus?: (() => boolean) | undefined
  /** What the user has to do now to sign in to a server; `undefined` if nothing. */
  readonly login?: ((server: string) => string | undefined) | undefined
  /**
   * How long the answer to `initialize` waits for servers that are connecting, so that it can include their instructions. Default 5 s.
   */
  readonly introductionWait?: Duration.DurationInput | undefined
  /** How clients' messages are transported, for telemetry. */
  readonly transport?: "http" | undefined
}

/** All clients of one gateway. */
export interface Clients {
  readonly begin: Begin
  /** Whether each shared server has connected, or failed to connect, since the start. */
  readonly isReady: Effect.Effect<boolean>
  /** Ends when every request of a client has its answer. */
  readonly drained: Effect.Effect<void>
  /** Answers all requests that are still open with an error that says why. */
  readonly interrupt: Effect.Effect<void>
}

/** The gateway's own entries in a list. They collide with no server's: `Fleet` leaves out what servers offer under the gateway's names. */
const ownEntries = (kind: Kind): string =>
  kind === "tools" ? StatusTool.entries.tools : kind === "resources" ? StatusTool.entries.resources : ""

/** What clients can do with tasks: what some server can, but to list them, because the clients of the gateway may share a server. */
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

/** Serves until the scope closes. Closing the scope ends every conversation. */
export const make = (
  { hasStatus = () => true, login = () => undefined, introductionWait = "5 seconds", servers, transport }: Options
): Effect.Effect<Clients, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { shared } = servers
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
      for (const one of conversations) one.listsChanged(["tools", "resources"])
    })
    yield* Effect.addFinalizer(() => Effect.sync(stop))

    const list = (kind: Kind, fleets: ReadonlyArray<GroupFleet>): Effect.Effect<string> =>
      Effect.map(Effect.forEach(fleets, ({ lists }) => lists), ([first, ...others]) => {
        const own = hasStatus() ? ownEntries(kind) : ""
        if (first === undefined) return result(kind, [], own)
        return others.length === 0 ? first.result(kind, own) : result(kind, [first, ...others], own)
      })

    const reported = ({ fleet, outages }: GroupFleet) =>
      Effect.map(fleet.status, (statuses) =>
        Object.values(statuses).map((status): StatusTool.ServerState => ({
          name: status.backend,
          status,
          since: outages.of(status.backend)?.since,
          reason: outages.of(status.backend)?.reason,
          login: login(status.backend)
        })))
    const status: GatewayContext["status"] = (fleets) =>
      Effect.gen(function*() {
        const all = (yield* Effect.forEach(fleets, reported)).flat()
        const names = new Set(all.map(({ name }) => name))
        const others = servers.servers().filter(({ id, sessions }) => sessions === "per-client" && !names.has(id))
          .map((server): StatusTool.ServerState => ({
            name: server.id,
            status: undefined,
            isOff: servers.isOff(server),
            since: undefined,
            reason: undefined,
            login: login(server.id)
          }))
        const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        return StatusTool.report([...all, ...others], now)
      })

    const capabilities: ServerCapabilities = ListChanges.announcing({
      tools: {},
      prompts: {},
      resources: { subscribe: true },
      logging: {},
      completions: {}
    })
    const introductionNow = (): Introduction => {
      const instructions = servers.servers().map(({ id }) => ({
        server: id,
        instructions: servers.introduction(id)?.instructions
      }))
      return {
        serverInfo: { name: "mcp-lifeline", version },
        capabilities: { ...capabilities, ...tasksOf(servers.servers().map(({ id }) => servers.introduction(id))) },
        instructions: Instructions.join(instructions, hasStatus() ? StatusTool.about : undefined),
        protocolVersion: Initialize.latestVersion,
        sessionId: undefined
      }
    }
    const sharedReady = Effect.timeoutOption(shared.ready, introductionWait)
    const introduction = Effect.map(Effect.suspend(() => shared.isReady() ? Effect.void : sharedReady), introductionNow)

    const context: GatewayContext = {
      fibers,
      operations,
      transport,
      servers,
      introduction,
      hasStatus,
      status,
      list,
      login
    }
    return {
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
