/**
 * Goes on with a conversation that knows nothing of an earlier process: it hears again what its client has said then, and what it
 * answers to that goes nowhere.
 */
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { Begin, Client, Conversation } from "./Conversation.js"

const prefix = "mcp-lifeline resumes "

const isOurs = (id: RequestId | undefined): boolean => typeof id === "string" && id.startsWith(prefix)

/** A `Begin` from what can only begin. */
export const replaying = (begin: (client: Client) => Conversation): Begin => (client, resumed) => {
  if (resumed === undefined) return begin(client)
  const conversation = begin({
    ...client,
    write: (message, about) => {
      if ("method" in message || !isOurs(message.id)) client.write(message, about)
    },
    writeResult: (id, text) => {
      if (!isOurs(id)) client.writeResult(id, text)
    }
  })
  const { initialize, wishes: { level, subscriptions } } = resumed
  const ask = (method: string, params: Readonly<Record<string, unknown>>, index = 0): void =>
    conversation.receive({ jsonrpc: "2.0", id: `${prefix}${method} ${index}`, method, params } as JSONRPCMessage)
  ask("initialize", initialize)
  conversation.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
  if (level !== undefined) ask("logging/setLevel", { level })
  subscriptions.forEach((uri, index) => ask("resources/subscribe", { uri }, index))
  return conversation
}
