import { Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Cause, Effect, Fiber, Option, TestClock } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"

type Fields = ConstructorParameters<typeof RequestError>[0]

/** A refusal that a server which has forgotten the session may answer, too. */
const refusal = (fields: Partial<Fields> = {}) =>
  new RequestError({
    fate: "answered",
    reason: "remote",
    code: -32602,
    message: "Invalid request parameters",
    ifSessionLost: "rejected",
    ...fields
  })

const unauthorized = refusal({ fate: "rejected", reason: "unauthorized", message: "HTTP 401" })

/** What a server answers about which there is no doubt. */
const forgottenSession = refusal({
  fate: "rejected",
  reason: "session",
  message: "the server has forgotten the session",
  ifSessionLost: undefined
})

type Refuse = (method: string, connection: number) => RequestError | undefined

const start = (
  script: ScriptedConnector.ScriptedConnector,
  refuse: Refuse,
  options: Partial<Backend.BackendOptions> = {}
) =>
  Effect.gen(function*() {
    script.respond = (method, _, connection) => {
      const error = refuse(method, connection.id)
      return error === undefined ? undefined : { answer: "error", error }
    }
    const backend = yield* Backend.make("one", {
      connector: script,
      keepalive: { method: "none", timeout: 500 },
      discovery: { mode: "learn" },
      ...options
    })
    yield* TestClock.adjust(0)
    return backend
  })

const call = (backend: Backend.Backend, name = "echo") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.exit(backend.callTool({ name })))
    yield* TestClock.adjust(0)
    const exit = yield* Fiber.join(fiber)
    return exit._tag === "Success" ? "answered" : Option.getOrThrow(Cause.failureOption(exit.cause))._tag
  })

const sent = (script: ScriptedConnector.ScriptedConnector, method: string) =>
  script.ledger.entries.filter((entry) => entry._tag === "Sent" && entry.method === method).length

