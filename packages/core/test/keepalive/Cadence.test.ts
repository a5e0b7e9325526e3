import { describe, expect, it } from "@effect/vitest"
import { Backend, Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Effect, Random, Schedule, TestClock } from "effect"
import { mayLeave } from "../../../testing/test/support/Holdings.js"
import { fixed, logged, minute, never, on, second, slowly, start, tooMany, unsupported } from "../support/Heartbeats.js"

describe("when heartbeats are due", () => {
  it("[K6] each delay lies in [0.75, 1] of the interval, evenly spread", () => {
    const count = 2000
    mayLeave("connections")
    const simulation = new Simulation.Simulation({ seed: "delays" })
    const script = ScriptedConnector.make()
    const interval = 10 * second
    simulation.fork(Effect.scoped(Effect.zipRight(
      Effect.orDie(Backend.make("one", { connector: script, keepalive: { interval } })),
      Effect.never
    )))
    simulation.advance((count + 1) * interval)
    const times = script.ledger.sent("ping")
    const gaps = times.slice(1, count + 1).map((at, i) => at - times[i]!)
    expect(gaps).toHaveLength(count)
    const bins = Array.from({ length: 10 }, () => 0)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0.75 * interval)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(interval)
    for (const gap of gaps) bins[Math.min(9, Math.floor((gap / interval - 0.75) * 40))]!++
    for (const bin of bins) {
      expect(bin).toBeGreaterThan(0.8 * count / 10)
      expect(bin).toBeLessThan(1.2 * count / 10)
    }
  }, 600_000)

  it(
    "[K6] the backends of a fleet share the moments of their heartbeats, within the same bounds and as evenly",
    async () => {
      mayLeave("connections", "listeners")
      const simulation = new Simulation.Simulation({ seed: "grid" })
      const interval = 10 * second
      const count = 50
      const scripts = Array.from({ length: count }, () => ScriptedConnector.make())
      const backends = Object.fromEntries(scripts.map((connector, i) => [`backend-${i}`, { connector }]))
      const latency = 7
      for (const script of scripts) {
        script.respond = (method) => method === "ping" ? slowly(latency) : undefined
      }
      simulation.advance(12_345)
      simulation.fork(Effect.scoped(Effect.zipRight(
        Effect.orDie(Fleet.make({ backends, defaults: { keepalive: { interval } }, connectConcurrency: count })),
        Effect.never
      )))
      await simulation.advanceInParts(20 * interval, 200)
      const moments = new Set<number>()
      const bins = Array.from({ length: 10 }, () => 0)
      const gaps: Array<number> = []
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
          gaps.push(gap)
          bins[Math.min(9, Math.floor((gap - 0.75 * interval) / (interval / 40)))]!++
        }
      }
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0.75 * interval)
      expect(Math.max(...gaps)).toBeLessThanOrEqual(interval)
      // The largest part of a second within a three-hundredth of the interval. What it would bring too early is not on it.
      const astray = [...moments].filter((at) => (at - 12_345) % 20 !== 0).length
      expect(astray).toBeLessThan(beats / 100)
      expect(moments.size - astray).toBeLessThanOrEqual(20 * interval / 20)
      expect(beats).toBeGreaterThan(20 * count)
      for (const bin of bins) {
        expect(bin).toBeGreaterThan((beats - count) / 10 * 0.75)
        expect(bin).toBeLessThan((beats - count) / 10 * 1.25)
      }
    },
    600_000
  )

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
      yield* TestClock.adjust(40 * second - 1)
      script.respond = on({ ping: tooMany })
      yield* TestClock.adjust(1)
      expect(sent()).toEqual([["ping", 30_000], ["ping", 40_000]])
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

  it.scoped("[K21 K21:types K6 K12] a program's own schedule hears what is known after each round, and may end", () =>
    Effect.gen(function*() {
      const heard: Array<Partial<Backend.Found>> = []
      const schedule = Schedule.spaced("20 seconds").pipe(
        Schedule.intersect(Schedule.recurs(3)),
        Schedule.tapInput(({ answeredAt, failures }: Backend.Found) =>
          Effect.sync(() => heard.push({ answeredAt, failures }))
        )
      )
      const { backend, script, sent } = yield* start({ schedule, failureThreshold: 5 })
      yield* TestClock.adjust("20 seconds")
      script.respond = on({ ping: unsupported })
      yield* TestClock.adjust("1 hour")
      expect(sent()).toEqual([["ping", 20_000], ["ping", 40_000], ["ping", 60_000]])
      expect(heard).toEqual(
        [0, 20_000, 40_000, 60_000].map((answeredAt, i) => ({ answeredAt, failures: Math.max(0, i - 1) }))
      )
      yield* backend.reconnect
      yield* TestClock.adjust("20 seconds")
      expect(sent()).toHaveLength(1)
      const wrong = { connector: ScriptedConnector.make(), keepalive: { schedule: "20 seconds" } }
      const { message } = yield* Effect.flip(Backend.make("two", wrong as unknown as Backend.BackendOptions))
      expect(message).toContain("keepalive.schedule")
      // @ts-expect-error What a round has found is no text.
      void (Schedule.identity<string>() satisfies Schedule.Schedule<unknown, Backend.Found>)
    }).pipe(fixed))
})
