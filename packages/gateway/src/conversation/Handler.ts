/**
 * What is done with a request of a client: each step answers it, or hands it on to the next one. The conversations of `wrap` and of `serve`
 * are made of these steps, and end in `ClientRelay.toServer`.
 */
import { type ClientRequest, JsonRpc } from "@mcp-lifeline/protocol"
import { isList, type ListMethod } from "@mcp-lifeline/protocol/listMethods"
import { isReadable, unreadableParams } from "./errors.js"
import { type Client, clientOf } from "./introductions.js"

/** Takes a request, and has it answered. */
export type Handler = (request: ClientRequest) => void

/** Answers some requests, and hands the others on. */
export type Step = (next: Handler) => Handler

/** Steps, in the order in which requests come to them, before what answers all others. */
export const pipeline = (steps: ReadonlyArray<Step>, last: Handler): Handler =>
  steps.reduceRight((next, step) => step(next), last)

/** Answers `ping`. */
export const ping: Step = (next) => (request) => {
  if (request.method === "ping") request.answer({ result: {} })
  else next(request)
}

/** Refuses params that are nested too deeply to be passed on. */
export const readable: Step = (next) => (request) => {
  if (isReadable(request.params)) next(request)
  else request.answer({ error: unreadableParams(request.method) })
}

/** How a client says who it is. */
export interface Handshake {
  /** Whether it has begun: it may ask for other things from then on. */
  readonly hasBegun: () => boolean
  /** Whether it may begin once more, because it was refused. Default: it may not. */
  readonly mayBeginAgain?: () => boolean
  /** Answers `initialize`. */
  readonly initialize: (request: ClientRequest, client: Client) => void
}

/** Has a client say who it is before it asks for anything, and only once. */
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

/** Answers what asks for a list; `answer` says whether it does. */
export const lists = (answer: (request: ClientRequest, method: ListMethod) => boolean): Step => (next) => (request) => {
  const { method } = request
  if (!isList(method) || !answer(request, method)) next(request)
}

/** Has the methods of a table answered by it. */
export const ownMethods = (own: Readonly<Record<string, Handler>>): Step => (next) => (request) => {
  const handle = Object.hasOwn(own, request.method) ? own[request.method] : undefined
  if (handle === undefined) next(request)
  else handle(request)
}
