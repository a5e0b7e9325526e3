/**
 * A message that JSON cannot hold becomes an error, and harms no other.
 */
import { ExactJson } from "@mcp-lifeline/core/text"
import { type Answer, JsonRpc, JsonRpcError, Turns } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"

export interface EventKind {
  /** Of several waiting events with the same key, only one is sent. */
  readonly key?: string | undefined
  readonly isLog?: boolean | undefined
  /** If the answer cannot be kept, the client gets an error in its place. */
  readonly answers?: RequestId | undefined
}

/** By params: a long notification that goes to many clients is written once. */
const longTexts = new WeakMap<object, string>()

/** `undefined` if JSON cannot hold the message. */
export const encode = (message: JSONRPCMessage): string | undefined => {
  const params = "method" in message && !("id" in message) ? message.params ?? message : undefined
  try {
    const text = (params && longTexts.get(params)) ?? ExactJson.stringify(message)
    if (params !== undefined && Turns.isLong(text.length)) longTexts.set(params, text)
    return text
  } catch {
    return undefined
  }
}

export const encodeAnswer = (id: RequestId, answer: Answer): string => {
  if ("resultText" in answer) return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${answer.resultText}}`
  const message = "The answer to this request contains something that JSON cannot hold"
  return encode({ jsonrpc: "2.0", id, ...answer }) ??
    encodeAnswer(id, { error: { code: JsonRpc.internalError, message } })
}

export const bodyOf = (requests: ReadonlyArray<JSONRPCRequest>, isBatch: boolean): Buffer =>
  Buffer.from(ExactJson.stringify(isBatch ? requests : requests[0]))

export const unwritable = ({ method }: { readonly method: string }): Error =>
  new Error(`${method} for a client cannot be written as JSON`)

const plain: EventKind = {}
const log: EventKind = { isLog: true }

/** Repeated notifications of the same change get the same key. */
export const kindOf = (message: JSONRPCRequest | JSONRPCNotification): EventKind => {
  if ("id" in message) return plain
  const { method, params } = message
  if (method === "notifications/message") return log
  if (method === "notifications/resources/updated") return { key: `${method} ${String(params?.["uri"])}` }
  return method.endsWith("/list_changed") ? { key: method } : plain
}

/** Those of which the result of `initialize` says `listChanged`. */
export const announcedLists = ({ capabilities }: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  ["tools", "prompts", "resources"].filter((list) => {
    const one = Predicate.isRecord(capabilities) ? capabilities[list] : undefined
    return Predicate.isRecord(one) && one["listChanged"] === true
  })

/** In characters, in each event id. */
const maxIdsLength = 200

/** Part of event ids: a client that resumes thereby names its open requests. Empty if too long. */
export const encodeIds = (ids: ReadonlyArray<RequestId>): string => {
  const key = Buffer.from(JSON.stringify(ids)).toString("base64url")
  return key.length > maxIdsLength ? "" : key
}

/** None if the text is not ours. */
export const decodeIds = (key: string): ReadonlyArray<RequestId> => {
  try {
    const ids: unknown = JSON.parse(Buffer.from(key, "base64url").toString())
    return Array.isArray(ids) ? ids.filter((id) => typeof id === "string" || Number.isSafeInteger(id)) : []
  } catch {
    return []
  }
}

export const lostAnswer = (id: RequestId): string =>
  encodeAnswer(id, {
    error: {
      code: JsonRpcError.ourCode,
      message:
        "The gateway no longer has the answer: it was restarted while the request was under way, or kept the answer as long as it could. The request may have been carried out: check before you repeat it",
      data: { tag: "ResultUnknown", fate: "unknown" }
    }
  })
