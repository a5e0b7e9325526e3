/**
 * The status for callers that are no admins: what they need to use their servers. What is added to the status is for admins only, unless it is named
 * here.
 */
import type { Status } from "@mcp-lifeline/core"
import { Reasons } from "@mcp-lifeline/core/text"
import { Struct } from "effect"
import { remedy } from "../log/Remedy.js"
import type { GatewayStatus, Server } from "./GatewayStatus.js"

export const signIn = (server: string): string => `Ask an operator of the gateway to sign in to ${server}`

const lastErrorOf = ({ lastError, login, name, sessions, state }: Server): Pick<Server, "lastError"> =>
  // What another client's server has said is for nobody else.
  lastError === undefined || sessions === "per-client" ? {} : {
    lastError: {
      message: Reasons.inWords(lastError.reason),
      ...(lastError.reason === undefined ? {} : { reason: lastError.reason }),
      remedy: login !== undefined || state === "SignInNeeded"
        ? signIn(name)
        : state === "PermanentlyFailed"
        ? `Ask an operator of the gateway to repair ${name}`
        : remedy(state, undefined, undefined),
      at: lastError.at
    }
  }

export interface Own {
  /** That the caller may use. */
  readonly tools: number
  /** Whether the caller's own login waits for it; `undefined` if it has none in use here. */
  readonly isWaiting: boolean | undefined
}

/** Does not tell the logins of others: only that there may be something to do. */
const loginsOf = ({ clientLogins }: Server, { isWaiting }: Own): Pick<Server, "clientLogins"> => {
  if (clientLogins === undefined) return {}
  const waits = isWaiting ?? clientLogins.waiting > 0
  return { clientLogins: { signedIn: isWaiting === false ? 1 : 0, waiting: waits ? 1 : 0 } }
}

export const server = (server: Server, own: Own): Server => ({
  ...Struct.pick(server, "name", "state", "since", "transport", "server", "sessions", "stale", "calls", "history"),
  ...(server.sessions === "per-client"
    ? {}
    : Struct.pick(server, "generation", "usage", "nextAttemptAt", "attempt")),
  counts: { ...server.counts, tools: own.tools },
  ...loginsOf(server, own),
  ...lastErrorOf(server),
  ...(server.login === undefined ? {} : { login: { message: signIn(server.name) } }),
  // Warnings are about what an operator can repair, and name what others use.
  warnings: []
})

export const connection = (status: Status) => ({
  ...Struct.pick(status, "state", "signIn", "usage", "nextAttemptAt"),
  ...(status.lastError === undefined ? {} : { lastError: Reasons.inWords(status.lastReason) })
})

export const gateway = (gateway: GatewayStatus["gateway"]): GatewayStatus["gateway"] =>
  Struct.pick(gateway, "name", "version", "url", "startedAt", "clients")
