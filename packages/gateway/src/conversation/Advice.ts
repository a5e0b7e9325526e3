/**
 * Tells models what happened, and what to tell their users.
 */
import { JsonRpcError } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"

const sentence = (text: string): string => /[.!?]$/.test(text) ? text : `${text}.`

/** The first part between two texts. In linear time, because our messages contain texts of servers. */
const replaced = (text: string, from: string, to: string, instead: string): string => {
  const start = text.indexOf(from)
  const end = start < 0 ? -1 : text.indexOf(to, start + from.length)
  return end < 0 ? text : text.slice(0, start) + instead + text.slice(end + to.length)
}

const without = (text: string, end: string): string => text.endsWith(end) ? text.slice(0, -end.length) : text

/** A last sentence that names a function to call. */
const call = /^\. Call \w+\(\) to [^.]*$/

const withoutCall = (text: string): string => {
  const start = text.lastIndexOf(". Call ")
  return start >= 0 && call.test(text.slice(start)) ? text.slice(0, start) : text
}

const withoutFix = (text: string): string => {
  const start = text.lastIndexOf(". Fix the cause, then call ")
  return start < 0 ? text : text.slice(0, start)
}

const withoutIdempotent = (text: string): string => {
  const start = text.lastIndexOf(", or pass idempotent: true ")
  return start < 0 ? text : text.slice(0, start)
}

/** Removes advice for programmers: a model cannot set options or call functions. */
export const withoutOptions = (text: string): string => {
  const withoutAdvice = withoutIdempotent(text).replace(
    " Give it more time (timeout), or check before you repeat it",
    " Check before you repeat it"
  ).replace(" Give it more time (timeout), or call again", " Call again")
  const statement = withoutCall(
    without(
      withoutFix(withoutAdvice),
      ". A closed one stays closed; make a new one"
    )
  )
  return replaced(
    statement.replaceAll(/ \((failFast|timeouts\.\w+|calls\.\w+)\)/g, ""),
    " is PermanentlyFailed (",
    ")",
    " cannot be connected"
  ).replace(/maxMessageBytes \((\d+)\): ask for less, or raise the limit/, "$1 bytes: ask for less")
}

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

/** Where only a change of a file starts the server, its state would be misleading. */
const unavailable = (message: string, door: Door): string => {
  const text = sentence(withoutOptions(message))
  return door === "watch" ? replaced(text, " is Disconnected (", ")", " does not start") : text
}

/** Nobody needs to check whether the call was carried out. */
const isHarmless = (message: string): boolean => message.includes("doing it twice does no harm")

const messageOf = (
  name: string,
  { message, state, tag }: { readonly tag: unknown; readonly state: unknown; readonly message: string },
  login: string | undefined,
  door: Door
): string => {
  switch (tag) {
    case undefined:
      return message
    case "BackendUnavailable":
      if (state === "Busy" || state === "Closed") return withoutOptions(message)
      // The address is at the end, so that no punctuation follows it.
      if (login !== undefined) {
        return `The MCP server ${name} cannot be used until the user has done this, so tell the user: ${login}`
      }
      return `${unavailable(message, door)} Tell the user that the MCP server ${name} cannot be ${
        state === "Connected" ? "used now" : "reached"
      }, and why. ${next(name, state, door)}`
    case "ResultUnknown":
    case "RequestTimeout": {
      const text = sentence(withoutOptions(message))
      return isHarmless(message) ? text : `${text} If that cannot be checked, tell the user what was asked for.`
    }
    default:
      return withoutOptions(message)
  }
}

/** Only for our errors, not the server's. `login`: what the user has to do to sign in. */
export const advised = (
  name: string,
  error: JsonRpcError.JsonRpcError,
  login: string | undefined,
  door: Door
): JsonRpcError.JsonRpcError => {
  const { state, tag } = JsonRpcError.isOurs(error) && Predicate.isRecord(error.data) ? error.data : {}
  return JsonRpcError.withMessage(error, messageOf(name, { tag, state, message: error.message }, login, door))
}
