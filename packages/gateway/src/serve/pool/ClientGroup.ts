/**
 * The clients for which a server runs: all clients together, or a single one. The two differ only here, and in when their servers start and
 * stop (`ClientServers`).
 */
import type { Backend, ServerNotification } from "@mcp-lifeline/core"
import { anyone, type Caller } from "@mcp-lifeline/http-server/Caller"
import { JsonRpc, type Receiver } from "@mcp-lifeline/protocol"
import type { Client } from "../../conversation/introductions.js"
import type { ClientIdentity } from "../../known/GroupCache.js"
import type { ListChange } from "../ListChange.js"

type SendRequest = (server: string, ...asked: Parameters<Receiver["asked"]>) => ReturnType<Receiver["asked"]>

/** A client of the gateway. None of its methods may throw. */
export interface Member {
  /**
   * What the client said about itself; `undefined` before `initialize`, and for a client without a session that nobody knows, which can have no own servers.
   */
  readonly client: () => Client | undefined
  /** Whether it speaks 2026-07-28, in which a server asks in place of a result. */
  readonly isStateless: boolean
  /** Who the client is, as far as is known now. */
  readonly caller: () => Caller
  /** Whether this client may start this number of servers, given how many other clients have. */
  readonly hasRoom: (count: number) => boolean
  readonly mayUse: (server: string) => boolean
  /** Called when the fleet of its own servers is made, connected or not. */
  readonly opened: () => void
  /** Sends the client a log message of a server. */
  readonly logged: (server: string, notification: ServerNotification) => void
  readonly listsChanged: (change: ListChange) => void
  /** Sends the client any other notification of one of its own servers. */
  readonly notified: (server: string, notification: ServerNotification) => void
  /** Sends the client a request of one of its own servers. */
  readonly asked: SendRequest
}

/** The clients that share the runtimes of servers: all, or one. */
export interface ClientGroup
  extends Pick<Member, "asked" | "caller" | "isStateless" | "listsChanged" | "logged" | "mayUse" | "notified">
{
  /** Runs the servers that are configured with this value of `sessions`. */
  readonly sessions: "shared" | "per-client"
  /**
   * The client that servers see. Part of the key of cached introductions and lists, because servers answer different clients differently.
   */
  readonly identity: ClientIdentity
  /** What the handshake tells servers about the client. */
  readonly introduction: Pick<Backend.BackendOptions, "clientInfo" | "capabilities">
}

/**
 * All clients together. A server can only send a request to one of them in place of the result of a call: otherwise nobody knows which client
 * it is for.
 */
export const allClients = (members: () => Iterable<Member>): ClientGroup => ({
  sessions: "shared",
  identity: { clientName: "mcp-lifeline", protocolVersion: "", capabilities: {} },
  introduction: {},
  isStateless: true,
  caller: () => anyone,
  mayUse: () => true,
  logged: (server, notification) => {
    for (const member of members()) member.logged(server, notification)
  },
  listsChanged: (change) => {
    for (const member of members()) member.listsChanged(change)
  },
  notified: () => undefined,
  asked: (server, { method }) =>
    Promise.reject(Object.assign(
      new Error(
        `${method} is declined: the clients of this gateway share ${server}; with lifeline.sessions "per-client" each of them has its own`
      ),
      { code: JsonRpc.methodNotFound }
    ))
})

/** A single client. Its servers see its name and capabilities, and can send it requests. */
export const singleClient = ({ capabilities, clientInfo, protocolVersion }: Client, member: Member): ClientGroup => ({
  ...member,
  sessions: "per-client",
  identity: { clientName: clientInfo.name, protocolVersion, capabilities },
  introduction: { clientInfo, capabilities }
})
