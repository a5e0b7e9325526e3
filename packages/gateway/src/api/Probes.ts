/**
 * Endpoints for supervisors and monitoring: whether the gateway is alive, whether it is ready, and its metrics.
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as Unavailable from "@mcp-lifeline/http-server/Unavailable"
import { Prometheus } from "@mcp-lifeline/opentelemetry"
import { Effect } from "effect"
import type { Gateway } from "./Gateway.js"
import type { GatewayStatus, Server } from "./GatewayStatus.js"
import { gatewayStatus } from "./statusOf.js"

const headers = { "cache-control": "no-store" }

type Servers = ReadonlyArray<Server>
type Problems = Partial<Pick<GatewayStatus["gateway"], "configProblem" | "authProblem">>

const healthOf = (status: string, servers: Servers) => ({
  status,
  backends: Object.fromEntries(
    servers.map(({ generation, name, runtimesByState, state }) => [name, { state, generation, runtimesByState }])
  )
})

const readyOf = (ready: boolean, servers: Servers, { authProblem, configProblem }: Problems = {}) => ({
  ready,
  configProblem,
  authProblem,
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

/** Alive, with the state of each server. */
const health = (gateway: Gateway) =>
  Effect.map(
    gatewayStatus(gateway),
    ({ servers }) => HttpServerResponse.unsafeJson(healthOf("ok", servers), { headers })
  )

/**
 * Ready once each shared server has connected, or failed to; the answer says why servers are down. Servers of which each client has its own
 * do not count, because they start only for a client. If the gateway has refused a new version of its file, the answer says so, but the
 * gateway stays ready, because the servers continue with the old one. A gateway that cannot check access tokens of any issuer is not ready.
 */
const ready = (gateway: Gateway) =>
  Effect.zipWith(
    gateway.isReady,
    gatewayStatus(gateway),
    (ready, { gateway, servers }) =>
      HttpServerResponse.unsafeJson(readyOf(ready, servers, gateway), { status: ready ? 200 : 503, headers })
  )

/**
 * The answers while the gateway starts or stops, when it knows no servers. A gateway that starts is alive, so that no supervisor kills it;
 * one that stops is not, so that it gets no new requests.
 */
export const unavailable: Unavailable.Probes = (phase) => ({
  "/health": { status: phase === "starting" ? 200 : 503, body: healthOf(phase, []) },
  "/ready": { status: 503, body: { ...readyOf(false, []), reason: phase } }
})

const metrics = Effect.map(
  Prometheus.text,
  (text) => HttpServerResponse.text(text, { contentType: Prometheus.contentType, headers })
)

/** `/health`, `/ready` and `/metrics`. */
export const router = (gateway: Gateway) =>
  HttpRouter.empty.pipe(
    HttpRouter.get("/health", health(gateway)),
    HttpRouter.get("/ready", ready(gateway)),
    HttpRouter.get("/metrics", metrics)
  )
