/**
 * A server on loopback, for one answer.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { LoginPage } from "./LoginPage.js"
import { answer, type Arrival, RedirectEndpoint, targetOf } from "./RedirectEndpoint.js"

export interface RedirectListener {
  /** Comes before the path of the page at which a login begins. */
  readonly base: string
  readonly redirect: string
  /** Waits for the first request that brings `state`; others change nothing. */
  readonly arrival: (state: string) => Effect.Effect<Arrival>
}

export interface Place {
  readonly host: string
  readonly port: number
  readonly path: string
}

/** The addresses that browsers take `localhost` for. */
const addressesOf = (host: string): ReadonlyArray<string> =>
  host === "localhost" ? ["127.0.0.1", "::1"] : [host.replace(/^\[|\]$/g, "")]

const listen = (server: Server, host: string, port: number): Effect.Effect<number, NodeJS.ErrnoException> =>
  Effect.async((resume) => {
    const failed = (error: NodeJS.ErrnoException) => resume(Effect.fail(error))
    server.once("error", failed)
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", failed)
      // From here on an error concerns one connection only.
      server.on("error", () => {})
      resume(Effect.succeed((server.address() as AddressInfo).port))
    })
  })

/** A machine without this family of addresses. */
const isMissing = ({ code }: NodeJS.ErrnoException): boolean =>
  code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT" || code === "EINVAL"

/** A browser needs a few. */
const maxConnections = 32

/** Browsers leave port 80 out. */
export const isOwn = ({ host, port }: Pick<Place, "host" | "port">, header: string): boolean =>
  [...addressesOf(host), host, "[::1]"].some((name) => header === `${name}:${port}` || (port === 80 && header === name))

/**
 * Until the scope closes; port 0 is any free one. Succeeds with undefined where the port is taken. `loginPage`: only the browser in which
 * the login began there can finish it.
 */
export const make = (
  place: Place,
  loginPage?: LoginPage
): Effect.Effect<RedirectListener | undefined, never, Scope.Scope> =>
  Effect.gen(function*() {
    const endpoint = new RedirectEndpoint({ path: place.path, loginPage, runtime: yield* Effect.runtime() })
    let port = place.port
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      // A page of another site can lead its own name here, but not send ours.
      if (!isOwn({ ...place, port }, request.headers.host ?? "")) {
        return answer(response, 421, "This address is not served here.")
      }
      const url = targetOf(request)
      if (url === undefined) return answer(response, 400, "This address is not valid.")
      endpoint.handle(request, response, url, `http://${request.headers.host}`)
    }

    /** Nothing that is thrown here ends the program. */
    const guarded = (request: IncomingMessage, response: ServerResponse) => {
      try {
        handle(request, response)
      } catch {
        response.destroy()
      }
    }

    const open: Array<Server> = []
    const close = Effect.sync(() => {
      for (const server of open) {
        server.close()
        server.closeAllConnections()
      }
    })
    yield* Effect.addFinalizer(() => close)
    for (const address of addressesOf(place.host)) {
      const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, guarded)
      server.maxConnections = maxConnections
      server.on("clientError", (_, socket) => socket.destroy())
      open.push(server)
      const outcome = yield* Effect.either(listen(server, address, port))
      if (outcome._tag === "Right") port = outcome.right
      else if (!(address === "::1" && place.host === "localhost" && isMissing(outcome.left))) {
        yield* close
        return undefined
      }
    }
    const base = `http://${place.host}:${port}`
    return { base, redirect: base + place.path, arrival: (state) => endpoint.arrival(state) }
  })
