import { JsonRpcError } from "@mcp-lifeline/protocol"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { ServerResponse } from "node:http"

export interface Refusal {
  readonly status: number
  readonly message: string
  /** Of the JSON-RPC error. Default -32000. */
  readonly code?: number | undefined
  /** Of the refused request, if known. */
  readonly id?: RequestId | null | undefined
  readonly data?: unknown
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Whether the body was read, so that the connection can be reused. Default false. */
  readonly isRead?: boolean | undefined
}

export const tooMany = (id: RequestId | undefined, message: string): Refusal => ({
  status: 429,
  message,
  id,
  headers: { "Retry-After": "1" },
  isRead: true
})

export const internalError = "Internal error of the gateway; its log has more"

/** In an answer: nothing of the request was or will be carried out here, so another replica may be asked. */
export const notTakenHeader = "lifeline-not-taken"

/** Destroys the connection if an answer has already started. */
export const refuse = (
  response: ServerResponse,
  { code = JsonRpcError.ourCode, data, headers = {}, id = null, isRead = false, message, status }: Refusal
): void => {
  if (response.headersSent) return void response.destroy()
  const text = JSON.stringify({ jsonrpc: "2.0", error: { code, message, data }, id })
  response.writeHead(status, {
    ...headers,
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
    ...(isRead ? {} : { Connection: "close" })
  })
  response.end(text)
}
