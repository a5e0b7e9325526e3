import { describe, expect, it } from "@effect/vitest"
import { Backend, Fleet, type InvalidOptions, Policy, RequestError } from "@mcp-lifeline/core"
import type { Connection, Connector, Event } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Array as Arr, Chunk, Effect, Fiber, Logger, Metric, Random, Scope, Stream, TestClock } from "effect"
import { startBackend } from "../src/backend/start.js"
import * as HeartbeatLoop from "../src/keepalive/HeartbeatLoop.js"
import * as KeepaliveState from "../src/keepalive/KeepaliveState.js"
import { Runtime } from "../src/runtime/Runtime.js"

type Respond = NonNullable<ScriptedConnector.ScriptedConnector["respond"]>

const second = 1000
const minute = 60 * second

/** What the heartbeats of a test look like: every draw is 0.5, so the first comes after 0.5 and later ones after 0.875. */
const fixed = Effect.withRandom(Random.fixed([0.5]))

const error = (error: Partial<RequestError> & Pick<RequestError, "reason">): ScriptedConnector.Answer => ({
  answer: "error",
  error: new RequestError({ fate: "answered", message: "says the server", ...error })
})

const unsupported = error({ reason: "remote", code: -32601, message: "Method not found" })
const never: ScriptedConnector.Answer = { answer: "never" }
const slowly = (after: number): ScriptedConnector.Answer => ({ answer: "result", after })
const tooMany = error({ fate: "rejected", reason: "rateLimited", message: "429" })

const on = (answers: Record<string, ScriptedConnector.Answer>): Respond => (method) => answers[method]

interface World {
  readonly script: ScriptedConnector.ScriptedConnector
  readonly backend: Backend.Backend
  readonly events: ReadonlyArray<Event.Event>
  /** Heartbeats and calls since the last look: method and time. */
  readonly sent: () => ReadonlyArray<readonly [string, number]>
  readonly keepalive: Effect.Effect<{ readonly state: string; readonly reason: string | undefined }>
}

/** A connected backend at time 0, with its lists read. */
const start = (
  keepalive: Policy.KeepaliveOptions,
  { respond, script = ScriptedConnector.make(), ...options }: Partial<Backend.BackendOptions> & {
    readonly respond?: Respond
    readonly script?: ScriptedConnector.ScriptedConnector
  } = {}
): Effect.Effect<World, InvalidOptions, Scope.Scope> =>
  Effect.gen(function*() {
    script.respond = respond
    const events: Array<Event.Event> = []
    const observer = { changed: () => {}, catalogChanged: () => {}, event: (event: Event.Event) => events.push(event) }
    const backend = yield* startBackend("one", { connector: script, keepalive, ...options }, { observer })
    yield* TestClock.adjust(0)
    let seen = 0
    const sent = () => {
      const entries = script.ledger.entries.slice(seen)
      seen = script.ledger.entries.length
      return entries.flatMap((entry) =>
        entry._tag === "Sent" && !entry.method.endsWith("/list") ? [[entry.method, entry.at] as const] : []
      )
    }
    return { script, backend, events, sent, keepalive: Effect.map(backend.status, (status) => status.keepalive) }
  })

/** What was logged at info and above, a line each. */
const logged = <A, E, R>(body: (lines: Array<string>) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push(`${logLevel.label} ${Arr.ensure(message).join(" ")}`)
    })
    return Effect.provide(body(lines), Logger.add(logger))
  })

/** The state of a metric under exactly these tags. */
const metric = (name: string, tags: Record<string, string>) =>
  Effect.map(Metric.snapshot, (pairs) => {
    const found = pairs.find(({ metricKey }) =>
      metricKey.name === name && metricKey.tags.length === Object.keys(tags).length &&
      metricKey.tags.every(({ key, value }) => tags[key] === value)
    )
    return found?.metricState as Record<string, unknown> | undefined
  })

const count = (name: string, tags: Record<string, string>) =>
  Effect.map(metric(name, tags), (state) => state?.["count"] ?? 0)

