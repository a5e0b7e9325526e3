/** `/mcp` for clients, the status page at `/`, and the routes of `http-api/Routes.ts`. */
import { anyone } from "@mcp-lifeline/http-server/Caller"
import * as Listener from "@mcp-lifeline/http-server/Listener"
import type { ListenError } from "@mcp-lifeline/http-server/ListenError"
import * as McpEndpoint from "@mcp-lifeline/http-server/McpEndpoint"
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import * as Usage from "@mcp-lifeline/http-server/Usage"
import { isPath, type PublicRedirects } from "@mcp-lifeline/sign-in/PublicRedirects"
import type { Redacted, Scope } from "effect"
import { type Duration, Effect } from "effect"
import { constVoid } from "effect/Function"
import * as AccessControl from "../access/AccessControl.js"
import * as Gateway from "../http-api/Gateway.js"
import * as OpenCalls from "../http-api/OpenCalls.js"
import * as Probes from "../http-api/Probes.js"
import * as Routes from "../http-api/Routes.js"
import * as Proof from "../instances/Proof.js"
import * as Page from "../page/Page.js"
import type { Replica } from "../replica/Replica.js"
import * as LoginPages from "../sign-in/LoginPages.js"
import * as Fibers from "../text/Fibers.js"
import * as Clients from "./Clients.js"

/** A bound address, and the page to be served there. */
export interface Bound {
  readonly listener: Listener.Listener
  readonly page: Page.Page
  /** Other pages without credentials, by their paths. */
  readonly pages?: ReadonlyMap<string, Listener.Handler> | undefined
  /** Where people log in to servers with logins of their own. */
  readonly redirects?: PublicRedirects | undefined
}

export interface Options extends Omit<Clients.Options, "seal">, Bound {
  readonly limits?: McpEndpoint.Options["limits"]
  /** Lets sessions survive a restart of this process. Default: sessions end with the process. */
  readonly sessions?: Pick<McpEndpoint.Options, "records" | "seal"> | undefined
  /** With this secret the gateway proves that it registered itself in the state folder. */
  readonly secret?: Redacted.Redacted | undefined
  /** Default: this process is alone. */
  readonly replica?: Replica | undefined
  /** How long shutdown waits for calls in flight. Default: 5 s. */
  readonly drain?: Duration.DurationInput | undefined
  /** What the API reports in addition. Default: a record that begins now. */
  readonly about?: Gateway.About | undefined
}

export interface Endpoint {
  /** The URL for a client's configuration. */
  readonly url: string
  readonly sessions: Effect.Effect<number>
  /** Ends once no client has used the endpoint for this time, in milliseconds. */
  readonly unusedFor: (millis: number) => Effect.Effect<void>
}

/** A stopped replica goes on serving while it says so to those who distribute requests. */
const notice = Effect.sleep("1 second")

/** Another replica may have what a client needs. */
const withoutLease = {
  status: 503,
  message: "This replica of the gateway reaches neither the database nor the other replicas; try again",
  headers: { "Retry-After": "1" }
}

/** Binds the address. Until `serve` runs, the listener answers that the gateway is starting. */
export const bind = (
  { pages, redirects, ...options }:
    & Pick<Listener.Options, "authentication" | "host" | "port" | "publicUrl" | "trustedProxies">
    & Pick<Bound, "pages" | "redirects">
): Effect.Effect<Bound, ListenError, Scope.Scope> =>
  Effect.gen(function*() {
    const page = yield* Page.make
    // A browser requests the page without a token, for which the page then asks. Other processes request the proof before they send one.
    const isPublic = (path: string): boolean =>
      path === Proof.path || page.has(path) || pages?.has(path) === true
      || (redirects !== undefined && isPath(path))
    return {
      page,
      pages,
      redirects,
      listener: yield* Listener.listen({
        ...options,
        isPublic,
        probes: Probes.unavailable,
        optionNames: { host: "--host", port: "--port", publicUrl: "--public-url" }
      })
    }
  })

