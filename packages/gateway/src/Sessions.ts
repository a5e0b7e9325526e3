/**
 * The sessions of the gateway's clients, over Streamable HTTP: bounded in number, each with a server of its own.
 */
import { JsonRpcError } from "@mcp-lifeline/protocol"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { ErrorCode } from "@modelcontextprotocol/sdk/types.js"
import { randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"

/** How much a client may ask of us. */
export interface Limits {
  /** Sessions at once. Past it the one that has been unused for longest makes room, if it has nothing open. Default 1,000. */
  readonly maxSessions?: number | undefined
  /** Bytes of one request's body. Default 16 MiB. */
  readonly maxBodyBytes?: number | undefined
}

/** What serves one session: a Server of the official SDK, for example. */
export interface Served {
  /** Called when it has closed by itself. */
  onclose?: (() => void) | undefined
  readonly connect: (transport: Transport) => Promise<void>
  readonly close: () => Promise<void>
}

/** The sessions of one endpoint. */
export interface Sessions<Server extends Served> {
  readonly size: () => number
  /** Answers a request to the endpoint. Never throws. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  /** Does something with the server of each session. */
  readonly forEach: (use: (server: Server) => void) => void
  /** Ends all sessions and lets no new one begin. */
  readonly close: () => Promise<void>
}

interface Session<Server> {
  readonly server: Server
  readonly transport: StreamableHTTPServerTransport
  /** Responses that have not ended: streams, calls. */
  open: number
}

/** Answers with a JSON-RPC error that belongs to no request. */
export const refuse = (
  response: ServerResponse,
  status: number,
  message: string,
  options: { readonly code?: number; readonly headers?: Record<string, string> } = {}
): void => {
  if (response.headersSent) return void response.destroy()
  const error = { code: options.code ?? JsonRpcError.ourCode, message }
  // What is left of the body is not read: the connection cannot be used again.
  response.writeHead(status, { ...options.headers, "Content-Type": "application/json", Connection: "close" })
  response.end(JSON.stringify({ jsonrpc: "2.0", error, id: null }))
}

/** No sessions yet; `makeServer` gives each its server, and `onError` takes what the gateway fails at. */
export const make = <Server extends Served>(
  makeServer: () => Server,
  onError: (error: unknown) => void,
  limits: Limits = {}
): Sessions<Server> => {
  const { maxBodyBytes = 16 * 1024 * 1024, maxSessions = 1000 } = limits
  // In the order of last use.
  const sessions = new Map<string, Session<Server>>()
  /** Sessions whose `initialize` has not been answered yet. */
  let opening = 0
  let closed = false

  const makeRoom = (): boolean => {
    if (sessions.size + opening < maxSessions) return true
    for (const [id, session] of sessions) {
      if (session.open > 0) continue
      sessions.delete(id)
      void session.server.close().catch(() => {})
      return sessions.size + opening < maxSessions
    }
    return false
  }

  const pass = (session: Session<Server>, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    session.open++
    response.once("close", () => session.open--)
    return session.transport.handleRequest(request, response)
  }

  const begin = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    opening++
    const server = makeServer()
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      maxRequestBodySize: maxBodyBytes,
      onsessioninitialized: (id) => {
        sessions.set(id, session)
      }
    })
    const session: Session<Server> = { server, transport, open: 0 }
    try {
      server.onclose = () => {
        if (transport.sessionId !== undefined) sessions.delete(transport.sessionId)
      }
      // Under exactOptionalPropertyTypes the SDK's class does not fit the SDK's interface.
      await server.connect(transport as Transport)
      await pass(session, request, response)
    } finally {
      opening--
      // It was no `initialize`, and has been refused; or the endpoint has closed meanwhile.
      if (transport.sessionId === undefined || closed) await server.close()
    }
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (closed) return refuse(response, 503, "The gateway is shutting down", { headers: { "Retry-After": "1" } })
    const id = request.headers["mcp-session-id"]
    if (id === undefined) {
      if (request.method !== "POST") {
        return refuse(
          response,
          400,
          "The header Mcp-Session-Id is missing: send the id that the answer to initialize had"
        )
      }
      if (makeRoom()) return begin(request, response)
      return refuse(response, 503, `All ${maxSessions} sessions of the gateway are in use; try again later`, {
        headers: { "Retry-After": "5" }
      })
    }
    const session = sessions.get(String(id))
    if (!session) return refuse(response, 404, "Session not found: initialize a new one", { code: -32_001 })
    sessions.delete(String(id))
    sessions.set(String(id), session)
    return pass(session, request, response)
  }

  return {
    size: () => sessions.size,
    handle: (request, response) => {
      answer(request, response).catch((error: unknown) => {
        onError(error)
        refuse(response, 500, "Internal error of the gateway; its log has more", { code: ErrorCode.InternalError })
      })
    },
    forEach: (use) => {
      for (const { server } of sessions.values()) use(server)
    },
    close: async () => {
      closed = true
      await Promise.allSettled(Array.from(sessions.values(), ({ server }) => server.close()))
      sessions.clear()
    }
  }
}
