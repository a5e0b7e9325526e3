/**
 * The way between replicas: serves what this replica runs to the others, and connects to what they run. Over Streamable HTTP, as to any server.
 */
import type { Connector, ServerNotification } from "@mcp-lifeline/core"
import { skim } from "@mcp-lifeline/http-server/Body"
import * as McpEndpoint from "@mcp-lifeline/http-server/McpEndpoint"
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import { LogLevels } from "@mcp-lifeline/protocol/LogLevels"
import { Subscriptions } from "@mcp-lifeline/protocol/Subscriptions"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, FiberSet, Schedule, type Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { ClusterKey } from "../ClusterKey.js"
import type { Ownership } from "../ClusterStore.js"
import * as HopSecrets from "./HopSecrets.js"
import * as OwnerConnection from "./OwnerConnection.js"
import { type Served, ServerConversation } from "./ServerConversation.js"

export type { Served } from "./ServerConversation.js"

/** What is told to replicas that use a server. None of its functions throws. */
export interface Listeners {
  /** A notification of the server. */
  readonly notified: (notification: ServerNotification) => void
  /** The server has a new connection, to which log level and subscriptions have to be given. */
  readonly connected: () => void
}

/** See the head of the file. */
export interface Hop {
  /** Serves a server to the other replicas, until the scope closes. Then their sessions end. */
  readonly serve: (server: string, served: Served) => Effect.Effect<Listeners, never, Scope.Scope>
  /** Answers a request of another replica. True if the path is one of these. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
  /** Connects to a server at its owner. */
  readonly connector: (server: string, owner: Ownership) => Connector
  /** Ends when no other replica has a connection to this one. What was answered may still be on its way until then. */
  readonly left: Effect.Effect<void>
}

const prefix = "/cluster/servers/"

/** How often is looked whether other replicas have left, in milliseconds. */
const look = 20

const serverOf = (path: string): string | undefined => {
  try {
    return decodeURIComponent(path.slice(prefix.length))
  } catch {
    return undefined
  }
}

const forbidden = { status: 403, message: "This is for other replicas of the cluster" }
const notHere = { status: 404, message: "This replica does not run the server" }

/**
 * `failed`: called with each internal failure. `missed`: called with each server that was looked for here and is not served. Must not throw.
 */
export const make = (
  key: ClusterKey,
  failed: (error: unknown) => void,
  missed: (server: string) => void = () => {}
): Hop => {
  const authorization = HopSecrets.authorization(key)
  const endpoints = new Map<string, McpEndpoint.McpEndpoint>()
  const sockets = new Set<Socket>()
  const pathOf = (server: string): string => prefix + encodeURIComponent(server)
  return {
    serve: (server, served) =>
      Effect.gen(function*() {
        const fork = yield* FiberSet.makeRuntime<never>()
        const conversations = new Set<ServerConversation>()
        const subscriptions = new Subscriptions(fork)
        const levels = new LogLevels({
          fork,
          all: Effect.sync(() => [served.backend()]),
          hasLogging: () => served.introduction()?.capabilities.logging !== undefined
        })
        const shared = {
          ...served,
          fork,
          levels,
          subscriptions,
          onClose: (one: ServerConversation) => void conversations.delete(one)
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            const endpoint = McpEndpoint.make({
              onError: failed,
              begin: (client) => {
                const conversation = new ServerConversation(shared, client)
                conversations.add(conversation)
                return conversation
              }
            })
            endpoints.set(pathOf(server), endpoint)
            return endpoint
          }),
          (endpoint) => {
            // This replica may have the server again.
            if (endpoints.get(pathOf(server)) === endpoint) endpoints.delete(pathOf(server))
            for (const one of conversations) one.goes()
            return Effect.promise(() => endpoint.close())
          }
        )
        return {
          notified: (notification) => {
            const { method, params } = notification
            if (method === "notifications/resources/updated") subscriptions.updated(served.name, params ?? {})
            else for (const one of conversations) one.notified(notification)
          },
          connected: () => {
            const backend = served.backend()
            levels.connected(backend)
            subscriptions.connected(backend)
          }
        }
      }),
    handle: (request, response, path) => {
      if (!path.startsWith(prefix)) return false
      const { socket } = request
      if (!sockets.has(socket)) {
        sockets.add(socket)
        socket.once("close", () => sockets.delete(socket))
      }
      const endpoint = endpoints.get(path)
      if (!HopSecrets.isAllowed(authorization, request.headers.authorization)) refuse(response, forbidden)
      else if (endpoint === undefined) {
        // It is read: a connection with something unread is cut off, perhaps before the answer has arrived.
        skim(request, notHere, ({ refusal }) => refuse(response, refusal))
        const server = serverOf(path)
        if (server !== undefined) missed(server)
      } else endpoint.handle(request, response)
      return true
    },
    left: Effect.repeat(Effect.sync(() => sockets.size), {
      until: (count) => count === 0,
      schedule: Schedule.spaced(look)
    }).pipe(Effect.asVoid),
    connector: (server, { address }) => {
      const url = address.replace(/\/$/, "") + pathOf(server)
      const inner = HttpConnector.make({ url, transport: "streamable", protocol: "2025", headers: { authorization } })
      return { ...inner, connect: (options) => OwnerConnection.connect(inner, options) }
    }
  }
}
