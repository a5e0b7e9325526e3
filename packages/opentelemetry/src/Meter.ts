/**
 * Who keeps metrics: Effect's registry here, an OpenTelemetry meter in `Providers`.
 */
import { Metric, MetricBoundaries, MetricLabel } from "effect"
import type { Definition } from "./Names.js"

/** Attributes of a measurement or a span; what is `undefined` is left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>

/** Keeps metrics. Synchronous; does not throw. */
export interface Meter {
  readonly record: (metric: Definition, value: number, attributes: Attributes) => void
  /** Whether the core's own metrics of keepalive reach it already. */
  readonly readsRegistry: boolean
}

/** A metric of whatever type. */
interface Updatable {
  readonly unsafeUpdate: (value: number, labels: ReadonlyArray<MetricLabel.MetricLabel>) => void
}

/** Effect's registry: what `Prometheus.text` and the exporters of `@effect/opentelemetry` read. */
export const registry = (): Meter => {
  const known = new Map<Definition, Updatable>()
  const metricOf = (definition: Definition) => {
    const metric = known.get(definition) ?? make(definition)
    known.set(definition, metric)
    return metric
  }
  return {
    readsRegistry: true,
    record: (definition, value, attributes) => metricOf(definition).unsafeUpdate(value, labels(attributes))
  }
}

/** The exporters of `@effect/opentelemetry` read the unit from a tag of this name. */
const unitTag = "unit"

const make = ({ boundaries, description, kind, name, unit }: Definition): Updatable =>
  kind === "histogram"
    ? Metric.tagged(
      Metric.histogram(name, MetricBoundaries.fromIterable(boundaries ?? []), description),
      unitTag,
      unit
    )
    : Metric.counter(name, { description, incremental: kind === "counter" })

const labels = (attributes: Attributes): Array<MetricLabel.MetricLabel> => {
  const made: Array<MetricLabel.MetricLabel> = []
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) made.push(MetricLabel.make(key, String(value)))
  }
  return made
}
