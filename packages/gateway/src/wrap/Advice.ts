/**
 * What the model is told of a call that failed on the way: what it is to tell its user. Pure.
 */
import type { JsonRpcError } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"

const adviceOf = (name: string, tag: unknown): string | undefined => {
  switch (tag) {
    case "BackendUnavailable":
      return `Tell the user that the MCP server ${name} cannot be reached right now and why; it is being reconnected, so the same call can be made again later.`
    case "ConnectionLost":
    case "SessionExpired":
      return "Nothing was done; the call can be made again."
    case "ResultUnknown":
    case "RequestTimeout":
      return "It may have been carried out or not: check that before the call is made again, and tell the user if it cannot be checked."
    default:
      return undefined
  }
}

const sentence = (text: string): string => /[.!?]$/.test(text) ? text : `${text}.`

/** The error of a call, with advice where it is ours and not the server's answer. */
export const advised = (name: string, error: JsonRpcError.JsonRpcError): JsonRpcError.JsonRpcError => {
  const tag = Predicate.isRecord(error.data) ? error.data["tag"] : undefined
  const advice = adviceOf(name, tag)
  return advice === undefined ? error : { ...error, message: `${sentence(error.message)} ${advice}` }
}
