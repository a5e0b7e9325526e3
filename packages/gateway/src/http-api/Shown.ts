/**
 * What a caller reads: an administrator all that its rules allow; everyone else what is named here, which is made of codes. What is added to a
 * status later is for administrators alone.
 */
import type { CallError, Status } from "@mcp-lifeline/core"
import { Reasons } from "@mcp-lifeline/core/text"
import { JsonRpcError } from "@mcp-lifeline/protocol"
import { Struct } from "effect"
import type { Access } from "../access/Access.js"
import type * as EventLog from "../log/EventLog.js"
import { remedy } from "../log/Remedy.js"
import type { GatewayStatus, Server } from "./GatewayStatus.js"

type Admin = Pick<Access, "isAdmin">

const signIn = (server: string): string => `Ask an operator of the gateway to sign in to ${server}`

/** `known`: how to sign in; `isForAll`: the login is that of all callers. */
export const login = ({ isAdmin }: Admin, server: string, known: string | undefined, isForAll: boolean) =>
  known === undefined || !isForAll || isAdmin ? known : signIn(server)

export const error = ({ isAdmin }: Admin, error: JsonRpcError.JsonRpcError): JsonRpcError.JsonRpcError =>
  isAdmin ? error : JsonRpcError.publicOf(error)

export const callError = (
  access: Admin,
  failed: CallError
): Pick<CallError, "_tag" | "message" | "plainMessage"> =>
  access.isAdmin
    ? failed
    : { _tag: failed._tag, message: error(access, JsonRpcError.fromCallError(failed)).message }

export const lastError = (
  { isAdmin }: Admin,
  { lastError, lastReason }: Pick<Status, "lastError" | "lastReason">
): string | undefined => lastError === undefined || isAdmin ? lastError : Reasons.inWords(lastReason)

type Connection =
  & Pick<Status, "state" | "signIn" | "usage" | "nextAttemptAt">
  & Partial<Pick<Status, "lastError" | "memoryLimit">>

export const connection = (access: Admin, status: Status): Connection =>
  access.isAdmin
    ? status
    : { ...Struct.pick(status, "state", "signIn", "usage", "nextAttemptAt"), lastError: lastError(access, status) }

const publicError = ({ lastError, login, name, sessions, state }: Server): Server["lastError"] =>
  // What another client's server has said is for nobody else.
  lastError === undefined || sessions === "per-client" ? undefined : {
    message: Reasons.inWords(lastError.reason),
    reason: lastError.reason,
    remedy: login !== undefined || state === "SignInNeeded"
      ? signIn(name)
      : state === "PermanentlyFailed"
      ? `Ask an operator of the gateway to repair ${name}`
      : remedy(state, undefined, undefined),
    at: lastError.at
  }

export interface Own {
  /** That the caller may use. */
  readonly tools: number
  /** Whether the caller's own login waits for it; `undefined` if it has none in use here. */
  readonly isWaiting: boolean | undefined
}

/** Does not tell the logins of others: only that there may be something to do. */
const loginsOf = ({ clientLogins }: Server, { isWaiting }: Own): Server["clientLogins"] => {
  if (clientLogins === undefined) return undefined
  const waits = isWaiting ?? clientLogins.waiting > 0
  return { signedIn: isWaiting === false ? 1 : 0, waiting: waits ? 1 : 0 }
}

const publicServer = (server: Server, own: Own): Server => ({
  ...Struct.pick(server, "name", "state", "since", "transport", "server", "sessions", "stale", "calls", "history"),
  ...(server.sessions === "per-client"
    ? {}
    : Struct.pick(server, "generation", "usage", "nextAttemptAt", "attempt")),
  counts: { ...server.counts, tools: own.tools },
  clientLogins: loginsOf(server, own),
  lastError: publicError(server),
  login: server.login && { message: signIn(server.name) },
  // Warnings are about what an operator can repair, and name what others use.
  warnings: []
})

/** For an admin that may not use everything: without what is hidden from it, and without texts that may name it. */
const ofAdmin = ({ counts, pins, ...server }: Server, tools: number, { hasTool }: Access): Server => ({
  ...server,
  counts: { ...counts, tools },
  // Some of the others that are counted may be hidden.
  pins: pins && { ...pins, more: undefined, changes: pins.changes.filter(({ tool }) => hasTool(server.name, tool)) },
  warnings: []
})

/** Of one that the caller may use. */
export const server = (access: Access, server: Server, own: Own): Server => {
  if (!access.isAdmin) return publicServer(server, own)
  return access.isWhole ? server : ofAdmin(server, own.tools, access)
}

const publicGateway = (gateway: GatewayStatus["gateway"]): GatewayStatus["gateway"] =>
  Struct.pick(gateway, "name", "version", "url", "startedAt", "clients")

export const gateway = (
  { hasServer, isAdmin, isWhole }: Access,
  { gateway, replicas }: GatewayStatus
): Pick<GatewayStatus, "gateway" | "replicas"> => {
  if (!isAdmin) return { gateway: publicGateway(gateway) }
  return {
    // The problem may name any server.
    gateway: isWhole ? gateway : Struct.omit(gateway, "configProblem"),
    replicas: replicas?.map((one) => ({ ...one, servers: one.servers?.filter(hasServer) }))
  }
}

/** Who may not use everything reads the public part only, also as an admin: the rest may name what it may not use. */
export const line = (
  { hasServer, isAdmin, isWhole }: Access,
  line: EventLog.Entry
): EventLog.Entry | undefined => {
  if (isAdmin && isWhole) return line
  const { at, level, publicText, server } = line
  return publicText === undefined || server === null || !hasServer(server)
    ? undefined
    : { at, server, level, text: publicText }
}
