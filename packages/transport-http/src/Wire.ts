/**
 * JSON-RPC messages as they come over HTTP: input that nobody has checked.
 */
import { ExactJson } from "@mcp-lifeline/core/internal"
import type { AdapterTransport } from "@mcp-lifeline/protocol"
import { JsonRpc } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { EventSourceMessage } from "eventsource-parser"

/** A message, or undefined for what is none. */
export const decode = (value: unknown): JSONRPCMessage | undefined => {
  const numbered = withNumber(value)
  return JsonRpc.isMessage(numbered) ? numbered : undefined
}

/** A value with a number as the code of its error: some servers give a text, which says more than their message. */
export const withNumber = (value: unknown): unknown => {
  const error = Predicate.isRecord(value) ? value["error"] : undefined
  if (!Predicate.isRecord(error) || typeof error["code"] !== "string") return value
  const { code, message } = error
  const numbered = /^-?\d{1,15}$/.test(code)
    ? { code: Number(code) }
    : { code: JsonRpc.internalError, message: Predicate.isString(message) ? `${message} (${code})` : code }
  return { ...value as object, error: { ...error, ...numbered } }
}

/**
 * Hands on what came, where it is a message: `before` sees it first. What is none, and what the receiver throws, is reported
 * to `onerror`: it must end neither the stream nor the process.
 */
export const deliver = (
  transport: AdapterTransport,
  target: string,
  value: unknown,
  before?: (message: JSONRPCMessage) => void
): void => {
  const message = decode(value)
  if (message === undefined) {
    transport.onerror?.(
      new Error(`${target}: the server sent something that is not a JSON-RPC message, and it was dropped`)
    )
    return
  }
  before?.(message)
  try {
    transport.onmessage?.(message)
  } catch (error) {
    transport.onerror?.(error instanceof Error ? error : new Error(String(error)))
  }
}

/** Whether an event carries a message. Events without data only mark a place. */
export const isMessage = (event: EventSourceMessage): boolean =>
  event.data !== "" && (event.event === undefined || event.event === "" || event.event === "message")

/** A JSON value, or undefined for what is none. */
export const parse = (text: string): unknown => {
  try {
    return ExactJson.parse(text)
  } catch {
    return undefined
  }
}
