import type { AdapterTransport } from "@mcp-lifeline/protocol"
import { JsonShape, Messages } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { EventSourceMessage } from "eventsource-parser"

/** By id. */
export type Waiting = ReadonlyMap<RequestId, { answered: boolean }>

const none: Waiting = new Map()

/**
 * Parses, and returns what delivers the messages and marks the answered ones of `waiting`. Non-messages, and what the receiver throws, go to
 * `onerror`, and end neither the stream nor the process. `of`: the request that was answered.
 */
export const read = (
  transport: AdapterTransport,
  target: string,
  text: string,
  waiting = none,
  of?: RequestId
): () => void => {
  const { messages, unread } = Messages.read(text)
  return () => {
    for (const message of messages) {
      const isNameless = !("method" in message) && message.id === undefined && of !== undefined
      deliver(transport, isNameless ? { ...message, id: of } : message, waiting)
    }
    for (const one of unread) {
      transport.onerror?.(
        new Error(`${target}: the server sent something that is not a JSON-RPC message, and it was dropped`)
      )
      transport.onunread?.(one, of)
      const { hasMethod, id, isOfProtocol } = one
      if (isOfProtocol && !hasMethod && (id === undefined || id === of)) isAnswered(waiting, of)
    }
  }
}

export const deliver = (transport: AdapterTransport, message: JSONRPCMessage, waiting: Waiting): void => {
  if (!("method" in message)) isAnswered(waiting, message.id)
  try {
    transport.onmessage?.(message)
  } catch (error) {
    transport.onerror?.(error instanceof Error ? error : new Error(String(error)))
  }
}

export const isAnswered = (waiting: Waiting, id: RequestId | undefined): void => {
  const exchange = id === undefined ? undefined : waiting.get(id)
  if (exchange !== undefined) exchange.answered = true
}

/** Events without data only mark a place. */
export const isMessage = (event: EventSourceMessage): boolean =>
  event.data !== "" && (event.event === undefined || event.event === "" || event.event === "message")

/** Undefined if the text is no JSON. */
export const parse = (text: string): unknown => {
  try {
    return JsonShape.parse(text)
  } catch {
    return undefined
  }
}
