/**
 * Telemetry of what a client or a fleet makes. Loaded only where it is asked for: it needs a package that others do not have.
 */
import { Telemetry } from "@mcp-lifeline/core"
import type { Providers } from "@mcp-lifeline/opentelemetry/providers"
import { Effect } from "effect"
import { ConfigError } from "../Errors.js"
import type { TelemetryOptions } from "../Options.js"

/** Has everything measured that an effect makes. Throws ConfigError where OpenTelemetry's API is not installed. */
export const measured = async (
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
