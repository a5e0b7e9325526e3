/**
 * Serves the wrapped server over Streamable HTTP, for hosts that need a URL, in both eras of the protocol and with the gateway's guards. Each
 * session has a server of its own, and so has each client without sessions.
 */
import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import { idleWithServers } from "@mcp-lifeline/http-server/ClientSessions"
import type { Client, Conversation } from "@mcp-lifeline/http-server/Conversation"
import { ConversationPerClient, type SharedConversation } from "@mcp-lifeline/http-server/ConversationPerClient"
import * as Listener from "@mcp-lifeline/http-server/Listener"
import * as McpEndpoint from "@mcp-lifeline/http-server/McpEndpoint"
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import * as Resumption from "@mcp-lifeline/http-server/Resumption"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import type { JSONRPCNotification, JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import type { Scope } from "effect"
import { Effect } from "effect"
import { constVoid } from "effect/Function"
import type { StartError } from "../Errors.js"
import * as Fibers from "../Fibers.js"
import * as PersistentSessions from "../http/PersistentSessions.js"
import type { SecretsInUse } from "../http/SecretFile.js"
import * as RunningGateways from "../running/RunningGateways.js"

/** Opens a conversation. It passes messages that belong to no request of the host to `write`. */
export type Begin = (
  write: (message: JSONRPCNotification | JSONRPCRequest) => void
) => Conversation & SharedConversation

/**
 * The most sessions at once, and the most clients without sessions; each has a server of its own. A host that vanishes does not end its
 * session: its server is stopped after `idleWithServers` without use, and started again when it is needed.
 */
const maxSessions = 50

/**
 * Whether a notification belongs to no open request. Progress during a request comes with that request; here it is the progress of a task after
 * its answer.
 */
const belongsToNoRequest = (method: string): boolean =>
  method.endsWith("_changed") || method === "notifications/resources/updated" || method === "notifications/progress"

/** Sends other messages of the server on the stream of the latest request, to which they most likely belong. */
const onLatestRequest = (begin: Begin) => (client: Client): Conversation => {
  const conversation = begin((message) => {
    const latest = belongsToNoRequest(message.method) ? undefined : client.requests.latest(() => true)
    if (latest === undefined) client.write(message)
    else latest.say(message)
  })
  return {
    ...conversation,
    request: (request) => {
      // `maxSessions` is the limit: each session has one server.
      if (request.method === "initialize") client.startsServers?.(1)
      conversation.request(request)
    }
  }
}

/** Where to listen, and the tokens of which requests need one, if any. */
export interface Options {
  readonly port: number
  readonly token: SecretsInUse | undefined
}

/** An endpoint that is served. */
export interface Served {
  readonly url: string
  /** To be called when the tokens have changed: ends the streams of those who would not be let in any more. */
  readonly recheck: () => void
}

/** Serves until the scope closes. It listens on loopback, and answers only loopback names. */
export const serve = (
  { port, token }: Options,
  begin: Begin
): Effect.Effect<Served, StartError, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const place = { host: "127.0.0.1", port }
    const authentication = token && Authentication.tokens(token.current)
    const { explainPortInUse, listenerOptionNames: optionNames } = RunningGateways
    const listener = yield* Listener.listen({ ...place, authentication, optionNames }).pipe(explainPortInUse(place))
    const { fork } = yield* Fibers.make()
    const failed = (error: unknown): void => void fork(Effect.logError("a request failed inside mcp-lifeline", error))
    const key = yield* PersistentSessions.sessionKeys({ secret: undefined, file: undefined }, yield* StateFolder)
    const lasting = yield* PersistentSessions.make(key)
    const endpoint = yield* Effect.acquireRelease(
      Effect.sync(() =>
        McpEndpoint.make({
          ...lasting,
          begin: Resumption.replaying(onLatestRequest(begin)),
          // Without a session, the server can send messages only during a request.
          stateless: new ConversationPerClient(() => begin(constVoid), {
            maxClients: maxSessions,
            idleTime: idleWithServers
          }),
          onError: failed,
          limits: { maxSessions, maxOwnServers: () => maxSessions }
        })
      ),
      (endpoint) => Effect.promise(() => endpoint.close())
    )
    yield* listener.serve((request, response, path) => {
      if (path === "/mcp") return endpoint.handle(request, response)
      refuse(response, { status: 404, message: "Not found; the endpoint is /mcp" })
    })
    return { url: `${listener.url}/mcp`, recheck: listener.recheck }
  })
