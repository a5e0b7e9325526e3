import { HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Metric } from "effect"
import * as Heartbeats from "../../testing/test/support/Heartbeats.js"
import * as Stalls from "../../testing/test/support/Stalls.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Everything from "./fixtures/Everything.js"
import { seen, supervise, until } from "./fixtures/Supervised.js"

/** When requests of a kind came, in milliseconds since the server saw its first request. */
const timesOf = (server: HttpFaultServer.HttpFaultServer, kind: string): ReadonlyArray<number> =>
  server.requests(kind).map(({ at }) => at - server.seen[0]!.at)

/** In milliseconds. `planned` adds stalls, also just before: a timer counts from the begin of its turn of the event loop. */
const gapsOf = (
  server: HttpFaultServer.HttpFaultServer,
  stalls: Effect.Effect.Success<typeof Stalls.watch>,
  since: number
) => {
  const moments = [since, ...server.requests("ping").map(({ at }) => at)]
  const pairs = moments.slice(1).map((at, index) => [moments[index]!, at] as const)
  return {
    planned: pairs.map(([from, at]) => at - from + stalls.between(from - 1000, at)),
    unhindered: pairs.map(([from, at]) => at - from - stalls.between(from, at))
  }
}

const kindsOf = (server: HttpFaultServer.HttpFaultServer): ReadonlyArray<string> =>
  // OPTIONS is asked where an answer takes long, as on a busy machine.
  server.seen.map(({ http, rpc }) => rpc ?? http).filter((kind) => kind !== "OPTIONS").toSorted()

const handshake = ["GET", "initialize", "notifications/initialized", "server/discover", "tools/list"]

const countsOf = (backend: string) =>
  Effect.map(
    Metric.snapshot,
    (pairs) =>
      Object.fromEntries(pairs.flatMap(({ metricKey: { name, tags }, metricState }) => {
        if (!tags.some(({ key, value }) => key === "backend" && value === backend)) return []
        const rest = tags.filter(({ key }) => key !== "backend").map(({ key, value }) => `${key}=${value}`).toSorted()
        return [[`${name}{${rest.join()}}`, (metricState as unknown as { readonly count: number }).count]]
      }))
  )

