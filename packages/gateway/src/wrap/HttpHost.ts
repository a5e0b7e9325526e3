/**
 * Hosts that want a URL: the wrapped server over Streamable HTTP, in both eras of the protocol, with the gateway's guards. Each session
 * has a server of its own, and so has each client without sessions.
 */
import { idleWithServers } from "@mcp-lifeline/http-server/ClientSessions"
import type { Client, Conversation } from "@mcp-lifeline/http-server/Conversation"
import { ConversationPerClient, type SharedConversation } from "@mcp-lifeline/http-server/ConversationPerClient"
import * as Listener from "@mcp-lifeline/http-server/Listener"
import * as McpEndpoint from "@mcp-lifeline/http-server/McpEndpoint"
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import * as Resumption from "@mcp-lifeline/http-server/Resumption"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import type { JSONRPCNotification, JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import type { Redacted, Scope } from "effect"
import { Effect } from "effect"
import { constVoid } from "effect/Function"
import type { StartError } from "../Errors.js"
import * as Fibers from "../Fibers.js"
import * as PersistentSessions from "../http/PersistentSessions.js"
import * as RunningGateways from "../running/RunningGateways.js"

/** Begins a conversation, whose messages to the host that are about no request of its own are given to `write`. */
export type Begin = (
  write: (message: JSONRPCNotification | JSONRPCRequest) => void
) => Conversation & SharedConversation

/**
 * Sessions at once, and clients without, each of which has a server of its own. Hosts that vanish do not end theirs: it is stopped when it
 * was unused for `idleWithServers`, and started again when it is needed.
 */
const maxSessions = 50

/** Progress during a request comes from that request: here is only what comes after its answer, of a task. */
const isAboutNothing = (method: string): boolean =>
  method.endsWith("_changed") || method === "notifications/resources/updated" || method === "notifications/progress"

/** What the server says by itself goes out on the stream of the latest request, which it is most likely about. */
const addressed = (begin: Begin) => (client: Client): Conversation => {
  const conversation = begin((message) => {
    const about = isAboutNothing(message.method) ? undefined : client.requests.latest(() => true)
    if (about === undefined) client.write(message)
    else about.say(message)
  })
  return {
    ...conversation,
    request: (request) => {
      // There is room: each session has one server.
      if (request.method === "initialize") client.startsServers?.(1)
      conversation.request(request)
    }
  }
}

/** Where to listen, and the token to ask for, if there is to be one. */
export interface Options {
  readonly port: number
  readonly token: Redacted.Redacted | undefined
}

/** Serves until the scope closes; gives the URL. Only loopback is bound, and only loopback names are answered. */
export const serve = (
  options: Options,
  begin: Begin
): Effect.Effect<string, StartError, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const place = { host: "127.0.0.1", ...options }
    const { explainPortInUse, listenerOptionNames: optionNames } = RunningGateways
    const listener = yield* Listener.listen({ ...place, optionNames }).pipe(explainPortInUse(place))
    const { fork } = yield* Fibers.make()
    const failed = (error: unknown): void => void fork(Effect.logError("a request failed inside mcp-lifeline", error))
    const lasting = yield* PersistentSessions.make({ secret: undefined, file: undefined })
    const endpoint = yield* Effect.acquireRelease(
      Effect.sync(() =>
        McpEndpoint.make({
          ...lasting,
          begin: Resumption.replaying(addressed(begin)),
          // Where there is no session, nothing is said but during a request.
          stateless: new ConversationPerClient(() => begin(constVoid), maxSessions, idleWithServers),
          hasToken: listener.hasToken,
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
    return `${listener.url}/mcp`
  })
