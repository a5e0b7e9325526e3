/**
 * The servers as one MCP server: begins a conversation with each client, and tells all of them what concerns them.
 */
import { ServerOperations } from "@mcp-lifeline/opentelemetry"
import { Initialize, type Introduction, ListChanges } from "@mcp-lifeline/protocol"
import type { Scope } from "effect"
import { Cause, Deferred, type Duration, Effect, Runtime } from "effect"
import type { Begin } from "../http/Conversation.js"
import { version } from "../Version.js"
import { FleetConversation } from "./client/FleetConversation.js"
import type { Surroundings } from "./client/Surroundings.js"
import * as Group from "./Group.js"
import * as Instructions from "./Instructions.js"
import { shuttingDown } from "./JsonRpcError.js"
import { type Kind, type Lists, result } from "./Lists.js"
import * as Logged from "./Logged.js"
import * as Offer from "./Offer.js"
import { OwnRuntimes } from "./OwnRuntimes.js"
import type { Servers } from "./Servers.js"
import * as StatusTool from "./StatusTool.js"
import { UnderWay } from "./UnderWay.js"

/** What is served, and how. */
export interface Options {
  readonly servers: Servers
  /** Whether clients are offered the status of the servers, as a tool and as a resource. Default: they are. */
  readonly hasStatus?: (() => boolean) | undefined
  /** What a person has to do to sign in to a server, as it is now. */
  readonly login?: ((server: string) => string | undefined) | undefined
  /**
   * How long the answer to `initialize` waits for servers that are just being connected, so that it has their instructions. Default 5 s.
   */
  readonly patience?: Duration.DurationInput | undefined
  /** What carries the messages of clients, for telemetry. */
  readonly transport?: "http" | undefined
}

/** All clients of one gateway. */
export interface Clients {
  readonly begin: Begin
  /** The runtimes of the servers of which each client has its own. */
  readonly own: OwnRuntimes
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
  { hasStatus = () => true, login = () => undefined, patience = "5 seconds", servers, transport }: Options
): Effect.Effect<Clients, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { fleet } = servers
    const runtime = yield* Effect.runtime<never>()
    const operations = yield* ServerOperations.make
    const conversations = new Set<FleetConversation>()
    const own = new OwnRuntimes(servers.own, conversations)
    yield* Effect.addFinalizer(() =>
      Effect.promise(() => Promise.allSettled([...conversations].map((one) => one.close(shuttingDown))))
    )
    const settled = yield* Deferred.make<void>()
    let isReady = false
    yield* fleet.ready.pipe(
      Effect.zipRight(Effect.sync(() => {
        isReady = true
      })),
      Effect.zipRight(Deferred.succeed(settled, undefined)),
      Effect.interruptible,
      Effect.forkScoped
    )
    const shared = yield* Group.make({
      fleet,
      introduction: servers.introduction,
      listsChanged: (differing) => {
        for (const one of conversations) one.listsChanged(differing)
      }
    })
    yield* Offer.warnWithheld(fleet).pipe(Effect.interruptible, Effect.forkScoped)
    let hadStatus = hasStatus()
    const stop = servers.listen({
      notified: (server, notification) => {
        const { method, params } = notification
        if (method === "notifications/message") {
          Logged.of(server, notification, (logged) => {
            for (const one of conversations) one.logged(server, logged)
          })
        } else if (method === "notifications/resources/updated") shared.subscriptions.updated(server, params ?? {})
      },
      ownChanged: () => {
        for (const one of conversations) one.ownChanged()
      },
      applied: () => {
        if (hasStatus() === hadStatus) return
        hadStatus = hasStatus()
        for (const one of conversations) one.listsChanged(["tools", "resources"])
      },
      signedIn: (server) => {
        for (const one of conversations) one.signedIn(server)
      }
    })
    yield* Effect.addFinalizer(() => Effect.sync(stop))

    let encoded: { readonly lists: Lists; readonly withStatus: boolean; readonly texts: Map<Kind, string> } | undefined
    const list = (kind: Kind): string => {
      const lists = shared.lists()
      const withStatus = hasStatus()
      if (encoded?.lists !== lists || encoded.withStatus !== withStatus) {
        encoded = { lists, withStatus, texts: new Map() }
      }
      const known = encoded.texts.get(kind)
      if (known !== undefined) return known
      const text = result(kind, [lists.entries(kind), withStatus ? ofOurs(kind) : ""])
      encoded.texts.set(kind, text)
      return text
    }
    const listWith = (kind: Kind, own: Group.Group): string => {
      const lists = shared.lists()
      const entries = own.lists().entriesBeside(kind, lists.catalog)
      return result(kind, [lists.entries(kind), entries, hasStatus() ? ofOurs(kind) : ""])
    }

    const known = (group: Group.Group) =>
      Effect.map(group.fleet.status, (statuses) =>
        Object.values(statuses).map((status): StatusTool.Known => ({
          name: status.backend,
          status,
          since: group.outages.of(status.backend)?.since,
          reason: group.outages.of(status.backend)?.reason,
          login: login(status.backend)
        })))
    const status: Surroundings["status"] = (group) =>
      Effect.gen(function*() {
        const all = [...yield* known(shared), ...(group === undefined ? [] : yield* known(group))]
        const names = new Set(all.map(({ name }) => name))
        const others = servers.own().filter(({ id }) => !names.has(id)).map((server) => ({
          name: server.id,
          status: undefined,
          isOff: own.isOff(server),
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
    const introduction = (): Introduction => {
      const names = [...Effect.runSync(fleet.backends), ...servers.own()].map(({ id }) => id)
      const said = names.map((server) => ({ server, instructions: servers.introduction(server)?.instructions }))
      return {
        serverInfo: { name: "mcp-lifeline", version },
        capabilities,
        instructions: Instructions.join(said, hasStatus() ? StatusTool.about : undefined),
        protocolVersion: Initialize.latestVersion,
        sessionId: undefined
      }
    }

    const underWay = new UnderWay()
    const surroundings: Surroundings = {
      runtime,
      operations,
      transport,
      servers,
      shared,
      isReady: () => isReady,
      ready: Deferred.await(settled),
      patience,
      isOff: (server) => own.isOff(server),
      introduction,
      agreedVersion: (asked) => Initialize.versions.includes(asked) ? asked : Initialize.latestVersion,
      hasStatus,
      status,
      list,
      listWith,
      login,
      underWay,
      failed: (cause: Cause.Cause<unknown>) =>
        void Runtime.runFork(runtime)(Effect.logError("a request failed inside the gateway", cause))
    }
    return {
      begin: (client, resumed) => {
        const conversation: FleetConversation = new FleetConversation(
          surroundings,
          client,
          resumed,
          () => conversations.delete(conversation)
        )
        conversations.add(conversation)
        return conversation
      },
      own,
      isReady: Effect.sync(() => isReady),
      drained: underWay.drained,
      interrupt: Effect.zipRight(
        Effect.promise(() => Promise.all([...conversations].map((one) => one.interrupt(shuttingDown)))),
        // What carries the answers writes them in the microtasks that follow.
        Effect.sleep(0)
      )
    }
  })
