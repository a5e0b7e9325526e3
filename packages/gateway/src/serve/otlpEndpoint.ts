import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"

export type Signal = "traces" | "metrics" | "logs"

const signals: ReadonlyArray<Signal> = ["traces", "metrics", "logs"]

const nonEmpty = (value: string | undefined): string | undefined => value === "" ? undefined : value

/** `undefined` if the signal is not sent. */
export const endpointOf = (signal: Signal, env: NodeJS.ProcessEnv): string | undefined => {
  const name = signal.toUpperCase()
  if (env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || env[`OTEL_${name}_EXPORTER`] === "none") return undefined
  const base = nonEmpty(env["OTEL_EXPORTER_OTLP_ENDPOINT"])
  return nonEmpty(env[`OTEL_EXPORTER_OTLP_${name}_ENDPOINT`]) ??
    (base === undefined ? undefined : `${base.replace(/(?<!\/)\/+$/, "")}/v1/${signal}`)
}

export const isEnabled = (env: NodeJS.ProcessEnv): boolean =>
  signals.some((signal) => endpointOf(signal, env) !== undefined)

/** For the user; `undefined` if nothing is wrong. */
export const problem = (env: NodeJS.ProcessEnv): string | undefined => {
  const bad = signals.map((signal) => endpointOf(signal, env)).find((url) =>
    url !== undefined && !(/^https?:\/\//i.test(url) && parseUrl(url) !== undefined)
  )
  if (bad !== undefined) return "an endpoint in OTEL_EXPORTER_OTLP_ENDPOINT is not an address; write http://HOST:4318"
  return env["OTEL_EXPORTER_OTLP_PROTOCOL"] === "grpc"
    ? "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, which is not supported; set it to http/protobuf, with the port for HTTP (4318)"
    : undefined
}
