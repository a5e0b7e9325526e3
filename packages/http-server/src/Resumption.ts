/**
 * Resumes conversations that cannot resume themselves: begins a new one, sends it again what its client sent before, and drops the answers.
 * Saves the client's settings for the next time.
 */
import { type Answer, type ClientRequest, ClientRequests, JsonRpcError } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import { constVoid } from "effect/Function"
import type { Begin, Client, Conversation, SettingChange } from "./Conversation.js"
import { PassedSubscriptions } from "./PassedSubscriptions.js"
import { noRoom } from "./subscriptionLimits.js"

/** What a request changes if it succeeds; `undefined` if it changes no setting. */
const changeOf = ({ method, params }: Pick<ClientRequest, "method" | "params">): SettingChange | undefined => {
  const [level, uri] = [params?.["level"], params?.["uri"]]
  switch (method) {
    case "logging/setLevel":
      return Predicate.isString(level) ? { level } : undefined
    case "resources/subscribe":
      return Predicate.isString(uri) ? { subscribed: uri } : undefined
    case "resources/unsubscribe":
      return Predicate.isString(uri) ? { unsubscribed: uri } : undefined
    default:
      return undefined
  }
}

/** A conversation that saves the settings of its client, before it answers the request that changed them. */
const savingSettings = (
  begin: (client: Client) => Conversation,
  client: Client,
  before: ReadonlyArray<string>
): Conversation => {
  const subscriptions = new PassedSubscriptions(client.subscriptions, before)
  /** Requests that change settings: the conversation gets a stand-in for each, whose answer waits until the settings are saved. */
  const settingRequests = new ClientRequests()
  const conversation = begin(client)
  return {
    ...conversation,
    request: (request) => {
      const change = changeOf(request)
      if (change === undefined) return conversation.request(request)
      const answered = (answer: Answer): void => {
        if ("error" in answer) return request.answer(answer)
        void client.saveSetting(change).then(() => request.answer(answer))
      }
      const excess = subscriptions.note(request)
      if (excess !== undefined) return request.refuse(JsonRpcError.ourCode, noRoom(excess))
      const { id, method, params } = request
      conversation.request(settingRequests.openFor(request, { jsonrpc: "2.0", id, method, params }, {
        say: (_, message) => request.say(message),
        answer: (_, answer) => answered(answer)
      }))
    }
  }
}

/** Makes a `Begin` of a function that can only begin. */
export const replaying = (begin: (client: Client) => Conversation): Begin => (client, resumed) => {
  if (resumed === undefined) return savingSettings(begin, client, [])
  // The replayed settings are saved already, so they bypass `savingSettings`.
  let replay: Conversation | undefined
  const conversation = savingSettings((client) => replay = begin(client), client, resumed.settings.subscriptions)
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
