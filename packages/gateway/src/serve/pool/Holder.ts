/**
 * Who holds servers: all clients together, or one client for itself. Only here, and in when its servers start and end (`ClientServers`),
 * the two differ.
 */
import type { Backend, ServerNotification } from "@mcp-lifeline/core"
import { JsonRpc, type Receiver } from "@mcp-lifeline/protocol"
import type { Client } from "../../conversation/introductions.js"
import type { Client as Identity } from "../../known/Remembered.js"
import type { Changing } from "../EncodedLists.js"

type Asked = (server: string, ...asked: Parameters<Receiver["asked"]>) => ReturnType<Receiver["asked"]>

/** A client of the gateway. None of its methods may throw. */
export interface Member {
  /** What it said of itself; `undefined` if it has said nothing yet, or has no session to which servers could belong. */
  readonly client: () => Client | undefined
  /** Says whether there is room for so many servers of this client, beside those of other clients. */
  readonly hasRoom: (count: number) => boolean
  /** Called when its own servers are there, connected or not. */
  readonly opened: () => void
  /** Gives it a log message of a server. */
  readonly logged: (server: string, notification: ServerNotification) => void
  readonly listsChanged: (kinds: ReadonlyArray<Changing>) => void
  /** Gives it what else one of its own servers says. */
  readonly notified: (server: string, notification: ServerNotification) => void
  /** Has it answer what one of its own servers asks. */
  readonly asked: Asked
}

/** Who holds servers. */
export interface Holder extends Pick<Member, "logged" | "listsChanged" | "notified" | "asked"> {
  /** The servers that it holds: those that are configured so. */
  readonly sessions: "shared" | "per-client"
  /** In whose name servers are asked. What is kept of a server belongs to this name. */
  readonly identity: Identity
  /** What servers are told of it in the handshake. */
  readonly introduction: Pick<Backend.BackendOptions, "clientInfo" | "capabilities">
}

/** All clients together. A server cannot ask one of them, except in place of the result of a call: it does not know who has called it. */
export const everyone = (members: () => Iterable<Member>): Holder => ({
  sessions: "shared",
  identity: { clientName: "mcp-lifeline", protocolVersion: "", capabilities: {} },
  introduction: {},
  logged: (server, notification) => {
    for (const member of members()) member.logged(server, notification)
  },
  listsChanged: (kinds) => {
    for (const member of members()) member.listsChanged(kinds)
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

/** One client. Its servers are started in its name, and ask it what they want to know. */
export const one = ({ capabilities, clientInfo, protocolVersion }: Client, member: Member): Holder => ({
  ...member,
  sessions: "per-client",
  identity: { clientName: clientInfo.name, protocolVersion, capabilities },
  introduction: { clientInfo, capabilities }
})
