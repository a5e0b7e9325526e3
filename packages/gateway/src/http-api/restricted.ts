/**
 * The API for callers that may not use everything, or are no admins: as if there were nothing else.
 */
import { Unknown } from "@mcp-lifeline/core/internal"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import type { Refusal } from "@mcp-lifeline/http-server/Refusal"
import { Effect } from "effect"
import type { Access } from "../access/Access.js"
import * as NamedCaller from "../access/NamedCaller.js"
import * as Api from "./Api.js"
import type { View } from "./EventStream.js"
import type { Gateway } from "./Gateway.js"
import type { ChangedServer, GatewayStatus, Server } from "./GatewayStatus.js"
import type { Operations } from "./Operations.js"
import * as Shown from "./Shown.js"
import { toolsFor } from "./Tools.js"

/** As many as the log keeps. */
const allLines = 500

export const notWhole = (caller: Caller): Pick<Refusal, "status" | "message"> => ({
  status: 403,
  message: `${
    caller.name ?? "this caller"
  } may not do this: it is about all servers and tools, some of which this caller may not use`
})

export const notAdmin = (caller: Caller): Pick<Refusal, "status" | "message"> => {
  const client = NamedCaller.nameOf(caller)
  const where = client === undefined ? "a group of lifeline.groups that it belongs to" : `lifeline.clients.${client}`
  const message = `${
    caller.name ?? "this caller"
  } may not do this: it needs "admin": true in ${where} of the gateway's configuration`
  return { status: 403, message }
}

type Seen = Pick<Gateway, "personalSignIns" | "rules" | "servers">

/** Only of tools that clients are offered. */
const toolCounts = ({ servers }: Seen, access: Access): Effect.Effect<ReadonlyMap<string, number>> =>
  Effect.map(servers.shared.fleet.catalog, (catalog) => {
    const counts = new Map<string, number>()
    for (const { backend } of toolsFor(catalog, access).values()) counts.set(backend, (counts.get(backend) ?? 0) + 1)
    return counts
  })

/** `undefined` if it has no login that is in use here. */
const isWaiting = ({ personalSignIns }: Seen, caller: Caller, server: string): Effect.Effect<boolean | undefined> => {
  const signIn = personalSignIns?.(server)?.inUse(caller)
  return signIn === undefined
    ? Effect.succeed(undefined)
    : Effect.map(signIn.state, ({ _tag }) => _tag === "LoginNeeded" ? true : _tag === "SignedIn" ? false : undefined)
}

const serversFor = (
  seen: Seen,
  caller: Caller,
  all: ReadonlyArray<Server>
): Effect.Effect<ReadonlyArray<Server>> => {
  const access = seen.rules.of(caller)
  const { hasServer, isAdmin, isWhole } = access
  if (isAdmin && isWhole) return Effect.succeed(all)
  return Effect.gen(function*() {
    const counts = isWhole ? undefined : yield* toolCounts(seen, access)
    const toolsOf = ({ counts: { tools }, name }: Server): number =>
      counts === undefined ? tools : counts.get(name) ?? 0
    const visible = all.filter(({ name }) => hasServer(name))
    return yield* Effect.forEach(visible, (server) =>
      Effect.map(
        isWaiting(seen, caller, server.name),
        (isWaiting) => Shown.server(access, server, { tools: toolsOf(server), isWaiting })
      ))
  })
}

export const statusFor = (seen: Seen, caller: Caller, status: GatewayStatus): Effect.Effect<GatewayStatus> => {
  const { name, subject } = caller
  if (subject === "") return Effect.succeed(status)
  const access = seen.rules.of(caller)
  const about = Shown.gateway(access, status)
  return Effect.map(serversFor(seen, caller, status.servers), (servers) => ({
    ...about,
    gateway: { ...about.gateway, caller: { name, admin: access.isAdmin } },
    servers
  }))
}

/** `undefined` if that is everything. */
export const viewFor = (seen: Seen, caller: Caller): View | undefined =>
  caller.subject === "" ? undefined : {
    status: (status) => statusFor(seen, caller, status),
    line: (line) => Shown.line(seen.rules.of(caller), line)
  }

/** Without streams: their readers see each part by the rules of then (`viewFor`). */
export type Allowed = Omit<Operations, "statusNow" | "follow" | "lines">

export const operationsFor = (seen: Seen, caller: Caller, operations: Operations): Allowed => {
  const access = seen.rules.of(caller)
  const status = Effect.flatMap(operations.status, (status) => statusFor(seen, caller, status))
  const { follow: _0, lines: _1, statusNow: _2, ...allowed } = operations
  if (access.isWhole && access.isAdmin) return { ...allowed, status }
  const { hasServer, hasTool, isAdmin } = access
  const unknown = (name: string) => {
    const visible = seen.servers.servers().map(({ id }) => id).filter(hasServer)
    return Effect.fail(Api.notFound(Unknown.backend(name, visible).message))
  }
  const known = <A, E>(name: string, act: Effect.Effect<A, E>): Effect.Effect<A, E | Api.NotFound> =>
    hasServer(name) ? act : unknown(name)
  /** `more`: beside the server. */
  const own = <A extends Server, B, E>(name: string, act: Effect.Effect<A, E>, more: (answer: A) => B) =>
    known(
      name,
      Effect.flatMap(act, (answer) =>
        Effect.flatMap(
          serversFor(seen, caller, [answer]),
          ([server]) => server === undefined ? unknown(name) : Effect.succeed({ ...server, ...more(answer) })
        ))
    )
  const command = <E>(act: (name: string) => Effect.Effect<ChangedServer, E>) => (name: string) =>
    own(name, act(name), ({ runtimesDone }) => ({ runtimesDone }))
  return {
    status,
    server: (name) =>
      own(name, operations.server(name), ({ runtimes }) => ({ runtimes: isAdmin ? runtimes : undefined })),
    logs: ({ limit, server, since }) => {
      const lines = Effect.map(
        operations.logs({ limit: allLines, server, since }),
        (lines) => lines.flatMap((one) => Shown.line(access, one) ?? []).slice(-limit)
      )
      return server === undefined ? lines : known(server, lines)
    },
    reconnect: command(operations.reconnect),
    enable: command(operations.enable),
    disable: command(operations.disable),
    approve: (name) =>
      own(name, operations.approve(name, (tool) => hasTool(name, tool)), ({ approved }) => ({ approved }))
  }
}
