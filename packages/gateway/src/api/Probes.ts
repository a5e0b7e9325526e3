/**
 * Endpoints for supervisors and monitoring: whether the gateway is alive, whether it is ready, and its metrics. The first two answer everybody, because
 * those who probe have no token and call the gateway by any name; but only those who may send requests learn more than yes or no.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Caller from "@mcp-lifeline/http-server/Caller"
import type * as Unavailable from "@mcp-lifeline/http-server/Unavailable"
import { Prometheus } from "@mcp-lifeline/opentelemetry"
import { Effect } from "effect"
import type { Gateway } from "./Gateway.js"
import type { GatewayStatus, Server } from "./GatewayStatus.js"
import { notAdmin, notWhole, statusFor } from "./restricted.js"
import { gatewayStatus } from "./statusOf.js"

const headers = { "cache-control": "no-store" }

type Servers = ReadonlyArray<Server>
type Problems = Partial<Pick<GatewayStatus["gateway"], "configProblem" | "authProblem" | "tokenProblem" | "audit">>

const healthOf = (status: string, servers: Servers) => ({
  status,
  backends: Object.fromEntries(
    servers.map(({ generation, name, runtimesByState, state }) => [name, { state, generation, runtimesByState }])
  )
})

const readyOf = (
  ready: boolean,
  servers: Servers,
  { audit, authProblem, configProblem, tokenProblem }: Problems = {}
) => ({
  ready,
  configProblem,
  authProblem,
  tokenProblem,
  auditProblem: audit?.problem,
  servers: Object.fromEntries(
    servers.map(({ lastError, name, runtimesByState, state }) => [
      name,
      {
        state,
        runtimesByState,
        ...(state === "Connected" || lastError === undefined ? {} : { reason: lastError.message })
      }
    ])
  )
})

const caller = Effect.map(
  HttpServerRequest.HttpServerRequest,
  (request) => Caller.of(NodeHttpServerRequest.toIncomingMessage(request))
)

/** Whether somebody asks who may only learn whether the gateway is up. */
const isStranger = Effect.map(caller, (caller) => caller === Caller.stranger)

/** The status as whoever asks may see it. */
const statusSeen = (gateway: Gateway) =>
  Effect.flatMap(
    Effect.zip(caller, gatewayStatus(gateway)),
    ([caller, status]) => statusFor(gateway, caller, status)
  )

/** Alive, with the state of each server. */
const health = (gateway: Gateway) =>
  Effect.if(isStranger, {
    onTrue: () => Effect.succeed({ status: "ok" }),
    onFalse: () => Effect.map(statusSeen(gateway), ({ servers }) => healthOf("ok", servers))
  }).pipe(Effect.map((body) => HttpServerResponse.unsafeJson(body, { headers })))

/**
 * Ready once each shared server has connected, or failed to; the answer says why servers are down. Servers of which each client has its own
 * do not count, because they start only for a client. If the gateway has refused a new version of its file, the answer says so, but the
 * gateway stays ready, because the servers continue with the old one. A gateway that cannot check access tokens of any issuer is not ready, nor is
 * one that refuses calls because it cannot record them.
 */
const ready = (gateway: Gateway) =>
  Effect.gen(function*() {
    const ready = yield* gateway.isReady
    const options = { status: ready ? 200 : 503, headers }
    if (yield* isStranger) return HttpServerResponse.unsafeJson({ ready }, options)
    const { gateway: known, servers } = yield* statusSeen(gateway)
    return HttpServerResponse.unsafeJson(readyOf(ready, servers, known), options)
  })

/**
 * The answers while the gateway starts or stops, when it knows no servers. A gateway that starts is alive, so that no supervisor kills it;
 * one that stops is not, so that it gets no new requests.
 */
export const unavailable: Unavailable.Probes = (phase) => ({
  "/health": { status: phase === "starting" ? 200 : 503, body: { status: phase }, details: healthOf(phase, []) },
  "/ready": { status: 503, body: { ready: false }, details: { ...readyOf(false, []), reason: phase } }
})

/** For admins who may use everything: the metrics are about all servers and tools. */
const metrics = (gateway: Gateway) =>
  Effect.gen(function*() {
    const asking = yield* caller
    const { isAdmin, isWhole } = gateway.rules.of(asking)
    if (!isAdmin || !isWhole) {
      const { message, status } = isAdmin ? notWhole(asking) : notAdmin(asking)
      return HttpServerResponse.unsafeJson({ error: { code: "forbidden", message } }, { status, headers })
    }
    return HttpServerResponse.text(yield* Prometheus.text, { contentType: Prometheus.contentType, headers })
  })

/** `/health`, `/ready` and `/metrics`. */
export const router = (gateway: Gateway) =>
  HttpRouter.empty.pipe(
    HttpRouter.get("/health", health(gateway)),
    HttpRouter.get("/ready", ready(gateway)),
    HttpRouter.get("/metrics", metrics(gateway))
  )