/** Closing the scope refuses new requests, waits at most `drain` for the calls in flight, and then ends all sessions. */
export const serve = (
  { about, drain = "5 seconds", limits, listener, page, pages, redirects, replica, secret, sessions, ...options }:
    Options
): Effect.Effect<Endpoint, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { fork } = yield* Fibers.make()
    const clients = yield* Clients.make({ ...options, seal: sessions?.seal })
    const { rates, seal } = clients
    const failed = (error: unknown): void => void fork(Effect.logError("a request failed inside the gateway", error))
    const shared = yield* replica?.sessions(
      Effect.suspend(() => Effect.promise(() => endpoint.forget("this replica has lost its lease")))
    ) ?? Effect.succeed(undefined)
    const endpoint: McpEndpoint.McpEndpoint = yield* Effect.acquireRelease(
      Effect.sync(() =>
        McpEndpoint.make({
          ...sessions,
          seal,
          home: shared?.home,
          onEnded: shared?.onEnded,
          begin: clients.begin,
          hasOwnServers: (caller) => {
            // Those that nothing tells apart share a server only where there is no other.
            if (caller.subject === "" && options.isSingle !== true) return false
            const { hasServer } = (options.rules ?? AccessControl.open).of(caller)
            return options.servers.servers().some(({ id, sessions }) => sessions === "per-client" && hasServer(id))
          },
          limits,
          onError: failed
        })
      ),
      (endpoint) => Effect.promise(() => endpoint.close())
    )
    let isOpen = !listener.isAuthenticated
    const stop = options.rules?.whenChanged((removed) => {
      for (const caller of removed) endpoint.endOf(caller, `${caller.name} is no client of this gateway any more`)
      // Nobody knows who began the sessions of before.
      if (isOpen && listener.isAuthenticated) endpoint.endOf(anyone, "this gateway needs a token from now on")
      isOpen &&= !listener.isAuthenticated
      listener.recheck()
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => stop?.()))
    const alone = { handle: endpoint.handle, leave: constVoid, drained: Effect.void }
    const routes = yield* shared?.serve({ endpoint, seal }) ?? Effect.succeed(alone)
    const calls = yield* OpenCalls.make
    yield* Effect.addFinalizer(() =>
      Effect.sync(routes.leave).pipe(
        Effect.zipRight(
          Effect.all([clients.drained, routes.drained, calls.drained], { concurrency: "unbounded", discard: true })
        ),
        Effect.interruptible,
        Effect.timeoutOption(drain),
        Effect.zipRight(Effect.zip(clients.interrupt, calls.interrupt, { concurrent: true }))
      )
    )
    const mayServe = (): boolean => shared === undefined || shared.home.own() !== undefined
    const url = `${listener.publicUrl}/mcp`
    const usage = yield* Usage.make
    const { servers } = options
    const known = about ?? (yield* Gateway.about(servers))
    const canCheck = known.accessTokens?.isUsable ?? Effect.succeed(true)
    const logins = redirects && LoginPages.make(redirects, replica?.gateways)
    const answer = yield* Routes.make({
      ...known,
      servers,
      rules: options.rules ?? AccessControl.open,
      rates,
      replicas: replica?.gateways,
      url,
      clients: Effect.sync(endpoint.sessions),
      stopped: calls.stopped,
      audit: options.audit,
      logins,
      isReady: Effect.zipWith(
        clients.isReady,
        canCheck,
        (isReady, canCheck) => isReady && canCheck && mayServe() && options.audit?.refusal() === undefined
      )
    }, listener)
    yield* listener.serve((request, response, path) => {
      if (path === "/mcp") {
        usage.began(response)
        if (mayServe()) routes.handle(request, response)
        else refuse(response, withoutLease)
      } else if (path === Proof.path) {
        const proof = secret === undefined ? undefined : Proof.answer(secret, request.url ?? "")
        response.writeHead(proof === undefined ? 404 : 200, { "Content-Type": "text/plain" }).end(proof)
      } else if (logins !== undefined && isPath(path)) {
        logins.handle(request, response, path)
      } else {
        if (path === "/api/call") calls.began(response)
        const handle = page.get(path) ?? pages?.get(path) ?? answer
        handle(request, response, path)
      }
    }, replica === undefined ? Effect.void : notice)
    return { url, sessions: Effect.sync(endpoint.sessions), unusedFor: (millis) => usage.unusedFor(millis) }
  })
