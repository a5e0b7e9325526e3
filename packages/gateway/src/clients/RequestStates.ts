/**
 * `requestState` as one caller knows it: another caller cannot go on with the request, and no server gets a state of another one, or one
 * that it did not give.
 */
import { ExactJson } from "@mcp-lifeline/core/text"
import { JsonRpc } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import type { JsonRpcError } from "../conversation/errors.js"
import * as OwnedTexts from "./OwnedTexts.js"

type Values = Readonly<Record<string, unknown>>

export interface RequestState {
  readonly server: string
  readonly state: string
}

export interface RequestStates {
  /** `undefined` if there is none, and the error if the gateway has given this caller no such state. */
  readonly find: (params: Values | undefined) => RequestState | JsonRpcError | undefined
  /** Returns the same object if it has no state. */
  readonly inResult: <V extends Values>(server: string, result: V) => V
}

/** Does not say whether the state is another caller's, another server's, or was changed. */
export const refused: JsonRpcError = {
  code: JsonRpc.invalidParams,
  message:
    "requestState is none that this gateway has given to this client for this server, or was changed: make the call again without requestState and inputResponses"
}

/** With the state as the server has given it. */
export const forServer = <V extends Values>(params: V, state: RequestState | undefined): V =>
  state === undefined ? params : ExactJson.copied(params, { ...params, requestState: state.state })

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
