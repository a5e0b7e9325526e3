/**
 * Goes on with a conversation that knows nothing of what was before it: it hears again what its client has said then, and what it
 * answers to that goes nowhere. What the client asks for that outlives its requests is kept for the next time.
 */
import type { JSONRPCMessage, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { Begin, Client, Conversation, Wishes } from "./Conversation.js"

const prefix = "mcp-lifeline resumes "

const isOurs = (id: RequestId | undefined): boolean => typeof id === "string" && id.startsWith(prefix)

/** Subscriptions that are kept for one client. */
const maxSubscriptions = 10_000

/** The wishes of a client once a request of it is answered with a result; `undefined` where it wishes for nothing. */
const wishedBy = (
  { method, params }: { readonly method: string; readonly params?: Readonly<Record<string, unknown>> | undefined },
  { level, subscriptions }: Wishes
): Wishes | undefined => {
  const uri = params?.["uri"]
  const others = subscriptions.filter((one) => one !== uri)
  switch (method) {
    case "logging/setLevel": {
      const wanted = params?.["level"]
      return Predicate.isString(wanted) ? { level: wanted, subscriptions } : undefined
    }
    case "resources/subscribe":
      return Predicate.isString(uri) && others.length < maxSubscriptions
        ? { level, subscriptions: [...others, uri] }
        : undefined
    case "resources/unsubscribe":
      return { level, subscriptions: others }
    default:
      return undefined
  }
}

/** A conversation that keeps the wishes of its client. They are kept before they are answered. */
const keeping = (begin: (client: Client) => Conversation) => (client: Client, before: Wishes): Conversation => {
  let wishes = before
  /** Requests that wish for something, and are not answered. */
  const asked = new Map<RequestId, JSONRPCRequest>()
  const conversation = begin({
    ...client,
    write: (message, about) => {
      if ("method" in message || message.id === undefined) return client.write(message, about)
      const request = asked.get(message.id)
      asked.delete(message.id)
      const next = request === undefined || "error" in message ? undefined : wishedBy(request, wishes)
      if (next === undefined) return client.write(message, about)
      wishes = next
      void client.remember(next).then(() => client.write(message, about))
    }
  })
  return {
    ...conversation,
    receive: (message) => {
      // What is heard again is kept already.
      if ("method" in message && "id" in message && !isOurs(message.id) && wishedBy(message, wishes) !== undefined) {
        asked.set(message.id, message)
      } else if ("method" in message && message.method === "notifications/cancelled") {
        asked.delete(message.params?.["requestId"] as RequestId)
      }
      conversation.receive(message)
    }
  }
}

/** A `Begin` from what can only begin. */
export const replaying = (begin: (client: Client) => Conversation): Begin => (client, resumed) => {
  if (resumed === undefined) return keeping(begin)(client, { subscriptions: [] })
  const conversation = keeping(begin)({
    ...client,
    write: (message, about) => {
      if ("method" in message || !isOurs(message.id)) client.write(message, about)
    },
    writeResult: (id, text) => {
      if (!isOurs(id)) client.writeResult(id, text)
    }
  }, resumed.wishes)
  const { initialize, wishes: { level, subscriptions } } = resumed
  const ask = (method: string, params: Readonly<Record<string, unknown>>, index = 0): void =>
    conversation.receive({ jsonrpc: "2.0", id: `${prefix}${method} ${index}`, method, params } as JSONRPCMessage)
  ask("initialize", initialize)
  conversation.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
  if (level !== undefined) ask("logging/setLevel", { level })
  subscriptions.forEach((uri, index) => ask("resources/subscribe", { uri }, index))
  return conversation
}
