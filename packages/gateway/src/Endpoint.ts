/**
 * What the gateway serves over HTTP: `/mcp`, the endpoint for clients, `/health` and `/metrics`.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { Fleet } from "@mcp-lifeline/core"
import { Prometheus } from "@mcp-lifeline/opentelemetry"
import type { Server } from "@modelcontextprotocol/sdk/server/index.js"
import type { Redacted, Scope } from "effect"
import { Deferred, Duration, Effect, Stream } from "effect"
import type { IncomingMessage } from "node:http"
import { isDeepStrictEqual } from "node:util"
import * as Calls from "./Calls.js"
import * as FleetServer from "./FleetServer.js"
import * as Guard from "./Guard.js"
import type { Listener } from "./Listener.js"
import * as Offer from "./Offer.js"
import * as Sessions from "./Sessions.js"

/** How a fleet is served. */
export interface Options {
  readonly fleet: Fleet.Fleet
  readonly listener: Listener
  /** Asked of every request, if given. */
  readonly token?: Redacted.Redacted | undefined
  readonly limits?: Sessions.Limits | undefined
  /** How long shutdown waits for calls under way. Default 5 s. */
  readonly drain?: Duration.DurationInput | undefined
}

/** An endpoint that is being served. */
export interface Endpoint {
  /** For a client's configuration. */
  readonly url: string
  readonly sessions: Effect.Effect<number>
}

const pathOf = (request: IncomingMessage): string => (request.url ?? "/").replace(/[?#].*$/s, "")

const json = (value: unknown) => HttpServerResponse.unsafeJson(value, { headers: { "cache-control": "no-store" } })

const pages = (fleet: Fleet.Fleet) =>
  HttpRouter.empty.pipe(
    HttpRouter.get(
      "/health",
      Effect.map(fleet.status, (backends) =>
        json({
          status: "ok",
          backends: Object.fromEntries(
            Object.values(backends).map(({ backend, generation, state }) => [backend, { state, generation }])
          )
        }))
    ),
    HttpRouter.get(
      "/metrics",
      Effect.map(Prometheus.text, (text) =>
        HttpServerResponse.text(text, {
          contentType: "text/plain; version=0.0.4; charset=utf-8",
          headers: { "cache-control": "no-store" }
        }))
    ),
    Effect.catchTag(
      "RouteNotFound",
      () => HttpServerResponse.text("Not found; the endpoint is /mcp\n", { status: 404 })
    )
  )

/** The kinds of which clients are told that the list has changed. */
const kinds = ["tools", "prompts", "resources"] as const

const listsOf = (catalog: Fleet.FleetCatalog, kind: (typeof kinds)[number]): ReadonlyArray<unknown> => {
  switch (kind) {
    case "tools":
      return Offer.tools(catalog)
    case "prompts":
      return values(catalog.prompts)
    case "resources":
      return [values(catalog.resources), values(catalog.resourceTemplates)]
  }
}

const values = <A>(entries: ReadonlyMap<string, Fleet.Entry<A>>): Array<A> =>
  Array.from(entries.values(), (entry) => entry.value)

/** The kinds of list that differ between two catalogues, as a client sees them: staleness is no difference. */
export const changed = (
  before: Fleet.FleetCatalog,
  after: Fleet.FleetCatalog
): ReadonlyArray<(typeof kinds)[number]> =>
  kinds.filter((kind) => !isDeepStrictEqual(listsOf(before, kind), listsOf(after, kind)))

/**
 * Serves a fleet until the scope closes. Closing lets no new request in, waits for the calls under way at most `drain`, and
 * then ends all sessions.
 */
export const serve = (
  { drain = "5 seconds", fleet, limits, listener, token }: Options
): Effect.Effect<Endpoint, never, Scope.Scope> =>
  Effect.gen(function*() {
    const calls = yield* Calls.make
    const settled = yield* Deferred.make<void>()
    yield* Effect.forkScoped(Effect.zipRight(fleet.ready, Deferred.succeed(settled, undefined)))
    const sessions = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Sessions.make(FleetServer.make({ fleet, calls, ready: Deferred.await(settled) }), calls.failed, limits)
      ),
      (sessions) => Effect.promise(() => sessions.close())
    )
    yield* tellChanges(fleet, sessions).pipe(Effect.forkScoped)
    yield* warnWithheld(fleet).pipe(Effect.forkScoped)
    yield* Effect.addFinalizer(() =>
      calls.drained.pipe(Effect.interruptible, Effect.timeoutOption(drain), Effect.zipRight(calls.interrupt))
    )
    const page = yield* NodeHttpServer.makeHandler(pages(fleet))
    const rules: Guard.Rules = { host: listener.host, token }
    yield* listener.serve((request, response) => {
      const refusal = Guard.check(request.headers, rules)
      if (refusal) {
        const headers = refusal.status === 401 ? { "WWW-Authenticate": "Bearer" } : {}
        Sessions.refuse(response, refusal.status, refusal.message, { headers })
      } else if (pathOf(request) === "/mcp") {
        sessions.handle(request, response)
      } else {
        page(request, response)
      }
    })
    return { url: `${listener.url}/mcp`, sessions: Effect.sync(sessions.size) }
  })

const tellChanges = (fleet: Fleet.Fleet, sessions: Sessions.Sessions<Server>): Effect.Effect<void> =>
  fleet.catalog.changes.pipe(
    Stream.mapAccum(
      undefined as Fleet.FleetCatalog | undefined,
      (before, after) => [after, before ? changed(before, after) : []] as const
    ),
    Stream.runForEach((differing) =>
      Effect.sync(() => {
        if (differing.length === 0) return
        sessions.forEach((server) => {
          // A session that ends at this moment needs no news.
          if (differing.includes("tools")) server.sendToolListChanged().catch(() => {})
          if (differing.includes("prompts")) server.sendPromptListChanged().catch(() => {})
          if (differing.includes("resources")) server.sendResourceListChanged().catch(() => {})
        })
      })
    )
  )

/** Says once of each tool that it is not offered. */
const warnWithheld = (fleet: Fleet.Fleet): Effect.Effect<void> =>
  fleet.catalog.changes.pipe(
    Stream.mapAccum(new Set<string>(), (warned, catalog) => {
      const names = Offer.withheld(catalog).filter((name) => !warned.has(name))
      return [names.length === 0 ? warned : new Set([...warned, ...names]), names]
    }),
    Stream.runForEach((names) =>
      Effect.forEach(names, (name) =>
        Effect.logWarning(
          `${name} is not offered: it runs only as a task, and the gateway does not pass tasks through`
        ), {
        discard: true
      })
    )
  )
