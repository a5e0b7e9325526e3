import { Backend, Fleet, type StateName } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Context, Effect, Exit, Fiber, Layer, Logger, Option, Scope, Stream, TestClock } from "effect"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import * as FleetMembers from "../src/fleet/Members.js"
import * as Machine from "../src/health/Machine.js"
import * as ConnectPermits from "../src/supervisor/ConnectPermits.js"
import { failure, runUntilIdle } from "./support/Watched.js"

const { tool } = ScriptedConnector

const keepalive = { method: "none" } as const

type Script = ScriptedConnector.ScriptedConnector

const mostAtOnce = (...scripts: ReadonlyArray<Script>): () => number => {
  let most = 0
  for (const { ledger } of scripts) {
    ledger.onWrite = () => {
      const open = scripts.map((script) => script.ledger.opened.length - script.ledger.closed.length)
      most = Math.max(most, open.reduce((sum, one) => sum + one, 0))
    }
  }
  return () => most
}

const stateOf = (fleet: Fleet.Fleet, id: string): Effect.Effect<StateName> =>
  Effect.map(Effect.flatMap(Effect.orDie(fleet.backend(id)), (backend) => backend.status), ({ state }) => state)

const replaced = (
  old: Script,
  next: Script,
  options: Omit<Backend.BackendOptions, "connector"> = {},
  defaults: Fleet.FleetOptions["defaults"] = {}
) =>
  Effect.gen(function*() {
    const fleet = yield* Fleet.make({ backends: { docs: { connector: old, keepalive } }, defaults })
    yield* fleet.ready
    const applying = yield* Effect.fork(fleet.apply({ docs: { connector: next, keepalive, ...options } }))
    yield* runUntilIdle
    return { fleet, applying }
  })

const applied = { started: [], stopped: [], replaced: [], kept: [] }

