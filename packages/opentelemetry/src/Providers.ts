/** A tracer provider and a meter provider of any SDK. */
import { Telemetry } from "@mcp-lifeline/core"
import type { Counter, Gauge, Histogram, MeterProvider, TracerProvider, UpDownCounter } from "@opentelemetry/api"
import { Layer } from "effect"
import * as LifelineTelemetry from "./LifelineTelemetry.js"
import type { Attributes, Meter } from "./Meter.js"
import type { Definition } from "./Names.js"
import * as OtelSpan from "./OtelSpan.js"
import * as Spans from "./Spans.js"

/** Without a provider, its kind of telemetry is not recorded. */
export interface Providers {
  readonly tracerProvider?: TracerProvider | undefined
  readonly meterProvider?: MeterProvider | undefined
}

/** The instrumentation scope. */
const scope = "@mcp-lifeline/opentelemetry"

/** The span of a call is a child of the span that is active where the program makes the call. */
export const make = ({ meterProvider, tracerProvider }: Providers): Telemetry.Telemetry =>
  LifelineTelemetry.from(
    tracerProvider === undefined ? Spans.none : OtelSpan.spans(tracerProvider.getTracer(scope)),
    meterProvider === undefined ? silent : meterOf(meterProvider)
  )

export const layer = (providers: Providers): Layer.Layer<Telemetry.Current> =>
  Layer.sync(Telemetry.Current, () => make(providers))

const silent: Meter = { readsRegistry: true, record: () => {}, series: () => () => {} }

const meterOf = (provider: MeterProvider): Meter => {
  const meter = provider.getMeter(scope)
  const known = new Map<Definition, (value: number, attributes: Record<string, string | number>) => void>()
  const instrument = (definition: Definition): Counter | UpDownCounter | Gauge | Histogram => {
    const { boundaries, description, kind, name, unit } = definition
    switch (kind) {
      case "counter":
        return meter.createCounter(name, { description, unit })
      case "upDownCounter":
        return meter.createUpDownCounter(name, { description, unit })
      case "gauge":
        return meter.createGauge(name, { description, unit })
      case "histogram":
        return meter.createHistogram(name, {
          description,
          unit,
          ...(boundaries === undefined ? {} : { advice: { explicitBucketBoundaries: [...boundaries] } })
        })
    }
  }
  const recorder = (definition: Definition) => {
    const found = known.get(definition)
    if (found !== undefined) return found
    const made = instrument(definition)
    const record = (value: number, attributes: Record<string, string | number>) =>
      "record" in made ? made.record(value, attributes) : made.add(value, attributes)
    known.set(definition, record)
    return record
  }
  return {
    readsRegistry: false,
    record: (definition, value, attributes) => recorder(definition)(value, present(attributes)),
    series: (definition, attributes) => {
      const [record, given] = [recorder(definition), present(attributes)]
      return (value) => record(value, given)
    }
  }
}

const present = (attributes: Attributes): Record<string, string | number> => {
  const made: Record<string, string | number> = {}
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made[key] = value
  return made
}
