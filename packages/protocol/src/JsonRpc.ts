import type { JSONRPCMessage, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"

export const parseError = -32_700
export const invalidRequest = -32_600
export const methodNotFound = -32_601
export const invalidParams = -32_602
export const internalError = -32_603

/** The answer to a request that nobody handles. */
export const noSuchMethod: Error & { readonly code: number } = Object.assign(new Error("Method not found"), {
  code: methodNotFound
})

/** An integer that JSON numbers do not keep would be answered as another one. */
export const isId = (value: unknown): value is RequestId => Predicate.isString(value) || Number.isSafeInteger(value)

const isError = (value: unknown): boolean =>
  Predicate.isRecord(value) && Number.isSafeInteger(value["code"]) && Predicate.isString(value["message"])

export const isMessage = (value: unknown): value is JSONRPCMessage => {
  if (!Predicate.isRecord(value) || value["jsonrpc"] !== "2.0") return false
  const { error, id, method, params, result } = value
  if (method !== undefined) {
    return Predicate.isString(method) && (id === undefined || isId(id)) &&
      (params === undefined || Predicate.isRecord(params))
  }
  return error === undefined
    ? isId(id) && Predicate.isRecord(result)
    : (id === undefined || id === null || isId(id)) && result === undefined && isError(error)
}

export const isRequest = (message: JSONRPCMessage): message is JSONRPCRequest => "method" in message && "id" in message

/** `id`: that of the request to answer with this. */
export interface Illegible {
  readonly _tag: "Illegible"
  readonly id: RequestId | null
  readonly reason: string
}

export type Read = { readonly _tag: "Message"; readonly message: JSONRPCMessage } | Illegible

const unsafeId =
  `the id of the message is an integer beyond ${Number.MAX_SAFE_INTEGER}, which JSON numbers do not keep: use a text`

/** Some programs write null, or an empty list of params, for a member that is absent. */
export const withoutAbsent = ({ error, params, ...rest }: Readonly<Record<string, unknown>>): unknown => ({
  ...rest,
  ...(Predicate.isNullable(error) ? {} : { error }),
  ...(Predicate.isNullable(params) || (Array.isArray(params) && params.length === 0) ? {} : { params })
})

/** Turns a client's unreadable answer into an error answer, so that the server does not wait for it. */
export const read = (value: unknown): Read => {
  if (isMessage(value)) return { _tag: "Message", message: value }
  const clean = Predicate.isRecord(value) ? withoutAbsent(value) : value
  if (isMessage(clean)) return { _tag: "Message", message: clean }
  const id = Predicate.isRecord(clean) && isId(clean["id"]) ? clean["id"] : null
  if (id === null || "method" in Object(clean)) {
    const isUnsafe = Predicate.isRecord(clean) && Number.isInteger(clean["id"]) && id === null
    return { _tag: "Illegible", id, reason: isUnsafe ? unsafeId : "the message is not JSON-RPC 2.0" }
  }
  const error = { code: internalError, message: "the client's answer is not JSON-RPC 2.0" }
  return { _tag: "Message", message: { jsonrpc: "2.0", id, error } }
}
