/**
 * What the API says and does for callers that may not use everything, or are no admins: as if there were nothing else.
 */
import { isPinWarning, Unknown } from "@mcp-lifeline/core/internal"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import type { Refusal } from "@mcp-lifeline/http-server/Refusal"
import { Effect, Stream } from "effect"
import { identity } from "effect/Function"
import type { Access } from "../access/Access.js"
import * as NamedCaller from "../access/NamedCaller.js"
import * as Api from "./Api.js"
import type * as EventLog from "./EventLog.js"
import type { View } from "./EventStream.js"
import type { GatewayStatus, Server } from "./GatewayStatus.js"
import type { Operations } from "./Operations.js"

/** More lines of the log than are kept. */
const allLines = 500

/** The answer to a caller that asks for something that only admins may do. */
export const notAdmin = (caller: Caller): Pick<Refusal, "status" | "message"> => {
  const client = NamedCaller.nameOf(caller)
  const where = client === undefined ? "a group of lifeline.groups that it belongs to" : `lifeline.clients.${client}`
  const message = `${
    caller.name ?? "this caller"
  } may not do this: it needs "admin": true in ${where} of the gateway's configuration`
  return { status: 403, message }
}

/** What has changed in the tools of a server is for admins, who approve it: others may not have each of these tools. */
const withoutPins = ({ pins, ...server }: Server): Server =>
  pins === undefined ? server : { ...server, warnings: server.warnings.filter((one) => !isPinWarning(one)) }

/** Without the address where somebody signs in for all. */
const withoutLogin = (server: Server): Server =>
  server.login?.url === undefined ? server : { ...server, login: { message: server.login.message } }

/** Without what the server of another client has said last, where each client has its own. */
const withoutOthers = ({ lastError, ...server }: Server): Server =>
  server.runtimesByState === undefined && lastError !== undefined ? { ...server, lastError } : server

/** A server as a caller sees it that is no admin. */
const ofNoAdmin = (server: Server): Server => withoutOthers(withoutLogin(withoutPins(server)))

/** The status as a caller sees it. */
export const statusFor = (
  { hasServer, isAdmin, isWhole }: Access,
  { name, subject }: Caller,
  status: GatewayStatus
): GatewayStatus => {
  if (subject === "") return status
  const { configProblem: _1, config: _2, ...ofAnyone } = status.gateway
  const { replicas: _3, ...others } = status
  return {
    ...(isAdmin ? status : others),
    gateway: {
      ...(isAdmin ? status.gateway : ofAnyone),
      caller: { ...(name === undefined ? {} : { name }), admin: isAdmin }
    },
    servers: (isWhole ? status.servers : status.servers.filter(({ name }) => hasServer(name))).map(
      isAdmin ? identity : ofNoAdmin
    )
  }
}

/** Whether a line of the log is for a caller. Lines of the gateway itself, and of servers of single clients, may be about others. */
const isFor =
  ({ hasServer, isAdmin }: Access, isOfOneClient: (server: string) => boolean) =>
  ({ server }: EventLog.Entry): boolean =>
    server === null ? isAdmin : hasServer(server) && (isAdmin || !isOfOneClient(server))

/** What a reader of events sees; `undefined` if that is everything. */
export const viewFor = (access: Access, caller: Caller, isOfOneClient: (server: string) => boolean): View | undefined =>
  caller.subject === ""
    ? undefined
    : { status: (status) => statusFor(access, caller, status), isSeen: isFor(access, isOfOneClient) }

/** What may be done for a caller. `names`: of all servers. `isOfOneClient`: whether each client has its own of a server. */
export const operationsFor = (
  access: Access,
  caller: Caller,
  operations: Operations,
  names: () => ReadonlyArray<string>,
  isOfOneClient: (server: string) => boolean
): Operations => {
  if (access.isWhole && access.isAdmin) {
    const own = Effect.map((status: GatewayStatus) => statusFor(access, caller, status))
    return { ...operations, status: own(operations.status), statusNow: own(operations.statusNow) }
  }
  const { hasServer, isAdmin } = access
  /** Does something with a server that the caller sees. */
  const known = <A, E>(name: string, act: Effect.Effect<A, E>): Effect.Effect<A, E | Api.NotFound> =>
    hasServer(name) ? act : Effect.fail(Api.notFound(Unknown.backend(name, names().filter(hasServer)).message))
  const isOwn = isFor(access, isOfOneClient)
  return {
    status: Effect.map(operations.status, (status) => statusFor(access, caller, status)),
    statusNow: Effect.map(operations.statusNow, (status) => statusFor(access, caller, status)),
    follow: operations.follow,
    server: (name) =>
      known(
        name,
        Effect.map(operations.server(name), ({ runtimes, ...server }) =>
          isAdmin ? { ...server, ...(runtimes ? { runtimes } : {}) } : ofNoAdmin(server))
      ),
    logs: ({ limit, server, since }) => {
      const lines = Effect.map(
        operations.logs({ limit: allLines, server, since }),
        (lines) => lines.filter(isOwn).slice(-limit)
      )
      return server === undefined ? lines : known(server, lines)
    },
    lines: Stream.filter(operations.lines, isOwn),
    reconnect: (name) => known(name, operations.reconnect(name)),
    enable: (name) => known(name, operations.enable(name)),
    disable: (name) => known(name, operations.disable(name)),
    approve: (name, tool) => known(name, operations.approve(name, tool))
  }
}