describe("Fleet.apply", () => {
  test.scoped("[L15] a fleet that nobody asks whether it is ready keeps nothing of backends that have gone", function*() {
    const nothing = () => {}
    const members = yield* FleetMembers.make({
      defaults: { keepalive },
      fleetStartedAt: 0,
      permits: ConnectPermits.unbounded,
      machine: yield* Machine.make,
      event: nothing,
      changed: nothing,
      offered: nothing,
      placed: nothing
    })
    for (let turn = 0; turn < 5; turn++) {
      const wanted = new Map([["docs", { connector: ScriptedConnector.make() }]])
      yield* FleetMembers.apply<never>(members, wanted, new Map())
      yield* runUntilIdle
    }
    expect(members.pending.size).toBe(1)
    yield* FleetMembers.apply<never>(members, new Map(), new Map())
    expect(members.pending.size).toBe(0)
  })

  for (
    const [what, overlap, defaults] of [
      ["a connector that does not overlap", false, {}],
      ["reconnect.overlap: false", true, { reconnect: { overlap: false } }]
    ] as const
  ) {
    test.scoped(`[L12, L15] ${what}: the old one has closed before the new one connects, and a call meanwhile waits`, function*() {
      const old = ScriptedConnector.make({ overlap }).script({ close: 1000 })
      const next = ScriptedConnector.make({ overlap })
      const most = mostAtOnce(old, next)
      const { applying, fleet } = yield* replaced(old, next, {}, defaults)
      const call = yield* Effect.fork(fleet.callTool({ name: "docs__echo" }))
      yield* TestClock.adjust(999)
      expect(next.ledger.attempts).toEqual([])
      expect(yield* Fiber.poll(call)).toEqual(Option.none())
      yield* TestClock.adjust(1)
      expect(next.ledger.attempts).toHaveLength(1)
      yield* Fiber.join(call)
      expect(yield* Fiber.join(applying)).toEqual({ ...applied, replaced: ["docs"] })
      expect(most()).toBe(1)
      expect(old.ledger.faults).toEqual([])
    })
  }

  test.scoped("[L13, L15] calls on one that may not overlap get timeouts.drain to end; new ones wait for the successor", function*() {
    const old = ScriptedConnector.make({ overlap: false })
    const next = ScriptedConnector.make({ overlap: false })
    old.respond = (method) => method === "tools/call" ? { answer: "result", after: 2990 } : undefined
    const most = mostAtOnce(old, next)
    const fleet = yield* Fleet.make({ backends: { docs: { connector: old, keepalive } } })
    yield* fleet.ready
    const early = yield* Effect.fork(fleet.callTool({ name: "docs__echo" }))
    yield* runUntilIdle
    const applying = yield* Effect.fork(fleet.apply({ docs: { connector: next, keepalive } }))
    yield* runUntilIdle
    const late = yield* Effect.fork(fleet.callTool({ name: "docs__echo" }))
    yield* TestClock.adjust(2989)
    expect([yield* Fiber.poll(late), next.ledger.attempts]).toEqual([Option.none(), []])
    yield* TestClock.adjust(1)
    yield* Effect.all([Fiber.join(early), Fiber.join(late), Fiber.join(applying)])
    expect([old.ledger.sent("tools/call").length, next.ledger.sent("tools/call").length, most()]).toEqual([1, 1, 1])
  })

  test.scoped("[L12, L15] a close that hangs is given up, and the new one connects", function*() {
    mayLeave("connections")
    const old = ScriptedConnector.make({ overlap: false }).script({ close: "never" })
    const next = ScriptedConnector.make({ overlap: false })
    const { applying, fleet } = yield* replaced(old, next, { timeouts: { close: 2000 } })
    yield* TestClock.adjust(60_000)
    expect(yield* Fiber.join(applying)).toEqual({ ...applied, replaced: ["docs"] })
    expect(yield* stateOf(fleet, "docs")).toBe("Connected")
  })

  test.scoped("[L12, L15] where they may overlap, the old one serves until the new one is connected, and its calls end", function*() {
    const old = ScriptedConnector.make()
    const next = ScriptedConnector.make().script({ after: 5000 })
    next.offer = { ...next.offer, tools: [tool("echo"), tool("new")] }
    old.respond = (method) => method === "tools/call" ? { answer: "result", after: 2000 } : undefined
    const { applying, fleet } = yield* replaced(old, next)
    const first = yield* fleet.backend("docs")
    yield* TestClock.adjust(4000)
    expect(yield* fleet.backend("docs")).toBe(first)
    const late = yield* Effect.fork(fleet.callTool({ name: "docs__echo" }))
    yield* TestClock.adjust(1000)
    expect(yield* fleet.backend("docs")).not.toBe(first)
    expect([...(yield* fleet.catalog).tools.keys()]).toEqual(["docs__echo", "docs__new"])
    expect(old.ledger.live).toEqual([0])
    yield* TestClock.adjust(1000)
    expect((yield* Fiber.join(late)).content).toHaveLength(1)
    yield* runUntilIdle
    expect(yield* Fiber.join(applying)).toEqual({ ...applied, replaced: ["docs"] })
    expect([old.ledger.faults, old.ledger.live, next.ledger.live]).toEqual([[], [], [0]])
  })

  test.scoped("[L12, L15] a call that does not end keeps the old one for timeouts.drain at most", function*() {
    const old = ScriptedConnector.make()
    old.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const fleet = yield* Fleet.make({
      backends: { docs: { connector: old, keepalive } },
      defaults: { timeouts: { drain: 3000 } }
    })
    yield* fleet.ready
    const call = yield* Effect.fork(Effect.exit(fleet.callTool({ name: "docs__echo" })))
    yield* runUntilIdle
    const applying = yield* Effect.fork(fleet.apply({ docs: { connector: ScriptedConnector.make(), keepalive } }))
    yield* TestClock.adjust(2999)
    expect(old.ledger.live).toEqual([0])
    yield* TestClock.adjust(1)
    expect(old.ledger.live).toEqual([])
    yield* Fiber.join(applying)
    expect(failure(yield* Fiber.join(call))._tag).toBe("ResultUnknown")
  })

  for (
    const [what, outcome, time] of [
      ["fails", { connect: "fail" }, 0],
      ["hangs", { connect: "hang" }, 30_000]
    ] as const
  ) {
    it.scoped(`[L12, L15] a new one whose first attempt ${what} leaves the old one as it was, and says so`, () => {
      const lines: Array<string> = []
      return Effect.gen(function*() {
        const old = ScriptedConnector.make()
        const next = ScriptedConnector.make()
        next.otherwise = outcome
        const other = ScriptedConnector.make()
        const fleet = yield* Fleet.make({ backends: { docs: { connector: old, keepalive } } })
        yield* fleet.ready
        const wanted = { docs: { connector: next, keepalive }, other: { connector: other, keepalive } }
        const events: Array<string> = []
        yield* Effect.fork(
          Stream.runForEach(fleet.events, ({ _tag, backend }) => Effect.sync(() => events.push(`${backend} ${_tag}`)))
        )
        yield* runUntilIdle
        const applying = yield* Effect.fork(fleet.apply(wanted))
        yield* runUntilIdle
        expect(yield* stateOf(fleet, "other")).toBe("Connected")
        yield* TestClock.adjust(time)
        expect(yield* Fiber.join(applying)).toEqual({ ...applied, started: ["other"], kept: ["docs"] })
        expect(yield* stateOf(fleet, "docs")).toBe("Connected")
        expect([old.ledger.live, next.ledger.live]).toEqual([[0], []])
        expect(events.filter((event) => event.startsWith("docs"))).toEqual([])
        expect(lines.filter((line) => line.startsWith("docs: no connection with the new options"))).toHaveLength(1)
        const attempts = next.ledger.attempts.length
        yield* TestClock.adjust("1 hour")
        expect(next.ledger.attempts).toHaveLength(attempts)
        next.otherwise = {}
        const again = yield* Effect.fork(fleet.apply(wanted))
        yield* TestClock.adjust(100)
        expect(yield* Fiber.join(again)).toEqual({ ...applied, replaced: ["docs"] })
        expect([old.ledger.live, next.ledger.live]).toEqual([[], [0]])
      }).pipe(
        Effect.provide(Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ message }) => lines.push(String(message)))
        ))
      )
    })
  }

  test.scoped("[L15] a backend that is down is replaced at once, and does not wait for calls that wait for it", function*() {
    const old = ScriptedConnector.make({ overlap: false })
    const next = ScriptedConnector.make({ overlap: false })
    const fleet = yield* Fleet.make({ backends: { docs: { connector: old, keepalive } } })
    yield* fleet.ready
    for (const script of [old, next]) script.otherwise = { connect: "hang" }
    old.current.lose()
    yield* runUntilIdle
    yield* Effect.fork(Effect.exit(fleet.callTool({ name: "docs__echo" })))
    yield* runUntilIdle
    const applying = yield* Effect.fork(fleet.apply({ docs: { connector: next, keepalive } }))
    yield* runUntilIdle
    expect(yield* Fiber.join(applying)).toEqual({ ...applied, replaced: ["docs"] })
    expect(yield* stateOf(fleet, "docs")).toBe("Connecting")
  })

  test.scoped("[L15] where one is refused, the good ones before it do not start and the fleet does not change", function*() {
    const [old, stays, good] = [ScriptedConnector.make(), ScriptedConnector.make(), ScriptedConnector.make()]
    const stayed = { connector: stays, keepalive }
    const fleet = yield* Fleet.make({ backends: { old: { connector: old, keepalive }, stayed } })
    yield* fleet.ready
    const before = [yield* fleet.backends, yield* fleet.catalog]
    const refused = { connector: ScriptedConnector.make(), keepalive: { interval: 0 } }
    const error = yield* Effect.flip(fleet.apply({ good: { connector: good, keepalive }, stayed, refused }))
    expect(error).toMatchObject({ _tag: "InvalidOptions", backend: "refused", field: "keepalive.interval" })
    yield* TestClock.adjust("1 minute")
    expect(good.ledger.entries).toEqual([])
    expect([yield* fleet.backends, yield* fleet.catalog]).toEqual(before)
    expect([old.ledger.live, stays.ledger.live]).toEqual([[0], [0]])
    expect(yield* fleet.apply({ stayed })).toEqual({ ...applied, stopped: ["old"] })
  })

  test.effect("[L6, L15] one that cannot be started closes those that were started before it, and the fleet does not change", function*() {
    const scripts = ["old", "good", "bad"].map((id) => [id, ScriptedConnector.make()] as const)
    const [old, good, bad] = scripts.map(([, connector]) => ({ connector, keepalive }))
    // a connector that throws before its backend is made
    Object.defineProperty(bad!.connector, "overlap", {
      get: () => {
        throw new Error("no answer to that")
      }
    })
    const scope = yield* Scope.make()
    const fleet = yield* Scope.extend(Fleet.make({ backends: { old: old! } }), scope)
    yield* fleet.ready
    expect(Exit.isFailure(yield* Effect.exit(fleet.apply({ old: old!, good: good!, bad: bad! })))).toBe(true)
    yield* runUntilIdle
    expect((yield* fleet.backends).map(({ id }) => id)).toEqual(["old"])
    expect(scripts.map(([, { ledger }]) => ledger.live.length)).toEqual([1, 0, 0])
    yield* Scope.close(scope, Exit.void)
    expect(scripts.flatMap(([, { ledger }]) => ledger.faults)).toEqual([])
  })

  test.effect("[L6] a fleet of which one is refused starts none", function*() {
    const good = ScriptedConnector.make()
    const backends = { good: { connector: good }, bad: { connector: good, timeouts: { close: -1 } } }
    expect(yield* Effect.flip(Effect.scoped(Fleet.make({ backends })))).toMatchObject({ backend: "bad" })
    yield* TestClock.adjust("1 minute")
    expect(good.ledger.entries).toEqual([])
  })

  test.effect("[L6] what is applied to a closed fleet opens nothing", function*() {
    const scope = yield* Scope.make()
    const fleet = yield* Scope.extend(Fleet.make({ backends: {} }), scope)
    yield* Scope.close(scope, Exit.void)
    const script = ScriptedConnector.make()
    expect(yield* fleet.apply({ docs: { connector: script } })).toEqual(applied)
    yield* TestClock.adjust("1 minute")
    expect([script.ledger.entries, yield* fleet.backends]).toEqual([[], []])
  })

  test.scoped("[L20] the backend of a name is a stream that follows apply, and ends when there is none", function*() {
    const one = { connector: ScriptedConnector.make({ overlap: false }), keepalive }
    const two = { connector: ScriptedConnector.make({ overlap: false }), keepalive }
    const fleet = yield* Fleet.make({ backends: { docs: one } })
    yield* fleet.ready
    const seen: Array<Backend.Backend> = []
    const reading = yield* Effect.fork(
      Stream.runForEach(fleet.backendChanges("docs"), (backend) => Effect.sync(() => seen.push(backend)))
    )
    yield* runUntilIdle
    yield* fleet.apply({ docs: one, other: two })
    yield* fleet.apply({ docs: two })
    yield* runUntilIdle
    expect(seen).toHaveLength(2)
    expect(seen[1]).toBe(yield* fleet.backend("docs"))
    yield* fleet.apply({})
    yield* Fiber.join(reading)
    expect(yield* Stream.runCollect(fleet.backendChanges("docs"))).toHaveLength(0)
  })
})