describe("Keepalive", () => {
  it.scoped("[K1] heartbeats begin with the connection and end with it, each connection having its own", () =>
    Effect.gen(function*() {
      const { backend, script, sent } = yield* start({ interval: "1 minute" })
      yield* TestClock.adjust(30 * second - 1)
      expect(sent()).toEqual([])
      yield* TestClock.adjust(1)
      expect(sent()).toEqual([["ping", 30_000]])
      yield* TestClock.adjust(52_500 - 1)
      expect(sent()).toEqual([])
      yield* TestClock.adjust(1)
      expect(sent()).toEqual([["ping", 82_500]])
      yield* backend.disconnect
      yield* TestClock.adjust("1 hour")
      expect(sent()).toEqual([])
      yield* backend.reconnect
      yield* TestClock.adjust(30 * second)
      expect(sent()).toEqual([["ping", 82_500 + 60 * minute + 30_000]])
      expect(script.ledger.sent("ping", 1)).toHaveLength(1)
    }).pipe(fixed))

  it.scoped("[K1] a heartbeat in flight when its connection ends is given up, and says nothing about the next one", () =>
    Effect.gen(function*() {
      const { backend, events, script } = yield* start({ interval: "1 minute" }, {
        respond: on({ ping: slowly(5000) })
      })
      yield* TestClock.adjust(32 * second)
      expect(script.current.pending).toBe(1)
      yield* backend.reconnect
      yield* TestClock.adjust(0)
      expect(script.connections[0]?.pending).toBe(0)
      yield* TestClock.adjust(10 * second)
      expect((yield* backend.status).healthScore).toBe(1)
      expect(events.filter(({ _tag }) => _tag === "RuntimeLost")).toEqual([])
      expect(script.ledger.faults).toEqual(["connection 1 was closed 0 times"])
    }).pipe(fixed))

  it.scoped("[K2] options beats below the protocol, is not held back by traffic, and is said to prove no session", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { backend, sent } = yield* start({ method: "options", interval: "1 minute" })
        yield* TestClock.adjust(29 * second)
        yield* backend.ping()
        expect(sent()).toEqual([["ping", 29_000]])
        yield* TestClock.adjust(second)
        expect(sent()).toEqual([["OPTIONS", 30_000]])
        yield* TestClock.adjust(52_500 - 1)
        expect(sent()).toEqual([])
        yield* TestClock.adjust(1)
        expect(sent()).toEqual([["OPTIONS", 82_500]])
        yield* backend.reconnect
        yield* TestClock.adjust(30 * second)
        expect(sent()).toEqual([["OPTIONS", 112_500]])
        expect(lines).toEqual([expect.stringMatching(/^WARN one: .*"options".*reachable.*session/)])
      })
    ).pipe(fixed))

  it.scoped("[K2] options says nothing of sessions to a backend without", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make().script({ stateful: false })
        const { sent } = yield* start({ method: "options", interval: "1 minute" }, { script })
        yield* TestClock.adjust(30 * second)
        expect(sent()).toEqual([["OPTIONS", 30_000]])
        expect(lines).toEqual([])
      })
    ).pipe(fixed))

  it.scoped("[K3] the tool is used only after ping failed fallbackAfter times in a row, with its arguments; the next generation starts with ping", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const args: Array<unknown> = []
        const respond: Respond = (method, params) => {
          if (method === "tools/call") args.push(params)
          return method === "ping" ? never : undefined
        }
        const { backend, script, sent } = yield* start(
          { method: "tool:echo", toolArguments: { quiet: true }, interval: "1 minute", fallbackAfter: 3 },
          { respond }
        )
        yield* TestClock.adjust(30 * second)
        expect(sent()).toEqual([["ping", 30_000]])
        // ten seconds without an answer, ten of suspicion
        yield* TestClock.adjust(20 * second)
        expect(sent()).toEqual([["ping", 50_000]])
        expect(lines).toEqual([])
        yield* TestClock.adjust(20 * second - 1)
        expect(sent()).toEqual([])
        yield* TestClock.adjust(1)
        expect(sent()).toEqual([["ping", 70_000]])
        // the third: ping and tool share the time of one heartbeat
        yield* TestClock.adjust(5 * second - 1)
        expect(sent()).toEqual([])
        yield* TestClock.adjust(1)
        expect(sent()).toEqual([["tools/call", 75_000]])
        expect(args).toEqual([{ name: "echo", arguments: { quiet: true } }])
        expect(lines).toEqual(["INFO one: keepalive falls back to the tool echo"])
        // its success was that of the round
        yield* TestClock.adjust(52_500 + 5 * second)
        expect(sent()).toEqual([["ping", 127_500], ["tools/call", 132_500]])
        expect(lines).toHaveLength(1)
        script.respond = undefined
        yield* backend.reconnect
        yield* TestClock.adjust(30 * second + 52_500)
        expect(sent()).toEqual([["ping", 162_500], ["ping", 215_000]])
      })
    ).pipe(fixed))

  it.scoped("[K3] pings that fail now and then, not in a row, leave the tool alone", () =>
    Effect.gen(function*() {
      const { script, sent } = yield* start({ method: "tool:echo", interval: "1 minute" })
      for (let i = 0; i < 4; i++) {
        script.respond = on({ ping: error({ reason: "remote", code: -32603 }) })
        yield* TestClock.adjust(i === 0 ? 30 * second : 52_500)
        script.respond = undefined
        yield* TestClock.adjust(10 * second)
      }
      expect(sent().map(([method]) => method)).toEqual(Array.from({ length: 8 }, () => "ping"))
    }).pipe(fixed))

  it.scoped("[K3] a ping that works again is enough again", () =>
    Effect.gen(function*() {
      const { script, sent } = yield* start({ method: "tool:echo", interval: "1 minute", fallbackAfter: 1 }, {
        respond: on({ ping: error({ reason: "remote", code: -32603 }) })
      })
      yield* TestClock.adjust(30 * second)
      expect(sent()).toEqual([["ping", 30_000], ["tools/call", 30_000]])
      script.respond = undefined
      yield* TestClock.adjust(52_500)
      expect(sent()).toEqual([["ping", 82_500]])
    }).pipe(fixed))

  it.scoped("[K3] an unsupported ping falls through at once and is not tried again on this generation", () =>
    Effect.gen(function*() {
      const { backend, sent } = yield* start({ method: "tool:echo", interval: "1 minute" }, {
        respond: on({ ping: unsupported })
      })
      yield* TestClock.adjust(30 * second)
      expect(sent()).toEqual([["ping", 30_000], ["tools/call", 30_000]])
      yield* TestClock.adjust(52_500)
      expect(sent()).toEqual([["tools/call", 82_500]])
      expect((yield* backend.status).healthScore).toBe(1)
      yield* backend.reconnect
      yield* TestClock.adjust(30 * second)
      expect(sent()).toEqual([["ping", 112_500], ["tools/call", 112_500]])
    }).pipe(fixed))

  it.scoped("[K4] none sends nothing, ever", () =>
    Effect.gen(function*() {
      const { events, keepalive, script } = yield* start({ method: "none" })
      const before = script.ledger.entries.length
      yield* TestClock.adjust("30 days")
      expect(script.ledger.entries).toHaveLength(before)
      expect(yield* keepalive).toMatchObject({ state: "off", reason: "keepalive.method is none" })
      expect(events.filter(({ _tag }) => _tag === "KeepaliveChanged")).toMatchObject([{ state: "off" }])
    }))

  it.scoped.each<[string, unknown, string, string]>([
    ["a word", "soon", '"soon"', "interval"],
    ["negative", -1, "-1", "interval"],
    ["zero", 0, "0", "interval"],
    ["no number", NaN, "NaN", "interval"],
    ["too small", "1 millis", '"1 millis"', "interval"],
    ["a hair too small", 999, "999", "interval"],
    ["too large", "2 days", '"2 days"', "interval"],
    ["a hair too large", 86_400_001, "86400001", "interval"],
    ["endless", Infinity, "Infinity", "interval"],
    ["of the wrong type", true, "true", "interval"],
    ["a tool without a name", "tool:", '"tool:"', "method"],
    ["a transport", "http", '"http"', "method"],
    ["a number", 5, "5", "method"]
  ])(
    "[K5] %s: refused when the backend is made, whoever says it, naming field, value and what is accepted",
    ([, bad, quoted, field]) =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make()
        const keepalive = { [field]: bad }
        const accepted = field === "interval" ? "1 s to 24 h" : '"ping", "tool:<name>", "options" or "none"'
        const expected = {
          _tag: "InvalidOptions",
          backend: "one",
          field: `keepalive.${field}`,
          message: `one: keepalive.${field} is ${quoted}; accepted: ${accepted}`
        }
        expect(yield* Effect.flip(Backend.make("one", { connector: script, keepalive }))).toMatchObject(expected)
        const fleet = Fleet.make({ backends: { one: { connector: script } }, defaults: { keepalive } })
        expect(yield* Effect.flip(fleet)).toMatchObject(expected)
        expect(script.ledger.entries).toEqual([])
      })
  )

  it.scoped("[K5] the ends of the range are accepted, and a backend's own interval beats its fleet's", () =>
    Effect.gen(function*() {
      const quick = ScriptedConnector.make()
      const slow = ScriptedConnector.make()
      const fleet = yield* Fleet.make({
        backends: { quick: { connector: quick, keepalive: { interval: "1 second" } }, slow: { connector: slow } },
        defaults: { keepalive: { interval: "24 hours" } }
      })
      yield* fleet.ready
      yield* TestClock.adjust(1375)
      expect(quick.ledger.sent("ping")).toEqual([500, 1375])
      yield* (yield* fleet.backend("quick")).disconnect
      expect(slow.ledger.sent("ping")).toEqual([])
      yield* TestClock.adjust("12 hours")
      expect(slow.ledger.sent("ping")).toEqual([12 * 60 * minute])
    }).pipe(fixed))

  it.scoped("[K16] OPTIONS that succeeds is no sign of life: it takes no failed probe back", () =>
    Effect.gen(function*() {
      const { backend, sent } = yield* start({ method: "options", interval: "1 minute", timeout: 500 }, {
        respond: on({ ping: never })
      })
      const check = yield* Effect.fork(backend.healthCheck)
      yield* TestClock.adjust(500)
      yield* Fiber.join(check)
      expect((yield* backend.status).failures.request).toBe(1)
      sent()
      yield* TestClock.adjust("5 minutes")
      expect(sent().filter(([method]) => method === "OPTIONS").length).toBeGreaterThanOrEqual(4)
      expect((yield* backend.status).failures.request).toBe(1)
    }))

  it.scoped("[K5] OPTIONS is refused where the transport knows none", () =>
    Effect.gen(function*() {
      const connector = { ...ScriptedConnector.make(), transport: "stdio", heartbeat: false }
      expect(yield* Effect.flip(Backend.make("one", { connector, keepalive: { method: "options" } }))).toMatchObject({
        field: "keepalive.method",
        message:
          'one: keepalive.method is "options"; accepted: "ping", "tool:<name>" or "none"; only HTTP backends know OPTIONS, this one is stdio'
      })
    }))

  it("[K6] over 10,000 draws each delay lies in [0.75, 1] of the interval, evenly spread", () => {
    const simulation = new Simulation.Simulation({ seed: "delays" })
    const script = ScriptedConnector.make()
    const interval = 10 * second
    simulation.fork(Effect.scoped(Effect.zipRight(
      Effect.orDie(Backend.make("one", { connector: script, keepalive: { interval } })),
      Effect.never
    )))
    simulation.advance(10_001 * interval)
    const times = script.ledger.sent("ping")
    const gaps = times.slice(1, 10_001).map((at, i) => at - times[i]!)
    expect(gaps).toHaveLength(10_000)
    const bins = Array.from({ length: 10 }, () => 0)
    for (const gap of gaps) {
      expect(gap).toBeGreaterThanOrEqual(0.75 * interval)
      expect(gap).toBeLessThanOrEqual(interval)
      bins[Math.min(9, Math.floor((gap / interval - 0.75) * 40))]!++
    }
    for (const bin of bins) {
      expect(bin).toBeGreaterThan(850)
      expect(bin).toBeLessThan(1150)
    }
  })

  it.each(["on their own", "in a fleet"])(
    "[K6] 1,000 backends started together, %s: in no second of the first interval more than 15 heartbeats, and each has its first within it",
    (how) => {
      const simulation = new Simulation.Simulation({ seed: "together" })
      const scripts = Array.from({ length: 1000 }, () => ScriptedConnector.make())
      // The lists come a moment after the connection, and are answers.
      for (const script of scripts) {
        script.respond = (method) => method.endsWith("/list") ? { answer: "result", after: 5 } : undefined
      }
      const interval = 5 * minute
      const alone = Effect.forEach(scripts, (connector, i) => Backend.make(`backend-${i}`, { connector }))
      const backends = Object.fromEntries(scripts.map((connector, i) => [`backend-${i}`, { connector }]))
      const fleet = Fleet.make({ backends, connectConcurrency: scripts.length })
      const make: Effect.Effect<unknown, InvalidOptions, Scope.Scope> = how === "in a fleet" ? fleet : alone
      simulation.fork(Effect.scoped(Effect.zipRight(Effect.orDie(make), Effect.never)))
      simulation.advance(interval)
      const buckets = Array.from({ length: interval / second + 1 }, () => 0)
      const tenths = Array.from({ length: 10 }, () => 0)
      for (const { ledger } of scripts) {
        const [first = NaN] = ledger.sent("ping")
        expect(first).toBeGreaterThan(0)
        expect(first).toBeLessThanOrEqual(interval)
        tenths[Math.min(9, Math.floor(first / interval * 10))]!++
        for (const at of ledger.sent("ping")) if (at <= interval) buckets[Math.floor(at / second)]!++
      }
      expect(Math.max(...buckets)).toBeLessThanOrEqual(15)
      for (const tenth of tenths) {
        expect(tenth).toBeGreaterThan(65)
        expect(tenth).toBeLessThan(135)
      }
    }
  )

  it("[K6] the backends of a fleet share the moments of their heartbeats, within the same bounds and as evenly", () => {
    const simulation = new Simulation.Simulation({ seed: "grid" })
    const interval = 10 * second
    const scripts = Array.from({ length: 500 }, () => ScriptedConnector.make())
    const backends = Object.fromEntries(scripts.map((connector, i) => [`backend-${i}`, { connector }]))
    const latency = 7
    for (const script of scripts) {
      script.respond = (method) => method === "ping" ? slowly(latency) : undefined
    }
    simulation.advance(12_345)
    simulation.fork(Effect.scoped(Effect.zipRight(
      Effect.orDie(Fleet.make({ backends, defaults: { keepalive: { interval } }, connectConcurrency: 500 })),
      Effect.never
    )))
    simulation.advance(20 * interval)
    const moments = new Set<number>()
    const bins = Array.from({ length: 10 }, () => 0)
    let beats = 0
    for (const { ledger } of scripts) {
      const times = ledger.sent("ping")
      expect(times[0]).toBeGreaterThan(12_345)
      expect(times[0]).toBeLessThanOrEqual(12_345 + interval)
      for (const [i, at] of times.entries()) {
        moments.add(at)
        beats++
        if (i === 0) continue
        const gap = at - times[i - 1]! - latency
        expect(gap).toBeGreaterThanOrEqual(0.75 * interval)
        expect(gap).toBeLessThanOrEqual(interval)
        bins[Math.min(9, Math.floor((gap - 0.75 * interval) / (interval / 40)))]!++
      }
    }
    // The largest part of a second within a three-hundredth of the interval. What it would bring too early is not on it.
    const astray = [...moments].filter((at) => (at - 12_345) % 20 !== 0).length
    expect(astray).toBeLessThan(beats / 100)
    expect(moments.size - astray).toBeLessThanOrEqual(20 * interval / 20)
    expect(beats).toBeGreaterThan(10_000)
    for (const bin of bins) {
      expect(bin).toBeGreaterThan((beats - 500) / 10 * 0.85)
      expect(bin).toBeLessThan((beats - 500) / 10 * 1.15)
    }
  })

  it("[K6] whatever the traffic, the gap since the last answered request never exceeds the interval and a heartbeat's timeout", () => {
    const simulation = new Simulation.Simulation({ seed: "gaps" })
    const script = ScriptedConnector.make()
    const answered: Array<number> = [0]
    const latencies = [0, 9999, 3000, 120, 7500]
    let beats = 0
    script.respond = (method) => {
      const after = method === "ping" ? latencies[beats++ % latencies.length]! : 0
      answered.push(simulation.now + after)
      return { answer: "result", after }
    }
    const interval = minute
    const world = simulation.fork(Effect.scoped(Effect.gen(function*() {
      const backend = yield* Effect.orDie(Backend.make("one", { connector: script, keepalive: { interval } }))
      for (let i = 0; i < 500; i++) {
        yield* Effect.sleep(yield* Random.nextIntBetween(1, 3 * interval))
        yield* Effect.orDie(backend.callTool({ name: "echo" }))
      }
    })))
    simulation.advance(1000 * interval)
    expect(world.unsafePoll()?._tag).toBe("Success")
    answered.sort((a, b) => a - b)
    expect(answered.length).toBeGreaterThan(1000)
    const gaps = answered.slice(1).map((at, i) => at - answered[i]!)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(interval + 10 * second)
  })

  it.scoped("[K7] a heartbeat is skipped when a request was answered within the interval, and due an interval after that answer", () =>
    Effect.gen(function*() {
      const { backend, sent } = yield* start({ interval: "1 minute" })
      yield* TestClock.adjust(20 * second)
      yield* backend.callTool({ name: "echo" })
      yield* TestClock.adjust(10 * second)
      expect(sent()).toEqual([["tools/call", 20_000]])
      yield* TestClock.adjust(72_500 - 30_000 - 1)
      expect(sent()).toEqual([])
      yield* TestClock.adjust(1)
      expect(sent()).toEqual([["ping", 72_500]])
      // an application error is an answer, too
      yield* TestClock.adjust(second)
      yield* backend.request("tools/call", { name: "echo" })
      sent()
      yield* TestClock.adjust(52_499)
      expect(sent()).toEqual([])
      yield* TestClock.adjust(1)
      expect(sent()).toEqual([["ping", 126_000]])
    }).pipe(fixed))

  it.scoped("[K7] neither notifications of the server nor calls without an answer hold a heartbeat back", () =>
    Effect.gen(function*() {
      const { backend, script, sent } = yield* start({ interval: "1 minute" }, { respond: on({ "tools/call": never }) })
      const call = yield* Effect.fork(backend.callTool({ name: "slow" }, { timeout: "1 hour" }))
      yield* TestClock.adjust(29 * second)
      script.current.notify("notifications/message", { level: "info", data: "busy" })
      yield* TestClock.adjust(second)
      expect(sent()).toEqual([["tools/call", 0], ["ping", 30_000]])
      yield* Fiber.interrupt(call)
    }).pipe(fixed))

  it.scoped("[K8] a heartbeat has its own timeout, and calls go past it", () =>
    Effect.gen(function*() {
      const { backend, events, script, sent } = yield* start({ interval: "1 minute", timeout: 700 }, {
        respond: on({ ping: never })
      })
      yield* TestClock.adjust(30 * second)
      expect(script.current.pending).toBe(1)
      yield* backend.callTool({ name: "echo" })
      expect(sent()).toEqual([["ping", 30_000], ["tools/call", 30_000]])
      expect((yield* backend.status).inFlight).toBe(0)
      yield* TestClock.adjust(699)
      expect(script.current.pending).toBe(1)
      yield* TestClock.adjust(1)
      expect(script.current.pending).toBe(0)
      expect(events.filter(({ _tag }) => _tag === "RuntimeLost")).toEqual([])
    }).pipe(fixed))

  it.scoped("[K8] its timeout holds over a connection that forgets it", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const forgetful: Connector = {
        transport: "scripted",
        target: "a script",
        overlap: true,
        connect: (options) =>
          Effect.map(script.connect(options), (connection) => ({
            ...connection,
            request: (method, params, given) =>
              method === "ping" ? Effect.never : connection.request(method, params, given)
          }))
      }
      const backend = yield* Backend.make("one", {
        connector: forgetful,
        keepalive: { interval: "1 minute", timeout: "2 seconds", failureThreshold: 1 }
      })
      yield* TestClock.adjust(0)
      yield* TestClock.adjust(32 * second - 1)
      expect(script.ledger.live).toEqual([0])
      yield* TestClock.adjust(1)
      expect(script.ledger.live).toEqual([])
      expect((yield* backend.status).lastError).toMatch(/no answer within 2000 ms/)
    }).pipe(fixed))

  it("[K8] however slow they are and however often paused, heartbeats of one backend never overlap", () => {
    const simulation = new Simulation.Simulation({ seed: "slow" })
    const script = ScriptedConnector.make()
    let most = 0
    script.respond = (method, _, connection) => {
      if (method !== "ping") return undefined
      most = Math.max(most, connection.pending + 1)
      return { answer: "result", after: 4000 }
    }
    simulation.fork(Effect.scoped(Effect.gen(function*() {
      const { keepalive } = yield* Effect.orDie(
        Backend.make("one", { connector: script, keepalive: { interval: "1 second" } })
      )
      while (true) {
        yield* Effect.sleep(yield* Random.nextIntBetween(1, 20 * second))
        yield* keepalive.pause
        yield* keepalive.resume
      }
    })))
    simulation.advance(60 * minute)
    expect(script.ledger.sent("ping").length).toBeGreaterThan(300)
    expect(most).toBe(1)
  })

  it.effect("[K9:virtual] what is answered after the detach, before the interruption, says nothing, and nothing more is sent", () =>
    Effect.gen(function*() {
      const policy = yield* Policy.decode("one", { keepalive: { interval: "1 minute", failureThreshold: 1 } })
      const state = Object.assign(new KeepaliveState.KeepaliveState(), { lostInARow: 1 })
      const told: Array<string> = []
      const tell = (what: string) => Effect.sync(() => void told.push(what))
      const clock = yield* Effect.clock
      let current = true
      const fiber = yield* Effect.fork(HeartbeatLoop.run({
        fallback: KeepaliveState.makeFallback(),
        policy,
        state,
        isCurrent: () => current,
        now: () => clock.unsafeCurrentTimeMillis(),
        fleetStartedAt: undefined,
        connection: {
          request: () => Effect.zipRight(tell("sent"), Effect.sleep("2 seconds"))
        } as unknown as Connection,
        runtime: yield* Runtime.make(1),
        onBeat: () => void told.push("beat"),
        onRound: () => void told.push("round"),
        onLost: () => void told.push("lost"),
        onOpen: () => tell("open"),
        onClose: () => tell("close"),
        onFallback: () => tell("fallback"),
        onDefect: () => tell("defect")
      }))
      yield* TestClock.adjust(31 * second)
      expect(told).toEqual(["sent"])
      current = false
      yield* TestClock.adjust("1 hour")
      expect(told).toEqual(["sent"])
      expect(state.lostInARow).toBe(1)
      expect(fiber.unsafePoll()).not.toBeNull()
    }).pipe(fixed))

  it.scoped("[K10] failing heartbeats are not seen by callers, and no single one ends a session", () =>
    Effect.gen(function*() {
      const { backend, events, script, sent } = yield* start({ interval: "1 minute", failureThreshold: 2 }, {
        respond: (method) => method === "ping" ? never : method === "tools/call" ? slowly(9_500) : undefined
      })
      for (let round = 0; round < 5; round++) {
        script.respond = (method) => method === "ping" ? never : method === "tools/call" ? slowly(9_500) : undefined
        const before = (yield* backend.status).healthScore
        yield* TestClock.adjust(round === 0 ? 30 * second : 52_500)
        expect(sent()).toMatchObject([["ping", expect.anything()]])
        const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "echo" })))
        yield* TestClock.adjust(10 * second)
        expect(yield* Fiber.join(call)).toMatchObject({ _tag: "Right" })
        expect((yield* backend.status).healthScore).toBeLessThan(before)
        script.respond = undefined
        yield* TestClock.adjust(10 * second)
        sent()
      }
      expect(events.filter(({ _tag }) => _tag === "RuntimeLost")).toEqual([])
      expect((yield* backend.status).generation).toBe(1)
    }).pipe(fixed))

  it.scoped("[K10] a connection that throws on a heartbeat fails that round, and keepalive goes on", () =>
    Effect.gen(function*() {
      let broken = true
      const { sent } = yield* start({ interval: "1 minute" }, {
        respond: (method) => {
          if (method === "ping" && broken) throw new Error("broken adapter")
          return undefined
        }
      })
      yield* TestClock.adjust(30 * second)
      broken = false
      yield* TestClock.adjust(10 * second)
      expect(sent()).toEqual([["ping", 30_000], ["ping", 40_000]])
    }).pipe(fixed))

  it.scoped("[K11] a dead idle peer: failing rounds follow after suspectInterval, the last of failureThreshold loses the runtime, within the bound", () =>
    Effect.gen(function*() {
      const { backend, events, script, sent } = yield* start(
        { interval: "1 minute", timeout: "4 seconds", suspectInterval: "7 seconds", failureThreshold: 3 },
        { respond: on({ ping: never }) }
      )
      yield* TestClock.adjust(30 * second)
      expect(sent()).toEqual([["ping", 30_000]])
      yield* TestClock.adjust(11 * second - 1)
      expect(sent()).toEqual([])
      yield* TestClock.adjust(1)
      expect(sent()).toEqual([["ping", 41_000]])
      yield* TestClock.adjust(11 * second)
      expect(sent()).toEqual([["ping", 52_000]])
      yield* TestClock.adjust(4 * second - 1)
      expect(script.ledger.live).toEqual([0])
      yield* TestClock.adjust(1)
      expect(script.ledger.live).toEqual([])
      expect(events.filter(({ _tag }) => _tag === "RuntimeLost")).toMatchObject([{
        loss: { kind: "keepalive", message: "3 heartbeats in a row without an answer: no answer within 4000 ms" },
        at: 56_000
      }])
      script.respond = undefined
      yield* TestClock.adjust(second)
      expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 2 })
    }).pipe(fixed))

  it.scoped.each<[string, Policy.KeepaliveMethod, number]>([
    ["by ping", "ping", 3],
    ["by ping and a fallback tool", "tool:echo", 2],
    ["by ping and a fallback tool at once", "tool:echo", 1],
    ["by OPTIONS", "options", 2]
  ])(
    "[K11] %s, a peer that dies after its last answer is found within interval + threshold x (timeout + suspectInterval)",
    ([, method, fallbackAfter]) =>
      Effect.gen(function*() {
        const timeout = 9 * second
        const suspectInterval = 2 * second
        const respond = on({ "ping": never, "tools/call": never, "OPTIONS": never })
        const { script } = yield* start({ method, fallbackAfter, interval: "1 minute", timeout, suspectInterval })
        yield* TestClock.adjust(30 * second)
        script.respond = respond
        yield* TestClock.adjust(minute + 3 * (timeout + suspectInterval))
        expect(script.ledger.closing[0]).toBe(0)
      }).pipe(Effect.withRandom(Random.fixed([0.5, 1 - 1e-9])))
  )

  it.scoped("[K12] failing heartbeats on a connection that answers calls open the breaker: one warning, reason in status and metrics, the session goes on", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make()
        const { backend, events, keepalive, sent } = yield* start({ interval: "1 minute" }, {
          script,
          respond: on({ ping: never })
        })
        yield* TestClock.adjust(35 * second)
        yield* backend.callTool({ name: "echo" })
        yield* TestClock.adjust(45 * second - 1)
        expect(yield* keepalive).toMatchObject({ state: "running", reason: undefined })
        yield* TestClock.adjust(1)
        expect(yield* keepalive).toEqual({
          state: "disabled",
          method: "ping",
          reason: "timeout: no answer within 10000 ms",
          reprobeAt: 80_000 + 0.875 * 30 * minute
        })
        expect(lines).toEqual([
          "WARN one: keepalive is disabled (timeout: no answer within 10000 ms); the session goes on; probed again in 26m 15s"
        ])
        expect(events.filter(({ _tag }) => _tag === "KeepaliveChanged")).toMatchObject([
          { state: "running" },
          { state: "disabled", reason: "timeout: no answer within 10000 ms", nextProbeAt: 80_000 + 0.875 * 30 * minute }
        ])
        sent()
        yield* TestClock.adjust("26 minutes")
        expect(sent()).toEqual([])
        yield* backend.callTool({ name: "echo" })
        expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 1, lastError: undefined })
      })
    ).pipe(fixed))

  it.scoped.each<[string, Policy.KeepaliveMethod, Record<string, ScriptedConnector.Answer>, string]>([
    ["a server without ping", "ping", { ping: unsupported }, "unsupported: Method not found"],
    [
      "a tool that does not exist",
      "tool:nap",
      { "ping": unsupported, "tools/call": error({ reason: "remote", code: -32602, message: "Unknown tool:\n nap" }) },
      "tool_error: tool nap: Unknown tool: nap"
    ],
    [
      "a tool that returns isError",
      "tool:nap",
      {
        "ping": unsupported,
        "tools/call": { answer: "result", result: { content: [{ type: "text", text: "too\ntired" }], isError: true } }
      },
      "tool_error: tool nap answered with isError: too tired"
    ],
    [
      "an answer that is no answer",
      "ping",
      { ping: error({ reason: "protocol", message: "not a result" }) },
      "protocol: not a result"
    ]
  ])(
    "[K12] %s opens the breaker after three rounds: each is an answer",
    ([, method, answers, reason]) =>
      Effect.gen(function*() {
        const { backend, keepalive } = yield* start({ method, interval: "1 minute" }, { respond: on(answers) })
        yield* TestClock.adjust(50 * second - 1)
        expect(yield* keepalive).toMatchObject({ state: "running" })
        yield* TestClock.adjust(1)
        expect(yield* keepalive).toMatchObject({ state: "disabled", reason })
        expect(yield* backend.status).toMatchObject({ generation: 1, health: "CONNECTED" })
      }).pipe(fixed)
  )

  it.scoped("[K13] after two generations in a row that were lost to keepalive, the third is kept and the breaker opens", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { backend, events, keepalive, script, sent } = yield* start({ interval: "1 minute" }, {
          respond: on({ ping: never })
        })
        for (let generation = 1; generation <= 2; generation++) {
          expect((yield* backend.status).generation).toBe(generation)
          yield* TestClock.adjust(80 * second)
          yield* TestClock.adjust(second)
        }
        expect(script.ledger.closing).toEqual([0, 1])
        expect((yield* backend.status).generation).toBe(3)
        yield* TestClock.adjust(80 * second)
        expect(yield* keepalive).toMatchObject({ state: "disabled", reason: "timeout: no answer within 10000 ms" })
        expect(script.ledger.live).toEqual([2])
        expect(lines).toHaveLength(1)
        // reconnecting does not reset the breaker
        sent()
        script.current.lose()
        yield* TestClock.adjust(20 * minute)
        expect(sent()).toEqual([])
        expect(yield* backend.status).toMatchObject({ generation: 4, keepalive: { state: "disabled" } })
        expect(events.findLast(({ _tag }) => _tag === "KeepaliveChanged")).toMatchObject({
          generation: 4,
          state: "disabled"
        })
      })
    ).pipe(fixed))

  it.scoped("[K13] a successful round between forgets the lost generation", () =>
    Effect.gen(function*() {
      const { backend, keepalive, script } = yield* start({ interval: "1 minute" })
      for (let generation = 1; generation <= 4; generation++) {
        yield* TestClock.adjust(30 * second)
        expect((yield* backend.status).generation).toBe(generation)
        script.respond = on({ ping: never })
        yield* TestClock.adjust(52_500 + 50 * second)
        expect(script.ledger.closing).toHaveLength(generation)
        script.respond = undefined
        yield* TestClock.adjust(second)
      }
      expect(yield* keepalive).toMatchObject({ state: "running" })
    }).pipe(fixed))

  it.scoped("[K14] an open breaker is probed after reprobeAfter, jittered: failure waits again without a word, success brings keepalive back on the same session", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const { backend, keepalive, script, sent } = yield* start(
          { interval: "1 minute", reprobeAfter: "10 minutes" },
          {
            respond: on({ ping: unsupported })
          }
        )
        yield* TestClock.adjust(50 * second)
        expect(yield* keepalive).toMatchObject({ state: "disabled", reprobeAt: 50_000 + 525_000 })
        sent()
        yield* TestClock.adjust(525_000 - 1)
        expect(sent()).toEqual([])
        yield* TestClock.adjust(1)
        expect(sent()).toEqual([["ping", 575_000]])
        expect(yield* keepalive).toMatchObject({ state: "disabled", reprobeAt: 575_000 + 525_000 })
        script.respond = undefined
        yield* TestClock.adjust(525_000)
        expect(sent()).toEqual([["ping", 1_100_000]])
        expect(yield* keepalive).toEqual({ state: "running", method: "ping", reason: undefined, reprobeAt: undefined })
        yield* TestClock.adjust(52_500)
        expect(sent()).toEqual([["ping", 1_152_500]])
        expect((yield* backend.status).generation).toBe(1)
        expect(lines).toEqual([
          expect.stringMatching(/^WARN one: keepalive is disabled \(unsupported: Method not found\)/),
          "INFO one: keepalive works again"
        ])
      })
    ).pipe(fixed))

  it("[K14] probes of open breakers are spread over the last quarter of reprobeAfter", () => {
    const simulation = new Simulation.Simulation({ seed: "breakers" })
    const scripts = Array.from({ length: 400 }, () => ScriptedConnector.make())
    for (const script of scripts) script.respond = on({ ping: unsupported })
    const reprobeAfter = 60 * minute
    simulation.fork(
      Effect.scoped(Effect.zipRight(
        Effect.orDie(
          Effect.forEach(
            scripts,
            (connector, i) => Backend.make(`backend-${i}`, { connector, keepalive: { interval: second, reprobeAfter } })
          )
        ),
        Effect.never
      )).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
    )
    simulation.advance(reprobeAfter + 22 * second)
    const waits = scripts.map(({ ledger }) => {
      const sent = ledger.sent("ping")
      const [third, probe] = [sent[2] ?? NaN, sent[3] ?? NaN]
      return (probe - third) / reprobeAfter
    })
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(0.75)
    expect(Math.max(...waits)).toBeLessThanOrEqual(1)
    for (const quarter of [0, 1, 2, 3]) {
      const [from, to] = [0.75 + quarter / 16, 0.75 + (quarter + 1) / 16]
      expect(waits.filter((wait) => wait >= from && wait < to).length).toBeGreaterThan(70)
    }
  })

  it.scoped("[K15] off by default for a backend without sessions and where sessions never expire, with the reason in the status and one line", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const stateless = yield* start({}, { script: ScriptedConnector.make().script({ stateful: false }) })
        const lasting = yield* start({ idleTtl: "never" })
        yield* TestClock.adjust("1 day")
        expect(stateless.sent()).toEqual([])
        expect(yield* stateless.keepalive).toMatchObject({ state: "off", reason: "the server keeps no session" })
        expect(lasting.sent()).toEqual([])
        expect(yield* lasting.keepalive).toMatchObject({ state: "off", reason: "keepalive.idleTtl is never" })
        expect(lines).toEqual([
          "INFO one: keepalive is off: the server keeps no session",
          "INFO one: keepalive is off: keepalive.idleTtl is never"
        ])
      })
    ).pipe(fixed))

  it.scoped("[K15] a method that is given wins over both", () =>
    Effect.gen(function*() {
      const stateless = yield* start({ method: "ping", interval: "1 minute" }, {
        script: ScriptedConnector.make().script({ stateful: false })
      })
      const lasting = yield* start({ method: "ping", interval: "1 minute", idleTtl: "never" })
      yield* TestClock.adjust(30 * second)
      expect(stateless.sent()).toEqual([["ping", 30_000]])
      expect(lasting.sent()).toEqual([["ping", 30_000]])
    }).pipe(fixed))

  it.scoped("[K15] an idleTtl shorter than twice the interval makes the interval half of it, said once; a longer one changes nothing", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const short = yield* start({ interval: "5 minutes", idleTtl: "2 minutes" })
        const long = yield* start({ interval: "1 minute", idleTtl: "2 minutes" })
        yield* TestClock.adjust(30 * second - 1)
        expect([...short.sent(), ...long.sent()]).toEqual([])
        yield* TestClock.adjust(1)
        expect([short.sent(), long.sent()]).toEqual([[["ping", 30_000]], [["ping", 30_000]]])
        yield* short.backend.reconnect
        expect(lines).toEqual(["INFO one: keepalive.interval is 1m, half of keepalive.idleTtl, in place of 5m"])
      })
    ).pipe(fixed))

  it.scoped("[K17] every heartbeat is counted under its backend and method, every failure with its reason, latency in milliseconds of those that were answered", () =>
    Effect.gen(function*() {
      const backend = `metrics-${yield* Random.nextIntBetween(0, 1e9)}`
      const script = ScriptedConnector.make()
      const tool = { backend, method: "tool:nap" }
      const ping = { backend, method: "ping" }
      script.respond = on({ ping: slowly(120) })
      yield* Backend.make(backend, { connector: script, keepalive: { method: "tool:nap", interval: "1 minute" } })
      yield* TestClock.adjust(0)
      yield* TestClock.adjust(29 * second)
      expect(yield* count("keepalive_attempt_count", ping)).toBe(0)
      yield* TestClock.adjust(1120)
      expect(yield* count("keepalive_attempt_count", ping)).toBe(1)
      expect(yield* count("keepalive_success_count", ping)).toBe(1)
      script.respond = on({
        "ping": unsupported,
        "tools/call": { answer: "result", result: { content: [], isError: true } }
      })
      yield* TestClock.adjust(52_500 + 20 * second)
      expect(yield* count("keepalive_attempt_count", ping)).toBe(2)
      expect(yield* count("keepalive_failure_count", { ...ping, reason: "unsupported" })).toBe(1)
      expect(yield* count("keepalive_attempt_count", tool)).toBe(3)
      expect(yield* count("keepalive_success_count", tool)).toBe(0)
      expect(yield* count("keepalive_failure_count", { ...tool, reason: "tool_error" })).toBe(3)
      expect(yield* count("keepalive_auto_disabled_total", { ...tool, reason: "tool_error" })).toBe(1)
      // a probe of the open breaker that fails is a failure, but no new opening
      yield* TestClock.adjust("30 minutes")
      expect(yield* count("keepalive_failure_count", { ...tool, reason: "tool_error" })).toBe(4)
      expect(yield* count("keepalive_auto_disabled_total", { ...tool, reason: "tool_error" })).toBe(1)
      expect(yield* metric("keepalive_latency_ms", ping)).toMatchObject({ count: 1, min: 120, max: 120, sum: 120 })
      expect(yield* metric("keepalive_latency_ms", tool)).toBeUndefined()
    }).pipe(fixed))

  it.scoped.each<[string, ScriptedConnector.Answer]>([
    ["timeout", never],
    ["connection", error({ fate: "unknown", reason: "network" })],
    ["connection", error({ fate: "unknown", reason: "server" })],
    ["connection", error({ fate: "rejected", reason: "unauthorized" })],
    ["session_expired", error({ fate: "rejected", reason: "session" })],
    ["unsupported", unsupported],
    ["rate_limited", tooMany],
    ["rate_limited", error({ fate: "rejected", reason: "server", retryAfter: 5000 })],
    ["protocol", error({ reason: "protocol" })],
    ["protocol", error({ reason: "remote", code: -32000 })]
  ])("[K17] the reasons are a closed set: %s", ([reason, answer]) =>
    Effect.gen(function*() {
      const backend = `reason-${yield* Random.nextInt}`
      const script = ScriptedConnector.make()
      script.respond = on({ ping: answer })
      yield* Backend.make(backend, { connector: script, keepalive: { interval: "10 seconds" } })
      yield* TestClock.adjust(20 * second)
      const reasons = (yield* Metric.snapshot).flatMap(({ metricKey }) =>
        metricKey.name === "keepalive_failure_count" && metricKey.tags.some(({ value }) => value === backend)
          ? metricKey.tags.flatMap(({ key, value }) => key === "reason" ? [value] : [])
          : []
      )
      expect(reasons).toEqual([reason])
    }).pipe(Effect.withRandom(Random.make(`${reason} ${JSON.stringify(answer)}`))))

  it.scoped("[K17] calls are not counted", () =>
    Effect.gen(function*() {
      const before = (yield* Metric.snapshot).length
      const { backend } = yield* start({})
      yield* backend.callTool({ name: "echo" })
      yield* backend.healthCheck
      expect(yield* Metric.snapshot).toHaveLength(before)
    }))

  it.scoped("[K19] a server that objects to the rate is asked half as often each time, and its objection is a sign of life", () =>
    Effect.gen(function*() {
      const { backend, keepalive, script, sent } = yield* start({ interval: "1 minute" }, {
        respond: on({ ping: tooMany })
      })
      yield* TestClock.adjust(30 * second)
      expect(sent()).toEqual([["ping", 30_000]])
      yield* TestClock.adjust(2 * 52_500 - 1)
      expect(sent()).toEqual([])
      yield* TestClock.adjust(1)
      expect(sent()).toEqual([["ping", 135_000]])
      yield* TestClock.adjust(4 * 52_500 - 1)
      expect(sent()).toEqual([])
      yield* TestClock.adjust(1)
      expect(sent()).toEqual([["ping", 345_000]])
      expect(yield* keepalive).toMatchObject({ state: "running" })
      expect(yield* backend.status).toMatchObject({ generation: 1, healthScore: 1 })
      // it keeps to that when it is content, also on the next generation
      script.respond = undefined
      yield* backend.reconnect
      yield* TestClock.adjust(8 * 30_000 - 1)
      expect(sent()).toEqual([])
      yield* TestClock.adjust(1)
      expect(sent()).toEqual([["ping", 585_000]])
    }).pipe(fixed))

  it.scoped("[K19] not less often than half of idleTtl allows, and once a day at least", () =>
    Effect.gen(function*() {
      const known = yield* start({ interval: "1 minute", idleTtl: "5 minutes" }, { respond: on({ ping: tooMany }) })
      yield* TestClock.adjust("15 minutes")
      yield* known.backend.disconnect
      const unknown = yield* start({ interval: "1 minute" }, { respond: on({ ping: tooMany }) })
      yield* TestClock.adjust("5 days")
      const last = (times: ReadonlyArray<readonly [string, number]>) => {
        const [[, before] = ["", NaN], [, after] = ["", NaN]] = times.slice(-2)
        return after - before
      }
      expect(last(known.sent())).toBe(0.875 * 2.5 * minute)
      expect(last(unknown.sent())).toBe(0.875 * 24 * 60 * minute)
    }).pipe(fixed))

  it.scoped("[K19] an objection between failing rounds ends the suspicion; on an open breaker it waits as any failure does", () =>
    Effect.gen(function*() {
      const { keepalive, script, sent } = yield* start({ interval: "1 minute" }, { respond: on({ ping: never }) })
      yield* TestClock.adjust(40 * second)
      script.respond = on({ ping: tooMany })
      yield* TestClock.adjust(10 * second)
      expect(sent()).toEqual([["ping", 30_000], ["ping", 50_000]])
      yield* TestClock.adjust(2 * 52_500 - 1)
      expect(sent()).toEqual([])
      script.respond = on({ ping: unsupported })
      yield* TestClock.adjust(1 + 20 * second)
      expect(sent()).toHaveLength(3)
      expect(yield* keepalive).toMatchObject({ state: "disabled" })
      script.respond = on({ ping: tooMany })
      yield* TestClock.adjust(60 * minute)
      expect(sent()).toHaveLength(2)
      expect(yield* keepalive).toMatchObject({ state: "disabled", reason: "rate_limited: 429" })
    }).pipe(fixed))

  it.scoped("[K19] a ping that is objected to is not followed by the fallback tool", () =>
    Effect.gen(function*() {
      const { sent } = yield* start({ method: "tool:echo", fallbackAfter: 1, interval: "1 minute" }, {
        respond: on({ ping: tooMany })
      })
      yield* TestClock.adjust("10 minutes")
      expect(new Set(sent().map(([method]) => method))).toEqual(new Set(["ping"]))
    }).pipe(fixed))

  it.scoped("[K20] pause stops it, a heartbeat in flight included, and resume starts it anew; the status says which", () =>
    Effect.gen(function*() {
      const { backend, events, keepalive, script, sent } = yield* start({ interval: "1 minute" }, {
        respond: on({ ping: slowly(5000) })
      })
      yield* TestClock.adjust(31 * second)
      expect(script.current.pending).toBe(1)
      yield* backend.keepalive.pause
      yield* TestClock.adjust(0)
      expect(script.current.pending).toBe(0)
      expect(yield* keepalive).toMatchObject({ state: "paused", reason: "paused by keepalive.pause()" })
      sent()
      yield* TestClock.adjust("1 hour")
      // not even on a new connection
      script.current.lose()
      yield* TestClock.adjust("1 hour")
      expect((yield* backend.status).generation).toBe(2)
      expect(sent()).toEqual([])
      script.respond = undefined
      yield* backend.keepalive.resume
      yield* backend.keepalive.resume
      yield* TestClock.adjust(0)
      expect(yield* keepalive).toMatchObject({ state: "running" })
      expect(sent()).toHaveLength(1)
      yield* TestClock.adjust(52_500 - 1)
      expect(sent()).toEqual([])
      yield* TestClock.adjust(1)
      expect(sent()).toHaveLength(1)
      expect(events.flatMap((event) => event._tag === "KeepaliveChanged" ? [event.state] : [])).toEqual([
        "running",
        "paused",
        "running"
      ])
    }).pipe(fixed))

  it.scoped("[K20] what a generation knows of ping and fallback is kept while it is paused; resume without a connection is told", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.respond = (method) =>
        method === "ping"
          ? {
            answer: "error",
            error: new RequestError({ fate: "answered", reason: "remote", code: -32601, message: "no ping" })
          }
          : undefined
      const backend = yield* Backend.make("one", {
        connector: script,
        keepalive: { method: "tool:echo", interval: "1 minute" }
      })
      yield* backend.settled
      yield* TestClock.adjust("1 minute")
      yield* backend.keepalive.pause
      yield* backend.keepalive.resume
      yield* TestClock.adjust("2 minutes")
      expect(script.ledger.sent("ping")).toHaveLength(1)
      expect(script.ledger.sent("tools/call").length).toBeGreaterThan(1)
      yield* backend.keepalive.pause
      yield* backend.disconnect
      const seen = yield* Effect.fork(Stream.runCollect(
        Stream.takeUntil(
          Stream.map(backend.status.changes, ({ keepalive }) => keepalive.state),
          (state) => state === "off"
        )
      ))
      yield* Effect.yieldNow()
      yield* backend.keepalive.resume
      yield* TestClock.adjust(0)
      expect(Chunk.toReadonlyArray(yield* Fiber.join(seen)).at(-1)).toBe("off")
    }))

  it.scoped("[K20] paused before it is connected, it does not begin", () =>
    Effect.gen(function*() {
      const { backend, sent } = yield* start({ interval: "1 minute" }, {
        script: ScriptedConnector.make().script({ after: 1000 })
      })
      yield* backend.keepalive.pause
      yield* TestClock.adjust("1 hour")
      expect(sent()).toEqual([])
      yield* backend.disable
      yield* backend.keepalive.resume
      yield* TestClock.adjust("1 hour")
      expect(sent()).toEqual([])
      yield* backend.enable
      yield* TestClock.adjust(30 * second)
      expect(sent()).toHaveLength(1)
    }).pipe(fixed))
})
