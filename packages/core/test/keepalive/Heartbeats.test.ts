import { Backend, Fleet, Policy, Sending } from "@mcp-lifeline/core"
import type { Connection } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Effect, Fiber, Random, TestClock } from "effect"
import { constVoid } from "effect/Function"
import { sending } from "../../../testing/test/support/asked.js"
import { mayLeave } from "../../../testing/test/support/Holdings.js"
import { describe, expect, it, test } from "../../../testing/test/support/vitest.js"
import * as Heartbeats from "../../src/health/Heartbeats.js"
import * as Liveness from "../../src/health/Liveness.js"
import { schedule } from "../../src/health/schedule.js"
import { State } from "../../src/lifecycle/Lifecycle.js"
import { Runtime } from "../../src/runtime/Runtime.js"
import { BackendState } from "../../src/state/BackendState.js"
import { kept } from "../../src/state/Slot.js"
import {
  error,
  fixed,
  logged,
  minute,
  never,
  on,
  type Respond,
  second,
  slowly,
  start,
  unsupported
} from "../support/Heartbeats.js"

describe("heartbeats", () => {
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

  it.scoped.each([true, false])(
    "[K16] options is told whether to authenticate: %s",
    (authenticated) =>
      Effect.gen(function*() {
        const asked: Array<unknown> = []
        const respond = (method: string, params: unknown) => void (method === "OPTIONS" && asked.push(params))
        yield* start({ method: "options", interval: "1 minute", authenticated }, { respond })
        yield* TestClock.adjust("1 minute")
        expect(asked).toMatchObject([{ authenticated }])
      }).pipe(fixed)
  )

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
        // ten seconds without an answer are the pause before the next one
        yield* TestClock.adjust(10 * second)
        expect(sent()).toEqual([["ping", 40_000]])
        expect(lines).toEqual([])
        yield* TestClock.adjust(10 * second - 1)
        expect(sent()).toEqual([])
        yield* TestClock.adjust(1)
        expect(sent()).toEqual([["ping", 50_000]])
        // the third: ping and tool share the time of one heartbeat
        yield* TestClock.adjust(5 * second - 1)
        expect(sent()).toEqual([])
        yield* TestClock.adjust(1)
        expect(sent()).toEqual([["tools/call", 55_000]])
        expect(args).toEqual([{ name: "echo", arguments: { quiet: true } }])
        expect(lines).toEqual(["INFO one: keepalive falls back to the tool echo"])
        // its success was that of the round
        yield* TestClock.adjust(52_500 + 5 * second)
        expect(sent()).toEqual([["ping", 107_500], ["tools/call", 112_500]])
        expect(lines).toHaveLength(1)
        script.respond = undefined
        yield* backend.reconnect
        yield* TestClock.adjust(30 * second + 52_500)
        expect(sent()).toEqual([["ping", 142_500], ["ping", 195_000]])
      })
    ).pipe(fixed))

  it.scoped("[K3] the name of the tool may be any", () =>
    Effect.gen(function*() {
      const called: Array<unknown> = []
      yield* start({ method: "tool:mytool:run", interval: "1 minute" }, {
        respond: (method, params) => {
          if (method === "tools/call") called.push(params)
          return method === "ping" ? unsupported : undefined
        }
      })
      yield* TestClock.adjust(30 * second)
      expect(called).toEqual([{ name: "mytool:run", arguments: {} }])
    }).pipe(fixed))

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

  test.scoped("[K4] none sends nothing, ever", function*() {
    const { events, keepalive, script } = yield* start({ method: "none" })
    const before = script.ledger.entries.length
    yield* TestClock.adjust("30 days")
    expect(script.ledger.entries).toHaveLength(before)
    expect(yield* keepalive).toMatchObject({ state: "off", reason: "keepalive.method is none" })
    expect(events.filter(({ _tag }) => _tag === "KeepaliveChanged")).toMatchObject([{ state: "off" }])
  })

  test.scoped.each<[string, unknown, string, string]>([
    ["a word", "soon", '"soon"', "interval"],
    ["a hair too small", 999, "999", "interval"],
    ["a transport", "http", '"http"', "method"]
  ])(
    "[K5] %s: refused when the backend is made, whoever says it, naming field, value and what is accepted",
    function*([, bad, quoted, field]) {
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
    }
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
      const keepalive = { method: "options", interval: "1 minute", timeout: 500, suspectInterval: "1 hour" } as const
      const { backend, sent } = yield* start(keepalive, { respond: on({ ping: never, OPTIONS: slowly(400) }) })
      yield* TestClock.adjust(30 * second - 200)
      const check = yield* Effect.fork(backend.healthCheck)
      yield* TestClock.adjust(500)
      yield* Fiber.join(check)
      expect((yield* backend.status).failures).toBe(1)
      yield* TestClock.adjust(100)
      expect(sent()).toEqual([["ping", 29_800], ["OPTIONS", 30_000]])
      expect(yield* backend.status).toMatchObject({ failures: 1, keepalive: { state: "running" } })
    }).pipe(fixed))

  test.scoped("[K5] OPTIONS is refused where the transport knows none", function*() {
    const connector = { ...ScriptedConnector.make(), transport: "stdio", heartbeat: false }
    expect(yield* Effect.flip(Backend.make("one", { connector, keepalive: { method: "options" } }))).toMatchObject({
      field: "keepalive.method",
      message:
        'one: keepalive.method is "options"; accepted: "ping", "tool:<name>" or "none"; only servers over HTTP know OPTIONS, this one is stdio'
    })
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
      expect(sent().at(-1)).toEqual(["ping", 30_000])
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
      const forgetful = sending(script, (connection) => (method, params, given, settle) =>
        method === "ping" ? constVoid : connection.send(method, params, given, settle))
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
    mayLeave("connections")
    const simulation = new Simulation.Simulation({ seed: "slow" })
    const script = ScriptedConnector.make()
    let [now, most] = [0, 0]
    script.respond = (method) => method === "ping" ? { answer: "result", after: 4000 } : undefined
    const connector = sending(script, (connection) => (method, params, given, settle) => {
      if (method !== "ping") return connection.send(method, params, given, settle)
      most = Math.max(most, ++now)
      const cancel = connection.send(method, params, given, (exit) => {
        now--
        settle(exit)
      })
      return () => {
        now--
        cancel()
      }
    })
    simulation.fork(Effect.scoped(Effect.gen(function*() {
      const { keepalive } = yield* Effect.orDie(
        Backend.make("one", { connector, keepalive: { interval: "1 second" } })
      )
      while (true) {
        yield* Effect.sleep(yield* Random.nextIntBetween(1, 20 * second))
        for (let i = 0; i < 2; i++) {
          yield* keepalive.pause
          yield* keepalive.resume
          yield* Effect.yieldNow()
        }
      }
    })))
    simulation.advance(60 * minute)
    expect(script.ledger.sent("ping").length).toBeGreaterThan(300)
    expect(most).toBe(1)
  })

  it.effect.each(["detach", "pause"])(
    "[K9:virtual] what is answered after the %s, before the interruption, says nothing, and nothing more is sent",
    (end) =>
      Effect.gen(function*() {
        mayLeave("connections")
        const policy = yield* Policy.decode("one", { keepalive: { interval: "1 minute", failureThreshold: 1 } })
        const told: Array<string> = []
        const tell = (what: string) => Effect.sync(() => void told.push(what))
        const clock = yield* Effect.clock
        const runtime = yield* Runtime.make(1)
        runtime.opened(
          {
            stateful: true,
            send: Sending.by(
              yield* Effect.runtime<never>(),
              () => Effect.zipRight(tell("sent"), Effect.sleep("2 seconds"))
            )
          } as unknown as Connection,
          0
        )
        const observer = { changed: () => {}, catalogChanged: () => {}, event: () => void told.push("told") }
        const backend = new BackendState("one", policy, clock, { observer })
        backend.temperament.answeredPing = () => void told.push("answered")
        const connected = State.Connected({ replacing: false })
        backend.update((slot) => ({ ...kept(slot, { lostInARow: 1 }), current: runtime, state: connected }))
        const keepalive = Heartbeats.make(Liveness.make(backend), schedule(undefined))
        yield* Heartbeats.attach(keepalive, runtime)
        yield* TestClock.adjust(31 * second)
        expect(told).toContain("sent")
        if (end === "pause") backend.update((slot) => kept(slot, { paused: true }))
        else backend.update((slot) => ({ ...slot, current: undefined }))
        told.length = 0
        yield* TestClock.adjust("1 hour")
        expect(told).toEqual([])
        expect([backend.published.value.history, backend.inbox.shift()]).toEqual([[], undefined])
        expect(backend.published.value.keepalive.lostInARow).toBe(1)
        expect(keepalive.heartbeats?.fiber?.unsafePoll()).not.toBeNull()
      }).pipe(fixed)
  )

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
        yield* TestClock.adjust(10 * second - 1)
        expect(yield* Fiber.join(call)).toMatchObject({ _tag: "Right" })
        script.respond = on({ ping: slowly(second) })
        yield* TestClock.adjust(1)
        expect((yield* backend.status).healthScore).toBeLessThan(before)
        yield* TestClock.adjust(second)
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
})
