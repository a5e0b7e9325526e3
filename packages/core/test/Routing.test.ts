import { type Backend, Fleet, RequestError, type StateName } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, Option, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { runUntilIdle } from "./support/Watched.js"

const { tool } = ScriptedConnector

const keepalive = { method: "none" } as const

const stateOf = (fleet: Fleet.Fleet, id: string): Effect.Effect<StateName> =>
  Effect.map(Effect.flatMap(Effect.orDie(fleet.backend(id)), (backend) => backend.status), ({ state }) => state)

const beside = (
  connector: ScriptedConnector.ScriptedConnector,
  options: Omit<Backend.BackendOptions, "connector"> = {}
) =>
  Effect.gen(function*() {
    const offer = {
      resources: [],
      resourceTemplates: [],
      tools: [tool("echo"), tool("a__b")],
      prompts: [{ name: "greet" }]
    }
    const up = ScriptedConnector.make()
    up.offer = offer
    connector.offer = offer
    const fleet = yield* Fleet.make({
      backends: { up: { connector: up, keepalive }, down: { connector, keepalive, ...options } }
    })
    yield* Effect.fork(fleet.ready)
    yield* runUntilIdle
    return { fleet, up }
  })

const requests: ReadonlyArray<
  readonly [string, (fleet: Fleet.Fleet, options?: Backend.CallOptions) => Effect.Effect<unknown, unknown>]
> = [
  ["callTool", (fleet, options) => fleet.callTool({ name: "down__echo" }, options)],
  ["getPrompt", (fleet, options) => fleet.getPrompt({ name: "down__greet" }, options)],
  ["readResource", (fleet, options) => fleet.readResource({ uri: "lifeline://down/file%3A%2F%2F%2Fa" }, options)],
  [
    "complete",
    (fleet, options) =>
      fleet.complete({ ref: { type: "ref/prompt", name: "down__greet" }, argument: { name: "q", value: "" } }, options)
  ],
  ["route", (fleet, options) => fleet.route("tools", "down__echo", options)]
]

