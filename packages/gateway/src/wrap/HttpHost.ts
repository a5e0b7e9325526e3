/**
 * Hosts that want a URL: the wrapped server over Streamable HTTP, in both eras of the protocol, with the gateway's guards. Each session
 * has a server of its own, and so has each client without sessions.
 */
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { Redacted, Scope } from "effect"
import { Effect, Runtime } from "effect"
import { SharedHosts } from "../eras/SharedHosts.js"
import type { StartError } from "../Errors.js"
import type { Client, Conversation } from "../http/Conversation.js"
import * as LastingSessions from "../http/LastingSessions.js"
import * as Listener from "../http/Listener.js"
import * as PortInUse from "../http/PortInUse.js"
import { refuse } from "../http/Refusal.js"
import * as Requests from "../http/Requests.js"
import * as Resumption from "../http/Resumption.js"
import { idleWithServers } from "../http/Sessions.js"
import type { StateFolder } from "../state/StateFolder.js"

/** Begins a conversation, whose messages to the host are given to `write`: with what they are about where there is no session. */
export type Begin = (write: (message: JSONRPCMessage, about?: RequestId) => void) => Conversation

/**
 * Sessions at once, and clients without, each of which has a server of its own. Hosts that vanish do not end theirs: it is stopped when it
 * was unused for `idleWithServers`, and started again when it is needed.
 */
const maxSessions = 50

const isAboutNothing = (method: string): boolean =>
  method.endsWith("_changed") || method === "notifications/resources/updated"

/** What the server says during a request goes out on the stream of that request, or of the latest one. */
const addressed = (begin: Begin) => (client: Client): Conversation => {
  /** Requests of the host that are not answered, with the token of their progress. */
  const open = new Map<RequestId, unknown>()
  const about = (method: string, token: unknown): RequestId | undefined => {
    if (isAboutNothing(method)) return undefined
    return method === "notifications/progress"
      ? [...open].find(([, other]) => other === token)?.[0]
      : [...open.keys()].at(-1)
  }
  const conversation = begin((message) => {
    if ("method" in message) return client.write(message, about(message.method, message.params?.["progressToken"]))
    if (message.id !== undefined) open.delete(message.id)
    client.write(message)
  })
  return {
    introduce: () => conversation.introduce(),
    receive: (message) => {
      if ("method" in message && "id" in message) {
        open.set(message.id, message.params?._meta?.progressToken)
        // There is room: each session has one server.
        if (message.method === "initialize") client.startsServers?.(1)
      } else if ("method" in message && message.method === "notifications/cancelled") {
        // What is cancelled is never answered, and its stream has no reader any more.
        open.delete(message.params?.["requestId"] as RequestId)
      }
      conversation.receive(message)
    },
    close: (why) => conversation.close(why)
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
    const listener = yield* Listener.listen(place).pipe(PortInUse.named(place))
    const runtime = yield* Effect.runtime<never>()
    const failed = (error: unknown): void =>
      void Runtime.runFork(runtime)(Effect.logError("a request failed inside mcp-lifeline", error))
    const lasting = yield* LastingSessions.make({ secret: undefined, file: undefined })
    const shared = yield* Effect.acquireRelease(
      Effect.sync(() => new SharedHosts(begin, maxSessions)),
      (shared) => Effect.promise(() => shared.close("the gateway is shutting down"))
    )
    yield* Effect.acquireRelease(
      Effect.sync(() => setInterval(() => shared.beat(idleWithServers), Requests.beatInterval).unref()),
      (beating) => Effect.sync(() => clearInterval(beating))
    )
    const requests = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Requests.make({
          ...lasting,
          begin: Resumption.replaying(addressed(begin)),
          answer: shared.answer,
          hasToken: listener.hasToken,
          onError: failed,
          limits: { maxSessions, maxOwnServers: () => maxSessions }
        })
      ),
      (requests) => Effect.promise(() => requests.close())
    )
    yield* listener.serve((request, response, path) => {
      if (path === "/mcp") return requests.handle(request, response)
      refuse(response, { status: 404, message: "Not found; the endpoint is /mcp" })
    })
    return `${listener.url}/mcp`
  })
