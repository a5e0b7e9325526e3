import {
  Backend,
  BackendUnavailable,
  type CallError,
  ConnectError,
  ConnectionLost,
  type Connector,
  type Event,
  InvalidOptions,
  ProtocolError,
  RemoteError,
  RequestError,
  type RequestOptions,
  RequestTimeout,
  ResultUnknown,
  Sending,
  SessionExpired
} from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import type { Progress } from "@modelcontextprotocol/sdk/types.js"
import {
  Array as Arr,
  Cause,
  Clock,
  Effect,
  Either,
  Exit,
  Fiber,
  Inspectable,
  Logger,
  Random,
  Scope,
  TestClock
} from "effect"
import { asked } from "../../testing/test/support/asked.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { startBackend } from "../src/backend/start.js"

const { tool } = ScriptedConnector

const start = (connector: Connector, options: Partial<Backend.BackendOptions> = {}) =>
  Effect.tap(
    Backend.make("one", { connector, keepalive: { method: "none" }, ...options }),
    () => TestClock.adjust(0)
  )

const never: ScriptedConnector.Answer = { answer: "never" }

const failed = (error: Partial<RequestError> & Pick<RequestError, "fate" | "reason">): ScriptedConnector.Answer => ({
  answer: "error",
  error: new RequestError({ message: "says the transport", ...error })
})

const sessionLost = failed({ fate: "rejected", reason: "session" })

/** Loses the connection as a transport does that learns of it from a refused request. */
const refuse = (connection: ScriptedConnector.ScriptedConnection): ScriptedConnector.Answer => {
  connection.lose("session")
  return sessionLost
}

const answering = (
  script: ScriptedConnector.ScriptedConnector,
  respond: (request: Sending.Request) => Sending.Request
): Connector => ({
  transport: script.transport,
  target: script.target,
  overlap: script.overlap,
  connect: (how) =>
    asked(script.connect(how), (connection) => {
      const ask: Sending.Request = (method, params, given) => Sending.ask(connection, method, params, given)
      const call = respond(ask)
      return (method, params, given) => (method === "tools/call" ? call : ask)(method, params, given)
    })
})

const noting = (script: ScriptedConnector.ScriptedConnector) => {
  const options: Array<RequestOptions> = []
  const connector = answering(script, (request) => (method, params, given) => {
    options.push(given)
    return request(method, params, given)
  })
  return { connector, options }
}

const counting = (
  annotations: Parameters<typeof tool>[1],
  afterwards: (
    connection: ScriptedConnector.ScriptedConnection,
    applied: number
  ) => ScriptedConnector.Answer | undefined
) => {
  const script = ScriptedConnector.make()
  const server = { applied: 0 }
  script.offer = { ...script.offer, tools: [tool("pay", annotations)] }
  script.respond = (method, _, connection) =>
    method === "tools/call" ? afterwards(connection, ++server.applied) : undefined
  return { script, server }
}

