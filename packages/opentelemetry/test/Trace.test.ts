import { NodeSdk } from "@effect/opentelemetry"
import { FetchHttpClient } from "@effect/platform"
import { Backend } from "@mcp-lifeline/core"
import { LifelineTelemetry, Prometheus } from "@mcp-lifeline/opentelemetry"
import * as Otlp from "@mcp-lifeline/opentelemetry/otlp"
import * as Providers from "@mcp-lifeline/opentelemetry/providers"
import { HttpFault, ScriptedConnector, StdioFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { context, createTraceState, propagation, trace } from "@opentelemetry/api"
import { MeterProvider } from "@opentelemetry/sdk-metrics"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node"
import { Effect, Fiber, Layer, Redacted, Scope, Stream } from "effect"
import { inspect } from "node:util"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { named, oneTrace, only } from "./support/Expected.js"
import * as Lossy from "./support/Lossy.js"
import * as Receiver from "./support/Receiver.js"
import * as View from "./support/View.js"

const nodeSdk = (spans: InMemorySpanExporter) =>
  LifelineTelemetry.layer.pipe(Layer.provideMerge(NodeSdk.layer(() => ({
    resource: { serviceName: "test" },
    spanProcessor: new SimpleSpanProcessor(spans)
  }))))

const provided = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const spans = new InMemorySpanExporter()
      return { spans, tracerProvider: new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }) }
    }),
    ({ tracerProvider }) => Effect.promise(() => tracerProvider.shutdown())
  ),
  ({ spans, tracerProvider }) => ({
    tracerProvider,
    telemetry: Providers.layer({ tracerProvider }),
    views: () => View.ofSdk(spans.getFinishedSpans())
  })
)

const noMeters = new MeterProvider()

