/**
 * What a supervisor asks of the gateway: whether it is alive, whether it is ready, and its metrics.
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { Status } from "@mcp-lifeline/core"
import { Prometheus } from "@mcp-lifeline/opentelemetry"
import { Effect } from "effect"
import type * as Unavailable from "../http/Unavailable.js"
import { clean } from "../Text.js"
import type { Gateway } from "./Gateway.js"

const headers = { "cache-control": "no-store" }

type Statuses = Readonly<Record<string, Status>>

const healthOf = (status: string, statuses: Statuses) => ({
  status,
  backends: Object.fromEntries(
    Object.values(statuses).map(({ backend, generation, state }) => [backend, { state, generation }])
  )
})

const readyOf = (ready: boolean, statuses: Statuses) => ({
  ready,
  servers: Object.fromEntries(
    Object.values(statuses).map(({ backend, lastError, state }) => [
      backend,
      { state, ...(state === "Connected" || lastError === undefined ? {} : { reason: clean(lastError) }) }
    ])
  )
})

/** Alive, with the state of each server. */
const health = ({ fleet }: Gateway) =>
  Effect.map(fleet.status, (statuses) => HttpServerResponse.unsafeJson(healthOf("ok", statuses), { headers }))

/** Ready once each server is up or has had its first try; and why those that are not up are not. */
const ready = ({ fleet, isReady }: Gateway) =>
  Effect.zipWith(
    isReady,
    fleet.status,
    (ready, statuses) => HttpServerResponse.unsafeJson(readyOf(ready, statuses), { status: ready ? 200 : 503, headers })
  )

/**
 * The same while the gateway starts or stops, and knows no server. One that starts is alive, so that no supervisor kills it; one that
 * stops is to be found by nobody any more.
 */
export const unavailable: Unavailable.Probes = (phase) => ({
  "/health": { status: phase === "starting" ? 200 : 503, body: healthOf(phase, {}) },
  "/ready": { status: 503, body: { ...readyOf(false, {}), reason: phase } }
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
