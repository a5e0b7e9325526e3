/**
 * Telemetry of a client or a fleet, which is loaded only if somebody asks for it: that of the option `telemetry` needs OpenTelemetry's API to be
 * installed.
 */
import { Telemetry } from "@mcp-lifeline/core"
import type { Providers } from "@mcp-lifeline/opentelemetry/providers"
import { Effect } from "effect"
import { ConfigError } from "../Errors.js"
import type { CommonOptions } from "../Options.js"
import type { TelemetryOptions } from "../TelemetryOptions.js"
import { of } from "./Outer.js"

/** Reports everything that an effect makes. */
type Measure = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Returns a function that reports everything that an effect makes to the providers of the options, or to the program that the facade is in.
 * None, if there is neither. Rejects with ConfigError if OpenTelemetry's API is not installed.
 */
export const withTelemetry = (name: string, options: CommonOptions): Promise<Measure> | undefined => {
  const outer = of(options).telemetry
  if (options.telemetry !== undefined) return load(name, options.telemetry).then(measure)
  return outer && import("./OuterTelemetry.js").then(({ make }) => measure(make(outer)))
}

const measure = (telemetry: Telemetry.Telemetry): Measure => (effect) =>
  Effect.provideService(effect, Telemetry.Current, telemetry)

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
