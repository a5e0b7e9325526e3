import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** From the client, unchecked. */
export interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: Record<string, any>
}

/** As the server saw it. */
export interface Seen {
  readonly http: string
  /** Path and query. */
  readonly url: string
  /** The MCP method; undefined without a body, and for answers of the client. */
  readonly rpc: string | undefined
  /** Of a `tools/call`. */
  readonly tool: string | undefined
  /** The session id. */
  readonly session: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly message: Message | undefined
  /** Empty if there was none. */
  readonly body: string
  /** From 0; see `HttpFaultServer.Options.replicas`. */
  readonly replica: number
  /** When it had arrived completely, in milliseconds of `performance.now()`. */
  readonly at: number
}

/** A request, and the means to answer it. */
export interface Turn extends Seen {
  readonly response: ServerResponse
  readonly socket: Socket
}

export interface Reply {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

/** Whether a request is of a kind: its HTTP method, its MCP method, or `tool:<name>`. */
export const is = (seen: Seen, kind: string): boolean =>
  seen.http === kind || seen.rpc === kind || (seen.tool !== undefined && `tool:${seen.tool}` === kind)

/** Begins an event stream, and sends its headers at once. */
export const sse = (response: ServerResponse, headers: Record<string, string> = {}): ServerResponse => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache", ...headers })
  response.flushHeaders()
  return response
}

/** An event with a message or a text. */
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

export const result = (message: Message | undefined, value: unknown) => ({
  jsonrpc: "2.0" as const,
  id: message?.id,
  result: value as object
})

/** A tool's result of one text. */
export const text = (value: string): unknown => ({ content: [{ type: "text", text: value }] })