describe("Calls", () => {
  test.scoped.each<[string, (connection: ScriptedConnector.ScriptedConnection) => ScriptedConnector.Answer]>([
    ["rejected because the session is gone", refuse],
    ["never sent because the connection is over", (connection) => {
      connection.lose()
      return failed({ fate: "notSent", reason: "lost" })
    }]
  ])(
    "[C2] a request that was %s is sent again on the next generation, its progress handler with it",
    function*([, lose]) {
      const script = ScriptedConnector.make()
      const { connector, options } = noting(script)
      const backend = yield* start(connector)
      yield* TestClock.adjust("10 seconds")
      let applied = 0
      script.respond = (method, _, connection) => {
        if (method !== "tools/call") return undefined
        if (connection.id === 0) return lose(connection)
        applied++
        return undefined
      }
      const progress: Array<Progress> = []
      const onprogress = (one: Progress) => void progress.push(one)
      const call = yield* Effect.fork(backend.callTool({ name: "pay", arguments: { sum: 5 } }, { onprogress }))
      yield* TestClock.adjust("1 second")
      const [{ text }] = (yield* Fiber.join(call)).content as unknown as [{ readonly text: string }]
      expect(JSON.parse(text)).toMatchObject({ name: "pay", arguments: { sum: 5 } })
      expect(applied).toBe(1)
      options.forEach(({ onevent }, i) => onevent?.({ _tag: "Progress", progress: { progress: i } }))
      expect(progress).toEqual([{ progress: 0 }, { progress: 1 }])
      expect((yield* backend.status).generation).toBe(2)
    }
  )

  test.scoped("[C2] progress does not go back when the request is sent again, and is handed on as it comes otherwise", function*() {
    const script = ScriptedConnector.make()
    const { connector, options } = noting(script)
    const backend = yield* start(connector)
    script.respond = (method, _, connection) => {
      if (method !== "tools/call") return undefined
      const say = (progress: number) => options.at(-1)?.onevent?.({ _tag: "Progress", progress: { progress } })
      if (connection.id > 0) {
        for (const progress of [1, 2, 3, 4]) say(progress)
        return undefined
      }
      for (const progress of [1, 3, 2]) say(progress)
      connection.lose()
      return never
    }
    const said: Array<number> = []
    const onprogress = ({ progress }: { readonly progress: number }) => void said.push(progress)
    const call = yield* Effect.fork(backend.callTool({ name: "pay" }, { onprogress, idempotent: true }))
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(call)
    expect(said).toEqual([1, 3, 2, 4])
  })

  test.scoped("[C2] the caller's budget bounds it: time to wait and time for the answer are those of the first call", function*() {
    const script = ScriptedConnector.make()
    const { connector, options } = noting(script)
    const backend = yield* start(connector)
    yield* TestClock.adjust("10 seconds")
    script.script({ after: 4000 })
    script.respond = (method, _, connection) =>
      method !== "tools/call" ? undefined : connection.id === 0 ? refuse(connection) : never
    const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" }, { timeout: "6 seconds" })))
    yield* TestClock.adjust(5999)
    expect(call.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(call)).toMatchObject({ _tag: "RequestTimeout", timeout: 6000 })
    expect(options.map(({ timeout }) => timeout)).toEqual([6000, 2000])
  })

  test.scoped("[C2] where no connection comes in time the error says that it was not carried out", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    yield* TestClock.adjust("10 seconds")
    script.script({ connect: "hang" })
    script.respond = (method, _, connection) => method === "tools/call" ? refuse(connection) : undefined
    const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" }, { wait: "3 seconds" })))
    yield* TestClock.adjust(2999)
    expect(call.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(call)).toMatchObject({ _tag: "BackendUnavailable", state: "Connecting" })
  })

  test.scoped("[C2] with calls.retry never a request is sent once", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { calls: { retry: "never" } })
    yield* TestClock.adjust("10 seconds")
    script.respond = (method, _, connection) => method === "tools/call" ? refuse(connection) : undefined
    expect(yield* Effect.flip(backend.callTool({ name: "pay" }))).toMatchObject({ _tag: "ConnectionLost" })
    yield* TestClock.adjust("1 minute")
    expect(script.ledger.sent("tools/call")).toHaveLength(1)
  })

  const losing = (connection: ScriptedConnector.ScriptedConnection): ScriptedConnector.Answer => {
    connection.lose()
    return failed({ fate: "unknown", reason: "lost" })
  }
  const endings: ReadonlyArray<[
    string,
    (connection: ScriptedConnector.ScriptedConnection) => ScriptedConnector.Answer,
    CallError["_tag"]
  ]> = [
    ["the connection ends before the answer", losing, "ResultUnknown"],
    ["the session ends before the answer", (connection) => {
      connection.lose("session")
      return failed({ fate: "unknown", reason: "session" })
    }, "ResultUnknown"],
    ["the network fails the answer", () => failed({ fate: "unknown", reason: "network" }), "ResultUnknown"],
    ["the server fails after the effect", () => failed({ fate: "unknown", reason: "server" }), "ResultUnknown"],
    [
      "the server asks to come back later",
      () => failed({ fate: "unknown", reason: "server", retryAfter: 1 }),
      "ResultUnknown"
    ],
    ["there is no answer in time", () => never, "RequestTimeout"],
    ["an error is the answer", () => failed({ fate: "answered", reason: "remote", code: -32000 }), "RemoteError"],
    ["the answer is no answer", () => failed({ fate: "answered", reason: "protocol" }), "ProtocolError"]
  ]

  test.scoped.each(endings)("[C3] an effect is applied once, whatever follows it: %s", function*([, afterwards, tag]) {
    const hints = [undefined, {}, { readOnlyHint: false, idempotentHint: false }, { destructiveHint: true }]
    for (const annotations of hints) {
      const { script, server } = counting(annotations, afterwards)
      const backend = yield* start(script)
      yield* TestClock.adjust("10 seconds")
      const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" })))
      yield* TestClock.adjust("1 minute")
      expect((yield* Fiber.join(call))._tag).toBe(tag)
      yield* TestClock.adjust("10 minutes")
      expect(server.applied).toBe(1)
    }
  })

  test.scoped.each<[string, Parameters<typeof tool>[1], Partial<Backend.BackendOptions>, Backend.CallOptions, number]>([
    ["its hints say read-only", { readOnlyHint: true }, {}, {}, 2],
    ["its hints say idempotent", { idempotentHint: true }, {}, {}, 2],
    [
      "its hints say so, and are not trusted",
      { readOnlyHint: true, idempotentHint: true },
      { calls: { trustAnnotations: false } },
      {},
      1
    ],
    ["the caller says idempotent", undefined, {}, { idempotent: true }, 2],
    ["the caller says idempotent, and hints are not trusted", undefined, { calls: { trustAnnotations: false } }, {
      idempotent: true
    }, 2],
    ["its hints say idempotent and the caller says not", { idempotentHint: true }, {}, { idempotent: false }, 1],
    ["nobody says anything", undefined, {}, {}, 1],
    ["it may be repeated, and calls.retry is never", { readOnlyHint: true }, { calls: { retry: "never" } }, {
      idempotent: true
    }, 1]
  ])(
    "[C3] a tool whose fate is unknown, where %s: repeated only if that is safe",
    function*([, annotations, options, callOptions, times]) {
      const { script, server } = counting(
        annotations,
        (connection, applied) => applied === 1 ? losing(connection) : undefined
      )
      const backend = yield* start(script, options)
      yield* TestClock.adjust("10 seconds")
      const call = yield* Effect.fork(Effect.either(backend.callTool({ name: "pay" }, callOptions)))
      yield* TestClock.adjust("1 minute")
      expect(server.applied).toBe(times)
      expect(Either.isRight(yield* Fiber.join(call))).toBe(times === 2)
    }
  )

  test.scoped.each<[number, boolean | ReadonlyArray<string>]>([[6, true], [6, ["pa*"]], [1, ["other"]], [1, false]])(
    "[C3] a lying idempotentHint costs %i effects for a call that each server cuts off, with calls.trustAnnotations %j",
    function*([times, trustAnnotations]) {
      const { script, server } = counting({ idempotentHint: true }, losing)
      const backend = yield* start(script, { calls: { trustAnnotations } })
      yield* TestClock.adjust("10 seconds")
      const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" }, { timeout: "1 hour" })))
      yield* TestClock.adjust("1 hour")
      expect([(yield* Fiber.join(call))._tag, server.applied]).toEqual(["ResultUnknown", times])
    }
  )

  const reads: ReadonlyArray<[string, (backend: Backend.Backend) => Effect.Effect<unknown, CallError>]> = [
    ["ping", (backend) => backend.ping()],
    ["tools/list", (backend) => backend.listTools()],
    ["prompts/list", (backend) => backend.listPrompts()],
    ["prompts/get", (backend) => backend.getPrompt({ name: "greet" })],
    ["resources/list", (backend) => backend.listResources()],
    ["resources/templates/list", (backend) => backend.listResourceTemplates()],
    ["resources/read", (backend) => backend.readResource({ uri: "file:///a" })],
    [
      "completion/complete",
      (backend) => backend.complete({ ref: { type: "ref/prompt", name: "greet" }, argument: { name: "a", value: "" } })
    ]
  ]

  test.scoped.each(reads)(
    "[C3] %s is a read of the protocol: sent again when its fate is unknown",
    function*([method, read]) {
      const script = ScriptedConnector.make()
      const backend = yield* start(script)
      yield* TestClock.adjust("10 seconds")
      const before = script.ledger.sent(method).length
      script.respond = (asked, _, connection) =>
        asked === method && connection.id === 0 ? losing(connection) : undefined
      const call = yield* Effect.fork(read(backend))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(call)
      expect(script.ledger.sent(method, 0)).toHaveLength(before + 1)
      expect(script.ledger.sent(method, 1).length).toBeGreaterThan(0)
    }
  )

  test.scoped.each<[string, (backend: Backend.Backend) => Effect.Effect<unknown, CallError>]>([
    ["a read", (backend) => backend.listTools(undefined, { wait: "3 seconds" })],
    ["an idempotent call", (backend) => backend.callTool({ name: "pay" }, { idempotent: true, wait: "3 seconds" })]
  ])(
    "[C3, C9] %s that was cut off, and that no connection comes for, does not say that it was not sent",
    function*([, ask]) {
      for (
        const [end, words] of [["wait", /one is (Connecting|Reconnecting)/], ["close", /one is Closed/]] as const
      ) {
        const script = ScriptedConnector.make()
        const scope = yield* Scope.make()
        const backend = yield* Scope.extend(start(script), scope)
        yield* TestClock.adjust("10 seconds")
        script.script({ connect: "hang" }, { connect: "hang" })
        script.respond = (_, __, connection) => connection.id === 0 ? losing(connection) : undefined
        const call = yield* Effect.fork(Effect.flip(ask(backend)))
        yield* TestClock.adjust("2 seconds")
        expect(call.unsafePoll()).toBeNull()
        const closing = yield* Effect.fork(end === "close" ? Scope.close(scope, Exit.void) : Effect.void)
        yield* TestClock.adjust("1 minute")
        const error = yield* Fiber.join(call)
        expect(error).toMatchObject({ _tag: "ResultUnknown", generation: 1, cause: { _tag: "BackendUnavailable" } })
        expect(error.message).toMatch(
          /was sent and its result is unknown \(says the transport\); it may be carried out twice, but could not be sent again/
        )
        expect(error.message).toMatch(words)
        expect(error.message).not.toMatch(/not sent/)
        yield* Fiber.join(closing)
        if (end === "wait") {
          yield* Effect.zipRight(Effect.fork(Scope.close(scope, Exit.void)), TestClock.adjust("1 minute"))
        }
      }
    }
  )

  test.scoped("[C3] what nobody can classify is reported at once and never sent again; what the caller did wrong is a defect", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    const cause = new TypeError("v3Schema.safeParse is not a function")
    const exits = (fate: RequestError["fate"]) => {
      script.respond = (method) =>
        method === "resources/read" || method === "tools/call" ? failed({ fate, reason: "fault", cause }) : undefined
      return Effect.all([
        Effect.exit(backend.readResource({ uri: "file:///a" })),
        Effect.exit(backend.callTool({ name: "pay" }, { idempotent: true }))
      ])
    }
    for (const exit of yield* exits("unknown")) {
      expect(exit).toMatchObject(Exit.fail({ _tag: "ResultUnknown", cause }))
    }
    for (const fate of ["notSent", "answered"] as const) {
      for (const exit of yield* exits(fate)) expect(exit).toEqual(Exit.die(cause))
    }
    expect(script.ledger.sent("resources/read")).toHaveLength(3)
    expect(script.ledger.sent("tools/call")).toHaveLength(3)
    expect(yield* backend.status).toMatchObject({ inFlight: 0, state: "Connected", generation: 1 })
  })

  test.scoped("[C3] hints count that the caller has listed on this connection, though our own reading has not ended", function*() {
    const { script, server } = counting({}, (connection) => losing(connection))
    const { respond } = script
    script.respond = (method, params, connection) =>
      method === "prompts/list" ? never : respond!(method, params, connection)
    const backend = yield* start(script)
    const { offer } = script
    const page = (tools: ReadonlyArray<unknown>) => {
      script.offer = { ...offer, tools: tools as typeof offer.tools }
      return Effect.zipRight(TestClock.adjust("1 minute"), backend.listTools())
    }
    const pay = () =>
      Effect.gen(function*() {
        server.applied = 0
        const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" }, { timeout: "9 seconds" })))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(call)
        return server.applied
      })
    expect(yield* pay()).toBe(1)
    yield* page([tool("pay", { idempotentHint: true }), { name: 7 }, null, { annotations: {} }])
    expect(yield* pay()).toBe(6)
    yield* page([tool("pay", { readOnlyHint: true })])
    script.offer = offer
    // On the next connection, which would carry it out, it is said to do harm.
    expect(yield* pay()).toBe(1)
    yield* page([tool("pay", { readOnlyHint: true })])
    yield* page([tool("pay")])
    expect(yield* pay()).toBe(1)
  })

  test.scoped("[C3] of two words about a tool the later counts: a catalogue that was read after the caller's list, or the list", function*() {
    const { script, server } = counting({ readOnlyHint: true }, () => failed({ fate: "unknown", reason: "server" }))
    const backend = yield* start(script)
    const pay = () =>
      Effect.gen(function*() {
        server.applied = 0
        const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" }, { timeout: "9 seconds" })))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(call)
        return server.applied
      })
    const offer = (annotations: Parameters<typeof tool>[1]) => {
      script.offer = { ...script.offer, tools: [tool("pay", annotations)] }
    }
    expect(yield* pay()).toBeGreaterThan(1)
    offer({})
    yield* backend.listTools()
    expect(yield* pay()).toBe(1)
    offer({ idempotentHint: true })
    yield* backend.refresh
    expect(yield* pay()).toBeGreaterThan(1)
  })

  test.scoped("[C3] a read that a live connection fails is asked again with growing pauses, within the call's time", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    script.respond = (method) => method === "resources/read" ? failed({ fate: "unknown", reason: "server" }) : undefined
    const times = [0, 1000, 3000, 7000, 15_000]
    // What could only be sent again when its time is over fails at once.
    for (const [timeout, sent] of [[20_000, 5], [15_001, 5], [15_000, 4]] as const) {
      const [began, before] = [yield* Clock.currentTimeMillis, script.ledger.sent("resources/read").length]
      const call = yield* Effect.fork(Effect.flip(backend.readResource({ uri: "file:///a" }, { timeout })))
      yield* TestClock.adjust(7000)
      expect(call.unsafePoll() === null).toBe(sent === 5)
      yield* TestClock.adjust(timeout - 7000)
      expect(script.ledger.sent("resources/read").slice(before).map((at) => at - began)).toEqual(times.slice(0, sent))
      expect(yield* Fiber.join(call)).toMatchObject({ _tag: "ResultUnknown" })
    }
  })

  test.scoped.each<[string, Partial<RequestError>, CallError["_tag"]]>([
    ["that may be carried out twice", { fate: "unknown" }, "ResultUnknown"],
    ["of which a part was sent", { fate: "notSent", partlySent: true }, "ConnectionLost"]
  ])(
    "[C3] a call that ends the server each time, and %s, ends it six times, however long its caller waits",
    function*([, how, tag]) {
      const { script, server } = counting({ readOnlyHint: true }, (connection) => {
        connection.lose()
        return failed({ fate: "notSent", reason: "lost", ...how })
      })
      const backend = yield* start(script)
      yield* TestClock.adjust("10 seconds")
      const call = yield* Effect.fork(
        Effect.flip(backend.callTool({ name: "pay" }, { timeout: "1 day", wait: "1 day" }))
      )
      yield* TestClock.adjust("5 minutes")
      const error = yield* Fiber.join(call)
      expect(error._tag).toBe(tag)
      expect(error.message).toContain("this happened 6 times, so find out why before you call again")
      expect(server.applied).toBe(6)
      yield* TestClock.adjust("1 day")
      expect([server.applied, (yield* backend.status).state]).toEqual([6, "Connected"])
    }
  )

  test.scoped("[C5] where progress may go on for ever, repetition ends a timeout after the last of it", function*() {
    const script = ScriptedConnector.make()
    const { connector, options } = noting(script)
    const backend = yield* start(connector)
    script.respond = (method) => method === "tools/call" ? failed({ fate: "unknown", reason: "server" }) : undefined
    const call = yield* Effect.fork(Effect.flip(
      backend.callTool({ name: "echo" }, { timeout: "20 seconds", resetTimeoutOnProgress: true, idempotent: true })
    ))
    yield* TestClock.adjust("14 seconds")
    options.at(-1)!.onevent!({ _tag: "Progress", progress: { progress: 1 } })
    yield* TestClock.adjust("16 seconds")
    expect(call.unsafePoll()).toBeNull()
    yield* TestClock.adjust("1 second")
    // The next one would be sent more than 20 seconds after the progress.
    expect(script.ledger.sent("tools/call")).toEqual([0, 1000, 3000, 7000, 15_000, 31_000])
    expect(call.unsafePoll()).not.toBeNull()
  })

  test.scoped("[C5] the total bound holds over waiting, the answer and repetition", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script)
    script.respond = (method) => method === "resources/read" ? failed({ fate: "unknown", reason: "server" }) : undefined
    const call = yield* Effect.fork(Effect.flip(
      backend.readResource({ uri: "file:///a" }, { timeout: "1 hour", maxTotalTimeout: "5 seconds" })
    ))
    yield* TestClock.adjust("5 seconds")
    expect(script.ledger.sent("resources/read")).toEqual([0, 1000, 3000])
    expect(call.unsafePoll()).not.toBeNull()
  })

  describe("errors", () => {
    const sound = (error: CallError | ConnectError | InvalidOptions) => {
      expect(error).toBeInstanceOf(Error)
      expect(error.backend).toBe("one")
      expect(error.message).not.toBe("")
      expect(error.message).not.toMatch(/[\r\n]/)
      expect(error.message).toContain("one")
      return error
    }

    const failing = (
      answer: (connection: ScriptedConnector.ScriptedConnection) => ScriptedConnector.Answer,
      options: Partial<Backend.BackendOptions> = {},
      callOptions: Backend.CallOptions = {}
    ) =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make()
        const backend = yield* start(script, options)
        script.respond = (method, _, connection) => method === "tools/call" ? answer(connection) : undefined
        const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" }, callOptions)))
        yield* TestClock.adjust("1 minute")
        return sound(yield* Fiber.join(call))
      })

    test.scoped("[C9] RequestTimeout: method, time, and that it may still be carried out", function*() {
      const error = yield* failing(() => never, {}, { timeout: "5 seconds" })
      expect(error).toBeInstanceOf(RequestTimeout)
      expect(error).toMatchObject({ _tag: "RequestTimeout", generation: 1, method: "tools/call", timeout: 5000 })
      expect(error.message).toMatch(/not answered within 5000 ms.*more time \(timeout\).*check before you repeat/)
      expect(error.cause).toBeInstanceOf(RequestError)
      const whole = yield* failing(() => never, {}, { timeout: "5 seconds", maxTotalTimeout: "1 second" })
      expect(whole).toMatchObject({ timeout: 1000, message: expect.stringContaining("within 1000 ms") })
    })

    test.scoped("[C19:virtual] one whose time is over before it is sent says so, and is safe to repeat", function*() {
      const error = yield* failing(() => failed({ fate: "notSent", reason: "timeout" }), {}, { timeout: "5 seconds" })
      expect(error).toBeInstanceOf(BackendUnavailable)
      expect(error).toMatchObject({ _tag: "BackendUnavailable", generation: 1, state: "Connected" })
      expect(error.message).toMatch(/tools\/call was not sent, because its 5000 ms were over.*safe to call again/)
    })

    test.scoped("[C9] ResultUnknown: why, and what to do before repeating", function*() {
      const cause = new Error("ECONNRESET")
      const error = yield* failing(() => failed({ fate: "unknown", reason: "network", message: "reset", cause }))
      expect(error).toBeInstanceOf(ResultUnknown)
      expect(error).toMatchObject({ _tag: "ResultUnknown", generation: 1, method: "tools/call", cause })
      expect(error.message).toMatch(/was sent and its result is unknown \(reset\); check before you repeat it/)
    })

    test.scoped("[C9] ResultUnknown and RequestTimeout of what may be done twice: nothing is to be checked, and no option to be given", function*() {
      const harmless = { idempotent: true, timeout: "5 seconds" } as const
      const lost = yield* failing(
        () => failed({ fate: "unknown", reason: "lost" }),
        { calls: { retry: "never" } },
        harmless
      )
      expect(lost.message).toMatch(
        /^one: tools\/call was sent and its result is unknown .*; doing it twice does no harm, so call again$/
      )
      const late = yield* failing(() => never, {}, harmless)
      expect(late.message).toMatch(/more time \(timeout\), or call again: doing it twice does no harm$/)
    })

    test.scoped("[C9] ResultUnknown of a read-only tool that loses the connection each time says the same", function*() {
      const script = ScriptedConnector.make()
      script.offer = { ...script.offer, tools: [ScriptedConnector.tool("pay", { readOnlyHint: true })] }
      const backend = yield* start(script, { discovery: { mode: "learn" } })
      // On the next connection nobody has listed that the tool only reads.
      yield* backend.listTools()
      script.respond = (method, _, connection) => {
        if (method !== "tools/call") return undefined
        connection.lose()
        return never
      }
      const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" })))
      yield* TestClock.adjust("2 minutes")
      const error = yield* Fiber.join(call)
      expect(error).toBeInstanceOf(ResultUnknown)
      expect(error.message).not.toMatch(/check before|idempotent: true/)
    })

    test.scoped("[C9] RemoteError: the server's code, data and words", function*() {
      const error = yield* failing(() =>
        failed({ fate: "answered", reason: "remote", code: -32042, data: { hint: 1 }, message: "one sum is missing" })
      )
      expect(error).toBeInstanceOf(RemoteError)
      expect(error).toMatchObject({
        _tag: "RemoteError",
        generation: 1,
        method: "tools/call",
        code: -32042,
        data: { hint: 1 },
        message: "one sum is missing"
      })
    })

    test.scoped("[C9] ProtocolError: what does not fit", function*() {
      const error = yield* failing(() => failed({ fate: "answered", reason: "protocol", message: "content: Required" }))
      expect(error).toBeInstanceOf(ProtocolError)
      expect(error).toMatchObject({ _tag: "ProtocolError", generation: 1, method: "tools/call" })
      expect(error.message).toMatch(/the protocol does not allow: content: Required/)
    })

    test.scoped("[C9] ConnectionLost: it was not carried out, and calling again is safe", function*() {
      const error = yield* failing(() => sessionLost, { calls: { retry: "never" } })
      expect(error).toBeInstanceOf(ConnectionLost)
      expect(error).toMatchObject({ _tag: "ConnectionLost", generation: 1 })
      expect(error.message).toMatch(/was not carried out.*safe to call again/)
    })

    test.scoped("[C9] SessionExpired: which generation was lost and which took its place", function*() {
      const script = ScriptedConnector.make()
      const backend = yield* start(script, { calls: { afterSessionLoss: "fail" } })
      script.current.lose()
      yield* TestClock.adjust("1 second")
      const error = sound(yield* Effect.flip(backend.callTool({ name: "pay" })))
      expect(error).toBeInstanceOf(SessionExpired)
      expect(error).toMatchObject({ _tag: "SessionExpired", generation: 1, newGeneration: 2 })
      expect(error.message).toMatch(/generation 1 was lost.*Rebuild.*call again/)
    })

    it.scoped("[C9] BackendUnavailable: state, last error, next attempt, and what to do", () =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make().failNext(1)
        const backend = yield* start(script)
        const down = sound(yield* Effect.flip(backend.callTool({ name: "pay" }, { failFast: true })))
        expect(down).toBeInstanceOf(BackendUnavailable)
        expect(down).toMatchObject({
          _tag: "BackendUnavailable",
          state: "Reconnecting",
          lastError: "scripted failure",
          nextAttemptAt: 750
        })
        expect(down.message).toBe(
          "one is Reconnecting: the call was not sent, because it must not wait (failFast); last error: scripted failure; next attempt in 750ms"
        )
        const said: Array<string> = []
        const ask = Effect.flatMap(Effect.flip(backend.callTool({ name: "pay" })), (error) =>
          Effect.sync(() => said.push(sound(error).message)))
        yield* backend.disconnect
        yield* ask
        yield* backend.disable
        yield* ask
        script.failNext(1, { permanent: true, reason: "spawn", message: "one: no such command" })
        yield* Effect.ignore(backend.enable)
        yield* ask
        expect(said).toEqual([
          expect.stringMatching(/^one is Disconnected \(it does not connect automatically\): .*Call reconnect\(\)/),
          expect.stringMatching(/^one is Disabled \(it is switched off\): .*Call enable\(\)/),
          expect.stringMatching(
            /^one is PermanentlyFailed \(waiting does not help\): the call was not sent; last error: .*no such command\. Fix the cause, then call again, in 1s at the earliest$/
          )
        ])
      }).pipe(Effect.withRandom(Random.fixed([0.5]))))

    test.scoped.each<[string, ScriptedConnector.Outcome, Partial<ConnectError>]>([
      ["refused", { connect: "fail" }, { reason: "refused", permanent: false, message: "scripted failure" }],
      ["rateLimited", { connect: "fail", error: { reason: "rateLimited", retryAfter: 7000 } }, {
        reason: "rateLimited",
        retryAfter: 7000
      }],
      ["timeout", { connect: "hang" }, {
        reason: "timeout",
        message: "no connection within 30000 ms (timeouts.connect)"
      }],
      ["defect", { connect: "throw" }, {
        reason: "defect",
        message: "the connector failed: the scripted connector throws"
      }]
    ])("[C9] ConnectError: %s", function*([, outcome, expected]) {
      const script = ScriptedConnector.make()
      const backend = yield* start(script, { lifecycle: { lazy: true } })
      script.script(outcome)
      const command = yield* Effect.fork(Effect.flip(backend.reconnect))
      yield* TestClock.adjust("30 seconds")
      const error = yield* Fiber.join(command)
      expect(error).toBeInstanceOf(ConnectError)
      expect(error).toMatchObject({ _tag: "ConnectError", backend: "one", ...expected })
      expect(error.message).not.toMatch(/[\r\n]/)
    })

    test.scoped("[C9] errors are values: caught by their tag, and compared", function*() {
      const script = ScriptedConnector.make()
      const backend = yield* start(script)
      yield* backend.disable
      const caught = backend.callTool({ name: "pay" }).pipe(
        Effect.catchTag("BackendUnavailable", (error) => Effect.succeed(error.state))
      )
      expect(yield* caught).toBe("Disabled")
    })
  })

  describe("secrets", () => {
    const secret = "sk-very-secret-token"

    test.scoped("[C10] arguments of calls and of the fallback tool, session ids and handlers are in no status, event, error or log line", function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ annotations, cause, message }) => {
        lines.push(Inspectable.toStringUnknown([Arr.ensure(message), annotations, Cause.pretty(cause)]))
      })
      yield* Effect.gen(function*() {
        const told: Array<unknown> = []
        const script = ScriptedConnector.make()
        const connector: Connector = {
          transport: script.transport,
          target: script.target,
          overlap: script.overlap,
          connect: (options) =>
            Effect.map(script.connect(options), (connection) => ({ ...connection, sessionId: `12345678${secret}` }))
        }
        const observer = {
          changed: () => {},
          catalogChanged: () => {},
          event: (event: Event.Event) => told.push(event)
        }
        const backend = yield* startBackend("one", {
          connector,
          keepalive: { method: "tool:pay", toolArguments: { token: secret }, interval: "1 minute" },
          clientInfo: { name: "client", version: secret }
        }, { observer })
        yield* TestClock.adjust(0)
        const look = Effect.flatMap(backend.status, (status) => Effect.sync(() => told.push(status)))
        yield* look
        script.respond = (method) =>
          method === "ping" || method === "tools/call" ? failed({ fate: "unknown", reason: "network" }) : undefined
        told.push(yield* Effect.flip(backend.callTool({ name: "pay", arguments: { token: secret } })))
        yield* TestClock.adjust("3 minutes")
        yield* look
        script.current.lose()
        yield* look
        yield* backend.disable
        told.push(yield* Effect.flip(backend.callTool({ name: "pay", arguments: { token: secret } })))
        const everything = told.map((one) =>
          `${Inspectable.toStringUnknown(one)} ${one instanceof Error ? `${one.message} ${one.stack}` : ""}`
        )
        expect(everything.length).toBeGreaterThan(8)
        expect(everything.filter((text) => text.includes(secret))).toEqual([])
      }).pipe(Effect.provide(Logger.add(logger)))
      expect(lines.length).toBeGreaterThan(0)
      expect(lines.filter((line) => line.includes(secret))).toEqual([])
    })

    test.scoped("[C10] an option that is not one is named without its value, which may be a secret in the wrong place", function*() {
      const misplaced: ReadonlyArray<object> = [
        { headers: { authorization: secret } },
        { token: secret },
        { keepalive: { headers: { authorization: secret } } }
      ]
      for (const options of misplaced) {
        const error = yield* Effect.flip(Backend.make("one", { connector: ScriptedConnector.make(), ...options }))
        expect(error._tag).toBe("InvalidOptions")
        expect(`${error.message} ${Inspectable.toStringUnknown(error)}`).not.toContain(secret)
      }
    })
  })

  test.scoped("[C11] onConnected runs on every generation before calls are let in", function*() {
    const script = ScriptedConnector.make()
    const prepared: Array<number> = []
    const backend = yield* start(script, {
      onConnected: (session) =>
        Effect.gen(function*() {
          prepared.push(session.generation)
          yield* session.request("tools/call", { name: "login" })
          yield* Effect.sleep("2 seconds")
          yield* session.request("tools/call", { name: "open" })
        })
    })
    const order: Array<unknown> = []
    script.respond = (method, params) => {
      if (method === "tools/call") order.push((params as { name: string }).name)
      return undefined
    }
    const call = yield* Effect.fork(backend.callTool({ name: "work" }))
    yield* TestClock.adjust(1999)
    expect((yield* backend.status).state).toBe("Connecting")
    expect(call.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    yield* Fiber.join(call)
    expect(order).toEqual(["open", "work"])
    yield* TestClock.adjust("10 seconds")
    script.current.lose("session")
    const again = yield* Effect.fork(backend.callTool({ name: "again" }))
    yield* TestClock.adjust("2 seconds")
    yield* Fiber.join(again)
    expect(order).toEqual(["open", "work", "login", "open", "again"])
    expect(prepared).toEqual([1, 2])
  })

  test.scoped("[C12] with afterSessionLoss fail the first call after an unwanted generation fails and reaches no server; the second goes through", function*() {
    const { script, server } = counting(undefined, () => undefined)
    const backend = yield* start(script, { calls: { afterSessionLoss: "fail" } })
    yield* backend.callTool({ name: "pay" })
    expect(server.applied).toBe(1)
    for (const generation of [1, 2]) {
      script.current.lose(generation === 1 ? "closed" : "session")
      yield* TestClock.adjust("10 seconds")
      expect(yield* Effect.flip(backend.callTool({ name: "pay" }))).toMatchObject({
        _tag: "SessionExpired",
        generation,
        newGeneration: generation + 1
      })
      expect(server.applied).toBe(generation)
      yield* backend.callTool({ name: "pay" })
      expect(server.applied).toBe(generation + 1)
    }
  })

  test.scoped("[C12] a call that finds the session gone is not run on the new one either", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* start(script, { calls: { afterSessionLoss: "fail" } })
    yield* TestClock.adjust("10 seconds")
    script.respond = (method, _, connection) =>
      method === "tools/call" && connection.id === 0 ? refuse(connection) : undefined
    const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" })))
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(call)).toMatchObject({ _tag: "SessionExpired", generation: 1, newGeneration: 2 })
    expect(script.ledger.sent("tools/call", 1)).toEqual([])
  })

  const unnoticed: Readonly<Record<string, (backend: Backend.Backend) => Effect.Effect<void, unknown>>> = {
    "a reconnect": (backend) => backend.reconnect,
    "an idle release": () => TestClock.adjust("3 minutes"),
    "a second loss": () => Effect.void
  }
  for (const overlap of [true, false]) {
    for (const [what, happens] of Object.entries(unnoticed)) {
      test.scoped(`[C12] ${what} before the first call hides no loss, with overlap ${overlap}`, function*() {
        const script = ScriptedConnector.make({ overlap })
        const backend = yield* start(script, {
          calls: { afterSessionLoss: "fail" },
          lifecycle: { idleRelease: "1 minute" }
        })
        script.current.lose()
        yield* TestClock.adjust("10 seconds")
        if (what === "a second loss") script.current.lose()
        yield* happens(backend)
        const call = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" })))
        yield* TestClock.adjust("10 seconds")
        expect(yield* Fiber.join(call)).toMatchObject({ _tag: "SessionExpired", generation: 1, newGeneration: 3 })
        yield* backend.callTool({ name: "pay" })
      })
    }
  }

  test.scoped("[C12 C3] a call whose result is unknown leaves the news of its lost session to the next one, and is not run on the new one", function*() {
    const script = ScriptedConnector.make()
    script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const backend = yield* start(script, { calls: { afterSessionLoss: "fail" } })
    const cut = yield* Effect.fork(Effect.flip(backend.callTool({ name: "pay" }, { idempotent: true })))
    yield* TestClock.adjust(0)
    script.respond = undefined
    script.current.lose()
    yield* TestClock.adjust("10 seconds")
    expect(yield* Fiber.join(cut)).toMatchObject({ _tag: "ResultUnknown", generation: 1 })
    expect(script.ledger.sent("tools/call", 1)).toEqual([])
    expect(yield* Effect.flip(backend.callTool({ name: "pay" }))).toMatchObject({ _tag: "SessionExpired" })
    yield* backend.callTool({ name: "pay" })
  })

  test.scoped("[C12] a new generation that was asked for tells nobody, and resume is the default", function*() {
    const script = ScriptedConnector.make()
    const wanted = yield* start(script, { calls: { afterSessionLoss: "fail" } })
    yield* wanted.reconnect
    yield* wanted.callTool({ name: "pay" })
    yield* wanted.disable
    yield* wanted.enable
    yield* wanted.callTool({ name: "pay" })
    script.current.lose()
    yield* TestClock.adjust("10 seconds")
    yield* wanted.disable
    yield* wanted.enable
    yield* wanted.callTool({ name: "pay" })
    script.current.lose()
    yield* TestClock.adjust("10 seconds")
    expect(yield* Effect.flip(wanted.callTool({ name: "pay" }))).toMatchObject({ _tag: "SessionExpired" })
    const other = ScriptedConnector.make()
    const resuming = yield* start(other)
    other.current.lose()
    yield* TestClock.adjust("1 second")
    yield* resuming.callTool({ name: "pay" })
  })
})