describe.concurrent("keepalive", () => {
  it.scopedLive(
    "[K1:real, K4:real] the reference server answers the heartbeats of each connection, and none sends none",
    () => Effect.flatMap(Everything.make("streamableHttp"), ({ url }) => Heartbeats.beats(HttpConnector.make({ url })))
  )

  test.scopedLive(
    "[K18] a session that expires when idle lives ten times as long with keepalive, and is lost with none",
    function*() {
      // Four intervals: a busy machine stands still for more than one.
      const idleTtl = 4000
      const kept = yield* HttpFaultServer.make({ idleTtl })
      const idle = yield* HttpFaultServer.make({ idleTtl })
      const withPing = yield* supervise(kept, { keepalive: { interval: "1 second" } })
      const without = yield* supervise(idle, { keepalive: { method: "none" } })
      const [first] = idle.sessions.keys()

      yield* seen(idle, () => idle.sessions.expired.length > 0)
      assert.strictEqual(idle.sessions.expired[0], first)
      yield* until(without, ({ generation, state }) => generation >= 2 && state === "Connected")
      // One asks whether the session is lost, as its stream was refused.
      assert.isAtMost(idle.count("ping"), 1)

      yield* seen(kept, () => (timesOf(kept, "ping").at(-1) ?? 0) >= 10 * idleTtl)
      assert.deepStrictEqual(kept.sessions.expired, [])
      assert.strictEqual(kept.count("initialize"), 1)
      assert.strictEqual((yield* withPing.status).generation, 1)
    },
    300_000
  )

  test.scopedLive("[K6:real] heartbeats come a jittered interval apart, and never later than interval and timeout", function*() {
    const server = yield* HttpFaultServer.make()
    const stalls = yield* Stalls.watch
    yield* supervise(server, { keepalive: { interval: "1 second", timeout: "1 second" } })
    yield* seen(server, () => server.count("ping") >= 12)
    const { planned, unhindered } = gapsOf(
      server,
      stalls,
      Math.max(...server.requests("tools/list").map(({ at }) => at))
    )
    for (const gap of unhindered) assert.isAtMost(gap, 2000)
    // What is no stall is shorter than 40 ms.
    for (const gap of planned.slice(1)) assert.isAtLeast(gap, 700)
    assert.isAbove(new Set(unhindered.slice(1).map((gap) => Math.round(gap / 10))).size, 4, unhindered.join())
  })

  test.scopedLive("[K3:real] where ping is unsupported, the tool keeps the session; each generation tries ping once", function*() {
    const idleTtl = 4000
    const server = yield* HttpFaultServer.make({ idleTtl, pings: false, tools: { touch: {}, echo: {} } })
    const backend = yield* supervise(server, {
      keepalive: { method: "tool:touch", toolArguments: { why: "alive" }, interval: "1 second" }
    })
    yield* seen(server, () => (timesOf(server, "tool:touch").at(-1) ?? 0) >= 5 * idleTtl)
    assert.deepStrictEqual(server.sessions.expired, [])
    assert.strictEqual(server.count("initialize"), 1)
    assert.strictEqual(server.count("ping"), 1)
    assert.isTrue(server.applied.every((one) => one.tool === "touch" && one.arguments["why"] === "alive"))
    assert.strictEqual((yield* backend.status).keepalive.state, "running")

    const touched = server.count("tool:touch")
    yield* backend.reconnect
    yield* seen(server, () => server.count("tool:touch") === touched + 2)
    assert.strictEqual(server.count("ping"), 2)
  })

  test.scopedLive("[K15:real] off without a session and with idleTtl never; a method overrides; idleTtl shortens", function*() {
    const interval = "1 second"
    const stateless = yield* HttpFaultServer.make({ stateful: false })
    const patient = yield* HttpFaultServer.make()
    const asked = yield* HttpFaultServer.make({ stateful: false })
    const impatient = yield* HttpFaultServer.make()
    const stalls = yield* Stalls.watch
    const off = yield* supervise(stateless, { keepalive: { interval } })
    const never = yield* supervise(patient, { keepalive: { interval, idleTtl: "never" } })
    yield* supervise(asked, { keepalive: { interval, method: "ping" } })
    yield* supervise(impatient, { keepalive: { interval: "5 minutes", idleTtl: "2 seconds" } })
    yield* seen(asked, () => asked.count("ping") >= 4)
    yield* seen(impatient, () => impatient.count("ping") >= 4)
    for (const gap of gapsOf(impatient, stalls, impatient.seen[0]!.at).unhindered) assert.isAtMost(gap, 2000)

    assert.deepStrictEqual(kindsOf(stateless), handshake)
    assert.deepStrictEqual(kindsOf(patient), handshake)
    const { keepalive } = yield* off.status
    assert.deepStrictEqual([keepalive.state, keepalive.reason], ["off", "the server keeps no session"])
    assert.include((yield* never.status).keepalive.reason, "idleTtl")
  })

  test.scopedLive("[K17:real] the metrics count what the server saw, by backend, method and reason", function*() {
    const good = yield* HttpFaultServer.make()
    const refusing = yield* HttpFaultServer.make({ pings: false })
    yield* supervise(good, { keepalive: { interval: "1 second" } }, "metrics-good")
    const breaking = yield* supervise(refusing, {
      keepalive: { interval: "1 second", suspectInterval: 50, failureThreshold: 2 }
    }, "metrics-refusing")

    yield* until(breaking, ({ keepalive }) => keepalive.state === "disabled")
    assert.strictEqual(refusing.count("ping"), 2)
    assert.deepStrictEqual(yield* countsOf("metrics-refusing"), {
      "keepalive_attempt_count{method=ping}": 2,
      "keepalive_failure_count{method=ping,reason=unsupported}": 2,
      "keepalive_auto_disabled_total{method=ping,reason=unsupported}": 1
    })

    yield* seen(good, () => good.count("ping") >= 3)
    const counts = yield* countsOf("metrics-good")
    // Each is sent after the one before has been counted.
    const sent = good.count("ping")
    assert.include([sent - 1, sent], counts["keepalive_attempt_count{method=ping}"])
    assert.deepStrictEqual(counts, {
      "keepalive_attempt_count{method=ping}": counts["keepalive_attempt_count{method=ping}"]!,
      "keepalive_success_count{method=ping}": counts["keepalive_attempt_count{method=ping}"]!,
      "keepalive_latency_ms{method=ping}": counts["keepalive_attempt_count{method=ping}"]!
    })
  })
})
