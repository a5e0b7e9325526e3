import { Fleet } from "@mcp-lifeline/core"
import { Handle } from "@mcp-lifeline/core/internal"
import { Filters } from "@mcp-lifeline/extensions"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, Option, Runtime, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { failure, runUntilIdle } from "./support/Watched.js"

const keepalive = { method: "none" } as const

type Script = ScriptedConnector.ScriptedConnector

const offer: ScriptedConnector.Offer = {
  tools: [ScriptedConnector.tool("echo")],
  prompts: [{ name: "ask" }],
  resources: [{ name: "a", uri: "file:///a" }],
  resourceTemplates: []
}

const scripted = (overlap: boolean, outcome: ScriptedConnector.Outcome): Script => {
  const script = ScriptedConnector.make({ overlap })
  script.offer = offer
  script.otherwise = outcome
  return script
}

const docs = (connector: Script, options: Partial<Fleet.FleetBackend> = {}) => ({
  docs: { connector, keepalive, ...options }
})

type Ways = Readonly<Record<string, (fleet: Fleet.Fleet) => Effect.Effect<unknown, unknown>>>

const backendOf = (fleet: Fleet.Fleet) => Effect.orDie(fleet.backend("docs"))

const ways: Ways = {
  "a tool of the fleet": (fleet) => fleet.callTool({ name: "docs__echo" }),
  "a prompt of the fleet": (fleet) => fleet.getPrompt({ name: "docs__ask" }),
  "a resource of the fleet": (fleet) => fleet.readResource({ uri: "lifeline://docs/file%3A%2F%2F%2Fa" }),
  "a completion of the fleet": (fleet) =>
    fleet.complete({ ref: { type: "ref/prompt", name: "docs__ask" }, argument: { name: "a", value: "" } }),
  "a tool of the backend": (fleet) => Effect.flatMap(backendOf(fleet), (one) => one.callTool({ name: "echo" })),
  "a list of the backend": (fleet) => Effect.flatMap(backendOf(fleet), (one) => one.listTools()),
  "its lists, read again": (fleet) => Effect.flatMap(backendOf(fleet), (one) => one.refresh),
  "a notification": (fleet) =>
    Effect.flatMap(backendOf(fleet), (one) => one.notify("notifications/roots/list_changed")),
  "a call outside of any fiber": (fleet) =>
    Effect.flatMap(backendOf(fleet), (one) =>
      Effect.flatten(Effect.async<Effect.Effect<unknown, unknown>>((resume) => {
        Handle.start(one, "tools/call", { name: "echo" }, undefined, (rest) => resume(Effect.succeed(rest)))
      })))
}

const absences: Readonly<Record<string, (fleet: Fleet.Fleet, script: Script) => Effect.Effect<void>>> = {
  "has never been connected": () => Effect.void,
  "has lost its connection": (fleet, script) =>
    Effect.gen(function*() {
      yield* TestClock.adjust(2000)
      yield* fleet.ready
      script.otherwise = { after: 4000 }
      script.current.lose()
      yield* runUntilIdle
    })
}

