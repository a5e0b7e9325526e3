/**
 * `/health` and `/ready` answer everybody, because those who probe have no token; but only those who may send requests learn more than yes or no.
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
      { state, runtimesByState, reason: state === "Connected" ? undefined : lastError?.message }
    ])
  )
})

const caller = Effect.map(
  HttpServerRequest.HttpServerRequest,
  (request) => Caller.of(NodeHttpServerRequest.toIncomingMessage(request))
)

const isStranger = Effect.map(caller, (caller) => caller === Caller.stranger)

const statusSeen = (gateway: Gateway) =>
  Effect.flatMap(
    Effect.zip(caller, gatewayStatus(gateway)),
    ([caller, status]) => statusFor(gateway, caller, status)
  )

const health = (gateway: Gateway) =>
  Effect.if(isStranger, {
    onTrue: () => Effect.succeed({ status: "ok" }),
    onFalse: () => Effect.map(statusSeen(gateway), ({ servers }) => healthOf("ok", servers))
  }).pipe(Effect.map((body) => HttpServerResponse.unsafeJson(body, { headers })))

/**
 * Ready once each shared server has connected, or failed to. Per-client servers do not count, because they start only for a client. A refused new
 * version of the file does not count either: the servers continue with the old one. Not ready: a gateway that cannot check access tokens of any issuer,
 * or refuses calls because it cannot record them.
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
 * While the gateway knows no servers. One that starts is alive, so that no supervisor kills it; one that stops is not, so that it gets no new requests.
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

export const router = (gateway: Gateway) =>
  HttpRouter.empty.pipe(
    HttpRouter.get("/health", health(gateway)),
    HttpRouter.get("/ready", ready(gateway)),
    HttpRouter.get("/metrics", metrics(gateway))
  )
