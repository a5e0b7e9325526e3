/** What a program with Effect 4 sees in its own tracer and metrics. */
import { Backend, Fleet } from "@mcp-lifeline/effect4"
import { HttpFaultServer } from "@mcp-lifeline/testing"
import { Effect, Metric, Option, type Scope, Tracer } from "effect"
import { assert, describe, it } from "vitest"

/** A tracer that keeps its spans. */
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
  server.seen.filter(({ tool }) => tool === "echo").map(({ message }) => message?.params?.["_meta"].traceparent)

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
})
