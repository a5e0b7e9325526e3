/**
 * Tells models what happened, and what to tell their users.
 */
import { JsonRpcError } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"

const sentence = (text: string): string => /[.!?]$/.test(text) ? text : `${text}.`

/**
 * `wrap` has no commands for its server; with `watch`, only a change of a file starts it; users can enable and disable those of `serve`.
 */
export type Door = "wrap" | "watch" | "serve"

const next = (name: string, state: unknown, door: Door): string => {
  if (door === "watch") {
    return "The next change of a watched file starts the server again: do not repeat the call before that."
  }
  switch (state) {
    case "PermanentlyFailed":
      return "Once somebody has fixed the cause, make the same call again."
    case "Connected":
      return "Make the same call again later."
    case "Disabling":
    case "Disabled":
      return `It stays off until the user enables it${
        door === "serve" ? ` (mcp-lifeline enable ${name}, or the status page of the gateway)` : ""
      }: do not repeat the call before that.`
    case "Disconnected":
      return door === "serve"
        ? `It stays disconnected until the user reconnects it (mcp-lifeline reconnect ${name}, or the status page of the gateway): do not repeat the call before that.`
        : "It is connected again only when it is called: make the same call again."
    default:
      return "It is being reconnected: make the same call again later."
  }
}

/** Only for our errors, not the server's. `login`: what the user has to do to sign in. */
export const advised = (
  name: string,
  error: JsonRpcError.JsonRpcError,
  login: string | undefined,
  door: Door
): JsonRpcError.JsonRpcError => {
  if (!JsonRpcError.isOurs(error)) return error
  const { state, tag } = Predicate.isRecord(error.data) ? error.data : {}
  const message = JsonRpcError.plainMessageOf(error)
  const text = (): string => {
    switch (tag) {
      case "BackendUnavailable":
        if (state === "Busy" || state === "Closed") return message
        // The address is at the end, so that no punctuation follows it.
        if (login !== undefined) {
          return `The MCP server ${name} cannot be used until the user has done this, so tell the user: ${login}`
        }
        return `${sentence(message)} Tell the user that the MCP server ${name} cannot be ${
          state === "Connected" ? "used now" : "reached"
        }, and why. ${next(name, state, door)}`
      case "ResultUnknown":
      case "RequestTimeout":
        return JsonRpcError.isHarmless(error)
          ? sentence(message)
          : `${sentence(message)} If that cannot be checked, tell the user what was asked for.`
      default:
        return message
    }
  }
  return JsonRpcError.withMessage(error, text())
}
