/**
 * JSON-RPC messages as they come over HTTP: input that nobody has checked.
 */
import { ExactJson } from "@mcp-lifeline/core/internal"
import type { AdapterTransport } from "@mcp-lifeline/protocol"
import { Messages } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { EventSourceMessage } from "eventsource-parser"

/**
 * Hands on the messages in what came: `before` sees each first. What is none, and what the receiver throws, is reported to `onerror`: it
 * must end neither the stream nor the process. `of`: the request in whose answer it came. Gives whether there was an answer to it that
 * cannot be read.
 */
export const receive = (
  transport: AdapterTransport,
  target: string,
  text: string,
  of: RequestId | undefined,
  before?: (message: JSONRPCMessage) => void
): boolean => {
  const { messages, unread } = Messages.read(text)
  for (const message of messages) {
    const isNameless = !("method" in message) && message.id === undefined && of !== undefined
    deliver(transport, isNameless ? { ...message, id: of } : message, before)
  }
  for (const one of unread) {
    transport.onerror?.(
      new Error(`${target}: the server sent something that is not a JSON-RPC message, and it was dropped`)
    )
    transport.onunread?.(one, of)
  }
  return unread.some(({ hasMethod, id, isOfProtocol }) => isOfProtocol && !hasMethod && (id === undefined || id === of))
}

/** Hands on a message. */
export const deliver = (
  transport: AdapterTransport,
  message: JSONRPCMessage,
  before?: (message: JSONRPCMessage) => void
): void => {
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
