/**
 * The messages in what a server has sent: a line, the data of an event, or a body. Servers print beside their messages, or write values that
 * JSON does not have. What is a message of that is read all the same. Pure.
 */
import { ExactJson, Nesting, PlainText } from "@mcp-lifeline/core/internal"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import { IdScanner } from "./IdScanner.js"
import * as JsonRpc from "./JsonRpc.js"

/** What a text of a server holds. */
export interface Read {
  /** Whether all of it is JSON. */
  readonly isJson: boolean
  readonly messages: ReadonlyArray<JSONRPCMessage>
  /** What is no message, in the order in which it came. */
  readonly unread: ReadonlyArray<Unread>
}

/** What is no message. */
export interface Unread {
  readonly text: string
  /** Whether it may be a message that cannot be read, and not only what a program prints. */
  readonly isOfProtocol: boolean
  /** Of a message that cannot be read: its id, where it has one. */
  readonly id: RequestId | undefined
  /** Whether it is a request or a notification, and not a response. */
  readonly hasMethod: boolean
}

/** The beginning of what came, as a person is shown it. */
export const quoted = (text: string): string => PlainText.json(text.trim().slice(0, 200))

const unreadOf = (text: string): Unread => {
  if (!/"jsonrpc"\s*:/.test(text)) return { text, isOfProtocol: false, id: undefined, hasMethod: false }
  const scanner = new IdScanner()
  scanner.push(Buffer.from(text))
  return { text, isOfProtocol: true, id: scanner.id, hasMethod: scanner.hasMethod }
}

const isSome = <A>(value: A | undefined): value is A => value !== undefined

/** How an object of the protocol begins in the middle of something else. */
const beginning = /\{\s*"(?:jsonrpc|id|result|error|method)"\s*:/g

/** What a server may ask and tell. Some print the messages that they receive, which look the same. */
const ofServers = /^(?:ping|roots\/list|(?:sampling|elicitation)\/.*|notifications\/(?!initialized$|cancelled$).*)$/

/** Reads a text. Takes time in proportion to its length. */
export const read = (text: string): Read => {
  let value: unknown
  try {
    value = ExactJson.parse(text)
  } catch {
    return within(text)
  }
  const only = message(value)
  if (only !== undefined) return { isJson: true, messages: [only], unread: [] }
  if (!Array.isArray(value)) return { isJson: true, messages: [], unread: [unreadOf(text)] }
  // Revision 2025-03-26 lets a server send several messages in one.
  const messages = value.map(message)
  const others = value.filter((_, index) => messages[index] === undefined)
  return {
    isJson: true,
    messages: messages.filter(isSome),
    // What is nested too deeply cannot be written.
    unread: others.map((one) => unreadOf(Nesting.isDeeper(one, Nesting.defaultDepth) ? text : ExactJson.stringify(one)))
  }
}

/**
 * A value as a message, where it is one, or a response that is written as some servers write it: without the version, with a null beside what
 * is there, with an error that is a text. One whose id is none has no id.
 */
export const message = (value: unknown): JSONRPCMessage | undefined => {
  if (JsonRpc.isMessage(value)) return value
  if (!Predicate.isRecord(value) || value["method"] !== undefined) return undefined
  const { error, id, jsonrpc, result } = value
  // What is printed as JSON often has an id or an error, too.
  if (!JsonRpc.isId(id) && jsonrpc !== "2.0") return undefined
  const said = Predicate.isNullable(error)
    ? { result }
    : { error: Predicate.isRecord(error) ? numbered(error) : { code: JsonRpc.internalError, message: String(error) } }
  const named = { jsonrpc: "2.0", id: JsonRpc.isId(id) ? id : 0, ...said }
  if (!JsonRpc.isMessage(named)) return undefined
  if (JsonRpc.isId(id)) return ExactJson.copied(value, named)
  return ExactJson.copied(value, { jsonrpc: "2.0", ...said } as JSONRPCMessage)
}

/** An error whose code is a number, and whose message is a text: some servers give a text as the code, which says more than the message. */
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

/** What stands in a text that is not JSON. */
const within = (text: string): Read => {
  const messages: Array<JSONRPCMessage> = []
  const unread: Array<string> = []
  let at = 0
  beginning.lastIndex = 0
  for (let found = beginning.exec(text); found !== null; found = beginning.exec(text)) {
    const end = endOf(text, found.index)
    const piece = text.slice(found.index, end)
    const one = parsed(piece)
    unread.push(text.slice(at, found.index))
    if (one === undefined) unread.push(piece)
    else if (!("method" in one) || ofServers.test(one.method)) messages.push(one)
    at = end
    beginning.lastIndex = end
  }
  unread.push(text.slice(at))
  return { isJson: false, messages, unread: unread.filter((one) => one.trim() !== "").map(unreadOf) }
}

/** Whoever prints something else has no objects of this version in it. */
const parsed = (piece: string): JSONRPCMessage | undefined => {
  try {
    const value = ExactJson.parse(piece)
    return JsonRpc.isMessage(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Where the object that begins at an index ends; the end of the text, where it does not. */
const endOf = (text: string, from: number): number => {
  let depth = 0
  let isInText = false
  for (let index = from; index < text.length; index++) {
    const char = text.charCodeAt(index)
    if (isInText) {
      if (char === 0x5C) index++
      else if (char === 0x22) isInText = false
    } else if (char === 0x22) isInText = true
    else if (char === 0x7B) depth++
    else if (char === 0x7D && --depth === 0) return index + 1
  }
  return text.length
}
