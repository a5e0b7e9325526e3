/** Without OpenTelemetry's SDK. */
import * as Otlp from "@effect/opentelemetry/Otlp"
import type { HttpClient } from "@effect/platform"
import type { Telemetry } from "@mcp-lifeline/core"
import { Layer } from "effect"
import * as LifelineTelemetry from "./LifelineTelemetry.js"

/** Of `@effect/opentelemetry`'s Otlp layer: the endpoint, the resource, the intervals. */
export type Options = Parameters<typeof Otlp.layerJson>[0]

/**
 * Sends the telemetry of backends to `<baseUrl>/v1/traces`, `/v1/metrics` and `/v1/logs` as JSON, together with all other spans, metrics
 * and logs that the program makes with Effect. When the layer is closed, it sends what is left, within `shutdownTimeout` (3 s).
 */
export const layer = (options: Options): Layer.Layer<Telemetry.Current, never, HttpClient.HttpClient> =>
  LifelineTelemetry.layer.pipe(Layer.provideMerge(Otlp.layerJson(options)))