describe("traces", () => {
  test.scopedLive("[O1] a call through a lost session is one trace: the SDK through @effect/opentelemetry", function*() {
    const spans = new InMemorySpanExporter()
    const server = yield* Lossy.server
    yield* Effect.gen(function*() {
      const backend = yield* Lossy.backend(server)
      yield* Effect.withSpan(Lossy.callThroughLoss(server, backend), "agent")
      const views = View.ofSdk(spans.getFinishedSpans())
      const call = oneTrace(views, server)
      assert.strictEqual(call.parent, only(views, "agent").spanId)
    }).pipe(Effect.scoped, Effect.provide(nodeSdk(spans)))
  })

  test.scopedLive("[O1] a call through a lost session is one trace: a tracer provider", function*() {
    const { telemetry, views } = yield* provided
    const server = yield* Lossy.server
    const backend = yield* Effect.provide(Lossy.backend(server), telemetry)
    yield* Lossy.callThroughLoss(server, backend)
    assert.isUndefined(oneTrace(views(), server).parent)
  })

  test.scoped("[O1] a call that begins once there is a connection, be it in the same millisecond, refers to no attempt", function*() {
    const { telemetry, views } = yield* provided
    const connector = ScriptedConnector.make()
    const backend = yield* Effect.provide(Backend.make("docs", { connector }), telemetry)
    yield* backend.firstOutcome
    yield* backend.callTool({ name: "echo" })
    assert.deepStrictEqual(only(views(), "tools/call echo").links, [])
  })

  test.scopedLive("[O1] a call through a lost session is one trace: an OTLP receiver", function*() {
    const receiver = yield* Receiver.make
    const server = yield* Lossy.server
    const telemetry = Otlp.layer({ baseUrl: receiver.url, resource: { serviceName: "test" } })
    yield* Effect.flatMap(Lossy.backend(server), (backend) => Lossy.callThroughLoss(server, backend)).pipe(
      Effect.scoped,
      Effect.provide(Layer.provide(telemetry, FetchHttpClient.layer))
    )
    oneTrace(View.ofOtlp(receiver.bodies("/v1/traces")), server)
    const metrics = JSON.stringify(receiver.bodies("/v1/metrics"))
    for (const name of ["mcp.client.operation.duration", "mcp.client.session.duration", "lifeline.backend.state"]) {
      assert.include(metrics, `"name":"${name}"`)
    }
  })

  test.scopedLive("[O1] the span that is active where the call is made is the parent, and its tracestate goes on", function*() {
    const { telemetry, tracerProvider, views } = yield* provided
    tracerProvider.register()
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        context.disable()
        propagation.disable()
        trace.disable()
      })
    )
    const server = yield* Lossy.server
    const remote = {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      traceFlags: 1,
      traceState: createTraceState("vendor=value")
    }
    const active = trace.setSpanContext(context.active(), remote)
    const scope = yield* Effect.scope
    const inside = <A>(effect: Effect.Effect<A, unknown>) =>
      Effect.promise(() => context.with(active, () => Effect.runPromise(effect)))
    const backend = yield* inside(Scope.extend(Effect.provide(Lossy.backend(server), telemetry), scope))
    yield* inside(backend.callTool({ name: "add", arguments: {} }))
    const call = only(views(), "tools/call add")
    assert.strictEqual(call.parent, remote.spanId)
    assert.strictEqual(call.traceId, remote.traceId)
    assert.deepStrictEqual(Lossy.calls(server).map(({ tracestate }) => tracestate), ["vendor=value"])
    assert.isUndefined(only(views(), "lifeline.connect").parent)
  })

  test.scopedLive("[O1] the trace that a caller names in _meta goes on, and the rest of _meta with it", function*() {
    const { telemetry, views } = yield* provided
    const server = yield* Lossy.server
    const backend = yield* Effect.provide(Lossy.backend(server), telemetry)
    const traceId = "0af7651916cd43dd8448eb211c80319c"
    const _meta = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, mine: 1 }
    yield* backend.callTool({ name: "add", arguments: {}, _meta })
    const call = only(views(), "tools/call add")
    assert.deepStrictEqual([call.traceId, call.parent], [traceId, "b7ad6b7169203331"])
    const attempt = only(views(), "lifeline.attempt")
    const request = server.seen.find((one) => one.tool === "add")?.message
    assert.deepStrictEqual(request?.params?.["_meta"], { mine: 1, traceparent: `00-${traceId}-${attempt.spanId}-01` })
  })

  test.scopedLive("[O1] what fails is said by error.type; what is interrupted is cancelled", function*() {
    const { telemetry, views } = yield* provided
    const server = yield* Lossy.server
    const backend = yield* Effect.provide(Lossy.backend(server), telemetry)
    yield* backend.callTool({ name: "broken", arguments: {} })
    yield* Effect.flip(backend.callTool({ name: "absent", arguments: {} }))
    yield* Effect.flip(backend.getPrompt({ name: "greeting" }))
    server.fail("tool:add", HttpFault.hang("beforeHeaders"), 1)
    const hung = yield* Effect.fork(backend.callTool({ name: "add", arguments: {} }))
    yield* Effect.promise(() => server.until(() => Lossy.calls(server).length === 1))
    yield* Fiber.interrupt(hung)
    assert.deepStrictEqual(
      views().filter(({ client, name }) => client && name !== "lifeline.attempt").map((span) => [
        span.name,
        span.attributes["error.type"],
        span.attributes["rpc.response.status_code"],
        span.failed
      ]),
      [
        ["tools/call broken", "tool_error", undefined, true],
        ["tools/call absent", "-32602", "-32602", true],
        ["prompts/get greeting", "-32601", "-32601", true],
        ["tools/call add", "cancelled", undefined, false]
      ]
    )
  })

  test.scopedLive("[O1] over stdio: a pipe, no session; and the reconnect after a crash says why", function*() {
    const { telemetry, views } = yield* provided
    const { args, command } = StdioFaultServer.command()
    const connector = StdioConnector.make({ command, args })
    const options = { connector, reconnect: { initialDelay: 20, demandInterval: 20, stableAfter: 0 } }
    const backend = yield* Effect.provide(Backend.make("local", options), telemetry)
    yield* backend.firstOutcome
    const { peer } = yield* backend.status
    process.kill(peer?.pid ?? assert.fail("no process"), "SIGKILL")
    yield* backend.status.changes.pipe(
      Stream.takeUntil(({ generation, state }) => generation === 2 && state === "Connected"),
      Stream.runDrain
    )
    yield* backend.ping()
    const { attributes } = only(views(), "ping")
    assert.deepInclude(attributes, { "network.transport": "pipe", "lifeline.generation": 2 })
    assert.notProperty(attributes, "mcp.session.id")
    assert.deepInclude(only(views(), "lifeline.reconnect").attributes, { "lifeline.cause": "closed" })
    assert.notProperty(only(views(), "lifeline.connect").attributes, "lifeline.cause")
  })

  test.scopedLive("[O1] an attempt that a command ends has a span that ends, and says so", function*() {
    const { telemetry, views } = yield* provided
    const { args, command } = StdioFaultServer.command({ neverReady: true })
    const connector = StdioConnector.make({ command, args, termGrace: "1s" })
    const backend = yield* Effect.provide(Backend.make("hanging", { connector }), telemetry)
    yield* backend.disconnect
    assert.deepInclude(only(views(), "lifeline.connect").attributes, { "lifeline.outcome": "cancelled" })
  })

  test.scopedLive("[C10:real] no secret of the configuration or of a resource's URI is in a span or a metric", function*() {
    const spans = new InMemorySpanExporter()
    const server = yield* Lossy.server
    const secrets = ["hunter2hunter2", "s3cr3ts3cr3t", "t0psecrett0p"] as const
    const url = new URL(`${server.url}?key=${secrets[1]}`)
    url.username = "user"
    url.password = secrets[0]
    const headers = { authorization: Redacted.make(`Bearer ${secrets[2]}`) }
    const connector = HttpConnector.make({ url, headers, transport: "streamable" })
    const seen = yield* Effect.gen(function*() {
      server.fail("initialize", HttpFault.status(401), 1)
      const backend = yield* Backend.make("secretive", { connector })
      yield* backend.firstOutcome
      yield* Effect.ignore(backend.reconnect)
      server.fail("tool:add", HttpFault.reset(), 1)
      yield* Effect.ignore(backend.callTool({ name: "add", arguments: { key: secrets[1] } }))
      yield* Effect.ignore(backend.readResource({ uri: `https://files.example/report?key=${secrets[1]}` }))
      const finished = spans.getFinishedSpans()
      only(View.ofSdk(finished), "resources/read")
      const [attempt] = named(View.ofSdk(finished), "lifeline.attempt")
      assert.strictEqual(attempt?.failed, true)
      return inspect(finished, { depth: 8 }) + (yield* Prometheus.text)
    }).pipe(Effect.scoped, Effect.provide(nodeSdk(spans)))
    assert.include(seen, "secretive")
    for (const secret of secrets) assert.notInclude(seen, secret)
  })

  test.scopedLive.each<[string, Layer.Layer<never>]>([
    ["without telemetry", Layer.empty],
    ["with metrics only, through Effect's registry", LifelineTelemetry.layer as Layer.Layer<never>],
    ["with metrics only, through a meter provider", Providers.layer({ meterProvider: noMeters }) as Layer.Layer<never>]
  ])("[O4] %s nothing is added to a request, and what its caller has added stays", function*([name, telemetry]) {
    const server = yield* Lossy.server
    const backend = yield* Effect.provide(Lossy.backend(server, name), telemetry)
    const paramsOf = () => server.requests("tool:add").at(-1)?.message?.params
    yield* Effect.withSpan(backend.callTool({ name: "add", arguments: {} }), "agent")
    assert.deepStrictEqual(paramsOf(), { name: "add", arguments: {} })
    const _meta = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=b" }
    yield* Effect.withSpan(backend.callTool({ name: "add", arguments: {}, _meta }), "agent")
    assert.deepStrictEqual(paramsOf(), { name: "add", arguments: {}, _meta })
    if (telemetry === Layer.empty || !name.includes("registry")) return
    assert.match(yield* Prometheus.text, /mcp_client_operation_duration_seconds_count\{[^}]*registry[^}]*\} 2/)
  })
})
