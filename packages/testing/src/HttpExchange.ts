/**
 * One request to a fault server, as the server saw it, and what an answer to it is made of.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** A JSON-RPC message from the client. Nothing of it is checked. */
export interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: Record<string, any>
}

/** A request as the server saw it. */
export interface Seen {
  /** The HTTP method. */
  readonly http: string
  /** Path and query. */
  readonly url: string
  /** The MCP method; undefined for a request without a body and for answers of the client. */
  readonly rpc: string | undefined
  /** The tool of a `tools/call`. */
  readonly tool: string | undefined
  /** The session id that it carried. */
  readonly session: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly message: Message | undefined
  /** The body as it came; empty where there was none. */
  readonly body: string
  /** The replica that it reached, from 0; see `HttpFaultServer.Options.replicas`. */
  readonly replica: number
  /** When it had arrived as a whole, in milliseconds of `performance.now()`. */
  readonly at: number
}

/** A request together with the means to answer it. */
export interface Turn extends Seen {
  readonly response: ServerResponse
  readonly socket: Socket
}

/** An answer that is ready to be sent. */
export interface Reply {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

/**
 * What a request is called in counts and faults: its HTTP method, its MCP method, or `tool:<name>` for the calls of a tool.
 */
export const is = (seen: Seen, kind: string): boolean =>
  seen.http === kind || seen.rpc === kind || (seen.tool !== undefined && `tool:${seen.tool}` === kind)

/** Begins an event stream as the answer, and sends its headers at once. */
export const sse = (response: ServerResponse, headers: Record<string, string> = {}): ServerResponse => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache", ...headers })
  response.flushHeaders()
  return response
}

/** One event of an event stream: a message or a text, with an id or without. */
export const event = (data: unknown, id?: string): string =>
  `${id === undefined ? "" : `id: ${id}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`

/** Sends a whole answer. Always true, so that a hook can end with it. */
export const fault = (
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
  body = ""
): true => {
  response.writeHead(status, headers)
  response.end(body)
  return true
}

/** The JSON-RPC result for a message. */
export const result = (message: Message | undefined, value: unknown) => ({
  jsonrpc: "2.0" as const,
  id: message?.id,
  result: value as object
})

/** A tool's result of one text. */
export const text = (value: string): unknown => ({ content: [{ type: "text", text: value }] })
