/**
 * Resumes conversations that cannot resume themselves: begins a new one, sends it again what its client sent before, and drops the answers.
 * Saves the client's settings for the next time.
 */
import { type Answer, type ClientRequest, ClientRequests, JsonRpcError } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import { constVoid } from "effect/Function"
import {
  type Begin,
  type Client,
  type ClientSettings,
  type Conversation,
  maxSubscriptions,
  noMoreSubscriptions
} from "./Conversation.js"

/** The settings after a request has succeeded; `undefined` if the request changes none. */
const settingsAfter = (
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
      return Predicate.isString(uri) ? { level, subscriptions: [...others, uri] } : undefined
    case "resources/unsubscribe":
      return { level, subscriptions: others }
    default:
      return undefined
  }
}

/** A conversation that saves the settings of its client, before it answers the request that changed them. */
const savingSettings = (
  begin: (client: Client) => Conversation,
  client: Client,
  before: ClientSettings
): Conversation => {
  let settings = before
  /** Requests that change settings: the conversation gets a stand-in for each, whose answer waits until the settings are saved. */
  const settingRequests = new ClientRequests()
  const conversation = begin(client)
  const answered = (request: ClientRequest, answer: Answer): void => {
    const next = "error" in answer ? undefined : settingsAfter(request, settings)
    if (next === undefined) return request.answer(answer)
    settings = next
    void client.saveSettings(next).then(() => request.answer(answer))
  }
  return {
    ...conversation,
    request: (request) => {
      const next = settingsAfter(request, settings)
      if (next === undefined) return conversation.request(request)
      const { id, method, params } = request
      if (
        method === "resources/subscribe"
        // Those that are not answered yet count, too.
        && next.subscriptions.length + settingRequests.size > maxSubscriptions
        && next.subscriptions.length > settings.subscriptions.length
      ) return request.refuse(JsonRpcError.ourCode, noMoreSubscriptions)
      conversation.request(settingRequests.openFor(request, { jsonrpc: "2.0", id, method, params }, {
        say: (_, message) => request.say(message),
        answer: (_, answer) => answered(request, answer)
      }))
    }
  }
}

/** Makes a `Begin` of a function that can only begin. */
export const replaying = (begin: (client: Client) => Conversation): Begin => (client, resumed) => {
  if (resumed === undefined) return savingSettings(begin, client, { subscriptions: [] })
  // The replayed settings are saved already, so they bypass `savingSettings`.
  let replay: Conversation | undefined
  const conversation = savingSettings((client) => replay = begin(client), client, resumed.settings)
  const { initialize, settings: { level, subscriptions } } = resumed
  const replayed = new ClientRequests()
  const send = (method: string, params: Readonly<Record<string, unknown>>, index = 0): void =>
    replay?.request(
      replayed.open({ jsonrpc: "2.0", id: `mcp-lifeline resumes ${method} ${index}`, method, params }, {
        say: constVoid,
        answer: constVoid
      })
    )
  send("initialize", initialize)
  conversation.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
  if (level !== undefined) send("logging/setLevel", { level })
  subscriptions.forEach((uri, index) => send("resources/subscribe", { uri }, index))
  return conversation
}
