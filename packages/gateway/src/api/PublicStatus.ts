/**
 * What the status says to callers that are no admins: what they need to use their servers, and nothing that only who runs the gateway needs. What is
 * added to the status is for admins, unless it is named here. Pure.
 */
import type { Status } from "@mcp-lifeline/core"
import { Reason } from "@mcp-lifeline/core/internal"
import { Struct } from "effect"
import type { GatewayStatus, Server } from "./GatewayStatus.js"
import { remedy } from "./Remedy.js"

/** What to do about a server that somebody has to sign in to for all. */
export const signIn = (server: string): string => `Ask an operator of the gateway to sign in to ${server}`

/** Why a server is or was down. */
const lastErrorOf = ({ lastError, login, name, sessions, state }: Server): Pick<Server, "lastError"> =>
  // What the server of another client has said is for nobody else.
  lastError === undefined || sessions === "per-client" ? {} : {
    lastError: {
      message: Reason.inWords(lastError.reason),
      ...(lastError.reason === undefined ? {} : { reason: lastError.reason }),
      remedy: login !== undefined || state === "SignInNeeded"
        ? signIn(name)
        : state === "PermanentlyFailed"
        ? `Ask an operator of the gateway to repair ${name}`
        : remedy(state, undefined, undefined),
      at: lastError.at
    }
  }

/** What is the caller's own of a server. */
export interface Own {
  /** How many of its tools the caller may use. */
  readonly tools: number
  /** Whether the caller's own login there waits for it; `undefined` if the caller has none that is in use here. */
  readonly isWaiting: boolean | undefined
}

/** Whether the caller has to log in, as counts. Those of others are not told: only that there may be something to do. */
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
  // Those are about what an operator can repair, and name what others use.
  warnings: []
})

/** A connection, for `lifeline__status`. */
export const connection = (status: Status) => ({
  ...Struct.pick(status, "state", "signIn", "usage", "nextAttemptAt"),
  ...(status.lastError === undefined ? {} : { lastError: Reason.inWords(status.lastReason) })
})

export const gateway = (gateway: GatewayStatus["gateway"]): GatewayStatus["gateway"] =>
  Struct.pick(gateway, "name", "version", "url", "startedAt", "clients")
