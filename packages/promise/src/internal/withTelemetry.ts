/**
 * Telemetry of a client or a fleet. Loaded only if the option `telemetry` is given, because it needs OpenTelemetry's API to be installed.
 */
import { Telemetry } from "@mcp-lifeline/core"
import type { Providers } from "@mcp-lifeline/opentelemetry/providers"
import { Effect } from "effect"
import { ConfigError } from "../Errors.js"
import type { TelemetryOptions } from "../TelemetryOptions.js"

/**
 * Returns a function that reports everything that an effect makes to the providers of the options. Rejects with ConfigError if OpenTelemetry's
 * API is not installed.
 */
export const withTelemetry = async (
  name: string,
  options: TelemetryOptions
): Promise<<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>> => {
  const telemetry = await load(name, options)
  return (effect) => Effect.provideService(effect, Telemetry.Current, telemetry)
}

const load = async (name: string, options: TelemetryOptions): Promise<Telemetry.Telemetry> => {
  const { make } = await import("@mcp-lifeline/opentelemetry/providers").catch((cause: unknown) => {
    throw new ConfigError({
      backend: name,
      field: "telemetry",
      message: `${name}: telemetry needs the package @opentelemetry/api, which cannot be loaded; install it`,
      cause
    })
  })
  return make(options as Providers)
}