describe("doubts about a session", () => {
  for (
    const [what, error, ofList = error] of [
      ["refused credentials", unauthorized],
      ["a protocol error", refusal()],
      ["an error of a tool", refusal({ code: -32000 }), forgottenSession]
    ] as const
  ) {
    test.scoped(`[R12:virtual] ${what}, by a session that refuses its lists as well: a new one takes its place`, function*() {
      const script = ScriptedConnector.make()
      let forgotten = false
      const backend = yield* start(script, (method, connection) => {
        if (!forgotten || connection > 0) return undefined
        if (method !== "tools/list") return error
        // Where there is no doubt, the connection ends itself.
        if (ofList === forgottenSession) script.connections[0]?.lose({ kind: "session", message: ofList.message })
        return ofList
      })
      assert.strictEqual(yield* call(backend), "answered")
      forgotten = true
      assert.strictEqual(yield* call(backend), "answered")
      const { generation, lastError, state } = yield* backend.status
      assert.deepStrictEqual([state, generation], ["Connected", 2])
      assert.include(lastError, "forgotten the session")
      assert.deepStrictEqual(script.ledger.live, [1])
    })
  }

  test.scoped("[R12:virtual] a genuine refusal costs a list, and neither session nor handshake, however often it comes", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, (method) => method === "tools/call" ? refusal() : undefined)
    for (let i = 0; i < 5; i++) assert.strictEqual(yield* call(backend), "RemoteError")
    assert.strictEqual((yield* backend.status).generation, 1)
    assert.strictEqual(sent(script, "tools/list"), 5)
    assert.strictEqual(sent(script, "tools/call"), 5)
  })

  test.scoped("[R12:virtual] a server that refuses its lists to every session costs one handshake", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, () => refusal())
    for (let i = 0; i < 5; i++) assert.strictEqual(yield* call(backend), "RemoteError")
    assert.strictEqual((yield* backend.status).generation, 2)
  })

  test.scoped("[R12:virtual] what a session gave before it was forgotten, in a reading that ends later, is no evidence", function*() {
    const script = ScriptedConnector.make()
    script.otherwise = { after: 200 }
    let forgotten = false
    const backend = yield* start(script, () => undefined, { discovery: { mode: "eager" } })
    script.respond = (method, _, { id }) =>
      forgotten || id > 0
        ? { answer: "error", error: refusal() }
        : method === "prompts/list"
        ? { answer: "result", result: { prompts: [] }, after: 100 }
        : undefined
    yield* TestClock.adjust(250)
    forgotten = true
    const calls = yield* Effect.fork(
      Effect.all([0, 1, 2].map(() => Effect.either(backend.callTool({ name: "echo" }))))
    )
    yield* TestClock.adjust(1000)
    yield* Fiber.join(calls)
    assert.strictEqual((yield* backend.status).generation, 2)
  })

  test.scoped("[R7 R12:virtual] each session forgotten in unknown words after one call: no call fails, and only the pace is bounded", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, () => undefined)
    const used = new Set<number>()
    script.respond = (method, _, { id }) => {
      if (used.has(id)) return { answer: "error", error: refusal() }
      if (method === "tools/call") used.add(id)
      return undefined
    }
    for (let i = 0; i < 40; i++) {
      const called = yield* Effect.fork(backend.callTool({ name: "echo" }))
      while ((yield* Fiber.poll(called))._tag === "None") yield* TestClock.adjust(100)
      yield* Fiber.join(called)
    }
    const { attempts } = script.ledger
    assert.strictEqual(attempts.length, 40)
    attempts.forEach((at, i) => assert.isAtMost(i, 10 + at / 1000))
  })

  test.scoped("[R12:virtual] where the handshake fails, its own reason counts, and the old session stays", function*() {
    const script = ScriptedConnector.make()
    let revoked = false
    const backend = yield* start(script, () => revoked ? unauthorized : undefined)
    revoked = true
    script.otherwise = { connect: "fail", error: { reason: "unauthorized", permanent: true } }
    for (let i = 0; i < 5; i++) assert.strictEqual(yield* call(backend), "BackendUnavailable")
    assert.deepStrictEqual(script.ledger.live, [0])
    assert.strictEqual((yield* backend.status).state, "Connected")
    assert.strictEqual(script.ledger.entries.filter(({ _tag }) => _tag === "Attempt").length, 2)
  })

  test.scoped("[R12:virtual C3] a call that may have been carried out is not sent again on the new session", function*() {
    const script = ScriptedConnector.make()
    const internal = refusal({ code: -32603, message: "Internal error", ifSessionLost: "answered" })
    const backend = yield* start(script, (_, connection) => connection === 0 ? internal : undefined)
    assert.strictEqual(yield* call(backend), "RemoteError")
    assert.strictEqual(sent(script, "tools/call"), 1)
    assert.strictEqual((yield* backend.status).generation, 2)
    assert.strictEqual(yield* call(backend), "answered")
  })

  test.scoped("[R12:virtual] calls at once share one question and one handshake", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, (_, connection) => connection === 0 ? refusal() : undefined)
    const ends = yield* Effect.all(Array.from({ length: 20 }, () => call(backend)), { concurrency: "unbounded" })
    assert.deepStrictEqual(new Set(ends), new Set(["answered"]))
    assert.strictEqual((yield* backend.status).generation, 2)
  })

  test.scoped("[R12:virtual C12] the caller who wants to decide is told", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, (_, connection) => connection === 0 ? refusal() : undefined, {
      calls: { afterSessionLoss: "fail" }
    })
    assert.strictEqual(yield* call(backend), "SessionExpired")
    assert.strictEqual(yield* call(backend), "answered")
  })

  test.scoped("[R12:virtual V5:virtual C12] a start that was to decide ends with its attempt: a later connection says nothing of the session", function*() {
    const script = ScriptedConnector.make({ startLimit: 300_000 })
    const backend = yield* start(
      script,
      (method, connection) => connection > 0 || method === "ping" ? undefined : refusal()
    )
    script.otherwise = { after: 95_000 }
    const refused = yield* Effect.fork(Effect.flip(backend.callTool({ name: "echo" })))
    yield* TestClock.adjust("3 minutes")
    assert.strictEqual((yield* Fiber.join(refused))._tag, "RemoteError")
    assert.lengthOf(script.ledger.attempts, 2)
    const { generation, startingSince, state } = yield* backend.status
    assert.deepStrictEqual([state, generation, startingSince], ["Connected", 1, undefined])
    assert.deepStrictEqual([...script.ledger.live], [0])
  })

  test.scoped("[R12:virtual] without overlap as well, the second session that is forgotten in unknown words is noticed", function*() {
    const script = ScriptedConnector.make({ overlap: false })
    let forgotten = -1
    const backend = yield* start(script, (_, connection) => connection <= forgotten ? refusal() : undefined)
    for (forgotten of [0, 1, 2]) assert.strictEqual(yield* call(backend), "answered")
    assert.strictEqual((yield* backend.status).generation, 4)
  })

  test.scoped("[R12:virtual] a reading of lists that a session gave before and now refuses is a doubt: no call is needed", function*() {
    for (const error of [refusal(), unauthorized]) {
      const script = ScriptedConnector.make()
      let forgotten = false
      const refuse: Refuse = (_, connection) => forgotten && connection === 0 ? error : undefined
      const backend = yield* start(script, refuse, { discovery: { mode: "eager", refreshInterval: "1 minute" } })
      yield* TestClock.adjust("90 seconds")
      forgotten = true
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* backend.status).generation, 2)
      assert.deepStrictEqual(script.ledger.live, [1])
    }
  })

  test.scoped("[R12:virtual] lists that a server gives to no session, or one that it does not give, cost no session", function*() {
    for (const refuses of [() => true, (method: string) => method === "prompts/list"]) {
      const script = ScriptedConnector.make()
      const refuse: Refuse = (method) => method.endsWith("/list") && refuses(method) ? refusal() : undefined
      const backend = yield* start(script, refuse, { discovery: { mode: "eager", refreshInterval: "1 minute" } })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* backend.status).generation, 1)
      assert.strictEqual(sent(script, "tools/list"), 11)
    }
  })

  test.scoped("[R12:virtual] a ping that worked earlier and is refused is a doubt: keepalive does not switch itself off", function*() {
    const script = ScriptedConnector.make()
    let forgotten = false
    const unknown = refusal({ code: -32601, message: "Method not found", ifSessionLost: undefined })
    const backend = yield* start(
      script,
      (_, connection) => !forgotten || connection > 0 ? undefined : unknown,
      { keepalive: { method: "ping", interval: "1 minute", timeout: 500 } }
    )
    yield* TestClock.adjust("2 minutes")
    forgotten = true
    yield* TestClock.adjust("2 minutes")
    const { generation, keepalive } = yield* backend.status
    assert.deepStrictEqual([generation, keepalive.state], [2, "running"])
  })
})
