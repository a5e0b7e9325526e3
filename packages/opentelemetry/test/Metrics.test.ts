import { NodeSdk } from "@effect/opentelemetry"
import { Backend, type Telemetry, type UsageLimit } from "@mcp-lifeline/core"
import { LifelineTelemetry, Prometheus, ServerOperations } from "@mcp-lifeline/opentelemetry"
import * as Providers from "@mcp-lifeline/opentelemetry/providers"
import { HttpFault, ScriptedConnector } from "@mcp-lifeline/testing"
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader
} from "@opentelemetry/sdk-metrics"
import { Effect, Fiber, Layer, Stream, TestClock } from "effect"
import parse from "parse-prometheus-text-format"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Lossy from "./support/Lossy.js"

interface Point {
  readonly attributes: Readonly<Record<string, unknown>>
  /** The sum of a counter, or how many values a histogram has. */
  readonly value: number
  readonly sum: number | undefined
  readonly boundaries: ReadonlyArray<number> | undefined
}

const exporter = () => {
  const memory = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: memory, exportIntervalMillis: 3_600_000 })
  const read = Effect.promise(async () => {
    memory.reset()
    await reader.forceFlush()
    const metrics = memory.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    return (name: string, backend?: string): ReadonlyArray<Point> =>
      metrics.filter(({ descriptor }) => descriptor.name === name).flatMap((metric): Array<Point> =>
        metric.dataPointType === DataPointType.HISTOGRAM
          ? metric.dataPoints.map(({ attributes, value }) => ({
            attributes,
            value: value.count,
            sum: value.sum,
            boundaries: value.buckets.boundaries
          }))
          : metric.dataPointType === DataPointType.SUM || metric.dataPointType === DataPointType.GAUGE
          ? metric.dataPoints.map(({ attributes, value }) => ({
            attributes,
            value,
            sum: undefined,
            boundaries: undefined
          }))
          : []
      ).filter(({ attributes }) =>
        backend === undefined || [attributes["lifeline.backend"], attributes["backend"]].includes(backend)
      )
  })
  return { reader, read }
}

const ways: Readonly<Record<string, (read: PeriodicExportingMetricReader) => Layer.Layer<Telemetry.Current>>> = {
  "NodeSdk of @effect/opentelemetry": (reader) =>
    LifelineTelemetry.layer.pipe(
      Layer.provide(NodeSdk.layer(() => ({ resource: { serviceName: "test" }, metricReader: reader })))
    ),
  "a meter provider": (reader) => Providers.layer({ meterProvider: new MeterProvider({ readers: [reader] }) })
}

/** What OpenTelemetry's conventions for MCP say of the durations of calls and of sessions alike. */
const bucketsOfConventions = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]

const nonZero = (points: ReadonlyArray<Point>) => points.filter(({ value }) => value !== 0)

