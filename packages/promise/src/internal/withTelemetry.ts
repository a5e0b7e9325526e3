import { Telemetry } from "@mcp-lifeline/core"
import type { Providers } from "@mcp-lifeline/opentelemetry/providers"
import { Effect } from "effect"
import type { CommonOptions } from "../Options.js"
import { of } from "./Outer.js"

type Measure = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Loaded only if asked for: telemetry to the options' providers, or to the outer program. Undefined without either. */
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
