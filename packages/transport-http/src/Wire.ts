/**
 * JSON-RPC messages as they come over HTTP: input that nobody has checked.
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { JSONRPCMessageSchema } from "@modelcontextprotocol/sdk/types.js"
import type { EventSourceMessage } from "eventsource-parser"

/** A message, or undefined for what is none. */
export const decode = (value: unknown): JSONRPCMessage | undefined => {
  const parsed = JSONRPCMessageSchema.safeParse(value)
  return parsed.success ? parsed.data : undefined
}

/** Whether an event carries a message. Events without data only mark a place. */
export const isMessage = (event: EventSourceMessage): boolean =>
  event.data !== "" && (event.event === undefined || event.event === "" || event.event === "message")

/** A JSON value, or undefined for what is none. */
export const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
