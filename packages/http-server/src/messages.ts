/**
 * Messages to a client as text, and what kind of event one is. What cannot be written is told so, and harms nobody else.
 */
import { type Answer, JsonRpc, JsonRpcError } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"

/** What an event is beside its text. */
export interface EventKind {
  /** Of several events with the same key that wait, one is sent. */
  readonly key?: string | undefined
  readonly isLog?: boolean | undefined
  /** The request that it answers. If it cannot be kept, the client gets an error in its place. */
  readonly answers?: RequestId | undefined
}

/** The text of a message; `undefined` where it cannot be written. */
export const encode = (message: JSONRPCMessage): string | undefined => {
  try {
    return JSON.stringify(message)
  } catch {
    return undefined
  }
}

/** The text of a response; where it cannot be written, of one that says so. */
export const encodeAnswer = (id: RequestId, answer: Answer): string => {
  if ("resultText" in answer) return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${answer.resultText}}`
  return encode({ jsonrpc: "2.0", id, ...answer }) ?? JSON.stringify({
    jsonrpc: "2.0",
    id,
    error: {
      code: JsonRpc.internalError,
      message: "The answer to this request contains something that JSON cannot hold"
    }
  })
}

/** Why a message is not written. */
export const unwritable = ({ method }: { readonly method: string }): Error =>
  new Error(`${method} for a client cannot be written as JSON`)

const plain: EventKind = {}
const log: EventKind = { isLog: true }

/** What kind of event a message is: of several changes that say the same, one is enough. */
export const kindOf = (message: JSONRPCRequest | JSONRPCNotification): EventKind => {
  if ("id" in message) return plain
  const { method, params } = message
  if (method === "notifications/message") return log
  if (method === "notifications/resources/updated") return { key: `${method} ${String(params?.["uri"])}` }
  return method.endsWith("/list_changed") ? { key: method } : plain
}

/** The longest key of ids that stands in the id of each event. */
const longestKey = 200

/** The ids of requests as a part of the ids of events: who comes back with one says by it what is not answered. */
export const encodeIds = (ids: ReadonlyArray<RequestId>): string => {
  const key = Buffer.from(JSON.stringify(ids)).toString("base64url")
  return key.length > longestKey ? "" : key
}

/** The ids that a key holds; none where it is not one of ours. */
export const decodeIds = (key: string): ReadonlyArray<RequestId> => {
  try {
    const ids: unknown = JSON.parse(Buffer.from(key, "base64url").toString())
    return Array.isArray(ids) ? ids.filter((id) => typeof id === "string" || Number.isSafeInteger(id)) : []
  } catch {
    return []
  }
}

/** The answer to a request whose answer is gone. */
export const lostAnswer = (id: RequestId): string =>
  JSON.stringify({
    jsonrpc: "2.0",
    id,
    error: {
      code: JsonRpcError.ourCode,
      message:
        "The gateway no longer has the answer: it was restarted while the request was under way, or kept the answer as long as it could. The request may have been carried out: check before you repeat it",
      data: { tag: "ResultUnknown", fate: "unknown" }
    }
  })