describe.each(Object.entries(ways))("metrics through %s", (way, layerOf) => {
  const id = way.replaceAll(/\W+/g, "-")

  test.scopedLive("[O2] the state, its changes, reconnects by cause, the times, closes by outcome, calls in flight", function*() {
    const { read, reader } = exporter()
    const server = yield* Lossy.server
    yield* Effect.gen(function*() {
      const backend = yield* Lossy.backend(server, id)
      const states = Effect.map(
        read,
        (points) =>
          nonZero(points("lifeline.backend.state", id)).map((
            { attributes, value }
          ) => [attributes["lifeline.state"], value])
      )
      assert.deepStrictEqual(yield* states, [["Connected", 1]])

      yield* Lossy.callThroughLoss(server, backend)
      yield* backend.reconnect
      server.fail("tool:add", HttpFault.hang("beforeHeaders"), 1)
      const hung = yield* Effect.fork(backend.callTool({ name: "add", arguments: {} }))
      yield* Effect.promise(() => server.until(() => Lossy.calls(server).length === 3))
      let points = yield* read
      assert.deepStrictEqual(points("lifeline.backend.active_calls", id).map(({ value }) => value), [1])
      yield* Fiber.interrupt(hung)
      const closed = yield* Effect.fork(
        Stream.runHead(
          Stream.filter(backend.events, (event) => event._tag === "StateChanged" && event.to === "Disabled")
        )
      )
      yield* Effect.yieldNow()
      yield* backend.disable
      yield* Fiber.join(closed)

      points = yield* read
      assert.deepStrictEqual(points("lifeline.backend.active_calls", id).map(({ value }) => value), [0])
      assert.deepStrictEqual(yield* states, [["Disabled", 1]])
      const changes = points("lifeline.backend.transitions", id).map(({ attributes }) =>
        `${String(attributes["lifeline.state.from"])} ${String(attributes["lifeline.state.to"])}`
      )
      assert.includeMembers(changes, ["Connecting Connected", "Connected Disabling", "Disabling Disabled"])
      assert.deepStrictEqual(
        points("lifeline.backend.reconnects", id).map((
          { attributes, value }
        ) => [attributes["lifeline.cause"], value]).toSorted(),
        [["command", 1], ["session", 1]]
      )
      assert.deepStrictEqual(points("lifeline.backend.connect.duration", id).map(({ value }) => value), [3])
      assert.deepStrictEqual(points("lifeline.backend.recovery.duration", id).map(({ value }) => value), [1])
      assert.deepStrictEqual(
        points("lifeline.backend.closes", id).map(({ attributes, value }) => [attributes["lifeline.outcome"], value]),
        [["closed", 3]]
      )
      for (const name of ["lifeline.backend.connect.duration", "lifeline.backend.recovery.duration"]) {
        assert.isBelow(points(name, id)[0]?.sum ?? Number.NaN, 30, `${name} is in seconds`)
      }
    }).pipe(Effect.scoped, Effect.provide(layerOf(reader)))
  })

  test.scopedLive("[H5 H10:virtual O2] the health score: the lowest of those that share a name, and 1 when all are closed", function*() {
    const { read, reader } = exporter()
    const own = `${id}-healthy`
    const score = Effect.map(read, (points) => points("lifeline.backend.health.score", own).map(({ value }) => value))
    const make = Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const keepalive = { method: "none", timeout: 5, suspectInterval: 60_000 } as const
      const backend = yield* Backend.make(own, { connector: script, keepalive })
      yield* backend.firstOutcome
      return { script, backend }
    })
    yield* Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        const first = yield* make
        yield* make
        assert.deepStrictEqual(yield* score, [1])
        first.script.respond = () => ({ answer: "never" })
        yield* first.backend.healthCheck
        const { healthScore } = yield* first.backend.status
        assert.isBelow(healthScore, 1)
        assert.deepStrictEqual(yield* score, [healthScore])
        first.script.respond = undefined
        yield* first.backend.healthCheck
        assert.isAbove((yield* score)[0]!, healthScore)
      }))
      assert.deepStrictEqual(yield* score, [1])
    }).pipe(Effect.provide(layerOf(reader)))
  })

  test.scopedLive("[V1 O2] verdicts on a server that answers nothing, by kind", function*() {
    const { read, reader } = exporter()
    const own = `${id}-judged`
    yield* Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const keepalive = { method: "none", timeout: 5, suspectInterval: 5 } as const
      const backend = yield* Backend.make(own, { connector: script, keepalive })
      yield* backend.firstOutcome
      script.respond = () => ({ answer: "never" })
      yield* backend.healthCheck
      yield* Stream.runHead(Stream.filter(backend.events, ({ _tag }) => _tag === "RuntimeLost"))
      const points = yield* read
      assert.deepStrictEqual(
        points("lifeline.verdicts", own).map(({ attributes, value }) => [attributes["lifeline.verdict"], value]),
        [["wedged", 1]]
      )
    }).pipe(Effect.scoped, Effect.provide(layerOf(reader)))
  })

  test.scopedLive("[O2] a server that runs on another replica from now on has a cause of its own", function*() {
    const { read, reader } = exporter()
    const own = `${id}-moved`
    yield* Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const backend = yield* Backend.make(own, { connector: script })
      yield* backend.firstOutcome
      script.current.lose({ kind: "session", isMove: true, message: "it runs elsewhere" })
      yield* Effect.repeat(backend.status, { until: ({ generation }) => generation === 2 })
      const points = yield* read
      assert.deepStrictEqual(
        points("lifeline.backend.reconnects", own).map((
          { attributes, value }
        ) => [attributes["lifeline.cause"], value]),
        [["moved", 1]]
      )
    }).pipe(Effect.scoped, Effect.provide(layerOf(reader)))
  })

  test.scopedLive("[S13] memory as measured last, none after the close; processor time over all processes; restarts by cause", function*() {
    const { read, reader } = exporter()
    const own = `${id}-usage`
    yield* Effect.gen(function*() {
      const script = ScriptedConnector.make({ overlap: false, usageLimit })
      const backend = yield* Backend.make(own, { connector: script })
      yield* backend.firstOutcome
      const values = (name: string) => Effect.map(read, (points) => points(name, own).map(({ value }) => value))
      script.current.use(700, { cpuTime: 1.5 })
      script.current.use(600, { cpuTime: 2 })
      assert.deepStrictEqual(yield* values("lifeline.backend.memory.usage"), [600])
      assert.deepStrictEqual(yield* values("lifeline.backend.cpu.time"), [2])
      script.current.use(2000, { cpuTime: 3 })
      yield* Effect.repeat(backend.status, { until: ({ generation }) => generation === 2 })
      assert.deepStrictEqual(yield* values("lifeline.backend.memory.usage"), [0])
      script.current.use(500, { cpuTime: 0.25 })
      assert.deepStrictEqual(yield* values("lifeline.backend.memory.usage"), [500])
      assert.deepStrictEqual(yield* values("lifeline.backend.cpu.time"), [3.25])
      if (way !== "a meter provider") {
        const text = yield* Prometheus.text
        assert.include(text, `lifeline_backend_memory_usage_bytes{lifeline_backend="${own}"} 500`)
        assert.include(text, `lifeline_backend_cpu_time_seconds_total{lifeline_backend="${own}"} 3.25`)
      }
      const points = yield* read
      assert.deepStrictEqual(
        points("lifeline.backend.reconnects", own).map((
          { attributes, value }
        ) => [attributes["lifeline.cause"], value]),
        [["memory", 1]]
      )
    }).pipe(Effect.scoped, Effect.provide(layerOf(reader)))
  })

  test.scopedLive("[O1] how long calls and sessions take, in seconds, by method, tool and error", function*() {
    const { read, reader } = exporter()
    const server = yield* Lossy.server
    const own = `${id}-durations`
    yield* Effect.gen(function*() {
      const startedAt = performance.now()
      const backend = yield* Lossy.backend(server, own)
      yield* Lossy.callThroughLoss(server, backend)
      yield* backend.callTool({ name: "broken", arguments: {} })
      yield* backend.ping()
      yield* backend.disable
      const points = yield* read
      const summary = (name: string) =>
        points(name, own).map(({ attributes, value }) => [
          attributes["mcp.method.name"],
          attributes["gen_ai.tool.name"],
          attributes["network.transport"],
          attributes["error.type"],
          value
        ])
      assert.sameDeepMembers(summary("mcp.client.operation.duration"), [
        ["tools/call", "add", "tcp", undefined, 1],
        ["tools/call", "broken", "tcp", "tool_error", 1],
        ["ping", undefined, "tcp", undefined, 1]
      ])
      assert.sameDeepMembers(summary("mcp.client.session.duration"), [
        [undefined, undefined, "tcp", "session", 1],
        [undefined, undefined, "tcp", undefined, 1]
      ])
      const elapsed = (performance.now() - startedAt) / 1000
      for (const name of ["mcp.client.operation.duration", "mcp.client.session.duration"]) {
        const sum = points(name, own).reduce((sum, point) => sum + (point.sum ?? Number.NaN), 0)
        assert.isAbove(sum, 0)
        // In seconds: milliseconds would be a thousand times as many.
        assert.isAtMost(sum, 10 * elapsed)
        assert.deepStrictEqual(points(name, own)[0]?.boundaries, bucketsOfConventions, name)
      }
      for (const { attributes } of points("mcp.client.operation.duration", own)) {
        assert.notProperty(attributes, "mcp.session.id")
      }
    }).pipe(Effect.scoped, Effect.provide(layerOf(reader)))
  })
})