describe("streams", () => {
  test.effect("[L20] every stream of a backend and of a fleet ends when its scope has closed, the late ones, too", function*() {
    const scope = yield* Scope.make()
    const script = ScriptedConnector.make().script({ close: 1000 })
    const backend = yield* Scope.extend(Backend.make("one", { connector: script, keepalive }), scope)
    const fleet = yield* Scope.extend(
      Fleet.make({ backends: { one: { connector: ScriptedConnector.make(), keepalive } } }),
      scope
    )
    yield* fleet.ready
    yield* backend.firstOutcome
    const ends = (): Record<string, Effect.Effect<unknown>> => ({
      "backend.status.changes": Stream.runLast(backend.status.changes),
      "backend.catalog.changes": Stream.runLast(backend.catalog.changes),
      "backend.events": Stream.runLast(backend.events),
      "backend.notifications": Stream.runLast(backend.notifications),
      "fleet.status.changes": Stream.runLast(fleet.status.changes),
      "fleet.catalog.changes": Stream.runLast(fleet.catalog.changes),
      "fleet.differences": Stream.runLast(fleet.differences),
      "fleet.events": Stream.runLast(fleet.events),
      "fleet.backendChanges": Stream.runLast(fleet.backendChanges("one"))
    })
    const early = yield* Effect.forEach(
      Object.entries(ends()),
      ([name, run]) => Effect.map(Effect.fork(run), (fiber) => [name, fiber] as const)
    )
    yield* runUntilIdle
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(1000)
    yield* Fiber.join(closing)
    yield* runUntilIdle
    const open = yield* Effect.filter(early, ([, fiber]) => Effect.map(Fiber.poll(fiber), Option.isNone))
    expect(open.map(([name]) => name)).toEqual([])
    const late = yield* Effect.forEach(
      Object.entries(ends()),
      ([name, run]) => Effect.map(Effect.fork(run), (fiber) => [name, fiber] as const)
    )
    yield* runUntilIdle
    expect(
      (yield* Effect.filter(late, ([, fiber]) => Effect.map(Fiber.poll(fiber), Option.isNone))).map(([name]) => name)
    ).toEqual([])
    const last = new Map(early)
    expect(yield* Fiber.join(last.get("backend.status.changes")!)).toMatchObject({ value: { state: "Closed" } })
    expect(yield* Fiber.join(last.get("fleet.status.changes")!)).toMatchObject({
      value: { one: { state: "Closed" } }
    })
    expect(yield* Fiber.join(last.get("backend.events")!)).toMatchObject({
      value: { _tag: "RuntimeClosed", outcome: "closed" }
    })
    yield* Effect.forEach(late, ([, fiber]) => Fiber.interrupt(fiber))
  })

  test.effect("[L20] a reader that is slow gets the last status before the end", function*() {
    const scope = yield* Scope.make()
    const backend = yield* Scope.extend(
      Backend.make("one", { connector: ScriptedConnector.make(), keepalive }),
      scope
    )
    const states: Array<string> = []
    const reading = yield* Effect.fork(
      Stream.runForEach(
        backend.status.changes,
        ({ state }) => Effect.delay(Effect.sync(() => states.push(state)), 10_000)
      )
    )
    yield* backend.firstOutcome
    yield* Scope.close(scope, Exit.void)
    yield* TestClock.adjust(60_000)
    yield* Fiber.join(reading)
    expect(states.at(-1)).toBe("Closed")
  })
})

