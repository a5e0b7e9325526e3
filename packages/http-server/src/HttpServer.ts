import type { Bytes } from "@mcp-lifeline/core/text"
import { Deferred, Effect, Redacted, type Scope } from "effect"
import { IncomingMessage, type RequestListener, type ServerOptions, ServerResponse } from "node:http"
import * as Http from "node:http"
import * as Https from "node:https"
import { type AddressInfo, Server as NetServer, type Socket } from "node:net"
import type { Connections } from "./Connections.js"
import * as Guard from "./Guard.js"
import { ListenError } from "./ListenError.js"
import * as ParserFailure from "./ParserFailure.js"

/** PEM, with the certificates up to one that clients trust, and a key without a passphrase. */
export interface Certificate {
  readonly certificate: string
  readonly key: Redacted.Redacted
}

/** How long a client may take, in milliseconds. */
export interface Times {
  /** Until the headers have arrived; with TLS, first until the handshake has ended, and then again. */
  readonly headers: number
  readonly request: number
  readonly check: number
}

export interface Bounds {
  readonly maxHeaderBytes: Bytes | undefined
  readonly maxConnections: number
  readonly times: Times
}

/** No foreign page can embed an answer, and no browser guesses another content type. */
const protection = { "Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff" }

class ProtectedResponse extends ServerResponse {
  /** With the others: one that is set before makes Node.js store all one by one. */
  override writeHead(status: number, ...given: ReadonlyArray<unknown>): this {
    const [first, last = first] = given
    const headers = Object.assign({}, protection, typeof last === "object" ? last : undefined)
    return typeof first === "string" ? super.writeHead(status, first, headers) : super.writeHead(status, headers)
  }
}

const serverFor = (
  tls: Certificate | undefined,
  { maxConnections, maxHeaderBytes, times }: Bounds,
  answer: RequestListener,
  add: (socket: Socket) => void
): Effect.Effect<Http.Server, ListenError> => {
  const options: ServerOptions<typeof IncomingMessage, typeof ProtectedResponse> = {
    ServerResponse: ProtectedResponse,
    keepAliveTimeout: 65_000,
    headersTimeout: times.headers,
    requestTimeout: times.request,
    connectionsCheckingInterval: times.check,
    ...(maxHeaderBytes === undefined ? {} : { maxHeaderSize: maxHeaderBytes })
  }
  if (tls === undefined) return Effect.sync(() => Http.createServer(options, answer).on("connection", add))
  const { certificate: cert, key } = tls
  return Effect.try({
    try: () => {
      const secured = { ...options, handshakeTimeout: times.headers, cert, key: Redacted.value(key) }
      const server = Https.createServer(secured, answer).on("secureConnection", add)
      // `Connections` does not count those in the handshake: as many again may be.
      server.maxConnections = maxConnections * 2
      return server
    },
    catch: (cause) =>
      new ListenError({
        message: `the certificate and its key cannot be used: ${
          cause instanceof Error ? cause.message : String(cause)
        }`,
        cause
      })
  })
}

/** How long answers that are being written at the end may take, in milliseconds. */
const lastAnswers = 200

/** Closing the scope ends every socket. */
export const make = (
  tls: Certificate | undefined,
  bounds: Bounds,
  answer: RequestListener,
  connections: Connections
): Effect.Effect<Http.Server, ListenError, Scope.Scope> =>
  Effect.gen(function*() {
    const sockets = new Set<Socket>()
    const server = yield* Effect.acquireRelease(
      serverFor(tls, bounds, answer, (socket) => connections.add(socket)),
      (server) =>
        Effect.async<void>((resume) => {
          const end = setTimeout(() => {
            server.closeAllConnections()
            // With TLS, those in the handshake.
            for (const socket of sockets) socket.destroy()
          }, lastAnswers)
          // Its own `close` would also end connections on which the first request is on its way.
          NetServer.prototype.close.call(server, () => {
            clearTimeout(end)
            resume(Effect.void)
          })
        })
    )
    server.on("clientError", (error, socket) => {
      const last = connections.lastOn(socket)
      // After an answer that ends the connection, nothing more is said: what comes is the rest of the request that it refused.
      const isOver = last?.writableFinished === true && last.req.complete && last.shouldKeepAlive
      ParserFailure.answer(error, socket, last?.headersSent === true && !isOver)
    })
    server.on("connection", (socket: Socket) => {
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
    })
    return server
  })

interface Address<Port = number> {
  readonly host: string
  readonly port: Port
}

const explain = (error: NodeJS.ErrnoException, { host, port }: Address, names: Address<string>): string => {
  switch (error.code) {
    case "EADDRINUSE":
      return `port ${port} on ${host} is in use; stop the program that has it, or give another with ${names.port} (0 for any)`
    case "EACCES":
      return `port ${port} on ${host} needs privileges; give one above 1023 with ${names.port}`
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${host} is not an address of this machine; give one with ${names.host}, for example 127.0.0.1`
    default:
      return `cannot listen on ${host}:${port}: ${error.message}; give others with ${names.host} and ${names.port}`
  }
}

export const bind = (
  server: Http.Server,
  address: Address,
  names: Address<string>
): Effect.Effect<AddressInfo, ListenError> =>
  Effect.gen(function*() {
    const bound = yield* Deferred.make<void, ListenError>()
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const message = explain(cause, address, names)
      Deferred.unsafeDone(bound, Effect.fail(new ListenError({ message, cause })))
    })
    // After the start an error of the listener concerns one connection only.
    server.on("error", () => {})
    server.listen(address.port, Guard.unbracket(address.host), () => Deferred.unsafeDone(bound, Effect.void))
    yield* Deferred.await(bound)
    return server.address() as AddressInfo
  })