const usageLimit = (): UsageLimit => ({
  status: { bytes: 1000, restarts: 0, warning: undefined },
  begin: () => {},
  measured: ({ memory }) => memory > 1000 ? { _tag: "Restart", message: "too much" } : { _tag: "Fine" }
})

describe("metrics of a server", () => {
  test.scoped("[O1] how long the sessions of its clients last, in seconds, once they have ended", function*() {
    const { read, reader } = exporter()
    // Other tests have sessions, too.
    const protocol = "2000-01-01"
    yield* Effect.gen(function*() {
      const { beginSession } = yield* ServerOperations.make
      const sessions = Effect.map(
        read,
        (points) =>
          points("mcp.server.session.duration").filter(({ attributes }) =>
            attributes["mcp.protocol.version"] === protocol
          )
      )
      const ended = beginSession({ protocol, transport: "http" })
      yield* TestClock.adjust("90 seconds")
      assert.deepStrictEqual(yield* sessions, [])
      ended()
      assert.deepStrictEqual(yield* sessions, [{
        attributes: { "mcp.protocol.version": protocol, "network.transport": "tcp", unit: "s" },
        value: 1,
        sum: 90,
        boundaries: bucketsOfConventions
      }])
    }).pipe(Effect.provide(NodeSdk.layer(() => ({ resource: { serviceName: "test" }, metricReader: reader }))))
  })
})

