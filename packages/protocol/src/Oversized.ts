/**
 * Messages of the server that were too long, and were dropped as they streamed.
 */
import { RequestError } from "@mcp-lifeline/core"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { AdapterTransport } from "./AdapterTransport.js"
import * as JsonRpc from "./JsonRpc.js"

/** What could be seen of a message as it streamed. */
export interface Oversized {
  readonly id: RequestId | undefined
  readonly isResponse: boolean
}

const limit = (maxMessageBytes: number): string => `longer than maxMessageBytes (${maxMessageBytes})`

/** What the caller is told of an answer. */
export const tooLong = (maxMessageBytes: number): string =>
  `the answer is ${limit(maxMessageBytes)}: ask for less, or raise the limit`

/** What is logged, once for a connection. */
export const warning = (maxMessageBytes: number): string =>
  `a message of the server is ${limit(maxMessageBytes)} and was dropped, as others will be (this is logged once)`

/** Fails the request that a dropped message was the answer to, or refuses the one that it was; a notification is gone. */
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