describe("calls that wait for a backend that is replaced", () => {
  for (const overlap of [true, false]) {
    for (const [absence, until] of Object.entries(absences)) {
      for (const [what, call] of Object.entries(ways)) {
        test.scoped(`[C20] ${what} goes to the successor, ${overlap ? "" : "not "}overlapping, of one that ${absence}`, function*() {
          const old = scripted(overlap, { after: 2000 })
          const fleet = yield* Fleet.make({ backends: docs(old) })
          yield* until(fleet, old)
          const waiting = yield* Effect.fork(call(fleet))
          yield* runUntilIdle
          for (let edit = 0; edit < 3; edit++) {
            yield* TestClock.adjust(1000)
            yield* fleet.apply(docs(scripted(overlap, { after: 2000 })))
          }
          const last = scripted(overlap, { after: 2000 })
          yield* TestClock.adjust(1000)
          yield* fleet.apply(docs(last))
          yield* TestClock.adjust(1999)
          expect(yield* Fiber.poll(waiting)).toEqual(Option.none())
          yield* TestClock.adjust(1)
          yield* Fiber.join(waiting)
          expect(last.ledger.opened).toHaveLength(1)
        })
      }
    }
  }

  test.scoped("[C20] all that wait go on, in the places that the new options leave, and each is carried out once", function*() {
    const next = scripted(false, { after: 1000 })
    let inFlight = 0
    let most = 0
    next.respond = (method) => {
      if (method !== "tools/call") return undefined
      most = Math.max(most, ++inFlight)
      return { answer: "result", after: 10 }
    }
    const fleet = yield* Fleet.make({
      backends: docs(scripted(false, { connect: "hang" }), { calls: { concurrency: 7 } })
    })
    const backend = yield* backendOf(fleet)
    const waiting = yield* Effect.fork(
      Effect.forEach(
        Array.from({ length: 40 }),
        () => Effect.ensuring(backend.callTool({ name: "echo" }), Effect.sync(() => inFlight--)),
        { concurrency: "unbounded" }
      )
    )
    yield* runUntilIdle
    yield* fleet.apply(docs(next, { calls: { concurrency: 3 } }))
    yield* TestClock.adjust(2000)
    yield* Fiber.join(waiting)
    expect([next.ledger.sent("tools/call").length, most]).toEqual([40, 3])
    const { queued, waiting: left } = yield* backend.status
    expect([queued, left]).toEqual([0, 0])
  })

  test.scoped("[C20] the wait goes on where it was: no edit makes it longer", function*() {
    const hangs = () => scripted(false, { connect: "hang" })
    const fleet = yield* Fleet.make({ backends: docs(hangs()), defaults: { timeouts: { wait: 9000 } } })
    const calls = yield* Effect.forEach(
      [ways["a tool of the fleet"]!, ways["a tool of the backend"]!, ways["a notification"]!],
      (call) => Effect.fork(call(fleet))
    )
    yield* runUntilIdle
    for (let edit = 0; edit < 8; edit++) {
      yield* TestClock.adjust(1000)
      yield* fleet.apply(docs(hangs()))
    }
    yield* TestClock.adjust(999)
    expect(yield* Effect.forEach(calls, Fiber.poll)).toEqual(calls.map(() => Option.none()))
    yield* TestClock.adjust(1)
    for (const call of calls) {
      expect(failure(yield* Fiber.await(call))).toMatchObject({
        _tag: "BackendUnavailable",
        message: expect.stringContaining("timeouts.wait")
      })
    }
  })

  test.scoped("[C20] the rules of the successor count: what it does not offer is refused, and who is switched off says so", function*() {
    for (
      const [options, message] of [
        [{ lifecycle: { disabled: true } }, "switched off"],
        [{ extensions: [Filters.make({ tools: { hide: ["echo"] } })] }, "echo"],
        [{ calls: { failFast: true } }, "failFast"]
      ] as const
    ) {
      const fleet = yield* Fleet.make({ backends: docs(scripted(false, { connect: "hang" })) })
      const backend = yield* backendOf(fleet)
      const waiting = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* runUntilIdle
      yield* fleet.apply(docs(scripted(false, { after: 1000 }), options as Partial<Fleet.FleetBackend>))
      yield* TestClock.adjust(1000)
      expect(`${(failure(yield* Fiber.await(waiting)) as Error).message}`).toContain(message)
    }
  })

  test.scoped("[C20] one that is in flight ends where it is; one that waits behind it goes on when that does not end", function*() {
    const old = scripted(false, {})
    old.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const next = scripted(false, {})
    const fleet = yield* Fleet.make({ backends: docs(old, { calls: { concurrency: 1 }, timeouts: { drain: 3000 } }) })
    yield* fleet.ready
    const backend = yield* backendOf(fleet)
    const inFlight = yield* Effect.fork(backend.callTool({ name: "echo" }))
    yield* runUntilIdle
    const behind = yield* Effect.fork(backend.callTool({ name: "echo" }))
    yield* runUntilIdle
    const applying = yield* Effect.fork(fleet.apply(docs(next)))
    yield* TestClock.adjust(3000)
    yield* Fiber.join(applying)
    expect(failure(yield* Fiber.await(inFlight))._tag).toBe("ResultUnknown")
    yield* Fiber.join(behind)
    expect([old.ledger.sent("tools/call").length, next.ledger.sent("tools/call").length]).toEqual([1, 1])
  })

  test.scoped("[C20 G25] its caller hears of it from the successor, until it has ended", function*() {
    const next = scripted(false, { after: 1000 })
    next.respond = (method) => method === "tools/call" ? { answer: "result", after: 40_000 } : undefined
    const fleet = yield* Fleet.make({
      backends: docs(scripted(false, { connect: "hang" })),
      defaults: { calls: { progressInterval: "10 seconds" } }
    })
    const heard: Array<string | undefined> = []
    const onprogress = ({ message }: { readonly message?: string | undefined }) => void heard.push(message)
    const backend = yield* backendOf(fleet)
    const call = yield* Effect.fork(backend.callTool({ name: "echo" }, { onprogress, wait: "1 minute" }))
    yield* runUntilIdle
    yield* fleet.apply(docs(next))
    yield* TestClock.adjust("35 seconds")
    expect(heard).toContainEqual(expect.stringContaining("still running"))
    yield* TestClock.adjust("10 seconds")
    yield* Fiber.join(call)
    heard.length = 0
    yield* TestClock.adjust("1 minute")
    expect(heard).toEqual([])
  })

  test.scoped("[C20] one that is cancelled after it went on is cancelled there, and counted once", function*() {
    const next = scripted(false, { after: 1000 })
    next.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const fleet = yield* Fleet.make({ backends: docs(scripted(false, { connect: "hang" })) })
    const backend = yield* backendOf(fleet)
    let fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
    const run = Runtime.runFork(yield* Effect.runtime<never>())
    const started = Handle.start(backend, "tools/call", { name: "echo" }, undefined, (rest) => {
      fiber = run(rest)
    })
    yield* runUntilIdle
    yield* fleet.apply(docs(next))
    yield* TestClock.adjust(1000)
    expect(next.ledger.sent("tools/call")).toHaveLength(1)
    expect(started.cancel()).toBe("unknown")
    yield* Fiber.interrupt(fiber!)
    const successor = yield* backendOf(fleet)
    expect((yield* successor.status).calls.givenUp).toBe(1)
  })

  for (
    const [what, outcome, after, options = {}] of [
      ["its successor has given its own", {}, ["docs__other"]],
      ["its successor has failed", { connect: "fail" }, []],
      ["its successor, which hides some, has given its own", {}, [], { tools: { hide: ["echo", "other"] } }]
    ] as const
  ) {
    test.scoped(`[L15 P2] the lists of one that is replaced stay until ${what}, also over several edits`, function*() {
      const fleet = yield* Fleet.make({ backends: docs(scripted(false, {})) })
      yield* fleet.ready
      const listed = Effect.map(fleet.catalog, ({ tools }) => [...tools.keys()])
      const extensions = [Filters.make(options)]
      for (let edit = 0; edit < 2; edit++) {
        const next = scripted(false, { ...outcome, after: 5000 })
        next.offer = { ...offer, tools: [ScriptedConnector.tool("other")] }
        yield* fleet.apply(docs(next, { extensions }))
        yield* TestClock.adjust(4000)
        expect(yield* listed).toEqual("tools" in options ? [] : ["docs__echo"])
      }
      yield* TestClock.adjust(2000)
      expect(yield* listed).toEqual(after)
      yield* fleet.apply(docs(scripted(false, {}), { lifecycle: { disabled: true } }))
      expect(yield* listed).toEqual([])
    })
  }
})
