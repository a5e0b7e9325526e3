/**
 * Messages of the server that were too long and that the transport dropped while they arrived.
 */
import { RequestError } from "@mcp-lifeline/core"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { AdapterTransport } from "./AdapterTransport.js"
import * as JsonRpc from "./JsonRpc.js"

/** What the transport has found out about a message while it arrived. */
export interface Oversized {
  readonly id: RequestId | undefined
  readonly isResponse: boolean
}

const limit = (maxMessageBytes: number): string => `longer than maxMessageBytes (${maxMessageBytes})`

/** The message for the caller of a request whose answer was too long. */
export const tooLong = (maxMessageBytes: number): string =>
  `the answer is ${limit(maxMessageBytes)}: ask for less, or raise the limit`

/** The line in the log, once for each connection. */
export const warning = (maxMessageBytes: number): string =>
  `a message of the server is ${limit(maxMessageBytes)} and was dropped, as others will be (this is logged once)`

/** If the dropped message was an answer, fails its request; if it was a request, refuses it. A notification is lost. */
export const answer = (
  transport: AdapterTransport,
  { id, isResponse }: Oversized,
  maxMessageBytes: number
): void => {
  if (id === undefined) return
  if (isResponse) {
    const message = tooLong(maxMessageBytes)
    transport.onfailed?.(id, new RequestError({ fate: "answered", reason: "protocol", message }))
  } else {
    const error = { code: JsonRpc.invalidRequest, message: `the request is ${limit(maxMessageBytes)}` }
    transport.send({ jsonrpc: "2.0", id, error }).catch(() => {})
  }
}
