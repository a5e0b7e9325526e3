/** Messages that were too long, or had no room, and were dropped while they arrived. */
import { RequestError } from "@mcp-lifeline/core"
import type { Bytes } from "@mcp-lifeline/core/text"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { AdapterTransport } from "./AdapterTransport.js"
import { maxArriving } from "./Arrivals.js"
import * as JsonRpc from "./JsonRpc.js"

export interface Oversized {
  readonly id: RequestId | undefined
  readonly isResponse: boolean
  /** For want of room (`Arrivals`), and not of its own length alone. */
  readonly isCrowded?: boolean | undefined
}

const limit = (maxMessageBytes: Bytes): string => `longer than ${maxMessageBytes} bytes (maxMessageBytes)`

const noRoom =
  `there was no room for it beside others: messages that are arriving have ${maxArriving} bytes for all servers, of which one server never has more than is left for others`

export const tooLong = (maxMessageBytes: Bytes): string => `the answer is ${limit(maxMessageBytes)}: ask for less`

export const crowded = `the answer was dropped, because ${noRoom}. Ask for less at the same time`

/** Logged once for each connection. */
export const warning = ({ isCrowded }: Pick<Oversized, "isCrowded">, maxMessageBytes: Bytes): string =>
  isCrowded === true
    ? `a message of the server was dropped, because ${noRoom} (this is logged once)`
    : `a message of the server is ${limit(maxMessageBytes)} and was dropped, as others will be (this is logged once)`

/** Fails the request of an answer, and refuses a request. A notification is lost. */
export const answer = (
  transport: AdapterTransport,
  { id, isCrowded, isResponse }: Oversized,
  maxMessageBytes: Bytes
): void => {
  if (id === undefined) return
  if (isResponse) {
    const message = isCrowded === true ? crowded : tooLong(maxMessageBytes)
    transport.onfailed?.(id, new RequestError({ fate: "answered", reason: "protocol", message }))
  } else {
    const error = {
      code: JsonRpc.invalidRequest,
      message: isCrowded === true ? noRoom : `the request is ${limit(maxMessageBytes)}`
    }
    transport.send({ jsonrpc: "2.0", id, error }).catch(() => {})
  }
}
