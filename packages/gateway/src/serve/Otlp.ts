/** Loaded only if OpenTelemetry's variables name an endpoint. */
import * as OtlpLogger from "@effect/opentelemetry/OtlpLogger"
import * as OtlpMetrics from "@effect/opentelemetry/OtlpMetrics"
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as OtlpTracer from "@effect/opentelemetry/OtlpTracer"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { Layer } from "effect"
import { version } from "../text/Version.js"
import { endpointOf, type Signal } from "./otlpEndpoint.js"

/** `name=value,name=value` with percent-encoded values. */
const headersOf = (text: string | undefined): Record<string, string> =>
  Object.fromEntries(
    (text ?? "").split(",").flatMap((pair) => {
      const at = pair.indexOf("=")
      if (at <= 0) return []
      const value = pair.slice(at + 1).trim()
      try {
        return [[pair.slice(0, at).trim(), decodeURIComponent(value)]]
      } catch {
        return [[pair.slice(0, at).trim(), value]]
      }
    })
  )

const millis = (text: string | undefined): number | undefined => Number(text) > 0 ? Number(text) : undefined

/** For the signals that have an endpoint. `instance`: which of several processes this is, unless the variables say so. */
export const layer = (env: NodeJS.ProcessEnv, instance?: string): Layer.Layer<never> => {
  const isInstanceNamed = /(^|,)\s*service\.instance\.id=/.test(env["OTEL_RESOURCE_ATTRIBUTES"] ?? "")
  const isNamed = env["OTEL_SERVICE_NAME"] || /(^|,)\s*service\.name=/.test(env["OTEL_RESOURCE_ATTRIBUTES"] ?? "")
  // The library reads the variables itself for what is not set here.
  const resource = {
    ...(isNamed ? {} : { serviceName: "mcp-lifeline" }),
    serviceVersion: version,
    ...(instance === undefined || isInstanceNamed ? {} : { attributes: { "service.instance.id": instance } })
  }
  const optionsOf = (signal: Signal) => {
    const url = endpointOf(signal, env)
    const own = env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_HEADERS`]
    const headers = { ...headersOf(env["OTEL_EXPORTER_OTLP_HEADERS"]), ...headersOf(own) }
    return url === undefined ? undefined : { url, headers, resource }
  }
  const [traces, metrics, logs] = [optionsOf("traces"), optionsOf("metrics"), optionsOf("logs")]
  return Layer.mergeAll(
    traces === undefined
      ? Layer.empty
      : OtlpTracer.layer({ ...traces, exportInterval: millis(env["OTEL_BSP_SCHEDULE_DELAY"]) }),
    metrics === undefined
      ? Layer.empty
      : OtlpMetrics.layer({ ...metrics, exportInterval: millis(env["OTEL_METRIC_EXPORT_INTERVAL"]) }),
    logs === undefined ? Layer.empty : OtlpLogger.layer(logs)
  ).pipe(
    Layer.provide(
      env["OTEL_EXPORTER_OTLP_PROTOCOL"] === "http/json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf
    ),
    Layer.provide(FetchHttpClient.layer)
  )
}
