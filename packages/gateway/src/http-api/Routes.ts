import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { mebibytes } from "@mcp-lifeline/core/text"
import * as Body from "@mcp-lifeline/http-server/Body"
import * as Caller from "@mcp-lifeline/http-server/Caller"
import * as Guard from "@mcp-lifeline/http-server/Guard"
import type { Handler, Listener } from "@mcp-lifeline/http-server/Listener"
import type { Refusal } from "@mcp-lifeline/http-server/Refusal"
import { Shares } from "@mcp-lifeline/protocol"
import { Cause, Context, Effect, Layer, Option, Predicate } from "effect"
import type { Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Fibers from "../text/Fibers.js"
import { clean } from "../text/Text.js"
import { openApiDocument } from "./Api.js"
import * as ClusterOperations from "./ClusterOperations.js"
import type { Gateway } from "./Gateway.js"
import * as Handlers from "./Handlers.js"
import * as Operations from "./Operations.js"
import * as Probes from "./Probes.js"
import * as Restricted from "./restricted.js"

/** In bytes. */
const maxBody = mebibytes(16)
/** Of all bodies that are being received, in bytes. */
const maxBodies = 4 * maxBody

const failure = (status: number, code: string, message: string) =>
  HttpServerResponse.unsafeJson({ error: { code, message } }, { status, headers: { "cache-control": "no-store" } })

const codes: Readonly<Record<number, string>> = {
  400: "bad_request",
  403: "forbidden",
  413: "too_large",
  503: "too_many"
}

const refuseRequest = (
  response: ServerResponse,
  { headers, isRead = false, message, status }: Pick<Refusal, "status" | "message" | "headers" | "isRead">
): void => {
  if (response.headersSent) return void response.destroy()
  response.writeHead(status, {
    ...headers,
    "Content-Type": "application/json",
    ...(isRead ? {} : { Connection: "close" })
  })
  response.end(JSON.stringify({ error: { code: codes[status] ?? "internal_error", message } }))
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0"

const maxIssues = 3

const explain = (issues: unknown): string => {
  const all = (Array.isArray(issues) ? issues : []).filter(Predicate.isRecord).map(({ message, path }) => ({
    path: Array.isArray(path) ? path.map(String).join(".") : "",
    message: String(message)
  }))
  // An optional field may be undefined: that says nothing to a caller who has given it.
  const isOther = ({ message, path }: (typeof all)[number]): boolean =>
    message.startsWith("Expected undefined, ") && all.some((one) => one.path === path && one.message !== message)
  return all.filter((one) => !isOther(one)).slice(0, maxIssues)
    .map(({ message, path }) => clean(`${path === "" ? "" : `${path}: `}${message}`).slice(0, 500))
    .join("; ")
}

/** To the API's error format; none for errors that are not the library's. */
const refuse = (error: unknown): Option.Option<HttpServerResponse.HttpServerResponse> => {
  if (!Predicate.hasProperty(error, "_tag")) return Option.none()
  switch (error._tag) {
    case "HttpApiDecodeError":
      return Option.some(failure(400, "bad_request", explain(Reflect.get(error, "issues"))))
    case "RequestError":
      return Option.some(failure(400, "bad_request", "the body is not JSON"))
    case "RouteNotFound":
      return Option.some(failure(404, "not_found", "there is no such thing in the API; see /api/openapi.json"))
    default:
      return Option.none()
  }
}

const api = (gateway: Gateway, operations: Operations.Operations) =>
  Effect.gen(function*() {
    const services = Layer.mergeAll(Handlers.layer(gateway, operations), NodeHttpServer.layerContext).pipe(
      Layer.provideMerge(HttpApiBuilder.Router.Live),
      Layer.provideMerge(HttpApiBuilder.Middleware.layer)
    )
    const context = yield* Layer.build(services)
    // Runs before the library answers with errors in its own format.
    yield* Context.get(context, HttpApiBuilder.Middleware).add((app) =>
      Effect.catchSomeCause(app, (cause) => Option.map(refuse(Cause.squash(cause)), Effect.succeed))
    )
    const app = yield* Effect.provide(HttpApiBuilder.httpApp, context)
    return Effect.catchAllCause(Effect.provide(app, context), (cause) =>
      Cause.isInterruptedOnly(cause) ? Effect.failCause(cause) : Effect.as(
        // Not for the client: the cause may contain anything.
        Effect.logError("a request to the API failed inside the gateway", cause),
        failure(500, "internal_error", "internal error of the gateway; its log has more")
      ))
  })

/** A login at a server that the caller may use: that changes nothing for others. */
const isOwnLogin = ({ personalSignIns, rules }: Gateway, caller: Caller.Caller, path: string): boolean => {
  const [, encoded] = /^\/api\/servers\/([^/]+)\/login$/.exec(path) ?? []
  if (encoded === undefined || caller.subject === "") return false
  try {
    const name = decodeURIComponent(encoded)
    return rules.of(caller).hasServer(name) && personalSignIns?.(name) !== undefined
  } catch {
    return false
  }
}

const handler = (
  gateway: Gateway,
  operations: Operations.Operations,
  listener: Pick<Listener, "isAuthenticated" | "namesFor">
): Effect.Effect<Handler, never, Scope.Scope> =>
  Effect.gen(function*() {
    const document = HttpServerResponse.unsafeJson(openApiDocument())
    const app = Probes.router(gateway).pipe(
      HttpRouter.get("/api/openapi.json", document),
      HttpRouter.all("/api/*", yield* api(gateway, operations)),
      Effect.catchTag(
        "RouteNotFound",
        () => HttpServerResponse.text("Not found; the endpoint is /mcp\n", { status: 404 })
      )
    )
    const handle = yield* NodeHttpServer.makeHandler(app)
    const { fork } = yield* Fibers.make()
    const bodies = new Shares(maxBodies)
    const handleBody = (request: IncomingMessage, response: ServerResponse, body: Body.Whole): void => {
      try {
        if (body._tag === "Whole") handle(Body.returned(request, body.bytes), response)
        else refuseRequest(response, body.refusal)
      } catch (error) {
        // An exception here would end the program.
        fork(Effect.logError("a request to the API failed inside the gateway", error))
        refuseRequest(response, { status: 500, message: "internal error of the gateway; its log has more" })
      }
    }
    return (request, response, path) => {
      const caller = Caller.of(request)
      const isAction = request.method !== "GET" && request.method !== "HEAD"
      // What a caller may call is looked up later.
      const isForAdmins = isAction && path !== "/api/call" && !isOwnLogin(gateway, caller, path)
      const refusal = isForAdmins && !gateway.rules.of(caller).isAdmin
        ? Restricted.notAdmin(caller)
        : request.method === "GET"
        ? undefined
        : Guard.checkAction(request.headers, listener.isAuthenticated, listener.namesFor(request))
      if (refusal !== undefined) return refuseRequest(response, refusal)
      if (!hasBody(request)) return handle(request, response)
      Body.readBytes(request, maxBody, (body) => handleBody(request, response, body), Body.roomFor(bodies, request))
    }
  })

/**
 * The listener has already checked credentials, if requests need them; this also checks requests that change something. In a cluster, also answers
 * the other replicas, for this one alone.
 */
export const make = (
  gateway: Gateway,
  listener: Pick<Listener, "isAuthenticated" | "namesFor">
): Effect.Effect<Handler, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { replicas } = gateway
    const alone = Operations.make(gateway)
    if (replicas === undefined) return yield* handler(gateway, alone, listener)
    const answer = yield* handler(gateway, alone, { isAuthenticated: false, namesFor: () => ({}) })
    yield* replicas.answer((request, response, path) => {
      if (gateway.logins?.handlePassed(request, response, path) !== true) answer(request, response, path)
    })
    return yield* handler(gateway, yield* ClusterOperations.make(gateway, replicas), listener)
  })
