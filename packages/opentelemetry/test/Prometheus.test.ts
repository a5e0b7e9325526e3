import { Prometheus } from "@mcp-lifeline/opentelemetry"
import { Effect, Metric, MetricBoundaries } from "effect"
import parse from "parse-prometheus-text-format"
import { describe, expect, test } from "../../testing/test/support/vitest.js"

const families = Effect.map(Prometheus.text, (text) => new Map(parse(text).map((family) => [family.name, family])))

describe("Prometheus text", () => {
  test.effect("[K17] counters end in _total, once", function*() {
    yield* Metric.increment(Metric.counter("prom_a_count", { incremental: true, description: "A" }))
    yield* Metric.increment(Metric.counter("prom_b_total", { incremental: true }))
    yield* Metric.update(Metric.tagged(Metric.counter("prom.c.bytes", { incremental: true }), "unit", "By"), 1)
    const found = yield* families
    expect(found.get("prom_a_count_total")).toEqual({
      name: "prom_a_count_total",
      help: "A",
      type: "COUNTER",
      metrics: [{ value: "1" }]
    })
    expect(found.get("prom_b_total")).toMatchObject({ type: "COUNTER", metrics: [{ value: "1" }] })
    expect(found.get("prom_c_bytes_total")).toMatchObject({ type: "COUNTER", metrics: [{ value: "1" }] })
  })

  test.effect("[K17] histograms have cumulative buckets, a sum and a count, and their unit in the name", function*() {
    const histogram = Metric.histogram("prom.h.duration", MetricBoundaries.fromIterable([0.1, 1])).pipe(
      Metric.tagged("unit", "s"),
      Metric.tagged("lifeline.backend", "one")
    )
    yield* Effect.forEach([0.05, 0.5, 0.5, 7], (value) => Metric.update(histogram, value))
    const text = yield* Prometheus.text
    expect(text.split("\n").filter((line) => line.startsWith("prom_h_duration"))).toEqual([
      'prom_h_duration_seconds_bucket{lifeline_backend="one",le="0.1"} 1',
      'prom_h_duration_seconds_bucket{lifeline_backend="one",le="1"} 3',
      'prom_h_duration_seconds_bucket{lifeline_backend="one",le="+Inf"} 4',
      'prom_h_duration_seconds_sum{lifeline_backend="one"} 8.05',
      'prom_h_duration_seconds_count{lifeline_backend="one"} 4'
    ])
    expect((yield* families).get("prom_h_duration_seconds")).toMatchObject({
      type: "HISTOGRAM",
      metrics: [{ buckets: { "0.1": "1", "1": "3", "+Inf": "4" } }]
    })
  })

  test.effect("what goes up and down is a gauge; a frequency is a counter by key; a summary keeps its quantiles", function*() {
    yield* Metric.incrementBy(Metric.counter("prom_updown"), -2)
    yield* Metric.set(Metric.gauge("prom_gauge"), 3.5)
    yield* Metric.update(Metric.frequency("prom_frequency"), "left")
    const summary = Metric.summary({ name: "prom_summary", maxAge: "1 day", maxSize: 10, error: 0, quantiles: [0.5] })
    yield* Effect.forEach([1, 2, 3], (value) => Metric.update(summary, value))
    const found = yield* families
    expect(found.get("prom_updown")).toMatchObject({ type: "GAUGE", metrics: [{ value: "-2" }] })
    expect(found.get("prom_gauge")).toMatchObject({ type: "GAUGE", metrics: [{ value: "3.5" }] })
    expect(found.get("prom_frequency_total")).toMatchObject({
      type: "COUNTER",
      metrics: [{ value: "1", labels: { key: "left" } }]
    })
    expect(found.get("prom_summary")).toMatchObject({ type: "SUMMARY", metrics: [{ count: "3", sum: "6" }] })
  })

  test.effect("labels come back from a parser as they were, whatever is in them", function*() {
    const nasty = 'a "quoted" \\ back\nline, {brace} = é'
    const gauge = Metric.gauge("prom.nasty-name", { description: "two\nlines \\ and a slash" }).pipe(
      Metric.tagged("0.key", nasty),
      Metric.tagged("le", "mine")
    )
    yield* Metric.set(gauge, 1)
    expect((yield* families).get("prom_nasty_name")).toMatchObject({
      metrics: [{ labels: { _0_key: nasty, exported_le: "mine" } }]
    })
    expect(yield* Prometheus.text).toContain("# HELP prom_nasty_name two\\nlines \\\\ and a slash\n")
  })

  test.effect("metrics of two kinds that come to the same name stay apart", function*() {
    yield* Metric.set(Metric.gauge("prom.twice"), 1)
    yield* Metric.update(Metric.histogram("prom_twice", MetricBoundaries.fromIterable([1])), 1)
    const types = (yield* Prometheus.text).split("\n").filter((line) => line.startsWith("# TYPE prom_twice"))
    expect(new Set(types.map((line) => line.split(" ")[2])).size).toBe(2)
  })
})
