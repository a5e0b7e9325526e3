/**
 * What the model is told of a call that failed on the way, and what it is to tell its user. Pure.
 */
import type { JsonRpcError } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"

const sentence = (text: string): string => /[.!?]$/.test(text) ? text : `${text}.`

/** A model has no options to give. */
const withoutOptions = (text: string): string => text.replace(/, or pass idempotent: true [^;]*$/, "")

const messageOf = (name: string, tag: unknown, message: string): string => {
  switch (tag) {
    case "BackendUnavailable":
      return `${sentence(message)} Tell the user that the MCP server ${name} cannot be reached, and why. `
        + "It is being reconnected: the same call can be made again later."
    case "ResultUnknown":
    case "RequestTimeout":
      return `${sentence(withoutOptions(message))} If that cannot be checked, tell the user what was asked for.`
    default:
      return message
  }
}

/** The error of a call, with advice where it is ours and not the server's answer. */
export const advised = (name: string, error: JsonRpcError.JsonRpcError): JsonRpcError.JsonRpcError => {
  const tag = Predicate.isRecord(error.data) ? error.data["tag"] : undefined
  return { ...error, message: messageOf(name, tag, error.message) }
}
