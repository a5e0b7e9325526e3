/**
 * The HTTP listener of the gateway. Bound before anything is started, so that a port in use costs nothing.
 */
import type { Scope } from "effect"
import { Deferred, Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { StartError } from "../Errors.js"
import * as Guard from "./Guard.js"

/** Answers one request. Must not throw. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A bound listener. */
export interface Listener {
  readonly host: string
  /** The real port, also where any was asked for. */
  readonly port: number
  /** Without a path, for example `http://127.0.0.1:7332`. */
  readonly url: string
  /** Answers with this handler as long as the scope lives; before and after that, with 503. */
  readonly serve: (handler: Handler) => Effect.Effect<void, never, Scope.Scope>
}

const unavailable: Handler = (_, response) => {
  response.writeHead(503, { "Retry-After": "1", "Content-Type": "text/plain", Connection: "close" })
  response.end("The gateway is starting or shutting down\n")
}

const explain = (error: NodeJS.ErrnoException, host: string, port: number): string => {
  switch (error.code) {
    case "EADDRINUSE":
      return `port ${port} on ${host} is in use; stop the program that has it, or give another with --port (0 for any)`
    case "EACCES":
      return `port ${port} on ${host} needs privileges; give one above 1023 with --port`
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${host} is not an address of this machine; give one with --host, for example 127.0.0.1`
    default:
      return `cannot listen on ${host}:${port}: ${error.message}; give others with --host and --port`
  }
}

/** Binds host and port (0: any free one). Closing ends every socket. */
export const listen = (
  options: { readonly host: string; readonly port: number }
): Effect.Effect<Listener, StartError, Scope.Scope> =>
  Effect.gen(function*() {
    let handler: Handler = unavailable
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => createServer({ keepAliveTimeout: 65_000 }, (request, response) => handler(request, response))),
      (server) =>
        Effect.async<void>((resume) => {
          if (!server.listening) return resume(Effect.void)
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const bound = yield* Deferred.make<void, StartError>()
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const message = explain(cause, options.host, options.port)
      Deferred.unsafeDone(bound, Effect.fail(new StartError({ message, cause })))
    })
    // After the start an error of the listener concerns one connection only.
    server.on("error", () => {})
    server.listen(options.port, options.host, () => Deferred.unsafeDone(bound, Effect.void))
    yield* Deferred.await(bound)
    const { address, family, port } = server.address() as AddressInfo
    const name = Guard.isLoopback(options.host) ? options.host.replace(/^\[(.*)\]$/, "$1") : address
    return {
      host: options.host,
      port,
      url: `http://${family === "IPv6" && name.includes(":") ? `[${name}]` : name}:${port}`,
      serve: (next) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            handler = next
          }),
          () =>
            Effect.sync(() => {
              handler = unavailable
              server.closeIdleConnections()
            })
        )
    }
  })
