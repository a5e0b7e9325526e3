/** Tagged with `backend` and `method`: `ping`, `tool:<name>` or `options`. No call writes them. (K17) */
import { Effect, FiberRef, Metric, MetricBoundaries, MetricLabel } from "effect"
import type { Beat, Reason } from "../state/Beat.js"

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

export const attempts = counter("keepalive_attempt_count", "Heartbeats that have ended, with success or failure")

export const successes = counter("keepalive_success_count", "Heartbeats that succeeded")

export const failures = counter("keepalive_failure_count", "Heartbeats that failed, by reason")

export const latency = Metric.histogram(
  "keepalive_latency_ms",
  MetricBoundaries.fromIterable([1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000]),
  "Milliseconds from a heartbeat until its successful answer"
)

export const autoDisabled = counter(
  "keepalive_auto_disabled_total",
  "Times that keepalive was disabled because its heartbeat failed on a live connection, by reason"
)

export interface Meter {
  readonly beat: (method: string, beat: Beat, millis: number) => void
  readonly disabled: (method: string, reason: Reason) => void
}

export const meter = (backend: string): Effect.Effect<Meter> =>
  Effect.map(FiberRef.get(FiberRef.currentMetricLabels), (ambient) => {
    // Effect finds metrics faster by the identity of labels.
    let last: readonly [method: string | undefined, labels: ReadonlyArray<MetricLabel.MetricLabel>] = [undefined, []]
    const labelsOf = (method: string): ReadonlyArray<MetricLabel.MetricLabel> => {
      if (method !== last[0]) {
        // `Metric.tagged`'s order, the fiber's last: Effect tells metrics apart by it, too.
        const labels = [MetricLabel.make("backend", backend), MetricLabel.make("method", method), ...ambient]
        last = [method, labels]
      }
      return last[1]
    }
    return {
      beat: (method, beat, millis) => {
        const labels = labelsOf(method)
        attempts.unsafeUpdate(1, labels)
        if (beat._tag === "Failure") return failures.unsafeUpdate(1, [reasonLabel(beat.reason), ...labels])
        successes.unsafeUpdate(1, labels)
        latency.unsafeUpdate(millis, labels)
      },
      disabled: (method, reason) => autoDisabled.unsafeUpdate(1, [reasonLabel(reason), ...labelsOf(method)])
    }
  })

const reasonLabel = (reason: Reason): MetricLabel.MetricLabel => MetricLabel.make("reason", reason)
