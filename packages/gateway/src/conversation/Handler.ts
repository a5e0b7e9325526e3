/** Each step answers a request, or passes it on, as what it has become. The last is `ClientRelay.send`. */
import { type ClientRequest, JsonRpc } from "@mcp-lifeline/protocol"
import { isList, type ListMethod } from "@mcp-lifeline/protocol/listMethods"
import { isReadable, unreadableParams } from "./errors.js"
import { type Client, clientOf } from "./introductions.js"

/** Ensures that the request gets an answer. */
export type Handler = (request: ClientRequest) => void

export type Step<A = ClientRequest, B = A> = (next: (become: B) => void) => (given: A) => void

export const pipeline = (steps: ReadonlyArray<Step>, last: Handler): Handler =>
  steps.reduceRight((next, step) => step(next), last)

export const ping: Step = (next) => (request) => {
  if (request.method === "ping") request.answer({ result: {} })
  else next(request)
}

/** Refuses params that are nested too deeply to be passed on. */
export const readable: Step = (next) => (request) => {
  if (isReadable(request.params)) next(request)
  else request.answer({ error: unreadableParams(request.method) })
}

export interface Handshake {
  readonly hasBegun: () => boolean
  /** The first `initialize` was refused. Default: false. */
  readonly mayBeginAgain?: () => boolean
  readonly initialize: (request: ClientRequest, client: Client) => void
}

export const introducedFirst = ({ hasBegun, initialize, mayBeginAgain }: Handshake): Step => (next) => (request) => {
  const invalid = (message: string): void => request.refuse(JsonRpc.invalidRequest, message)
  if (request.method !== "initialize") {
    return hasBegun()
      ? next(request)
      : invalid("the first request must be initialize")
  }
  if (hasBegun() && mayBeginAgain?.() !== true) return invalid("initialize was sent before")
  const client = clientOf(request.params)
  if (client === undefined) request.refuse(JsonRpc.invalidParams, "not an initialize request")
  else initialize(request, client)
}

/** `answer` returns whether it answers the request. */
export const lists = (answer: (request: ClientRequest, method: ListMethod) => boolean): Step => (next) => (request) => {
  const { method } = request
  if (!isList(method) || !answer(request, method)) next(request)
}

export const ownMethods = (own: Readonly<Record<string, Handler>>): Step => (next) => (request) => {
  const handle = Object.hasOwn(own, request.method) ? own[request.method] : undefined
  if (handle === undefined) next(request)
  else handle(request)
}
