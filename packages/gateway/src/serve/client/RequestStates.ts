/**
 * What a server without sessions gives a client that brings it back with the input that the server asked for (`requestState`), as one caller knows it (`OwnedTexts`):
 * another caller cannot go on with its request, and no server gets a state of another one, or one that it did not give.
 */
import { ExactJson } from "@mcp-lifeline/core/internal"
import { JsonRpc } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import type { JsonRpcError } from "../../conversation/errors.js"
import * as OwnedTexts from "./OwnedTexts.js"

type Values = Readonly<Record<string, unknown>>

/** The state of a request that a server has given. */
export interface RequestState {
  readonly server: string
  readonly state: string
}

/** The states of one caller's requests. */
export interface RequestStates {
  /** The state in params; `undefined` if there is none, and the error if the gateway has given this caller no such state. */
  readonly find: (params: Values | undefined) => RequestState | JsonRpcError | undefined
  /** A result of a server, with the state as the client knows it. Returns the same object if it has none. */
  readonly inResult: <V extends Values>(server: string, result: V) => V
}

/** The error for a state that is not this caller's, or that was changed, or that another server has given. Does not say which. */
export const refused: JsonRpcError = {
  code: JsonRpc.invalidParams,
  message:
    "requestState is none that this gateway has given to this client for this server, or was changed: make the call again without requestState and inputResponses"
}

/** Params with the state as their server has given it. */
export const forServer = <V extends Values>(params: V, state: RequestState | undefined): V =>
  state === undefined ? params : ExactJson.copied(params, { ...params, requestState: state.state })

/** The states of a caller. */
export const make = (owner: OwnedTexts.Owner): RequestStates => {
  const states = OwnedTexts.make("requestState", owner)
  return {
    find: (params) => {
      const given = params?.["requestState"]
      if (given === undefined) return undefined
      const { path: [server] = [], text } = states.open(given) ?? {}
      return server === undefined || text === undefined ? refused : { server, state: text }
    },
    inResult: (server, result) => {
      const { requestState } = result
      return Predicate.isString(requestState)
        ? { ...result, requestState: states.seal({ path: [server], text: requestState }) }
        : result
    }
  }
}
