/** The listener binds its address before any server starts, so that a port in use costs nothing. */
import type { Bytes } from "@mcp-lifeline/core/text"
import { Shares } from "@mcp-lifeline/protocol"
import type { Scope } from "effect"
import { Effect, Runtime } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { BlockList } from "node:net"
import * as Arrival from "./Arrival.js"
import * as Authentication from "./Authentication.js"
import * as Caller from "./Caller.js"
import { Connections } from "./Connections.js"
import { endAt } from "./endAt.js"
import * as Guard from "./Guard.js"
import * as HttpServer from "./HttpServer.js"
import type { ListenError } from "./ListenError.js"
import { OpenStreams } from "./OpenStreams.js"
import * as PublicUrl from "./PublicUrl.js"
import { type Refusal, refuse } from "./Refusal.js"
import * as RequestTarget from "./RequestTarget.js"
import * as Unavailable from "./Unavailable.js"
import * as Unread from "./Unread.js"

/** `path` has no query. Must not throw. */
export type Handler = (request: IncomingMessage, response: ServerResponse, path: string) => void

export interface Options {
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  /** Default: whoever reaches the address is let in. */
  readonly authentication?: Authentication.Authentication | undefined
  /** Whether a path is a page for which nobody needs credentials and to which other pages may link. Default: none is. */
  readonly isPublic?: ((path: string) => boolean) | undefined
  /**
   * Answers probes before and after `serve`. Default: with 503. A GET of their paths also reaches the handler of `serve`, whoever sends it and whatever
   * its Host: as `Caller.stranger`, if others are refused.
   */
  readonly probes?: Unavailable.Probes | undefined
  /** Of a proxy in front. Default: there is none. */
  readonly publicUrl?: PublicUrl.PublicUrl | undefined
  /** Proxies that are believed when they say for whom they ask (`Arrival`). Default: none. */
  readonly trustedProxies?: BlockList | undefined
  /** Serves HTTPS with this certificate. Default: HTTP. */
  readonly tls?: HttpServer.Certificate | undefined
  /** Connections at once. Default 4,000. */
  readonly maxConnections?: number | undefined
  /** Of all headers of a request. Default: 16 KiB. */
  readonly maxHeaderBytes?: Bytes | undefined
  /** What clients may leave unread, and for how long. Default: 512 MiB, 60 s. */
  readonly unread?: Unread.Limits | undefined
  /** Default: see `defaultTimes`. */
  readonly times?: HttpServer.Times | undefined
  /** What messages call `host` and `port`. Default: `the option host` and `the option port`. */
  readonly optionNames?: OptionNames | undefined
}

export interface OptionNames {
  readonly host: string
  readonly port: string
  /** Undefined: messages do not name it. */
  readonly publicUrl?: string | undefined
}

export type { Certificate, Times } from "./HttpServer.js"

const defaultOptionNames: OptionNames = {
  host: Guard.defaultHostOption,
  port: "the option port",
  publicUrl: "the option publicUrl"
}

const defaultTimes: HttpServer.Times = { headers: 15_000, request: 120_000, check: 5_000 }

const crowded: Refusal = {
  status: 503,
  message:
    "Nearly all connections of the gateway are in use; the rest is for its status page and commands. Try again later",
  headers: { "Retry-After": "5" }
}

const crowdedBy = (own: number, total: number): Refusal => ({
  status: 503,
  message:
    `This client has ${own} open requests and streams, each with a connection, the maximum while all clients have ${total}: close some, or try `
    + "again later",
  headers: { "Retry-After": "5" }
})

/** `undefined` for an address on this machine, at which many clients, or a proxy, may be. */
const sharerOf = (request: IncomingMessage): string | undefined => {
  const { subject } = Caller.of(request)
  const { address } = Arrival.of(request)
  return subject === "" ? Guard.isLoopback(address) ? undefined : address : `caller ${subject}`
}

export interface Listener {
  readonly host: string
  /** The bound one, never 0. */
  readonly port: number
  /** Without a path, for example `http://127.0.0.1:7332`. */
  readonly url: string
  /** The URL of a proxy in front, without a slash at its end; `url` if there is none. */
  readonly publicUrl: string
  /** Other names under which this request reaches the pages. */
  readonly namesFor: (request: IncomingMessage) => Guard.Names
  /** Whether requests need credentials now. */
  readonly isAuthenticated: boolean
  /** Ends the streams of those who would not be let in any more. Call it when that changes. */
  readonly recheck: () => void
  /**
   * Answers with this handler until the scope closes; otherwise with 503. `notice`: when the scope closes, the handler goes on until this has ended,
   * while probes say that it stops and each answer ends its connection, so that a load balancer sends requests elsewhere. Default: it ends at once.
   */
  readonly serve: (handler: Handler, notice?: Effect.Effect<void>) => Effect.Effect<void, never, Scope.Scope>
}

const oddTarget: Refusal = {
  status: 400,
  message:
    "The target of the request is no plain path: it has dot segments, backslashes or encoded slashes, or another form"
}

const contradicted = (proxy: string): string =>
  `the proxy ${proxy} sends Forwarded and X-Forwarded-For that do not agree, so it is not believed: it probably passes on what its clients send as one `
  + "of the two; let it remove that header"

