/**
 * For whom a server runs: all clients together, or a single one. They differ only here, and in when their servers start and stop
 * (`ClientServers`).
 */
import type { Backend, ServerNotification } from "@mcp-lifeline/core"
import { anyone, type Caller } from "@mcp-lifeline/http-server/Caller"
import { JsonRpc, type Receiver } from "@mcp-lifeline/protocol"
import type { ClientIdentity } from "../cache/GroupCache.js"
import type { Client } from "../conversation/introductions.js"
import type { ListChange } from "./ListChange.js"

/** None of its methods may throw. */
export interface Member {
  /** `undefined` before `initialize`, and for an unknown client without a session, which can have no own servers. */
  readonly client: () => Client | undefined
  /** Whether it speaks 2026-07-28, in which a server asks in place of a result. */
  readonly isStateless: boolean
  /** As far as is known now. */
  readonly caller: () => Caller
  /** Whether the client may start this number of servers, given how many others have. */
  readonly hasRoom: (count: number) => boolean
  readonly mayUse: (server: string) => boolean
  /** Called when the fleet of its own servers is made, connected or not. */
  readonly opened: () => void
  readonly logged: (server: string, notification: ServerNotification) => void
  readonly listsChanged: (change: ListChange) => void
  /** Any other notification of one of its own servers. */
  readonly notified: (server: string, notification: ServerNotification) => void
  readonly asked: (server: string, ...asked: Parameters<Receiver["asked"]>) => ReturnType<Receiver["asked"]>
}

export interface ClientGroup
  extends Pick<Member, "asked" | "caller" | "isStateless" | "listsChanged" | "logged" | "mayUse" | "notified">
{
  readonly sessions: "shared" | "per-client"
  /** What servers see of the client: part of the key of cached lists, because servers answer clients differently. */
  readonly identity: ClientIdentity
  /** For the handshake. */
  readonly introduction: Pick<Backend.BackendOptions, "clientInfo" | "capabilities">
}

/** A server can ask one of them only in place of the result of a call: otherwise nobody knows which client is meant. */
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

/** Its servers see its name and capabilities, and can send it requests. */
export const singleClient = ({ capabilities, clientInfo, protocolVersion }: Client, member: Member): ClientGroup => ({
  ...member,
  sessions: "per-client",
  identity: { clientName: clientInfo.name, protocolVersion, capabilities },
  introduction: { clientInfo, capabilities }
})
