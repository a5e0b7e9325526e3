/**
 * Where the browser comes back to after a login: a server on loopback, for one answer.
 */
import { Deferred, Effect, Runtime } from "effect"
import type { Scope } from "effect"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { LoginPage } from "./LoginPage.js"
import { page } from "./page.js"

/** The browser has come back; `reply` shows the person how it ended. */
export interface Arrival {
  readonly parameters: URLSearchParams
  readonly reply: (text: string, ok: boolean) => Effect.Effect<void>
}

/** A listener that is up. */
export interface RedirectListener {
  /** The redirect that leads here. */
  readonly redirect: string
  /** Waits for the first request that brings `state`; others are refused and change nothing. */
  readonly arrival: (state: string) => Effect.Effect<Arrival>
}

/** Where to listen. */
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
      // From here on it concerns one connection only, for example where there are no more file descriptors.
      server.on("error", () => {})
      resume(Effect.succeed((server.address() as AddressInfo).port))
    })
  })

/** A machine without this family of addresses. */
const isMissing = ({ code }: NodeJS.ErrnoException): boolean =>
  code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT" || code === "EINVAL"

/** How many connections there may be at one time: a browser needs a few. */
const maxConnections = 32

/** Whether a Host header names a place; browsers leave port 80 out. */
export const isOwn = ({ host, port }: Pick<Place, "host" | "port">, header: string): boolean =>
  [...addressesOf(host), host, "[::1]"].some((name) => header === `${name}:${port}` || (port === 80 && header === name))

/** The target of a request, if it is a valid one. */
const targetOf = (request: IncomingMessage): URL | undefined => {
  const target = request.url ?? "/"
  const base = "http://localhost"
  return URL.canParse(target, base) ? new URL(target, base) : undefined
}

/**
 * Listens at a place until the scope closes; port 0 is any free one. Succeeds with undefined where the port is taken. `loginPage`: where the
 * login has to begin; then only the same browser can finish it.
 */
export const make = (
  place: Place,
  loginPage?: LoginPage
): Effect.Effect<RedirectListener | undefined, never, Scope.Scope> =>
  Effect.gen(function*() {
    const run = Runtime.runFork(yield* Effect.runtime())
    let port = place.port
    let expected: { readonly state: string; readonly arrived: Deferred.Deferred<Arrival> } | undefined
    let used = false

    const answer = (response: ServerResponse, status: number, text: string) => {
      response.writeHead(status, {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        connection: "close"
      })
      response.end(page(text, status === 200))
    }

    const handle = (request: IncomingMessage, response: ServerResponse) => {
      // A page of another site can lead its own name here, but not send ours.
      if (!isOwn({ ...place, port }, request.headers.host ?? "")) {
        return answer(response, 421, "This address is not served here.")
      }
      const url = targetOf(request)
      if (url === undefined) return answer(response, 400, "This address is not valid.")
      const shown = loginPage?.answer(request, url.pathname, `http://${request.headers.host}`)
      if (shown !== undefined) return void response.writeHead(shown.status, { ...shown.headers }).end(shown.body)
      if (url.pathname !== place.path || request.method !== "GET") {
        return answer(response, 404, "There is nothing here.")
      }
      if (expected === undefined || url.searchParams.get("state") !== expected.state) {
        return answer(response, 400, "This is not the answer to the current login. Start the login again.")
      }
      if (loginPage?.isOwn(request) === false) {
        return answer(response, 400, "This login was begun in another browser, and can be finished only there.")
      }
      if (used) return answer(response, 400, "This login is over already.")
      used = true
      run(Deferred.succeed(expected.arrived, {
        parameters: url.searchParams,
        reply: (text, ok) =>
          Effect.async<void>((resume) => {
            response.once("close", () => resume(Effect.void))
            if (response.destroyed) resume(Effect.void)
            else answer(response, ok ? 200 : 400, text)
          }).pipe(Effect.timeout("1 second"), Effect.ignore)
      }))
    }

    /** Nothing that is thrown while a request is answered ends the program. */
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
    return {
      redirect: `http://${place.host}:${port}${place.path}`,
      arrival: (state) =>
        Effect.flatMap(Deferred.make<Arrival>(), (arrived) => {
          expected = { state, arrived }
          return Deferred.await(arrived)
        })
    }
  })