/** Closing the scope ends every socket. */
export const listen = (
  {
    authentication = Authentication.none,
    isPublic = () => false,
    maxConnections = 4000,
    maxHeaderBytes,
    optionNames = defaultOptionNames,
    probes = () => ({}),
    publicUrl,
    times = defaultTimes,
    tls,
    trustedProxies,
    unread: unreadLimits = Unread.defaults,
    ...options
  }: Options
): Effect.Effect<Listener, ListenError, Scope.Scope> =>
  Effect.gen(function*() {
    const unavailable = (phase: Unavailable.Phase): Handler => (request, response, path) =>
      Unavailable.answer(phase, probes, path, request, response)
    let handler = unavailable("starting")
    let isStopping = false
    const connections = new Connections(maxConnections)
    const streams = new OpenStreams(authentication)
    const unread = new Unread.Unread(unreadLimits)
    const runtime = yield* Effect.runtime<never>()
    // An error that escapes from here would end the program.
    const failed = (response: ServerResponse, error: unknown): void => {
      Runtime.runFork(runtime)(Effect.logError("a request failed inside mcp-lifeline", error))
      refuse(response, { status: 500, message: "The request failed inside mcp-lifeline; its log has more" })
    }
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      response.on("error", () => undefined)
      try {
        take(request, response)
      } catch (error) {
        failed(response, error)
      }
    }
    let isContradicted = false
    const arrive = (request: IncomingMessage): void => {
      if (trustedProxies === undefined) return
      const arrival = Arrival.find(request, trustedProxies)
      Arrival.note(request, arrival)
      if (arrival.isContradictory !== true || isContradicted) return
      isContradicted = true
      Runtime.runFork(runtime)(Effect.logWarning(contradicted(arrival.address)))
    }
    const namesFor = (request: IncomingMessage): Guard.Names => ({ publicUrl, forwardedHost: Arrival.of(request).host })
    const isProbe = ({ method }: IncomingMessage, path: string): boolean =>
      (method === "GET" || method === "HEAD") && Object.hasOwn(probes("starting"), path)
    const take = (request: IncomingMessage, response: ServerResponse): void => {
      connections.began(request.socket, response)
      if (isStopping) response.setHeader("Connection", "close")
      if (publicUrl !== undefined) {
        const target = request.url ?? "/"
        if (PublicUrl.lacksSlash(publicUrl, target)) {
          return void response.writeHead(308, { Location: `${publicUrl.path}/`, Connection: "close" }).end()
        }
        request.url = PublicUrl.withoutPath(publicUrl, target)
      }
      const path = RequestTarget.pathOf(request.url ?? "")
      if (path === undefined) return refuse(response, oddTarget)
      const isPage = isPublic(path)
      arrive(request)
      // A spread before other keys takes 2 us.
      const rules: Guard.Rules = {
        publicUrl,
        forwardedHost: Arrival.of(request).host,
        host: options.host,
        isPage,
        hostOption: optionNames.host,
        publicUrlOption: optionNames.publicUrl
      }
      const malformed = Guard.checkRaw(request.rawHeaders)
      if (malformed !== undefined) return refuse(response, malformed)
      const refusal = Guard.check(request.headers, rules)
      if (refusal !== undefined) return takeFrom(refusal, request, response, path)
      const found = isPage ? Caller.anyone : authentication.check(request)
      if (!(found instanceof Promise)) return takeFrom(found, request, response, path)
      found.then((found) => response.destroyed ? undefined : takeFrom(found, request, response, path))
        .catch((error: unknown) => failed(response, error))
    }
    const takeFrom = (
      found: Caller.Caller | Refusal,
      request: IncomingMessage,
      response: ServerResponse,
      path: string
    ): void => {
      const isRefused = Authentication.isRefusal(found)
      if (isRefused && !isProbe(request, path)) return refuse(response, found)
      const caller = isRefused ? Caller.stranger : found
      Caller.note(request, caller)
      const sharer = sharerOf(request)
      // Where nobody tells clients from one another, each connection counts by itself.
      unread.watch(response, sharer ?? request.socket)
      if (!isRefused && !isPublic(path)) streams.letIn(request, response)
      // Sessions do that themselves: they know of later credentials of the same client.
      if (path !== "/mcp" && request.method === "GET" && caller.expiresAt !== undefined) {
        endAt(response, caller.expiresAt)
      }
      if (isStopping && Object.hasOwn(probes("stopping"), path)) unavailable("stopping")(request, response, path)
      else if (path === "/mcp" && connections.isCrowded) refuse(response, crowded)
      else if (path !== "/mcp" || sharer === undefined || takeShare(sharer, response)) handler(request, response, path)
    }
    const shares = new Shares(connections.forClients)
    const takeShare = (client: string, response: ServerResponse): boolean => {
      if (!shares.take(client)) {
        refuse(response, crowdedBy(shares.heldBy(client), shares.total))
        return false
      }
      response.on("close", () => shares.release(client))
      return true
    }
    const server = yield* HttpServer.make(tls, { maxConnections, maxHeaderBytes, times }, answer, connections)
    const { address, port } = yield* HttpServer.bind(server, options, optionNames)
    const host = Guard.unbracket(options.host)
    const name = Guard.isLoopback(host) ? host : address
    const url = `${tls === undefined ? "http" : "https"}://${name.includes(":") ? `[${name}]` : name}:${port}`
    return {
      host: options.host,
      port,
      get isAuthenticated() {
        return authentication.isNeeded
      },
      recheck: () => streams.recheck(),
      url,
      publicUrl: publicUrl?.href ?? url,
      namesFor,
      serve: (next, notice = Effect.void) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            handler = next
          }),
          () =>
            Effect.sync(() => {
              isStopping = true
            }).pipe(
              Effect.zipRight(notice),
              Effect.zipRight(Effect.sync(() => {
                handler = unavailable("stopping")
              }))
            )
        )
    }
  })
