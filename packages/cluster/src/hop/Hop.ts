import type { Connector } from "@mcp-lifeline/core"
import { ConnectError } from "@mcp-lifeline/core"
import { skim } from "@mcp-lifeline/http-server/Body"
import * as McpEndpoint from "@mcp-lifeline/http-server/McpEndpoint"
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Schedule, type Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { ClusterKeys } from "../ClusterKey.js"
import type { Ownership } from "../ClusterStore.js"
import type { ReplicaId } from "../LeaseRules.js"
import * as Conversations from "./Conversations.js"
import * as OwnerConnection from "./OwnerConnection.js"
import * as ReplicaRequests from "./ReplicaRequests.js"
import type { Served } from "./ServerConversation.js"

export type { Listeners } from "./Conversations.js"
export type { Served } from "./ServerConversation.js"

export interface Hop {
  /** Until the scope closes. Then their sessions end. */
  readonly serve: (server: string, served: Served) => Effect.Effect<Conversations.Listeners, never, Scope.Scope>
  readonly handle: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
  readonly connector: (server: string, owner: Ownership) => Connector
  /** No other replica has a connection to this one. Until then, answers may be on their way. */
  readonly left: Effect.Effect<void>
}

const prefix = "/cluster/servers/"

/** In milliseconds. */
const look = 20

const serverOf = (path: string): string | undefined => {
  try {
    return decodeURIComponent(path.slice(prefix.length))
  } catch {
    return undefined
  }
}

const notHere = { status: 404, message: "This replica does not run the server" }

/** A replica whose row is not sealed is sent nothing. */
const unsealed = (server: string, owner: ReplicaId): Connector => ({
  transport: "http",
  overlap: true,
  target: server,
  connect: () =>
    new ConnectError({
      backend: "",
      reason: "unreachable",
      permanent: false,
      message: `the address of the replica ${owner}, which runs the server, is not sealed with the key of this cluster`
    })
})

/** `missed`: called with each server that is looked for and not served here. Must not throw. */
export const make = (
  keys: ClusterKeys,
  own: () => ReplicaId | undefined,
  failed: (error: unknown) => void,
  missed: (server: string) => void = () => {}
): Hop => {
  const requests = ReplicaRequests.make({ keys, own, failed })
  const endpoints = new Map<string, McpEndpoint.McpEndpoint>()
  const sockets = new Set<Socket>()
  const pathOf = (server: string): string => prefix + encodeURIComponent(server)
  return {
    serve: (server, served) =>
      Effect.gen(function*() {
        const { begin, connected, goes, notified } = yield* Conversations.make(served)
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            const endpoint = McpEndpoint.make({ onError: failed, begin })
            endpoints.set(pathOf(server), endpoint)
            return endpoint
          }),
          (endpoint) => {
            // This replica may have the server again.
            if (endpoints.get(pathOf(server)) === endpoint) endpoints.delete(pathOf(server))
            goes()
            return Effect.promise(() => endpoint.close())
          }
        )
        return { connected, notified }
      }),
    handle: (request, response, path) => {
      if (!path.startsWith(prefix)) return false
      const { socket } = request
      if (!sockets.has(socket)) {
        sockets.add(socket)
        socket.once("close", () => sockets.delete(socket))
      }
      requests.admit(request, response, (admitted) => {
        const endpoint = endpoints.get(path)
        if (endpoint !== undefined) return endpoint.handle(admitted, response)
        // Unread bytes would cut off the connection, perhaps before the answer has arrived.
        skim(admitted, notHere, ({ refusal }) => refuse(response, refusal))
        const server = serverOf(path)
        if (server !== undefined) missed(server)
      })
      return true
    },
    left: Effect.repeat(Effect.sync(() => sockets.size), {
      until: (count) => count === 0,
      schedule: Schedule.spaced(look)
    }).pipe(Effect.asVoid),
    connector: (server, { address, owner }) => {
      if (address === undefined) return unsealed(server, owner)
      const url = address.replace(/\/$/, "") + pathOf(server)
      const inner = HttpConnector.make({
        url,
        transport: "streamable",
        protocol: "2025",
        sign: ({ body = "", headers, method, url }) => {
          const target = ReplicaRequests.targetOf(url, address)
          return requests.sign(owner, { method, target, headers, body: Buffer.from(body) })
        },
        ownNetwork: true,
        // As many calls as its clients have.
        maxSockets: 1000
      })
      return { ...inner, connect: (options) => OwnerConnection.connect(inner, options) }
    }
  }
}
