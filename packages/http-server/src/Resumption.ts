/**
 * Goes on with a conversation that knows nothing of what was before it: it hears again what its client has said then, and what it
 * answers to that goes nowhere. What the client asks for that outlives its requests is kept for the next time.
 */
import { type Answer, type ClientRequest, ClientRequests } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import { constVoid } from "effect/Function"
import type { Begin, Client, ClientSettings, Conversation } from "./Conversation.js"

/** Subscriptions that are kept for one client. */
const maxSubscriptions = 10_000

/** The settings of a client once a request of it is answered with a result; `undefined` where it settings for nothing. */
const wishedBy = (
  { method, params }: Pick<ClientRequest, "method" | "params">,
  { level, subscriptions }: ClientSettings
): ClientSettings | undefined => {
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

/** A conversation that keeps the settings of its client. They are kept before they are answered. */
const keeping = (begin: (client: Client) => Conversation, client: Client, before: ClientSettings): Conversation => {
  let settings = before
  /** Those that stand for requests that wish for something. */
  const wishing = new ClientRequests()
  const conversation = begin(client)
  const answered = (request: ClientRequest, answer: Answer): void => {
    const next = "error" in answer ? undefined : wishedBy(request, settings)
    if (next === undefined) return request.answer(answer)
    settings = next
    void client.saveSettings(next).then(() => request.answer(answer))
  }
  return {
    ...conversation,
    request: (request) => {
      if (wishedBy(request, settings) === undefined) return conversation.request(request)
      const { id, method, params } = request
      conversation.request(wishing.openFor(request, { jsonrpc: "2.0", id, method, params }, {
        say: (_, message) => request.say(message),
        answer: (_, answer) => answered(request, answer)
      }))
    }
  }
}

/** A `Begin` from what can only begin. */
export const replaying = (begin: (client: Client) => Conversation): Begin => (client, resumed) => {
  if (resumed === undefined) return keeping(begin, client, { subscriptions: [] })
  // What is heard again is kept already.
  let replay: Conversation | undefined
  const conversation = keeping((client) => replay = begin(client), client, resumed.settings)
  const { initialize, settings: { level, subscriptions } } = resumed
  const replayed = new ClientRequests()
  const ask = (method: string, params: Readonly<Record<string, unknown>>, index = 0): void =>
    replay?.request(
      replayed.open({ jsonrpc: "2.0", id: `mcp-lifeline resumes ${method} ${index}`, method, params }, {
        say: constVoid,
        answer: constVoid
      })
    )
  ask("initialize", initialize)
  conversation.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
  if (level !== undefined) ask("logging/setLevel", { level })
  subscriptions.forEach((uri, index) => ask("resources/subscribe", { uri }, index))
  return conversation
}
