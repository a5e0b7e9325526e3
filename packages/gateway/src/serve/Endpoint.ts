/**
 * What the gateway serves over HTTP: `/mcp`, the endpoint for clients, the status page at `/`, and beside them what `api/Routes.ts`
 * has.
 */
import type { Redacted, Scope } from "effect"
import { type Duration, Effect, Runtime } from "effect"
import type { IncomingMessage } from "node:http"
import * as Gateway from "../api/Gateway.js"
import * as Routes from "../api/Routes.js"
import * as Guard from "../http/Guard.js"
import type { Listener } from "../http/Listener.js"
import { refuse } from "../http/Refusal.js"
import * as Requests from "../http/Requests.js"
import * as Usage from "../http/Usage.js"
import * as Page from "../page/Page.js"
import * as Clients from "./Clients.js"

/** What is served, and how. */
export interface Options extends Clients.Options {
  readonly listener: Listener
  /** Asked of every request, if given. */
  readonly token?: Redacted.Redacted | undefined
  readonly limits?: Requests.Options["limits"]
  /** What lets sessions outlive this process; without it they end with it. */
  readonly sessions?: Pick<Requests.Options, "records" | "seal"> | undefined
  /** How long shutdown waits for calls under way. Default 5 s. */
  readonly drain?: Duration.DurationInput | undefined
  /** What the API knows beside the fleet. Default: a record that begins now. */
  readonly about?: Gateway.About | undefined
}

/** An endpoint that is being served. */
export interface Endpoint {
  /** For a client's configuration. */
  readonly url: string
  readonly sessions: Effect.Effect<number>
  /** Ends once no client has used it for so long, in milliseconds. */
  readonly unusedFor: (millis: number) => Effect.Effect<void>
}

const pathOf = (request: IncomingMessage): string => (request.url ?? "/").replace(/[?#].*$/s, "")

/**
 * Serves the servers until the scope closes. Closing lets no new request in, waits for the calls under way at most `drain`, and
 * then ends all sessions.
 */
export const serve = (
  { about, drain = "5 seconds", limits, listener, sessions, token, ...options }: Options
): Effect.Effect<Endpoint, never, Scope.Scope> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const clients = yield* Clients.make(options)
    const failed = (error: unknown): void =>
      void Runtime.runFork(runtime)(Effect.logError("a request failed inside the gateway", error))
    const requests = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Requests.make({
          ...sessions,
          begin: clients.begin,
          limits,
          hasToken: token !== undefined,
          onError: failed
        })
      ),
      (requests) => Effect.promise(() => requests.close())
    )
    yield* Effect.addFinalizer(() =>
      clients.drained.pipe(Effect.interruptible, Effect.timeoutOption(drain), Effect.zipRight(clients.interrupt))
    )
    const url = `${listener.url}/mcp`
    const usage = yield* Usage.make
    const page = yield* Page.make
    const { fleet } = options.servers
    const answer = yield* Routes.make({
      ...(about ?? (yield* Gateway.about(fleet))),
      fleet,
      own: options.servers.own,
      url,
      clients: Effect.sync(requests.sessions),
      isReady: clients.isReady
    })
    const rules: Guard.Rules = { host: listener.host, token }
    yield* listener.serve((request, response) => {
      const path = pathOf(request)
      const file = page.at(path)
      // A browser sends no token when it asks for a page, which then asks its user for it.
      const refusal = Guard.check(request.headers, file === undefined ? rules : { ...rules, token: undefined })
      if (refusal) {
        const headers = refusal.status === 401 ? { "WWW-Authenticate": "Bearer" } : {}
        refuse(response, { ...refusal, headers })
      } else if (path === "/mcp") {
        usage.began(response)
        requests.handle(request, response)
      } else {
        const handle = file ?? answer
        handle(request, response)
      }
    })
    return { url, sessions: Effect.sync(requests.sessions), unusedFor: (millis) => usage.unusedFor(millis) }
  })
