import { Effect, Metric, type MetricPair, MetricState } from "effect"

/** The `Content-Type` of `text`. */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

/**
 * Every metric of Effect's registry, in the text format 0.0.4, sorted by name.
 *
 * Names follow OpenTelemetry's rules for Prometheus: dots become underscores, the unit is a suffix (`_seconds`), and counters that only
 * grow end in `_total`.
 *
 * @example
 * import { Prometheus } from "@mcp-lifeline/opentelemetry"
 * import { Console, Effect } from "effect"
 *
 * export const program = Effect.flatMap(Prometheus.text, Console.log)
 */
export const text: Effect.Effect<string> = Effect.map(Metric.snapshot, (pairs) => render(pairs))

type Kind = "counter" | "gauge" | "histogram" | "summary"
type Labels = ReadonlyArray<readonly [name: string, value: string]>

interface Sample {
  readonly suffix: string
  readonly labels: Labels
  readonly value: number | bigint
}

interface Family {
  readonly kind: Kind
  readonly help: string
  readonly samples: Array<Sample>
}

export const render = (pairs: Iterable<MetricPair.MetricPair.Untyped>): string => {
  const families = new Map<string, Family>()
  for (const { metricKey, metricState } of pairs) {
    const read = readState(metricState, "incremental" in metricKey.keyType && metricKey.keyType.incremental === true)
    if (read === undefined) continue
    const unit = metricKey.tags.find(({ key }) => isUnit(key))?.value
    const help = metricKey.description._tag === "Some" ? metricKey.description.value : ""
    const family = familyOf(families, nameOf(metricKey.name, unit, read.kind), read.kind, help)
    const labels = labelsOf(metricKey.tags.filter(({ key }) => !isUnit(key)))
    for (const sample of read.samples) family.samples.push({ ...sample, labels: [...labels, ...sample.labels] })
  }
  return [...families].toSorted(([a], [b]) => a < b ? -1 : 1).map(([name, family]) => block(name, family)).join("")
}

const readState = (
  state: unknown,
  incremental: boolean
): { readonly kind: Kind; readonly samples: ReadonlyArray<Sample> } | undefined => {
  if (MetricState.isCounterState(state)) {
    return { kind: incremental ? "counter" : "gauge", samples: [sample("", state.count)] }
  }
  if (MetricState.isGaugeState(state)) return { kind: "gauge", samples: [sample("", state.value)] }
  if (MetricState.isFrequencyState(state)) {
    return {
      kind: "counter",
      samples: [...state.occurrences].map(([key, count]) => sample("", count, [["key", key]]))
    }
  }
  if (MetricState.isHistogramState(state)) {
    const finite = state.buckets.filter(([boundary]) => Number.isFinite(boundary))
    return {
      kind: "histogram",
      samples: [
        ...finite.map(([boundary, count]) => sample("_bucket", count, [["le", number(boundary)]])),
        sample("_bucket", state.count, [["le", "+Inf"]]),
        sample("_sum", state.sum),
        sample("_count", state.count)
      ]
    }
  }
  if (MetricState.isSummaryState(state)) {
    return {
      kind: "summary",
      samples: [
        ...state.quantiles.map(([quantile, value]) =>
          sample("", value._tag === "Some" ? value.value : Number.NaN, [["quantile", number(quantile)]])
        ),
        sample("_sum", state.sum),
        sample("_count", state.count)
      ]
    }
  }
  return undefined
}

const sample = (suffix: string, value: number | bigint, labels: Labels = []): Sample => ({ suffix, labels, value })

/** With another name if metrics of another type already have it. */
const familyOf = (families: Map<string, Family>, name: string, kind: Kind, help: string): Family => {
  const known = families.get(name)
  if (known?.kind === kind) return known
  if (known !== undefined) return familyOf(families, `${name}_${kind}`, kind, help)
  const family: Family = { kind, help, samples: [] }
  families.set(name, family)
  return family
}

/** Tags from which Effect's bridges to OpenTelemetry read a metric's unit. */
const isUnit = (key: string): boolean => key === "unit" || key === "time_unit"

const units: Readonly<Record<string, string>> = {
  ns: "nanoseconds",
  us: "microseconds",
  ms: "milliseconds",
  s: "seconds",
  min: "minutes",
  h: "hours",
  d: "days",
  By: "bytes",
  KiBy: "kibibytes",
  MiBy: "mebibytes",
  "%": "percent"
}

const nameOf = (name: string, unit: string | undefined, kind: Kind): string => {
  const plain = startsWell(name.replace(/[^a-zA-Z0-9_:]/g, "_"))
  const word = unit === undefined ? undefined : units[unit]
  const base = kind === "counter" && plain.endsWith("_total") ? plain.slice(0, -"_total".length) : plain
  const withUnit = word === undefined || base.endsWith(`_${word}`) ? base : `${base}_${word}`
  return kind === "counter" ? `${withUnit}_total` : withUnit
}

/** Labels with names that the format allows. If two names become the same, their values are joined, as OpenTelemetry requires. */
const labelsOf = (tags: ReadonlyArray<{ readonly key: string; readonly value: string }>): Labels => {
  const labels = new Map<string, string>()
  for (const { key, value } of tags.toSorted((a, b) => a.key < b.key ? -1 : 1)) {
    const plain = startsWell(key.replace(/[^a-zA-Z0-9_]/g, "_"))
    const name = plain === "le" || plain === "quantile" ? `exported_${plain}` : plain
    const before = labels.get(name)
    labels.set(name, before === undefined ? value : `${before};${value}`)
  }
  return [...labels]
}

const startsWell = (name: string): string => /^[0-9]/.test(name) || name === "" ? `_${name}` : name

const block = (name: string, { help, kind, samples }: Family): string =>
  [
    ...(help === "" ? [] : [`# HELP ${name} ${help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}`]),
    `# TYPE ${name} ${kind}`,
    ...samples.map(({ labels, suffix, value }) => `${name}${suffix}${braces(labels)} ${number(value)}`),
    ""
  ].join("\n")

const braces = (labels: Labels): string =>
  labels.length === 0 ? "" : `{${labels.map(([name, value]) => `${name}="${escaped(value)}"`).join(",")}}`

const escaped = (value: string): string => value.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"')

const number = (value: number | bigint): string =>
  value === Number.POSITIVE_INFINITY ? "+Inf" : value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
