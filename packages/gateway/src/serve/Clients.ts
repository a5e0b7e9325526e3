/**
 * The servers as one MCP server: begins a conversation with each client, and tells all of them what concerns them.
 */
import type { Begin } from "@mcp-lifeline/http-server/Conversation"
import { ServerOperations } from "@mcp-lifeline/opentelemetry"
import { Initialize, type Introduction, ListChanges } from "@mcp-lifeline/protocol"
import type { Scope } from "effect"
import { type Duration, Effect } from "effect"
import { shuttingDown } from "../conversation/errors.js"
import * as Fibers from "../Fibers.js"
import { version } from "../Version.js"
import { FleetConversation, type GatewayContext } from "./client/FleetConversation.js"
import { type Kind, result } from "./EncodedLists.js"
import * as Instructions from "./Instructions.js"
import * as OfferedTools from "./OfferedTools.js"
import type { HolderFleet } from "./pool/HolderFleet.js"
import type { ServerPool } from "./pool/ServerPool.js"
import * as StatusTool from "./StatusTool.js"

/** What is served, and how. */
export interface Options {
  readonly servers: ServerPool
  /** Whether clients are offered the status of the servers, as a tool and as a resource. Default: they are. */
  readonly hasStatus?: (() => boolean) | undefined
  /** What a person has to do to sign in to a server, as it is now. */
  readonly login?: ((server: string) => string | undefined) | undefined
  /**
   * How long the answer to `initialize` waits for servers that are just being connected, so that it has their instructions. Default 5 s.
   */
  readonly introductionWait?: Duration.DurationInput | undefined
  /** What carries the messages of clients, for telemetry. */
  readonly transport?: "http" | undefined
}

/** All clients of one gateway. */
export interface Clients {
  readonly begin: Begin
  /** Whether the shared servers have been waited for at the start. */
  readonly isReady: Effect.Effect<boolean>
  /** Ends when no request of a client is without an answer. */
  readonly drained: Effect.Effect<void>
  /** Answers all requests that are left with an error that says why. */
  readonly interrupt: Effect.Effect<void>
}

/** The entries of ours in a list. No server has one of that name: `Fleet` leaves out what servers offer under names of ours. */
const ofOurs = (kind: Kind): string =>
  kind === "tools" ? StatusTool.entries.tools : kind === "resources" ? StatusTool.entries.resources : ""

/** Serves as long as the scope is open; closing it ends every conversation. */
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
    yield* OfferedTools.warnWithheld(shared.fleet).pipe(Effect.interruptible, Effect.forkScoped)
    let hadStatus = hasStatus()
    const stop = servers.whenApplied(() => {
      if (hasStatus() === hadStatus) return
      hadStatus = hasStatus()
      for (const one of conversations) one.listsChanged(["tools", "resources"])
    })
    yield* Effect.addFinalizer(() => Effect.sync(stop))

    const list = (kind: Kind, fleets: ReadonlyArray<HolderFleet>): Effect.Effect<string> =>
      Effect.map(Effect.forEach(fleets, ({ lists }) => lists), ([first, ...others]) => {
        const ours = hasStatus() ? ofOurs(kind) : ""
        if (first === undefined) return result(kind, [], ours)
        return others.length === 0 ? first.result(kind, ours) : result(kind, [first, ...others], ours)
      })

    const known = ({ fleet, outages }: HolderFleet) =>
      Effect.map(fleet.status, (statuses) =>
        Object.values(statuses).map((status): StatusTool.Known => ({
          name: status.backend,
          status,
          since: outages.of(status.backend)?.since,
          reason: outages.of(status.backend)?.reason,
          login: login(status.backend)
        })))
    const status: GatewayContext["status"] = (fleets) =>
      Effect.gen(function*() {
        const all = (yield* Effect.forEach(fleets, known)).flat()
        const names = new Set(all.map(({ name }) => name))
        const others = servers.servers().filter(({ id, sessions }) => sessions === "per-client" && !names.has(id))
          .map((server): StatusTool.Known => ({
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

    const capabilities = ListChanges.announcing({
      tools: {},
      prompts: {},
      resources: { subscribe: true },
      logging: {},
      completions: {}
    })
    const introduced = (): Introduction => {
      const said = servers.servers().map(({ id }) => ({
        server: id,
        instructions: servers.introduction(id)?.instructions
      }))
      return {
        serverInfo: { name: "mcp-lifeline", version },
        capabilities,
        instructions: Instructions.join(said, hasStatus() ? StatusTool.about : undefined),
        protocolVersion: Initialize.latestVersion,
        sessionId: undefined
      }
    }
    const waited = Effect.timeoutOption(shared.ready, introductionWait)
    const introduction = Effect.map(Effect.suspend(() => shared.isReady() ? Effect.void : waited), introduced)

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
        // What carries the answers writes them in the microtasks that follow.
        Effect.sleep(0)
      )
    }
  })