describe("tags", () => {
  test.scoped("[L1] the tag of a backend does not meet another service of its name", function*() {
    class Ours extends Backend.Tag("docs")<Ours>() {}
    class Theirs extends Context.Tag("docs")<Theirs, { readonly pages: number }>() {}
    const layer = Layer.merge(
      Ours.layer({ connector: ScriptedConnector.make() }),
      Layer.succeed(Theirs, { pages: 3 })
    )
    const [ours, theirs] = yield* Effect.provide(Effect.all([Ours, Theirs]), layer)
    expect([ours.id, theirs.pages]).toEqual(["docs", 3])
    expect([Ours.key, Fleet.Fleet.key]).toEqual(["@mcp-lifeline/core/Backend/docs", "@mcp-lifeline/core/Fleet"])
  })
})

describe("many servers that start at once", () => {
  test.scoped.each(["a tool", "a resource", "the backend itself"] as const)(
    "[R14:virtual] of 200, the one that a call waits for is among the next to start: %s",
    function*(what) {
      const scripts = Array.from({ length: 200 }, () => ScriptedConnector.make().script({ after: 1000 }))
      const backends = Object.fromEntries(
        scripts.map((connector, index) => [`s${index}`, { connector, keepalive }])
      )
      const fleet = yield* Fleet.make({ backends, waitTimeout: 0 })
      yield* TestClock.adjust(500)
      const last = yield* fleet.backend("s199")
      const calls = {
        "a tool": fleet.callTool({ name: "s199__echo" }),
        "a resource": fleet.readResource({ uri: `lifeline://s199/${encodeURIComponent("a:b")}` }),
        "the backend itself": last.callTool({ name: "echo" })
      }
      const call = yield* Effect.fork(Effect.exit(calls[what] as Effect.Effect<unknown, unknown>))
      // Those that have begun, and then its own.
      yield* TestClock.adjust(2000)
      expect(call.unsafePoll()).not.toBeNull()
      expect(Exit.isSuccess(yield* Fiber.join(call))).toBe(true)
      const started = scripts.filter(({ ledger }) => ledger.opened.length > 0).length
      expect(started).toBeLessThan(100)
    }
  )
})
