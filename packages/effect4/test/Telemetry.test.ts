import { Backend, Fleet } from "@mcp-lifeline/effect4"
import { HttpFaultServer } from "@mcp-lifeline/testing"
import { Deferred, Effect, Exit, Fiber, Metric, Option, type Scope, Tracer } from "effect"
import { assert, describe, it } from "vitest"
import * as OwnTelemetry from "../src/Telemetry.js"

const recording = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

const run = <A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(test))

const parentOf = ({ parent }: Tracer.Span) => Option.getOrUndefined(parent)

const tracedAt = (server: HttpFaultServer.HttpFaultServer) =>
  server.seen.filter(({ tool }) => tool === "echo").map(({ message }) => message?.params?.["_meta"]?.traceparent)

const echo = { name: "echo", arguments: { message: "hi" } }

describe("telemetry", () => {
  it("[N1:real] a call through a lost session is one trace of the program's tracer, below the span that makes it", async () => {
    await using server = await HttpFaultServer.open()
    const { spans, tracer } = recording()
    await run(
      Effect.gen(function*() {
        const docs = yield* Backend.make("docs", { url: server.url })
        yield* docs.ping()
        server.sessions.clear()
        yield* Effect.withSpan(docs.callTool(echo), "agent")
      }).pipe(Effect.provideService(Tracer.Tracer, tracer))
    )
    const named = (name: string) => spans.filter((span) => span.name === name)
    const [agent] = named("agent")
    const [call] = named("tools/call echo")
    const attempts = named("lifeline.attempt").filter((span) => parentOf(span) === call)
    assert.isDefined(agent)
    assert.strictEqual(parentOf(call!), agent)
    assert.deepEqual(
      attempts.map(({ attributes }) => [attributes.get("lifeline.generation"), attributes.get("lifeline.outcome")]),
      [[1, "rejected"], [2, "answered"]]
    )
    assert.deepEqual(call!.links.map(({ span }) => span), named("lifeline.reconnect"))
    assert.deepEqual(tracedAt(server), attempts.map(({ spanId, traceId }) => `00-${traceId}-${spanId}-01`))
    for (const span of spans) assert.strictEqual(span.status._tag, "Ended", span.name)
    assert.deepEqual(new Set([agent!, call!, ...attempts].map(({ traceId }) => traceId)), new Set([agent!.traceId]))
  })

  it("[N1:real] a fleet's calls have spans, too, and what fails says so", async () => {
    await using server = await HttpFaultServer.open()
    const { spans, tracer } = recording()
    await run(
      Effect.gen(function*() {
        const fleet = yield* Fleet.make({ mcpServers: { docs: { url: server.url } } })
        yield* Effect.withSpan(fleet.callTool({ ...echo, name: "docs__echo" }), "agent")
        yield* Effect.flip((yield* fleet.backend("docs")).getPrompt({ name: "none" }))
      }).pipe(Effect.provideService(Tracer.Tracer, tracer))
    )
    const call = spans.find(({ name }) => name === "tools/call echo")
    assert.strictEqual(parentOf(call!)?.spanId, spans.find(({ name }) => name === "agent")?.spanId)
    const failed = spans.find(({ name }) => name === "prompts/get none")
    assert.strictEqual(failed?.status._tag === "Ended" && failed.status.exit._tag, "Failure")
  })

  it("[N1:real] metrics are in the program's registry; without a tracer no trace is added to a request", async () => {
    await using server = await HttpFaultServer.open()
    const snapshot = await run(
      Effect.gen(function*() {
        const docs = yield* Backend.make("docs", { url: server.url })
        yield* Effect.withSpan(docs.callTool(echo), "agent")
        return yield* Metric.snapshot
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
    )
    assert.includeMembers(snapshot.map(({ id }) => id), [
      "mcp.client.operation.duration",
      "lifeline.backend.state",
      "lifeline.backend.transitions"
    ])
    const duration = snapshot.find(({ attributes, id }) =>
      id === "mcp.client.operation.duration" && attributes?.["gen_ai.tool.name"] === "echo"
    )
    assert.deepInclude(duration?.attributes, { unit: "s", "lifeline.backend": "docs" })
    assert.strictEqual(duration?.type, "Histogram")
    assert.deepEqual(tracedAt(server), [undefined])
  })

  it("[N1:unit] a request knows the span that it is made in for as long as it lasts, whatever else is asked in that span", async () => {
    const { tracer } = recording()
    const telemetry = await Effect.runPromise(
      Effect.map(Effect.provideService(Effect.context<never>(), Tracer.Tracer, tracer), OwnTelemetry.make)
    )
    const above = (params: object) => {
      const { _meta } = params as { readonly _meta?: { readonly traceparent?: string } }
      const [, traceId = "", spanId = "", flags] = _meta?.traceparent?.split("-") ?? []
      const ids = { traceId, spanId, sampled: flags === "01" }
      const opened = telemetry.open?.({ at: 0n, kind: "client", name: "x", parent: ids } as never)
      return parentOf((opened as unknown as { readonly span: Tracer.Span }).span)
    }
    let ids: object = {}
    await Effect.runPromise(
      Effect.gen(function*() {
        const span = yield* Effect.currentSpan
        const goOn = yield* Deferred.make<void>()
        const asking = OwnTelemetry.within(
          { a: 1, _meta: { progressToken: 7 } },
          (params) => Effect.map(Deferred.await(goOn), () => [params, above(params)] as const)
        )
        const first = yield* Effect.forkChild(asking)
        yield* Effect.yieldNow
        ids = yield* OwnTelemetry.within({}, (params) => Effect.succeed(params))
        yield* Deferred.succeed(goOn, undefined)
        const [params, parent] = yield* Fiber.join(first)
        assert.deepEqual<unknown>(params, {
          a: 1,
          _meta: { progressToken: 7, traceparent: `00-${span.traceId}-${span.spanId}-01` }
        })
        assert.strictEqual(parent, span)
      }).pipe(Effect.withSpan("agent"), Effect.provideService(Tracer.Tracer, tracer))
    )
    assert.strictEqual(above(ids)?._tag, "ExternalSpan")
  })

  it("[N1:unit] a span is recorded if the one above it is, and if there is none above", async () => {
    const { tracer } = recording()
    const { open } = await Effect.runPromise(
      Effect.map(Effect.provideService(Effect.context<never>(), Tracer.Tracer, tracer), OwnTelemetry.make)
    )
    const opened = (parent: object | undefined) =>
      open?.({ at: 5n, kind: "client", name: "x", parent } as never) as unknown as { readonly span: Tracer.NativeSpan }
    const root = opened(undefined)
    assert.deepEqual([root.span.sampled, parentOf(root.span), root.span.startTime], [true, undefined, 5n])
    for (const sampled of [true, false]) {
      const external = opened({ traceId: "a".repeat(32), spanId: "b".repeat(16), sampled })
      assert.deepEqual([external.span.sampled, external.span.traceId], [sampled, "a".repeat(32)])
      assert.strictEqual(opened(external).span.sampled, sampled)
      assert.strictEqual(parentOf(opened(external).span), external.span)
    }
    for (const failure of [undefined, new Error("why")]) {
      const { span } = opened(undefined)
      const ended = open!({ at: 5n, kind: "client", name: "x", parent: undefined })
      ended.end(9n, failure)
      const { status } = (ended as unknown as { readonly span: Tracer.NativeSpan }).span
      assert.deepInclude(status, {
        _tag: "Ended",
        endTime: 9n,
        exit: failure === undefined ? Exit.void : Exit.fail(failure)
      })
      assert.strictEqual(span.status._tag, "Started")
    }
  })

  it("[N1:unit] a metric is of its kind, with its unit and the attributes that have a value", async () => {
    const record = (kind: string, unit: string, values: ReadonlyArray<number>) =>
      Effect.runPromise(
        Effect.gen(function*() {
          const { series } = OwnTelemetry.make(yield* Effect.context<never>())
          const add = series(
            { name: "x", kind, unit, description: "what", boundaries: [1, 10] } as never,
            { a: 1, b: "two", c: undefined }
          )
          for (const value of values) add(value)
          return (yield* Metric.snapshot).find(({ id }) => id === "x")
        }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
      )
    const attributes = { a: "1", b: "two" }
    const counted = await record("counter", "{call}", [2, 3])
    assert.deepInclude(counted, { type: "Counter", description: "what", attributes })
    assert.deepInclude(counted?.state, { count: 5, incremental: true })
    // What is incremental takes nothing off.
    assert.deepInclude((await record("counter", "{call}", [2, -1]))?.state, { count: 2 })
    const both = await record("upDownCounter", "By", [2, -1])
    assert.deepInclude(both, { type: "Counter", attributes: { unit: "By", ...attributes } })
    assert.deepInclude(both?.state, { count: 1, incremental: false })
    const spread = await record("histogram", "s", [0.5, 5, 50])
    assert.deepInclude(spread, { type: "Histogram", attributes: { unit: "s", ...attributes } })
    assert.deepInclude(spread?.state, { count: 3, min: 0.5, max: 50, sum: 55.5, buckets: [[1, 1], [10, 2]] })
  })
})
