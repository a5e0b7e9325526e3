/** Sessions of a server whose processes cannot be seen, as over HTTP: silence is judged by a session beside. */
import { type Backend, type Connector, RequestError, type RequestOptions } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, identity, TestClock } from "effect"
import { sending } from "../../../testing/test/support/asked.js"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import { watched } from "../support/Watched.js"

const never: ScriptedConnector.Answer = { answer: "never" }

const unseen = (
  options: Omit<Backend.BackendOptions, "connector"> = {},
  connector: ScriptedConnector.Options = {},
  outcome: ScriptedConnector.Outcome = {},
  bend: (script: ScriptedConnector.ScriptedConnector) => Connector = identity
) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make(connector)
    script.otherwise = outcome
    const one = yield* watched(bend(script), { keepalive: { method: "ping", interval: "1 hour" }, ...options })
    yield* TestClock.adjust(0)
    const call = (name = "slow", timeout = 600_000) =>
      Effect.fork(Effect.either(one.backend.callTool({ name, arguments: {} }, { timeout }))).pipe(
        Effect.tap(() => TestClock.adjust(0))
      )
    const isQuick = (method: string, params: unknown) =>
      method !== "tools/call" || (params as { readonly name: string }).name === "quick"
    const showConcurrent = Effect.gen(function*() {
      script.respond = (method, params) => isQuick(method, params) ? undefined : { answer: "result", after: 100 }
      const slow = yield* call()
      yield* Fiber.join(yield* call("quick"))
      yield* TestClock.adjust(100)
      yield* Fiber.join(slow)
    })
    /** No session made until now is answered; later ones are. */
    const silence = () => {
      const { id: last } = script.current
      script.respond = (_, __, { id }) => id <= last ? never : undefined
    }
    const lost = () => one.events.flatMap((event) => event._tag === "RuntimeLost" ? [event.loss] : [])
    const judged = () => one.events.flatMap((event) => event._tag === "Judged" ? [event.kind] : [])
    const opened = () => script.connections.length
    return { ...one, script, call, isQuick, showConcurrent, silence, lost, judged, opened }
  })

