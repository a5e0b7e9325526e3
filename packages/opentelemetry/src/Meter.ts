/**
 * Records metrics: in Effect's registry here, with an OpenTelemetry meter in `Providers`.
 */
import { Metric, MetricBoundaries, MetricKey, MetricLabel } from "effect"
import type { Definition } from "./Names.js"

/** Those that are `undefined` are left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>

/** Of one metric with the same attributes. */
export type Series = (value: number) => void

/** Synchronous; does not throw. */
export interface Meter {
  readonly record: (metric: Definition, value: number, attributes: Attributes) => void
  /** Finding the metric takes longer than recording a value. */
  readonly series: (metric: Definition, attributes: Attributes) => Series
  /** Whether it gets the core's own metrics of keepalive anyway. */
  readonly readsRegistry: boolean
}

interface Updatable {
  readonly unsafeUpdate: (value: number, labels: ReadonlyArray<MetricLabel.MetricLabel>) => void
}

/** Effect's registry, which `Prometheus.text` and the exporters of `@effect/opentelemetry` read. */
export const registry = (): Meter => {
  /** Finding a metric in the registry would double the cost of a short call. */
  const known = new Map<Definition, Map<string, Updatable>>()
  const metricOf = (definition: Definition, attributes: Attributes): Updatable => {
    let all = known.get(definition)
    if (all === undefined) known.set(definition, all = new Map())
    let name = ""
    for (const key in attributes) if (attributes[key] !== undefined) name += `${key}\0${attributes[key]}\0`
    const metric = all.get(name) ?? make(definition, labels(attributes))
    all.set(name, metric)
    return metric
  }
  return {
    readsRegistry: true,
    record: (definition, value, attributes) => metricOf(definition, attributes).unsafeUpdate(value, none),
    series: (definition, attributes) => {
      const metric = metricOf(definition, attributes)
      return (value) => metric.unsafeUpdate(value, none)
    }
  }
}

const none: ReadonlyArray<MetricLabel.MetricLabel> = []

/** The exporters of `@effect/opentelemetry` read the unit from a tag of this name. */
const unitTag = "unit"

const make = (
  { boundaries, description, kind, name, unit }: Definition,
  labels: ReadonlyArray<MetricLabel.MetricLabel>
): Updatable => {
  // A number of things, such as `{call}`, has no unit to name.
  const tags = unit.startsWith("{") ? labels : [MetricLabel.make(unitTag, unit), ...labels]
  if (kind === "gauge") {
    return Metric.fromMetricKey(MetricKey.taggedWithLabels(MetricKey.gauge(name, { description }), tags))
  }
  return kind === "histogram"
    ? Metric.fromMetricKey(
      MetricKey.taggedWithLabels(
        MetricKey.histogram(name, MetricBoundaries.fromIterable(boundaries ?? []), description),
        tags
      )
    )
    : Metric.fromMetricKey(
      MetricKey.taggedWithLabels(MetricKey.counter(name, { description, incremental: kind === "counter" }), tags)
    )
}

const labels = (attributes: Attributes): Array<MetricLabel.MetricLabel> => {
  const made: Array<MetricLabel.MetricLabel> = []
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) made.push(MetricLabel.make(key, String(value)))
  }
  return made
}
