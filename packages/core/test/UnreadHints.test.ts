import { Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"

const tool = (name: string, annotations: object) => ({ ...ScriptedConnector.tool(name), annotations })
const look = tool("look", { readOnlyHint: true })
const set = tool("set", { idempotentHint: true })
const pay = tool("pay", { readOnlyHint: false })

const paged = (method: string, params: unknown): ScriptedConnector.Answer | undefined =>
  method !== "tools/list"
    ? undefined
    : { answer: "result", result: params === undefined ? { tools: [pay], nextCursor: "2" } : { tools: [look, set] } }

type Respond = NonNullable<ScriptedConnector.ScriptedConnector["respond"]>

interface Setting {
  readonly calls?: Backend.BackendOptions["calls"]
  readonly then?: Respond
}

/** A backend whose lists nobody has asked for, and whose server answers no call. */
const start = (
  { calls }: Setting = {},
  connector = ScriptedConnector.make(),
  options: Omit<Backend.BackendOptions, "connector"> = {}
) =>
  Effect.gen(function*() {
    connector.respond = () => ({ answer: "never" })
    const backend = yield* Backend.make("one", { connector, calls, discovery: { mode: "learn" }, ...options })
    yield* TestClock.adjust(0)
    return backend
  })

const cut = (script: ScriptedConnector.ScriptedConnector, then: Respond) =>
  Effect.suspend(() => {
    script.respond = then
    script.current.lose("closed")
    return TestClock.adjust(1000)
  })

describe("a call that is cut before anybody has read what its tool does", () => {
  test.scoped(
    "[C15:virtual] is sent again where the tools of the new connection say that it may be; they are read once, for all calls",
    function*() {
      const script = ScriptedConnector.make()
      const backend = yield* start({}, script)
      const calls = yield* Effect.fork(Effect.forEach(
        ["look", "set", "look", "pay", "gone"],
        (name) => Effect.either(backend.callTool({ name })),
        { concurrency: "unbounded" }
      ))
      yield* TestClock.adjust(0)
      yield* cut(script, paged)
      expect(yield* Fiber.join(calls)).toMatchObject([
        { _tag: "Right" },
        { _tag: "Right" },
        { _tag: "Right" },
        { left: { _tag: "ResultUnknown" } },
        { left: { _tag: "ResultUnknown" } }
      ])
      expect(script.ledger.sent("tools/call")).toHaveLength(5 + 3)
      expect(script.ledger.sent("tools/list")).toHaveLength(2)
    }
  )

  test.scoped("[V10:virtual] waits for nothing but the tools where its answer alone is cut, and a second only before it is sent again", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start({}, script)
    let cuts = 2
    script.respond = (method, params) => {
      const error = new RequestError({ fate: "unknown", reason: "network", message: "cut" })
      return method === "tools/call" && cuts-- > 0 ? { answer: "error", error } : paged(method, params)
    }
    const [pays, looks] = yield* Effect.forEach(
      ["pay", "look"],
      (name) => Effect.fork(Effect.either(backend.callTool({ name })))
    )
    yield* TestClock.adjust(0)
    expect(pays!.unsafePoll()).toMatchObject({ value: { left: { _tag: "ResultUnknown" } } })
    yield* TestClock.adjust(999)
    expect(looks!.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(looks!)).toMatchObject({ _tag: "Right" })
    expect(script.ledger.sent("tools/call")).toHaveLength(3)
  })

  test.scoped("[C15:virtual C18] has no place among those in flight while tools are read, for no longer than one request may take", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start({ calls: { concurrency: 1 } }, script)
    const calls = yield* Effect.fork(Effect.forEach(
      ["pay", "look"],
      (name) => Effect.either(backend.callTool({ name }, { timeout: "1 hour" })),
      { concurrency: "unbounded" }
    ))
    yield* TestClock.adjust(0)
    let pages = 0
    yield* cut(script, (method) =>
      method !== "tools/list"
        ? undefined
        : { answer: "result", result: { tools: [], nextCursor: String(++pages) }, after: 25_000 })
    expect(script.ledger.sent("tools/call")).toHaveLength(2)
    yield* TestClock.adjust("60 seconds")
    expect(yield* Fiber.join(calls)).toMatchObject([{ left: { _tag: "ResultUnknown" } }, { _tag: "Right" }])
  })

  test.scoped.each<[string, Setting["calls"], Backend.CallOptions | undefined]>([
    ["calls.retry is never", { retry: "never" }, undefined],
    ["hints are not trusted", { trustAnnotations: false }, undefined],
    ["the caller says that it may not be repeated", undefined, { idempotent: false }]
  ])("[C15:virtual] fails at once, and nothing is read, where %s", function*([, calls, options]) {
    const script = ScriptedConnector.make()
    const backend = yield* start({ calls }, script)
    const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "look" }, options)))
    yield* TestClock.adjust(0)
    script.respond = paged
    script.current.lose("closed")
    yield* TestClock.adjust(0)
    expect(yield* Fiber.join(call)).toMatchObject({ left: { _tag: "ResultUnknown" } })
    yield* TestClock.adjust(1000)
    expect(script.ledger.sent("tools/list")).toEqual([])
  })

  test.scoped("[C15:virtual] fails at once where the tool was known to do harm", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start({}, script)
    script.respond = paged
    yield* backend.listTools()
    script.respond = () => ({ answer: "never" })
    const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" })))
    yield* TestClock.adjust(0)
    script.current.lose("closed")
    yield* TestClock.adjust(0)
    expect(yield* Fiber.join(call)).toMatchObject({ left: { _tag: "ResultUnknown" } })
  })

  test.scoped("[C15:virtual] is unknown where no connection comes in time, and says that nobody could ask", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start({}, script)
    const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "look" })))
    yield* TestClock.adjust(0)
    script.failNext(100)
    yield* cut(script, paged)
    yield* TestClock.adjust(9000)
    expect(yield* Fiber.join(call)).toMatchObject({
      _tag: "ResultUnknown",
      message: expect.stringContaining("what its tool does could not be read")
    })
  })

  test.scoped("[C15:virtual] is unknown at its own time where the tools are not listed, and at once where they are refused", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start({}, script)
    const call = (timeout: number) => Effect.fork(Effect.flip(backend.callTool({ name: "look" }, { timeout })))
    const first = yield* call(5000)
    yield* TestClock.adjust(0)
    yield* cut(script, () => ({ answer: "never" }))
    yield* TestClock.adjust(3999)
    expect(first.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(first)).toMatchObject({ _tag: "ResultUnknown" })
    const second = yield* call(60_000)
    yield* TestClock.adjust(0)
    const refused = new RequestError({ fate: "answered", reason: "remote", code: -32000, message: "no" })
    yield* cut(script, (method) => method === "tools/list" ? { answer: "error", error: refused } : undefined)
    expect(yield* Fiber.join(second)).toMatchObject({ _tag: "ResultUnknown" })
    expect(script.ledger.sent("tools/call")).toHaveLength(2)
  })

  test.scoped("[C15:virtual] is decided on the connection after next where the next one is lost as well", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start({}, script)
    const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "look" })))
    yield* TestClock.adjust(0)
    yield* cut(script, () => ({ answer: "never" }))
    yield* cut(script, paged)
    yield* TestClock.adjust(5000)
    expect(yield* Fiber.join(call)).toMatchObject({ _tag: "Right" })
    expect((yield* backend.status).generation).toBe(3)
  })

  test.scoped.each(["waits a second", "waits for its turn"])(
    "[C15:virtual] is decided anew where the connection that said it may be is lost while it %s",
    function*(wait) {
      const script = ScriptedConnector.make()
      const isTurn = wait === "waits for its turn"
      const backend = yield* start({ calls: isTurn ? { concurrency: 1 } : undefined }, script)
      const network = new RequestError({ fate: "unknown", reason: "network", message: "cut" })
      script.respond = (method, params) =>
        method === "tools/call" ? { answer: "error", error: network, after: 1 } : paged(method, params)
      const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "look" })))
      // Takes the turn while the tools are read.
      const other = isTurn ? yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }))) : undefined
      yield* TestClock.adjust(0)
      script.respond = (method, params) => method === "tools/call" ? { answer: "never" } : paged(method, params)
      yield* TestClock.adjust(isTurn ? 5000 : 500)
      expect(call.unsafePoll()).toBeNull()
      const sent = script.ledger.sent("tools/call").length
      // Another server, perhaps, has a tool of that name.
      yield* cut(script, (method) =>
        method === "tools/list"
          ? { answer: "result", result: { tools: [{ ...look, annotations: { readOnlyHint: false } }] } }
          : undefined)
      yield* TestClock.adjust(5000)
      expect(yield* Fiber.join(call)).toMatchObject({ left: { _tag: "ResultUnknown" } })
      expect(script.ledger.sent("tools/call")).toHaveLength(sent)
      if (other !== undefined) expect(yield* Fiber.join(other)).toMatchObject({ left: { _tag: "ResultUnknown" } })
    }
  )

  test.scoped("[C15:virtual C18] keeps no other from its turn while it waits before it is sent again", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start({ calls: { concurrency: 1 } }, script, {
      reconnect: { demandInterval: "20 seconds" }
    })
    const cutOff = new RequestError({ fate: "unknown", reason: "network", message: "cut" })
    script.respond = (method) =>
      method === "tools/call"
        ? { answer: "error", error: cutOff }
        : method === "ping"
        ? { answer: "never" }
        : { answer: "result", result: { tools: [look, pay] }, after: 12_000 }
    const first = yield* Effect.fork(backend.callTool({ name: "look" }))
    yield* Effect.fork(backend.listTools())
    // The first probe has failed, so it waits for a verdict.
    yield* TestClock.adjust("11 seconds")
    script.respond = paged
    yield* TestClock.adjust("2 seconds")
    const second = yield* Effect.fork(backend.callTool({ name: "pay" }))
    yield* TestClock.adjust("1 second")
    expect([first.unsafePoll(), second.unsafePoll()]).toMatchObject([null, { _tag: "Success" }])
    yield* TestClock.adjust("10 seconds")
    expect(first.unsafePoll()).toMatchObject({ _tag: "Success" })
  })

  test.scoped("[C15:virtual C18] says that it may be carried out twice where only its turn did not come", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start({ calls: { concurrency: 1 } }, script)
    const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "look" }, { timeout: "20 seconds" })))
    yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, { timeout: "1 hour" })))
    yield* TestClock.adjust(0)
    yield* cut(script, (method, params) => method === "tools/call" ? { answer: "never" } : paged(method, params))
    const other = yield* Effect.fork(Effect.either(backend.callTool({ name: "set" }, { timeout: "1 hour" })))
    yield* TestClock.adjust("30 seconds")
    expect((yield* Fiber.join(call)).message).toContain("it may be carried out twice, but could not be sent again")
    yield* Fiber.interrupt(other)
  })

  test.scoped("[C15:virtual] is decided anew where it was refused on the connection that said it may be", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start({}, script)
    const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "look" })))
    yield* TestClock.adjust(0)
    const refused = new RequestError({ fate: "rejected", reason: "session", message: "another session" })
    yield* cut(
      script,
      (method, params) =>
        method === "tools/call" ? { answer: "error", error: refused, after: 500 } : paged(method, params)
    )
    script.respond = (method) =>
      method === "tools/list"
        ? { answer: "result", result: { tools: [{ ...look, annotations: { readOnlyHint: false } }] } }
        : undefined
    script.current.lose("session")
    yield* TestClock.adjust("5 seconds")
    expect(yield* Fiber.join(call)).toMatchObject({ left: { _tag: "ResultUnknown" } })
    expect(script.ledger.sent("tools/call")).toHaveLength(2)
  })

  test.scoped("[C15:virtual] after an update of the server, only a tool that does nothing but read is harmless", function*() {
    const script = ScriptedConnector.make()
    let version = 0
    const { connect } = script
    Object.assign(script, {
      connect: (options: Parameters<typeof connect>[0]) =>
        Effect.map(connect(options), (connection) => {
          Object.assign(connection, { serverInfo: { name: "s", version: String(++version) } })
          return connection
        })
    })
    const backend = yield* start({}, script)
    const calls = yield* Effect.fork(Effect.forEach(
      ["look", "set"],
      (name) => Effect.either(backend.callTool({ name })),
      { concurrency: "unbounded" }
    ))
    yield* TestClock.adjust(0)
    yield* cut(script, paged)
    expect(yield* Fiber.join(calls)).toMatchObject([{ _tag: "Right" }, { left: { _tag: "ResultUnknown" } }])
  })
})