const untilDisabled = (id: string) =>
  Effect.gen(function*() {
    const server = yield* Lossy.server
    const backend = yield* Lossy.backend(server, id, {
      keepalive: { interval: 1000, suspectInterval: 1000, failureThreshold: 1 }
    })
    yield* Effect.promise(() => server.until(() => server.count("ping") >= 1))
    server.fail("ping", HttpFault.status(500), 100)
    yield* backend.status.changes.pipe(
      Stream.filter(({ keepalive }) => keepalive.state === "disabled"),
      Stream.runHead
    )
  })

describe("keepalive", () => {
  test.scopedLive("[K17:real] the five metrics keep their names, through a meter provider", function*() {
    const { read, reader } = exporter()
    const id = "keepalive-provider"
    yield* untilDisabled(id).pipe(
      Effect.provide(Providers.layer({ meterProvider: new MeterProvider({ readers: [reader] }) }))
    )
    const points = yield* read
    const count = (name: string, attributes: Readonly<Record<string, string>>): number => {
      const found = points(name, id)
      assert.deepStrictEqual(found.map((point) => point.attributes), [attributes], name)
      return found[0]?.value ?? Number.NaN
    }
    const all = { backend: id, method: "ping" }
    const failed = { ...all, reason: "connection" }
    const successes = count("keepalive_success_count", all)
    const failures = count("keepalive_failure_count", failed)
    assert.isAtLeast(successes, 1)
    assert.isAtLeast(failures, 1)
    assert.strictEqual(count("keepalive_attempt_count", all), successes + failures)
    assert.strictEqual(count("keepalive_latency_ms", all), successes)
    assert.strictEqual(count("keepalive_auto_disabled_total", failed), 1)
  })

  test.scopedLive("[K17:real] the five metrics in Prometheus' text, with the suffixes of its format", function*() {
    const id = "keepalive-text"
    yield* untilDisabled(id)
    const text = yield* Prometheus.text
    const families = parse(text)
    const found = families.flatMap(({ metrics, name, type }) =>
      metrics.filter(({ labels }) => (labels as { backend?: string } | undefined)?.backend === id).map((
        { labels }
      ) => [
        name,
        type,
        Object.keys(labels as object).toSorted().join()
      ])
    )
    assert.sameDeepMembers(found, [
      ["keepalive_attempt_count_total", "COUNTER", "backend,method"],
      ["keepalive_success_count_total", "COUNTER", "backend,method"],
      ["keepalive_failure_count_total", "COUNTER", "backend,method,reason"],
      ["keepalive_auto_disabled_total", "COUNTER", "backend,method,reason"]
    ])
    // The parser gives histograms without their labels.
    assert.strictEqual(families.find(({ name }) => name === "keepalive_latency_ms")?.type, "HISTOGRAM")
    for (const line of ["bucket", "sum", "count"]) {
      assert.match(text, new RegExp(`^keepalive_latency_ms_${line}\\{backend="${id}",method="ping"[^}]*\\} \\d`, "m"))
    }
  })
})
