/** Make it once, and provide it to the layers of backends and fleets. */
import { Telemetry } from "@mcp-lifeline/core"
import { Effect, Layer } from "effect"
import { BackendObserver } from "./BackendObserver.js"
import { BoundedNames } from "./BoundedNames.js"
import { HealthScores } from "./HealthScores.js"
import * as Meter from "./Meter.js"
import * as Spans from "./Spans.js"
import { current } from "./Tracing.js"

/** With the caller's spans and meter. Without spans there are only metrics. */
export const from = (spans: Spans.Spans | undefined, meter: Meter.Meter): Telemetry.Telemetry => {
  const [names, scores] = [new BoundedNames(), new HealthScores(meter)]
  return { observe: (backend) => new BackendObserver(backend, spans ?? Spans.none, meter, names, scores) }
}

/** Uses the tracer in the environment and Effect's metric registry. Without a tracer there are only metrics, and requests are sent unchanged. */
export const make: Effect.Effect<Telemetry.Telemetry> = Effect.map(current, (spans) => from(spans, Meter.registry()))

/**
 * Records spans and metrics of every backend and fleet to which you provide this layer. It sends spans to the tracer that you provide to
 * it (`NodeSdk.layer` or `Otlp.layerJson` of `@effect/opentelemetry`, or any other). It records metrics in Effect's registry, which these
 * layers export, and which `Prometheus.text` renders.
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
