/**
 * Messages of the server that were too long, or for which there was no room, and that the transport dropped while they arrived.
 */
import { RequestError } from "@mcp-lifeline/core"
import { type Bytes } from "@mcp-lifeline/core/internal"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { AdapterTransport } from "./AdapterTransport.js"
import { maxArriving } from "./Arrivals.js"
import * as JsonRpc from "./JsonRpc.js"

/** What the transport has found out about a message while it arrived. */
export interface Oversized {
  readonly id: RequestId | undefined
  readonly isResponse: boolean
  /** Whether there was no room for it (`Arrivals`), and not because of its own length alone. */
  readonly isCrowded?: boolean | undefined
}

const limit = (maxMessageBytes: Bytes): string => `longer than maxMessageBytes (${maxMessageBytes})`

const noRoom =
  `there was no room for it beside others: messages that are arriving have ${maxArriving} bytes for all servers, of which one server never has more than is left for others`

/** The message for the caller of a request whose answer was too long. */
export const tooLong = (maxMessageBytes: Bytes): string =>
  `the answer is ${limit(maxMessageBytes)}: ask for less, or raise the limit`

/** The same if there was no room for the answer. */
export const crowded = `the answer was dropped, because ${noRoom}. Ask for less at the same time`

/** The line in the log, once for each connection. */
export const warning = ({ isCrowded }: Pick<Oversized, "isCrowded">, maxMessageBytes: Bytes): string =>
  isCrowded === true
    ? `a message of the server was dropped, because ${noRoom} (this is logged once)`
    : `a message of the server is ${limit(maxMessageBytes)} and was dropped, as others will be (this is logged once)`

/** If the dropped message was an answer, fails its request; if it was a request, refuses it. A notification is lost. */
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
