import { connect, connectAll, type LogEntry } from "@mcp-lifeline/client"
import { HttpFaultServer } from "@mcp-lifeline/testing"
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader
} from "@opentelemetry/sdk-metrics"
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { assert, describe, expect, it, vi } from "vitest"

const sdk = () => {
  const spans = new InMemorySpanExporter()
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 3_600_000 })
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const meterProvider = new MeterProvider({ readers: [reader] })
  return {
    spans: () => spans.getFinishedSpans(),
    metrics: async () => {
      await reader.forceFlush()
      return metrics.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
        .map(({ descriptor }) => descriptor.name)
    },
    telemetry: { tracerProvider, meterProvider },
    [Symbol.asyncDispose]: async () => {
      await tracerProvider.shutdown()
      await meterProvider.shutdown()
    }
  }
}

describe("the log", () => {
  it("[O3:real] a lost connection and its recovery are lines with annotations", async () => {
    await using server = await HttpFaultServer.open()
    const lines: Array<LogEntry> = []
    await using client = await connect({ url: server.url }, { name: "docs", logger: (line) => lines.push(line) })
    server.sessions.clear()
    await client.callTool({ name: "echo", arguments: { message: "hi" } })
    await expect.poll(() => lines.filter(({ annotations }) => annotations["event"] === "Installed").length).toBe(2)
    const told = lines.filter(({ annotations }) => /^(Installed|RuntimeLost)$/.test(String(annotations["event"])))
    assert.deepEqual(
      told.map(({ annotations, level }) => [annotations["event"], annotations["generation"], level]),
      [["Installed", 1, "info"], ["RuntimeLost", 1, "warn"], ["Installed", 2, "info"]]
    )
  })
})

describe("telemetry", () => {
  it("[O1] a call of connect's client through a lost session is one trace; metrics go to the meter provider", async () => {
    await using otel = sdk()
    await using server = await HttpFaultServer.open()
    await using client = await connect({ url: server.url }, { name: "docs", telemetry: otel.telemetry })
    server.sessions.clear()
    await client.callTool({ name: "echo", arguments: { message: "hi" } })

    const call = otel.spans().find(({ name }) => name === "tools/call echo")
    const attempts = otel.spans().filter(({ name }) => name === "lifeline.attempt")
    const reconnect = otel.spans().find(({ name }) => name === "lifeline.reconnect")
    assert.deepEqual(
      attempts.map(({ attributes, parentSpanContext }) => [
        parentSpanContext?.spanId,
        attributes["lifeline.generation"],
        attributes["lifeline.outcome"]
      ]),
      [[call?.spanContext().spanId, 1, "rejected"], [call?.spanContext().spanId, 2, "answered"]]
    )
    assert.deepEqual(call?.links.map(({ context }) => context.spanId), [reconnect?.spanContext().spanId])
    assert.deepEqual(
      server.seen.filter(({ tool }) => tool === "echo").map(({ message }) => message?.params?.["_meta"].traceparent),
      attempts.map((span) => `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`)
    )
    assert.includeMembers(await otel.metrics(), [
      "mcp.client.operation.duration",
      "mcp.client.session.duration",
      "lifeline.backend.state",
      "lifeline.backend.reconnects"
    ])
  })

  it("[O1] every server of connectAll is measured, those that apply adds too", async () => {
    await using otel = sdk()
    await using server = await HttpFaultServer.open()
    await using fleet = await connectAll({ mcpServers: { a: { url: server.url } } }, { telemetry: otel.telemetry })
    await fleet.apply({ mcpServers: { a: { url: server.url }, b: { url: server.url } } })
    await fleet.client("a").ping()
    await fleet.client("b").ping()
    assert.deepEqual(
      otel.spans().filter(({ name }) => name === "ping").map(({ attributes }) => attributes["lifeline.backend"]),
      ["a", "b"]
    )
  })

  it("[O4] without the option nothing of it is loaded, and no trace is added to a request", async () => {
    vi.doMock("@mcp-lifeline/opentelemetry/providers", () => {
      throw new Error("no such package")
    })
    try {
      await using server = await HttpFaultServer.open()
      await using client = await connect({ url: server.url })
      await client.callTool({ name: "echo", arguments: { message: "hi" } })
      const params = server.seen.find(({ tool }) => tool === "echo")?.message?.params
      assert.notProperty(params, "_meta")
      const error = await connect({ url: server.url }, { telemetry: {} }).then(() => undefined, (error) => error)
      assert.include(String(error), "mocking a module")
    } finally {
      vi.doUnmock("@mcp-lifeline/opentelemetry/providers")
    }
  })
})
