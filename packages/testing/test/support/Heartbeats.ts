import { assert } from "@effect/vitest"
import type { Connector } from "@mcp-lifeline/core"
import { Backend } from "@mcp-lifeline/core"
import { Effect, Metric } from "effect"
import type { Scope } from "effect"
import { sending } from "./asked.js"

const recorded = (connector: Connector) => {
  const asked: Array<Array<string>> = []
  const recording = sending(connector, (connection) => {
    const methods: Array<string> = []
    asked.push(methods)
    return (method, params, options, settle) => {
      methods.push(method)
      return connection.send(method, params, options, settle)
    }
  })
  const pings = (index: number) => asked[index]?.filter((method) => method === "ping").length ?? 0
  return { asked, pings, recording }
}

const counts = (backend: string): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Metric.unsafeSnapshot().flatMap(({ metricKey: { name, tags }, metricState }) =>
      tags.some(({ key, value }) => key === "backend" && value === backend)
        ? [[name, (metricState as unknown as { readonly count: number }).count] as const]
        : []
    )
  )

const eventually = (test: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => test() ? Effect.void : Effect.delay(eventually(test), 20))

export const beats = (connector: Connector): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const name = (method: string) => `${method} over ${connector.transport}`
    const start = (method: "ping" | "none", recording: Connector) =>
      Backend.make(name(method), { connector: recording, keepalive: { method, interval: "1 second" } }).pipe(
        Effect.tap((backend) => backend.firstOutcome)
      )
    const beating = recorded(connector)
    const silent = recorded(connector)
    const [backend, quiet] = yield* Effect.all([start("ping", beating.recording), start("none", silent.recording)], {
      concurrency: 2
    })
    const successes = () => counts(name("ping"))["keepalive_success_count"] ?? 0

    yield* eventually(() => successes() >= 1)
    const running = yield* backend.status
    assert.deepInclude(running, { generation: 1, state: "Connected", healthScore: 1 })
    assert.deepInclude(running.keepalive, { state: "running", method: "ping" })

    yield* backend.reconnect
    const before = { answered: successes(), first: beating.pings(0) }
    // The second comes after a whole interval: a heartbeat of the connection before would have come by then.
    yield* eventually(() => successes() >= before.answered + 2)
    assert.isAtLeast(beating.pings(1), 2)
    assert.strictEqual(beating.pings(0), before.first)
    assert.deepInclude(yield* backend.status, { generation: 2, state: "Connected", healthScore: 1 })
    assert.doesNotHaveAnyKeys(counts(name("ping")), ["keepalive_failure_count", "keepalive_auto_disabled_total"])

    assert.deepStrictEqual(counts(name("none")), {})
    assert.lengthOf(silent.asked, 1)
    assert.strictEqual(silent.pings(0), 0)
    const off = yield* quiet.status
    assert.deepInclude(off, { generation: 1, state: "Connected" })
    assert.deepInclude(off.keepalive, { state: "off", method: "none" })
  })