describe.each(requests)("%s of a backend that was never connected", (what, ask) => {
  const isResource = what === "readResource"

  test.scoped("[P6, L18] connects a lazy one", function*() {
    const connector = ScriptedConnector.make()
    const { fleet } = yield* beside(connector, { lifecycle: { lazy: true } })
    expect(yield* stateOf(fleet, "down")).toBe("Idle")
    yield* ask(fleet)
    expect(yield* stateOf(fleet, "down")).toBe("Connected")
  })

  test.scoped("[P6, R8] has a Dormant one make an attempt", function*() {
    const connector = ScriptedConnector.make().failNext(2)
    const { fleet } = yield* beside(connector, {
      reconnect: { maxAttempts: 2, initialDelay: 1000, demandInterval: 1000 }
    })
    yield* TestClock.adjust(1000)
    expect(yield* stateOf(fleet, "down")).toBe("Dormant")
    const asking = yield* Effect.fork(ask(fleet))
    yield* TestClock.adjust("10 seconds")
    yield* Fiber.join(asking)
    expect(yield* stateOf(fleet, "down")).toBe("Connected")
  })

  test.scoped("[P6, R8] waits for one that is being reconnected, and then says what is wrong with it", function*() {
    const connector = ScriptedConnector.make()
    connector.otherwise = { connect: "fail" }
    const { fleet } = yield* beside(connector, { timeouts: { wait: 5000 } })
    expect(yield* stateOf(fleet, "down")).toBe("Reconnecting")
    const asking = yield* Effect.fork(Effect.flip(ask(fleet)))
    yield* TestClock.adjust(4999)
    expect(yield* Fiber.poll(asking)).toEqual(Option.none())
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(asking)).toMatchObject({
      _tag: "BackendUnavailable",
      backend: "down",
      state: "Reconnecting",
      message: expect.stringMatching(/^down is Reconnecting.*the call was not sent.*scripted failure/)
    })
  })

  test.scoped("[P6, R8] fails at once where it must not wait, or waiting is pointless", function*() {
    const connector = ScriptedConnector.make()
    connector.otherwise = { connect: "fail" }
    const { fleet } = yield* beside(connector)
    expect(yield* Effect.flip(ask(fleet, { failFast: true }))).toMatchObject({ state: "Reconnecting" })
    yield* (yield* fleet.backend("down")).disable
    expect(yield* Effect.flip(ask(fleet))).toMatchObject({ _tag: "BackendUnavailable", state: "Disabled" })
  })

  test.scoped("[P6, C5] waits no longer than the call may take", function*() {
    const connector = ScriptedConnector.make()
    connector.otherwise = { connect: "fail" }
    const { fleet } = yield* beside(connector)
    for (const options of [{ timeout: 300 }, { timeout: 60_000, maxTotalTimeout: 300 }, { wait: 300 }]) {
      const asking = yield* Effect.fork(Effect.flip(ask(fleet, options)))
      yield* TestClock.adjust(300)
      expect(Option.isSome(yield* Fiber.poll(asking))).toBe(true)
      expect(yield* Fiber.join(asking)).toMatchObject({ _tag: "BackendUnavailable", backend: "down" })
    }
  })

  if (isResource || what === "route") return

  test.scoped("[C5] what it takes to find the backend is of the call's own time", function*() {
    const connector = ScriptedConnector.make().script({ after: 3000 })
    connector.respond = (method) => method.endsWith("/list") ? undefined : { answer: "never" }
    const { fleet } = yield* beside(connector)
    const asking = yield* Effect.fork(Effect.flip(ask(fleet, { timeout: 4000 })))
    yield* TestClock.adjust(3999)
    expect(yield* Fiber.poll(asking)).toEqual(Option.none())
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(asking)).toMatchObject({ _tag: "RequestTimeout" })
  })

  const refused = new RequestError({ fate: "answered", reason: "remote", code: -32603, message: "no lists yet" })
  const unasked = new RequestError({ fate: "unknown", reason: "timeout", message: "no answer" })

  test.scoped.each(
    [
      { error: refused, waits: 0, options: {} },
      { error: unasked, waits: 0, options: { failFast: true } },
      { error: unasked, waits: 10_000, options: {} },
      { error: unasked, waits: 20_000, options: { wait: "20 seconds" } }
    ] as const
  )(
    "[P6, C9] says that nothing was sent where the lists cannot be read: $error.message, $waits",
    function*({ error, options, waits }) {
      const connector = ScriptedConnector.make()
      connector.respond = (method) => method.endsWith("/list") ? { answer: "error", error } : undefined
      const { fleet } = yield* beside(connector)
      expect(yield* stateOf(fleet, "down")).toBe("Connected")
      const asking = yield* Effect.fork(Effect.flip(ask(fleet, options)))
      yield* TestClock.adjust(Math.max(0, waits - 1))
      yield* runUntilIdle
      expect(Option.isNone(yield* Fiber.poll(asking))).toBe(waits > 0)
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(asking)).toMatchObject({
        _tag: "BackendUnavailable",
        backend: "down",
        state: "Connected",
        message: expect.stringMatching(/^down: the call was not sent, because .* did not give the lists/)
      })
      connector.respond = undefined
      yield* TestClock.adjust("5 seconds")
      yield* ask(fleet)
    }
  )

  test.scoped("[P6, D11] waits for lists that could not be asked for", function*() {
    const connector = ScriptedConnector.make()
    connector.respond = (method) => method.endsWith("/list") ? { answer: "error", error: unasked } : undefined
    const { fleet } = yield* beside(connector)
    const asking = yield* Effect.fork(ask(fleet))
    yield* TestClock.adjust("5 seconds")
    expect(yield* Fiber.poll(asking)).toEqual(Option.none())
    connector.respond = undefined
    yield* TestClock.adjust("4 seconds")
    yield* Fiber.join(asking)
  })
})

describe("a name", () => {
  test.scoped("[P6:early] waits for the first catalogue of the backend that has it, and fails when none is left to come", function*() {
    const slow = ScriptedConnector.make().script({ after: 3000 })
    const { fleet } = yield* beside(slow)
    const known = yield* Effect.fork(fleet.callTool({ name: "down__echo" }))
    const unknown = yield* Effect.fork(Effect.flip(fleet.callTool({ name: "down__nothing" })))
    yield* TestClock.adjust(2999)
    expect(yield* Fiber.poll(known)).toEqual(Option.none())
    yield* TestClock.adjust(1)
    expect((yield* Fiber.join(known)).content).toHaveLength(1)
    expect(yield* Fiber.join(unknown)).toMatchObject({ _tag: "RemoteError", code: -32602 })
  })

  test.scoped("[P6] that was not listed when the server was last up waits for it: it may offer it now", function*() {
    const connector = ScriptedConnector.make().script({}, { after: 2000 })
    const { fleet } = yield* beside(connector)
    connector.current.lose()
    connector.offer = { ...connector.offer, tools: [tool("new")] }
    const calling = yield* Effect.fork(fleet.callTool({ name: "down__new" }))
    yield* TestClock.adjust("10 seconds")
    expect((yield* Fiber.join(calling)).content).toHaveLength(1)
  })

  test.scoped("[P6] of a backend that does not exist is refused at once, and says which there are", function*() {
    const { fleet } = yield* beside(ScriptedConnector.make().script({ connect: "hang" }))
    const asked = [
      fleet.callTool({ name: "other__echo" }),
      fleet.getPrompt({ name: "other__greet" }),
      fleet.readResource({ uri: "lifeline://other/x" })
    ]
    for (const ask of asked) {
      expect(yield* Effect.flip(ask as Effect.Effect<unknown, unknown>)).toMatchObject({
        _tag: "BackendUnavailable",
        backend: "other",
        state: "Unknown",
        message: expect.stringMatching(/^no server offers .*: there is no server "other"; there are: up, down$/)
      })
    }
  })

  test.scoped("[P6] that is only the tool's own is refused with its full names", function*() {
    const { fleet } = yield* beside(ScriptedConnector.make())
    const echo = yield* Effect.flip(fleet.callTool({ name: "echo" }))
    expect(echo).toMatchObject({ _tag: "RemoteError", code: -32602 })
    expect(echo.message).toBe('no server offers the tool "echo"; did you mean "up__echo" or "down__echo"?')
    expect((yield* Effect.flip(fleet.callTool({ name: "a__b" }))).message).toBe(
      'no server offers the tool "a__b": there is no server "a"; there are: up, down; did you mean "up__a__b" or "down__a__b"?'
    )
    expect((yield* Effect.flip(fleet.getPrompt({ name: "greet" }))).message).toContain("up__greet")
    expect((yield* Effect.flip(fleet.callTool({ name: "up__nothing" }))).message).toBe(
      'no server offers the tool "up__nothing"; see the list of tools'
    )
  })
})

