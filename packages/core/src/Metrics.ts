/**
 * The metrics of keepalive, through Effect's Metric (K17). Heartbeats and the breaker write them; no call does.
 *
 * Each is tagged with `backend` and `method`: what was sent (`ping`, `tool:<name>` or `options`).
 */
import { Effect, Metric, MetricBoundaries } from "effect"
import type { Reason, Verdict } from "./Keepalive.js"

/** Heartbeats that ended, well or not. */
export const attempts = Metric.counter("keepalive_attempt_count", {
  description: "Heartbeats that ended, well or not",
  incremental: true
})

/** Heartbeats that were answered well. */
export const successes = Metric.counter("keepalive_success_count", {
  description: "Heartbeats that were answered well",
  incremental: true
})

/** Heartbeats that failed, tagged with `reason` too: a closed set. */
export const failures = Metric.counter("keepalive_failure_count", {
  description: "Heartbeats that failed, by reason",
  incremental: true
})

/** Milliseconds from a heartbeat to its good answer. */
export const latency = Metric.histogram(
  "keepalive_latency_ms",
  MetricBoundaries.fromIterable([1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000]),
  "Milliseconds from a heartbeat to its good answer"
)

/** Times that the breaker opened, tagged with `reason` too. A probe of an open breaker that fails does not count. */
export const autoDisabled = Metric.counter("keepalive_auto_disabled_total", {
  description: "Times that keepalive was disabled because its heartbeat failed on a live connection, by reason",
  incremental: true
})

/** Counts one heartbeat that has ended. */
export const beat = (backend: string, method: string, verdict: Verdict, millis: number): Effect.Effect<void> => {
  const count = (metric: Metric.Metric.Counter<number>) => Metric.increment(tagged(metric, backend, method))
  return Effect.zipRight(
    count(attempts),
    verdict._tag === "Success"
      ? Effect.zipRight(count(successes), Metric.update(tagged(latency, backend, method), millis))
      : count(Metric.tagged(failures, "reason", verdict.reason))
  )
}

/** Counts one opening of the breaker. */
export const disabled = (backend: string, method: string, reason: Reason): Effect.Effect<void> =>
  Metric.increment(tagged(Metric.tagged(autoDisabled, "reason", reason), backend, method))

const tagged = <Type, In, Out>(
  metric: Metric.Metric<Type, In, Out>,
  backend: string,
  method: string
): Metric.Metric<Type, In, Out> => metric.pipe(Metric.tagged("backend", backend), Metric.tagged("method", method))