describe("V3: a silent session", () => {
  test.scoped("[V3:virtual] is replaced within 10 s of the first call without an answer where a new one is answered, and its calls may still end", function*() {
    const server = yield* unseen()
    yield* server.showConcurrent
    server.script.respond = (method, _, { id }) =>
      id > 0 ? undefined : method === "tools/call" ? { answer: "result", after: 15_000 } : never
    const call = yield* server.call()
    yield* TestClock.adjust("9 seconds")
    expect(server.lost()).toEqual([{
      kind: "health",
      message: expect.stringContaining("a new session is answered, and this one is not")
    }])
    expect(server.judged()).toEqual(["wedged"])
    expect(yield* server.backend.callTool({ name: "quick" })).toBeDefined()
    expect(yield* server.backend.status).toMatchObject({ generation: 2, lostSessions: { count: 0 } })
    yield* TestClock.adjust("8 seconds")
    expect(yield* Fiber.join(call)).toMatchObject({ _tag: "Right" })
    yield* TestClock.adjust("8 seconds")
    expect(server.script.connections.map(({ state }) => state)).toEqual(["closed", "open"])
  })

  test.scoped("[V8:virtual] gets no call that may not be repeated once a question was left without an answer: it goes to the new one", function*() {
    const server = yield* unseen()
    yield* server.showConcurrent
    server.silence()
    const calls = () => server.script.ledger.sent("tools/call", 0).length
    const before = calls()
    const lost = yield* server.call()
    yield* TestClock.adjust("4800 millis")
    const early = yield* server.call()
    expect(calls()).toBe(before + 2)
    yield* TestClock.adjust("200 millis")
    const late = yield* server.call("quick")
    yield* TestClock.adjust("4 seconds")
    expect(calls()).toBe(before + 2)
    expect(yield* Fiber.join(late)).toMatchObject({ _tag: "Right" })
    yield* Fiber.interruptAll([lost, early])
  })

  test.scoped("[V8:virtual] sends it after all where it is answered again", function*() {
    const server = yield* unseen()
    yield* server.showConcurrent
    server.script.otherwise = { connect: "hang" }
    server.script.respond = (method, params) =>
      method !== "tools/call"
        ? { answer: "result", after: 8000 }
        : server.isQuick(method, params)
        ? undefined
        : never
    const slow = yield* server.call()
    yield* TestClock.adjust("6 seconds")
    const held = yield* server.call("quick")
    yield* TestClock.adjust("3 seconds")
    expect(held.unsafePoll()).toBeNull()
    yield* TestClock.adjust("3 seconds")
    expect(yield* Fiber.join(held)).toMatchObject({ _tag: "Right" })
    expect(server.lost()).toEqual([])
    yield* Fiber.interrupt(slow)
  })

  test.scoped("[V3:virtual] is kept where the server stands still: a new one is not answered either", function*() {
    const server = yield* unseen()
    yield* server.showConcurrent
    server.script.otherwise = { connect: "hang" }
    server.silence()
    const call = yield* server.call()
    yield* TestClock.adjust("5 minutes")
    expect([server.lost(), server.opened()]).toEqual([[], 1])
    expect(server.script.ledger.entries.filter(({ _tag }) => _tag === "Attempt").length).toBeLessThan(12)
    expect(yield* server.backend.status).toMatchObject({ state: "Connected", generation: 1 })
    yield* Fiber.interrupt(call)
  })

  test.scoped("[V3:virtual] is kept where it is answered again before the new one is there, which is closed", function*() {
    const server = yield* unseen()
    yield* server.showConcurrent
    server.script.otherwise = { after: 5000 }
    server.script.respond = () => ({ answer: "result", after: 9000 })
    const call = yield* server.call()
    yield* TestClock.adjust("14 seconds")
    expect(yield* Fiber.join(call)).toMatchObject({ _tag: "Right" })
    expect(server.lost()).toEqual([])
    expect(server.script.connections.map(({ state }) => state)).toEqual(["open", "closed"])
    expect(yield* server.backend.status).toMatchObject({ state: "Connected", generation: 1, errorCount: 0 })
    expect(server.events.filter(({ _tag }) => _tag === "AttemptFailed")).toEqual([])
  })

  test.scoped("[V3:virtual R9] unless somebody has asked for a new one meanwhile", function*() {
    const server = yield* unseen()
    yield* server.showConcurrent
    server.script.otherwise = { after: 5000 }
    server.script.respond = () => ({ answer: "result", after: 9000 })
    const call = yield* server.call()
    yield* TestClock.adjust("7 seconds")
    const command = yield* Effect.fork(server.backend.reconnect)
    yield* TestClock.adjust("7 seconds")
    expect(yield* Effect.exit(Fiber.join(command))).toMatchObject({ _tag: "Success" })
    expect(yield* server.backend.status).toMatchObject({ state: "Connected", generation: 2 })
    expect(yield* Fiber.join(call)).toMatchObject({ _tag: "Right" })
  })

  test.scoped("[V3:virtual T11] goes on where the network loses its connection while a new one is being made", function*() {
    const server = yield* unseen({}, {}, { suspends: true })
    yield* server.showConcurrent
    server.silence()
    server.script.script({ connect: "hang" })
    const call = yield* server.call()
    yield* TestClock.adjust("8 seconds")
    expect(server.script.ledger.entries.filter(({ _tag }) => _tag === "Attempt").length).toBe(2)
    server.script.current.lose()
    yield* TestClock.adjust("5 seconds")
    expect(yield* server.backend.status).toMatchObject({ state: "Connected", generation: 2, resumed: true })
    expect(server.lost()).toMatchObject([{ kind: "closed" }])
    server.silence()
    const another = yield* server.call()
    yield* TestClock.adjust("10 seconds")
    expect(yield* server.backend.status).toMatchObject({ state: "Connected", generation: 3 })
    yield* Fiber.interruptAll([call, another])
  })

  test.scoped("[V3:virtual T11] is kept where it is answered once the network is back: what was asked before went nowhere", function*() {
    const server = yield* unseen()
    yield* server.showConcurrent
    let isGone = true
    server.script.respond = () => isGone ? never : undefined
    server.script.otherwise = { after: 5000 }
    const call = yield* server.call()
    yield* TestClock.adjust("10 seconds")
    isGone = false
    yield* TestClock.adjust("4 seconds")
    expect(server.script.connections.map(({ state }) => state)).toEqual(["open", "closed"])
    expect([server.lost(), (yield* server.backend.status).generation]).toEqual([[], 1])
    yield* Fiber.interrupt(call)
  })

  const refusals = [["rejected", "rateLimited"], ["rejected", "server"], ["notSent", "network"]] as const

  test.scoped.each(refusals)("[V3:virtual] is kept where it refuses to be asked: %s, %s", function*([fate, reason]) {
    const server = yield* unseen()
    yield* server.showConcurrent
    const error = new RequestError({ fate, reason, message: "not now" })
    server.script.respond = (method) => method === "tools/call" ? never : { answer: "error", error }
    const call = yield* server.call()
    yield* TestClock.adjust("2 minutes")
    expect([server.lost(), server.opened()]).toEqual([[], 1])
    yield* Fiber.interrupt(call)
  })

  test.scoped.each(refusals)(
    "[V3:virtual] is kept where it refuses what it is asked last: %s, %s",
    function*([fate, reason]) {
      const server = yield* unseen()
      yield* server.showConcurrent
      server.silence()
      server.script.script({ after: 3000 })
      const call = yield* server.call()
      yield* TestClock.adjust("8 seconds")
      const error = new RequestError({ fate, reason, message: "not now" })
      server.script.respond = (method, _, { id }) =>
        id > 0 ? undefined : method === "tools/call" ? never : { answer: "error", error }
      yield* TestClock.adjust("4 seconds")
      const [silent, ...others] = server.script.connections.map(({ state }) => state)
      expect([silent, new Set(others), server.lost()]).toEqual(["open", new Set(["closed"]), []])
      yield* Fiber.interrupt(call)
    }
  )

  test.scoped("[V3:virtual R12] is connected again where it is forgotten while a new one is made, which fails", function*() {
    const server = yield* unseen()
    yield* server.showConcurrent
    server.silence()
    server.script.script({ connect: "fail", after: 5000 })
    const call = yield* server.call()
    yield* TestClock.adjust("8 seconds")
    server.script.current.lose("session")
    yield* TestClock.adjust("10 seconds")
    expect(yield* server.backend.status).toMatchObject({ state: "Connected", generation: 2 })
    yield* Fiber.interrupt(call)
  })

  test.scoped("[V3:virtual R9] a command that joined has its new one at once: the silent one is not asked again", function*() {
    const server = yield* unseen({ timeouts: { connect: 5000 } })
    yield* server.showConcurrent
    server.script.otherwise = { after: 4500 }
    server.silence()
    const call = yield* server.call()
    yield* TestClock.adjust("7 seconds")
    const command = yield* Effect.fork(Effect.exit(server.backend.reconnect))
    yield* TestClock.adjust("5 seconds")
    expect(yield* Fiber.join(command)).toMatchObject({ _tag: "Success" })
    expect(yield* server.backend.status).toMatchObject({ state: "Connected", generation: 2 })
    yield* Fiber.interrupt(call)
  })

  test.scoped("[V3:virtual] is kept where the call that it works on tells of progress", function*() {
    let report: RequestOptions["onevent"]
    const server = yield* unseen(
      {},
      {},
      {},
      (script) =>
        sending(script, (connection) => (method, params, options, settle) => {
          if (method === "tools/call") {
            report = options.onevent
          }
          return connection.send(method, params, options, settle)
        })
    )
    yield* server.showConcurrent
    server.script.otherwise = { after: 3000 }
    server.silence()
    const call = yield* Effect.fork(
      server.backend.callTool({ name: "slow" }, { timeout: 600_000, onprogress: () => {} })
    )
    yield* TestClock.adjust("3 seconds")
    for (let i = 0; i < 15; i++) {
      report?.({ _tag: "Progress", progress: { progress: i } })
      yield* TestClock.adjust("1 second")
    }
    expect(server.lost()).toEqual([])
    yield* Fiber.interrupt(call)
  })

  test.scoped("[V3:virtual R12] is replaced as one that is forgotten where it refuses what it is asked meanwhile", function*() {
    const server = yield* unseen()
    yield* server.showConcurrent
    server.silence()
    server.script.script({ after: 5000 })
    const call = yield* server.call()
    yield* TestClock.adjust("8 seconds")
    const error = new RequestError({
      fate: "answered",
      reason: "remote",
      message: "Invalid",
      ifSessionLost: "rejected"
    })
    server.script.respond = (method, _, { id }) =>
      id > 0
        ? undefined
        : method === "tools/call" && server.script.current.id === 0
        ? never
        : { answer: "error", error }
    const probe = yield* Effect.fork(Effect.either(server.backend.request("tools/list", {})))
    yield* TestClock.adjust("8 seconds")
    expect([server.opened(), server.lost()]).toMatchObject([2, [{ kind: "session" }]])
    expect(yield* server.backend.status).toMatchObject({ state: "Connected", generation: 2 })
    yield* Fiber.interruptAll([call, probe])
  })

  test.scoped("[V3:virtual] is replaced also by one of another version of the server", function*() {
    let version = 0
    const server = yield* unseen({}, {}, {}, (script) => ({
      ...script,
      connect: (options) =>
        Effect.map(script.connect(options), (connection) => ({
          ...connection,
          serverInfo: { name: "scripted", version: String(version++) }
        }))
    }))
    yield* server.showConcurrent
    server.silence()
    const call = yield* server.call()
    yield* TestClock.adjust("10 seconds")
    expect(yield* server.backend.status).toMatchObject({ generation: 2, learned: { isConcurrent: false } })
    expect(server.lost()).toMatchObject([{ kind: "health" }])
    yield* Fiber.interrupt(call)
  })

  test.scoped("[V3:virtual R9] a command that joined has its new one, though the old one is lost before that", function*() {
    const server = yield* unseen()
    yield* server.showConcurrent
    server.script.otherwise = { after: 5000 }
    server.silence()
    const call = yield* server.call()
    yield* TestClock.adjust("8 seconds")
    const command = yield* Effect.fork(Effect.exit(server.backend.reconnect))
    yield* TestClock.adjust(0)
    server.script.current.lose()
    yield* TestClock.adjust("1 second")
    expect(command.unsafePoll()).toBeNull()
    yield* TestClock.adjust("4 seconds")
    expect(yield* Fiber.join(command)).toMatchObject({ _tag: "Success" })
    expect(server.opened()).toBe(2)
    const { lastError, state } = yield* server.backend.status
    expect(state).toBe("Connected")
    expect(lastError).not.toContain("a new session is answered")
    yield* Fiber.interrupt(call)
  })

  const kept: ReadonlyArray<readonly [string, ...Parameters<typeof unseen>]> = [
    ["its server never answered during a call", {}, {}, {}],
    ["the server keeps no session", {}, {}, { stateful: false }],
    ["no other can be made beside it", {}, { overlap: false }, {}],
    ["nothing may be asked", { keepalive: { method: "none" } }, {}, {}],
    ["nothing connects by itself", { reconnect: { auto: false } }, {}, {}]
  ]

  test.scoped.each(kept)("[V3:virtual] is kept for its caller where %s", function*([title, ...given]) {
    const server = yield* unseen(...given)
    if (!title.includes("never answered")) yield* server.showConcurrent
    server.silence()
    const call = yield* server.call()
    yield* TestClock.adjust("5 minutes")
    expect([server.lost(), server.opened()]).toEqual([[], 1])
    yield* Fiber.interrupt(call)
  })
})
