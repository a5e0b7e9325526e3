/**
 * Hosts that want a URL: the wrapped server over Streamable HTTP, with the gateway's guards. Each session has a server of its own.
 */
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { Scope } from "effect"
import { Effect, Runtime } from "effect"
import type { StartError } from "../Errors.js"
import * as Guard from "../Guard.js"
import * as Listener from "../Listener.js"
import * as Sessions from "../Sessions.js"

/** Stands between one host and one server. */
export interface Conversation {
  readonly receive: (message: JSONRPCMessage) => void
  /** Ends it, and the server that it has started. */
  readonly close: () => Promise<void>
}

/** Begins a conversation, whose messages to the host are given to `write`. */
export type Begin = (write: (message: JSONRPCMessage) => void) => Conversation

/** Sessions at once, each of which has a server of its own. Hosts that vanish do not end theirs. */
const maxSessions = 50

/** One session. What the server says during a request goes out on the stream of that request, or of the latest one. */
class Session implements Sessions.Served {
  onclose?: (() => void) | undefined
  readonly #begin: Begin
  #conversation: Conversation | undefined
  /** Requests of the host that are not answered, with the token of their progress. */
  readonly #open = new Map<RequestId, unknown>()

  constructor(begin: Begin) {
    this.#begin = begin
  }

  async connect(transport: Transport): Promise<void> {
    const conversation = this.#begin((message) => this.#write(transport, message))
    this.#conversation = conversation
    transport.onmessage = (message: JSONRPCMessage) => {
      if ("method" in message && "id" in message) this.#open.set(message.id, message.params?._meta?.progressToken)
      // What is cancelled is never answered, and its stream has no reader any more.
      else if ("method" in message && message.method === "notifications/cancelled") {
        this.#open.delete(message.params?.["requestId"] as RequestId)
      }
      conversation.receive(message)
    }
    transport.onclose = () => {
      void conversation.close()
      this.onclose?.()
    }
    await transport.start()
  }

  async close(): Promise<void> {
    await this.#conversation?.close()
    this.onclose?.()
  }

  #write(transport: Transport, message: JSONRPCMessage): void {
    const options = "method" in message ? this.#streamOf(message) : {}
    if (!("method" in message) && message.id !== undefined) this.#open.delete(message.id)
    // Who does not read any more is told nothing.
    transport.send(message, options).catch(() => undefined)
  }

  #streamOf(message: JSONRPCNotification | JSONRPCRequest): { readonly relatedRequestId?: RequestId } {
    if (message.method.endsWith("_changed") || message.method === "notifications/resources/updated") return {}
    const token = message.params?.["progressToken"]
    const related = message.method === "notifications/progress"
      ? [...this.#open].find(([, other]) => other === token)?.[0]
      : [...this.#open.keys()].at(-1)
    return related === undefined ? {} : { relatedRequestId: related }
  }
}

/** Serves until the scope closes; gives the URL. Only loopback is bound, and only loopback names are answered. */
export const serve = (port: number, begin: Begin): Effect.Effect<string, StartError, Scope.Scope> =>
  Effect.gen(function*() {
    const host = "127.0.0.1"
    const listener = yield* Listener.listen({ host, port })
    const runtime = yield* Effect.runtime<never>()
    const failed = (error: unknown): void =>
      void Runtime.runFork(runtime)(Effect.logError("a request failed inside mcp-lifeline", error))
    const sessions = yield* Effect.acquireRelease(
      Effect.sync(() => Sessions.make(() => new Session(begin), failed, { maxSessions })),
      (sessions) => Effect.promise(() => sessions.close())
    )
    yield* listener.serve((request, response) => {
      const refusal = Guard.check(request.headers, { host, token: undefined })
      if (refusal !== undefined) return Sessions.refuse(response, refusal.status, refusal.message)
      if (/^\/mcp([?#]|$)/.test(request.url ?? "")) return sessions.handle(request, response)
      Sessions.refuse(response, 404, "Not found; the endpoint is /mcp")
    })
    return `${listener.url}/mcp`
  })
