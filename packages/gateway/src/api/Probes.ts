/**
 * What a supervisor asks of the gateway: whether it is alive, whether it is ready, and its metrics.
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Prometheus } from "@mcp-lifeline/opentelemetry"
import { Effect } from "effect"
import { clean } from "../Text.js"
import type { Gateway } from "./Gateway.js"

const headers = { "cache-control": "no-store" }

/** Alive, with the state of each server. */
const health = ({ fleet }: Gateway) =>
  Effect.map(fleet.status, (statuses) =>
    HttpServerResponse.unsafeJson({
      status: "ok",
      backends: Object.fromEntries(
        Object.values(statuses).map(({ backend, generation, state }) => [backend, { state, generation }])
      )
    }, { headers }))

/** Ready once each server is up or has had its first try; and why those that are not up are not. */
const ready = ({ fleet, isReady }: Gateway) =>
  Effect.zipWith(isReady, fleet.status, (ready, statuses) =>
    HttpServerResponse.unsafeJson({
      ready,
      servers: Object.fromEntries(
        Object.values(statuses).map(({ backend, lastError, state }) => [
          backend,
          { state, ...(state === "Connected" || lastError === undefined ? {} : { reason: clean(lastError) }) }
        ])
      )
    }, { status: ready ? 200 : 503, headers }))

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
