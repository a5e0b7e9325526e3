/**
 * Telemetry straight to an OTLP endpoint over HTTP, without OpenTelemetry's SDK.
 */
import * as Otlp from "@effect/opentelemetry/Otlp"
import type { HttpClient } from "@effect/platform"
import type { Telemetry } from "@mcp-lifeline/core"
import { Layer } from "effect"
import * as LifelineTelemetry from "./LifelineTelemetry.js"

/** Where to, as what, how often: the options of `@effect/opentelemetry`'s Otlp layer. */
export type Options = Parameters<typeof Otlp.layerJson>[0]

/**
 * Telemetry of backends, sent to `<baseUrl>/v1/traces`, `/v1/metrics` and `/v1/logs` as JSON. What else the program traces,
 * counts and logs with Effect goes there too. What is left is sent when the layer is closed, within `shutdownTimeout` (3 s).
 */
export const layer = (options: Options): Layer.Layer<Telemetry.Current, never, HttpClient.HttpClient> =>
  LifelineTelemetry.layer.pipe(Layer.provideMerge(Otlp.layerJson(options)))
