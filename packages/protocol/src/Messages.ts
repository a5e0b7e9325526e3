/** Only a whole text is a message: parts of what a program prints may be written by somebody else. */
import { ExactJson, JsonValue, PlainText } from "@mcp-lifeline/core/text"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import * as JsonRpc from "./JsonRpc.js"
import { JsonScanner } from "./JsonScanner.js"
import * as JsonShape from "./JsonShape.js"

export interface Read {
  readonly isJson: boolean
  readonly messages: ReadonlyArray<JSONRPCMessage>
  readonly unread: ReadonlyArray<Unread>
}

export interface Unread {
  readonly text: string
  /** It may be a message, and not only what a program prints. */
  readonly isOfProtocol: boolean
  /** Of a message that cannot be read. */
  readonly id: RequestId | undefined
  /** A request or a notification, and not a response. */
  readonly hasMethod: boolean
  /** Why it is not read, where it may be a message. */
  readonly why?: string | undefined
}

/** The beginning, for people. */
export const quoted = (text: string): string => PlainText.json(text.trim().slice(0, 200))

/** Characters looked at of what is no message. */
const longestUnread = 1_000_000

/** Messages in one: of more, none is read. */
const mostTogether = 100

const unreadOf = (whole: string, found?: JsonScanner): Unread => {
  const text = whole.slice(0, longestUnread)
  // The names of the protocol may follow after a long result.
  if (!/^\s*\{/.test(text) || (found === undefined && !/"jsonrpc"\s*:/.test(text))) {
    return { text, isOfProtocol: false, id: undefined, hasMethod: false }
  }
  const { hasMethod, id } = found ?? new JsonScanner().push(text)
  return { text, isOfProtocol: true, id, hasMethod, why: found && JsonShape.tooMany }
}

const isSome = <A>(value: A | undefined): value is A => value !== undefined

/** Takes time in proportion to the length. */
export const read = (text: string): Read => {
  let value: unknown
  try {
    value = JsonShape.parse(text)
  } catch (error) {
    const found = error instanceof JsonShape.TooManyValues ? error.found : undefined
    return { isJson: found !== undefined, messages: [], unread: text.trim() === "" ? [] : [unreadOf(text, found)] }
  }
  const only = message(value)
  if (only !== undefined) return { isJson: true, messages: [only], unread: [] }
  if (!Array.isArray(value) || value.length > mostTogether) {
    return { isJson: true, messages: [], unread: [unreadOf(text)] }
  }
  // Revision 2025-03-26 lets a server send several messages in one.
  const messages = value.map(message)
  const others = value.filter((_, index) => messages[index] === undefined)
  return {
    isJson: true,
    messages: messages.filter(isSome),
    // What is nested too deeply cannot be written.
    unread: others.map((one) => unreadOf(JsonValue.isTooDeep(one) ? text : ExactJson.stringify(one)))
  }
}

/** Also a response as some servers write it: without the version, with a null beside what is there, with an error that is a text. */
export const message = (value: unknown): JSONRPCMessage | undefined => {
  if (JsonRpc.isMessage(value)) return value
  if (!Predicate.isRecord(value)) return undefined
  if (value["method"] !== undefined) {
    const clean = JsonRpc.withoutAbsent(value)
    return JsonRpc.isMessage(clean) ? clean : undefined
  }
  const { error, id, jsonrpc, result } = value
  // What is printed as JSON often has an error, too.
  if (!JsonRpc.isId(id) && !(Predicate.isNullable(id) && jsonrpc === "2.0")) return undefined
  const said = Predicate.isNullable(error)
    ? { result }
    : { error: Predicate.isRecord(error) ? numbered(error) : { code: JsonRpc.internalError, message: String(error) } }
  const named = { jsonrpc: "2.0", id: JsonRpc.isId(id) ? id : 0, ...said }
  if (!JsonRpc.isMessage(named)) return undefined
  if (JsonRpc.isId(id)) return ExactJson.copied(value, named)
  return ExactJson.copied(value, { jsonrpc: "2.0", ...said } as JSONRPCMessage)
}

/** Some servers give a text as the code, which says more than the message. */
export const numbered = (
  error: Readonly<Record<string, unknown>>
): Readonly<Record<string, unknown>> & { readonly code: number; readonly message: string } => {
  const { code, message } = error
  const text = Predicate.isString(message) ? message : ""
  if (Predicate.isNumber(code) && Number.isSafeInteger(code)) return { ...error, code, message: text }
  return Predicate.isString(code) && /^-?\d{1,15}$/.test(code)
    ? { ...error, code: Number(code), message: text }
    : {
      ...error,
      code: JsonRpc.internalError,
      message: Predicate.isString(code) ? text === "" ? code : `${text} (${code})` : text
    }
}