describe("a name that no list has", () => {
  const unheard = { announced: [], unannounced: ["tools"] } as const
  const heard = { announced: ["tools"], unannounced: [] } as const

  const reads = ({ ledger }: ScriptedConnector.ScriptedConnector) =>
    ledger.entries.filter((entry) => entry._tag === "Sent" && entry.method === "tools/list").length

  const fleetOf = (connector: ScriptedConnector.ScriptedConnector) =>
    Effect.tap(Fleet.make({ backends: { one: { connector, keepalive } } }), (fleet) => fleet.ready)

  const offer = (...tools: ReadonlyArray<string>) => ({
    tools: tools.map((name) => tool(name)),
    prompts: [],
    resources: [],
    resourceTemplates: []
  })

  test.scoped("[P9] is looked for in lists whose changes are not announced", function*() {
    const connector = ScriptedConnector.make()
    connector.offer = offer("a")
    const fleet = yield* fleetOf(connector)
    connector.offer = offer("a", "b")
    expect(yield* Effect.flip(fleet.callTool({ name: "one__b" }))).toMatchObject({ _tag: "RemoteError" })
    connector.current.options.report({ _tag: "Hearing", hearing: unheard })
    expect(yield* fleet.callTool({ name: "one__b" })).toHaveProperty("content")
    connector.offer = offer("a", "b", "c")
    expect(yield* fleet.callTool({ name: "one__c" })).toHaveProperty("content")
  })

  test.scoped("[P9] is looked for by one reading at a time, and not again for 5 s after one that found nothing new", function*() {
    const connector = ScriptedConnector.make()
    connector.offer = offer("a")
    const fleet = yield* fleetOf(connector)
    connector.current.options.report({ _tag: "Hearing", hearing: unheard })
    const before = reads(connector)
    const unknown = Effect.flip(fleet.callTool({ name: "one__none" }))
    yield* Effect.all(Array.from({ length: 50 }, () => unknown), { concurrency: "unbounded" })
    yield* unknown
    expect(reads(connector) - before).toBe(1)
    yield* TestClock.adjust(4999)
    yield* unknown
    expect(reads(connector) - before).toBe(1)
    yield* TestClock.adjust(1)
    yield* unknown
    expect(reads(connector) - before).toBe(2)
    connector.current.options.report({ _tag: "Hearing", hearing: heard })
    yield* TestClock.adjust("1 minute")
    const now = reads(connector)
    yield* unknown
    expect(reads(connector)).toBe(now)
  })

  test.scoped("[P9] is looked for in lists that are announced so often that they wait to be read", function*() {
    const connector = ScriptedConnector.make()
    connector.offer = offer("a")
    const fleet = yield* fleetOf(connector)
    for (let time = 0; time < 60; time++) {
      connector.current.notify("notifications/tools/list_changed")
      yield* TestClock.adjust("1 second")
    }
    connector.offer = offer("a", "b")
    expect((yield* fleet.catalog).tools.has("one__b")).toBe(false)
    expect(yield* fleet.callTool({ name: "one__b" })).toHaveProperty("content")
  })

  test.scoped("[P9] is unknown after 10 s where the server does not give its lists", function*() {
    const connector = ScriptedConnector.make()
    connector.offer = offer("a")
    const fleet = yield* fleetOf(connector)
    connector.current.options.report({ _tag: "Hearing", hearing: unheard })
    connector.respond = (method) => method === "tools/list" ? { answer: "never" } : undefined
    const call = yield* Effect.fork(Effect.flip(fleet.callTool({ name: "one__none" })))
    yield* TestClock.adjust(10_000)
    expect(yield* Fiber.join(call)).toMatchObject({ _tag: "RemoteError" })
  })
})
