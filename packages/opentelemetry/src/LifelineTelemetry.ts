/**
 * Telemetry for backends: made once, provided where backends and fleets are made.
 */
import { Telemetry } from "@mcp-lifeline/core"
import { Effect, Layer } from "effect"
import { BackendObserver } from "./BackendObserver.js"
import * as Meter from "./Meter.js"
import type * as Spans from "./Spans.js"
import { current } from "./Tracing.js"

/** Telemetry with spans and metrics that go where the caller says. */
export const from = (spans: Spans.Spans, meter: Meter.Meter): Telemetry.Telemetry => {
  const names = new Set<string>()
  return { observe: (backend) => new BackendObserver(backend, spans, meter, names) }
}

/**
 * Telemetry through the tracer that is provided, and Effect's metric registry. Where no tracer is provided there are metrics
 * only: no spans, and nothing is added to requests.
 */
export const make: Effect.Effect<Telemetry.Telemetry> = Effect.map(current, (spans) => from(spans, Meter.registry()))

/**
 * Spans and metrics of every backend and fleet that is made where this is provided. Spans go to the tracer under it, if any
 * (`NodeSdk.layer` or `Otlp.layerJson` of `@effect/opentelemetry`, or any other), metrics to Effect's registry, which those
 * export and `Prometheus.text` renders.
 *
 * @example
 * import { NodeSdk } from "@effect/opentelemetry"
 * import { Fleet } from "@mcp-lifeline/core"
 * import { LifelineTelemetry } from "@mcp-lifeline/opentelemetry"
 * import { BatchSpanProcessor, ConsoleSpanExporter } from "@opentelemetry/sdk-trace-base"
 * import { Layer } from "effect"
 *
 * const Sdk = NodeSdk.layer(() => ({
 *   resource: { serviceName: "agent" },
 *   spanProcessor: new BatchSpanProcessor(new ConsoleSpanExporter())
 * }))
 *
 * export const FleetLive = Fleet.layer({ backends: {} }).pipe(
 *   Layer.provide(LifelineTelemetry.layer),
 *   Layer.provideMerge(Sdk)
 * )
 */
export const layer: Layer.Layer<Telemetry.Current> = Layer.effect(Telemetry.Current, make)
