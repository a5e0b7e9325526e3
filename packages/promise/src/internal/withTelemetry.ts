/**
 * Telemetry of a client or a fleet, which is loaded only if somebody asks for it.
 */
import { Telemetry } from "@mcp-lifeline/core"
import type { Providers } from "@mcp-lifeline/opentelemetry/providers"
import { Effect } from "effect"
import type { CommonOptions } from "../Options.js"
import { of } from "./Outer.js"

/** Reports everything that an effect makes. */
type Measure = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Returns a function that reports everything that an effect makes to the providers of the options, or to the program that the facade is in.
 * None, if there is neither.
 */
export const withTelemetry = (options: CommonOptions): Promise<Measure> | undefined => {
  const { telemetry } = options
  if (telemetry !== undefined) {
    return import("@mcp-lifeline/opentelemetry/providers").then(({ make }) => measure(make(telemetry as Providers)))
  }
  const outer = of(options).telemetry
  return outer && import("./OuterTelemetry.js").then(({ make }) => measure(make(outer)))
}

const measure = (telemetry: Telemetry.Telemetry): Measure => (effect) =>
  Effect.provideService(effect, Telemetry.Current, telemetry)
