import { describe, expect, it } from "@effect/vitest"
import { Backend, type Connector, Policy, RequestError, Telemetry } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import type { CreateMessageResult } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Fiber, Scope, Stream, TestClock } from "effect"
import { MemoryLimit } from "../../src/MemoryLimit.js"
import * as PooledConnector from "../../src/pool/PooledConnector.js"

const keepalive = { method: "none" } as const

const call = (backend: Backend.Backend, name: string, options?: Backend.CallOptions) =>
  Effect.fork(backend.callTool({ name }, options))

/** A backend of three processes, all of which are connected. */
const three = (options: Policy.PolicyOptions = { keepalive }, script = ScriptedConnector.make()) =>
  Effect.gen(function*() {
    script.offer = {
      ...script.offer,
      tools: [ScriptedConnector.tool("write"), ScriptedConnector.tool("read", { readOnlyHint: true })]
    }
    // Calls are answered when the test says so.
    script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
    const connector = PooledConnector.make({ connector: script, processes: 3 })
    const backend = yield* Backend.make("files", { connector, ...options })
    yield* backend.firstOutcome
    yield* TestClock.adjust(0)
    return { backend, script }
  })

const callsOf = (script: ScriptedConnector.ScriptedConnector) =>
  script.connections.map(({ id }) => script.ledger.sent("tools/call", id).length)

const processes = (backend: Backend.Backend) => Effect.map(backend.status, ({ peer }) => peer?.processes ?? [])

describe("several processes of a server", () => {
  it.scoped("[C18:virtual] the first is started alone, and the others once it is connected", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().script({ after: 1000 })
      const connector = PooledConnector.make({ connector: script, processes: 3 })
      const backend = yield* Backend.make("files", { connector, keepalive })
      yield* TestClock.adjust("999 millis")
      expect(script.ledger.attempts.length).toBe(1)
      yield* TestClock.adjust("1 millis")
      expect(script.ledger.live).toEqual([0, 1, 2])
      expect((yield* processes(backend)).map(({ number, pid, state }) => [number, pid, state])).toEqual([
        [1, 0, "Connected"],
        [2, 1, "Connected"],
        [3, 2, "Connected"]
      ])
    }))

  it.scoped("[C18:virtual] one that nobody uses stays with the others, and only their backend reads lists", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three({
        discovery: { mode: "eager" },
        lifecycle: { idleRelease: "1 minute" }
      })
      yield* call(backend, "write", { timeout: "1 hour" })
      yield* TestClock.adjust("10 minutes")
      expect(script.ledger.live).toEqual([0, 1, 2])
      expect(script.ledger.sent("tools/list")).toHaveLength(1)
    }))

  it.scoped("[C18:virtual] an attempt fails as it does with one process, and leaves nothing open", () =>
    Effect.gen(function*() {
      const error = { reason: "spawn", permanent: true, message: "no such program" } as const
      const script = ScriptedConnector.make().failNext(1, error)
      const connector = PooledConnector.make({ connector: script, processes: 3 })
      const backend = yield* Backend.make("files", { connector, keepalive })
      yield* backend.firstOutcome
      const failed = yield* backend.status
      expect([failed.state, failed.lastError]).toEqual(["PermanentlyFailed", "no such program"])
      expect(script.ledger.attempts.length).toBe(1)
      expect((yield* Effect.flip(backend.callTool({ name: "read" }))).backend).toBe("files")
    }))

  it.scoped("[C18:virtual O2] they are measured as one backend, with its connections and calls", () => {
    const told: Array<string> = []
    const measured = (id: string): Telemetry.Observer => ({
      hasSpans: false,
      event: ({ _tag }) => void (_tag === "Installed" && told.push(`${id} is connected`)),
      beat: () => {},
      breakerOpened: () => {},
      call: (method) => {
        told.push(`${id}: ${method}`)
        return { attempt: () => undefined, end: () => {} }
      }
    })
    return Effect.gen(function*() {
      const { backend, script } = yield* three()
      script.respond = () => undefined
      yield* backend.callTool({ name: "read" })
      script.current.lose()
      yield* TestClock.adjust("2 seconds")
      yield* backend.callTool({ name: "read" })
      expect(script.connections).toHaveLength(4)
      expect(told).toEqual(["files is connected", "files: tools/call", "files: tools/call"])
    }).pipe(
      Effect.provideService(Telemetry.Current, { observe: ({ id }) => measured(id) })
    )
  })

  it.scoped("[V9:virtual C18] that two of them answer side by side shows nothing of one; what one of them shows is known of all", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three()
      script.respond = (method, params) =>
        method === "tools/call"
          ? { answer: "result", after: (params as { readonly name: string }).name === "write" ? 1000 : 100 }
          : undefined
      const learned = Effect.map(backend.status, ({ learned }) => learned?.isConcurrent)
      yield* call(backend, "write")
      yield* call(backend, "read")
      yield* TestClock.adjust("1 second")
      expect(yield* learned).toBe(false)
      yield* call(backend, "write")
      yield* call(backend, "write")
      yield* call(backend, "write")
      yield* call(backend, "read")
      yield* TestClock.adjust("1 second")
      expect(yield* learned).toBe(true)
    }))

  it.scoped("[C18:virtual] each call goes to the process that works on the fewest, in turn where several do", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three()
      const turn = script.ledger.sent("tools/call").length
      expect(turn).toBe(0)
      yield* call(backend, "write")
      yield* call(backend, "write")
      yield* call(backend, "write")
      const fourth = yield* call(backend, "write")
      yield* TestClock.adjust(0)
      expect(callsOf(script).toSorted()).toEqual([1, 1, 2])
      yield* call(backend, "write")
      yield* call(backend, "write")
      yield* TestClock.adjust(0)
      expect(callsOf(script)).toEqual([2, 2, 2])
      yield* Fiber.interrupt(fourth)
      yield* call(backend, "write")
      yield* TestClock.adjust(0)
      expect((yield* processes(backend)).map(({ inFlight }) => inFlight)).toEqual([2, 2, 2])
    }))

  it.scoped("[C18:virtual] while one works for long, the others get the calls", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three()
      yield* call(backend, "write")
      yield* TestClock.adjust(0)
      const busy = callsOf(script).indexOf(1)
      script.respond = () => undefined
      for (let i = 0; i < 6; i++) yield* backend.callTool({ name: "write" })
      expect(callsOf(script).map((count, id) => id === busy ? count : count > 0)).toEqual(
        [0, 1, 2].map((id) => id === busy ? 1 : true)
      )
    }))

  it.scoped.each(["lost", "session"] as const)(
    "[C18:virtual] a process that refuses requests as %s gets no further ones, also if it does not say that it has ended",
    (reason) =>
      Effect.gen(function*() {
        const { backend, script } = yield* three()
        const error = new RequestError({ fate: "notSent", reason, message: "the pipe is closed" })
        script.respond = (_, __, { id }) => id === 1 ? { answer: "error", error } : undefined
        for (let i = 0; i < 9; i++) yield* backend.callTool({ name: "write" })
        expect(script.ledger.sent("tools/call", 1).length).toBe(1)
        script.respond = () => ({ answer: "error", error })
        const waiting = yield* call(backend, "write")
        yield* TestClock.adjust(0)
        expect((yield* backend.status).state).toBe("Reconnecting")
        script.respond = () => undefined
        yield* TestClock.adjust("2 seconds")
        expect(Exit.isSuccess(yield* Fiber.await(waiting))).toBe(true)
      })
  )

  it.scoped("[C18:virtual] one fails alone: what it was doing ends by the rules, at once, and the others go on", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three()
      const fibers = []
      for (const name of ["write", "read", "write"]) {
        fibers.push(yield* call(backend, name))
        yield* TestClock.adjust(0)
      }
      const [first, second, third] = fibers as [typeof fibers[0], typeof fibers[0], typeof fibers[0]]
      const [write, read, other] = [0, 1, 2].map((nth) => {
        const sent = script.ledger.entries.filter((entry) => entry._tag === "Sent" && entry.method === "tools/call")
        return script.connections[(sent[nth] as { readonly connection: number }).connection]
      }) as [ScriptedConnector.ScriptedConnection, typeof script.current, typeof script.current]
      write.lose()
      yield* TestClock.adjust(0)
      expect(yield* Effect.flip(Fiber.join(first!))).toMatchObject({ _tag: "ResultUnknown" })
      expect((yield* backend.status).state).toBe("Connected")
      script.respond = () => undefined
      read.lose()
      yield* TestClock.adjust(0)
      expect(yield* Fiber.poll(second!)).toMatchObject({ value: { _tag: "Success" } })
      expect(script.ledger.sent("tools/call", other.id).length).toBe(2)
      expect((yield* Fiber.poll(third!))._tag).toBe("None")
      expect((yield* backend.status).generation).toBe(1)
      // Each comes back by itself, after a backoff of its own.
      yield* TestClock.adjust("2 seconds")
      expect(script.ledger.live.length).toBe(3)
      expect((yield* processes(backend)).map(({ generation }) => generation).toSorted()).toEqual([1, 2, 2])
      expect((yield* backend.status).generation).toBe(1)
    }))

  it.scoped("[C18:virtual] calls wait only if none is connected, and the state says so", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three()
      script.respond = () => undefined
      script.otherwise = { connect: "fail", error: { message: "the disk is full" } }
      for (const connection of script.connections) connection.lose()
      yield* TestClock.adjust(0)
      const status = yield* backend.status
      expect([status.state, status.lastError]).toEqual(["Reconnecting", "scripted loss: closed"])
      expect(script.ledger.live).toEqual([])
      const waiting = yield* call(backend, "write")
      yield* TestClock.adjust("2 seconds")
      expect((yield* backend.status).lastError).toBe("the disk is full")
      script.otherwise = {}
      yield* TestClock.adjust("5 seconds")
      expect(Exit.isSuccess(yield* Fiber.await(waiting))).toBe(true)
      expect(script.ledger.live.length).toBe(3)
      expect((yield* backend.status).generation).toBe(2)
    }))

  it.scoped("[C18:virtual] if the last one uses too much memory, its calls may finish, as with one process", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const measuring: Connector = {
        transport: "scripted",
        target: "a script",
        overlap: false,
        usageLimit: () => new MemoryLimit(1e9),
        connect: script.connect
      }
      const connector = PooledConnector.make({ connector: measuring, processes: 2 })
      const backend = yield* Backend.make("files", { connector, keepalive })
      yield* backend.firstOutcome
      yield* TestClock.adjust("70 seconds")
      script.respond = (method) => method === "tools/call" ? { answer: "result", after: 3000 } : undefined
      const last = yield* call(backend, "write")
      yield* TestClock.adjust(0)
      const busy = callsOf(script).indexOf(1)
      script.otherwise = { connect: "fail" }
      script.connections[1 - busy]?.lose()
      yield* TestClock.adjust(0)
      script.connections[busy]?.use(2e9)
      yield* TestClock.adjust("3 seconds")
      expect(Exit.isSuccess(yield* Fiber.await(last))).toBe(true)
      expect(script.ledger.live).toEqual([])
    }))

  it.scoped("[C18:virtual] only the process that leaves a call without an answer is in doubt, and calls avoid it", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three()
      const silent = yield* call(backend, "write", { timeout: "5 seconds" })
      yield* TestClock.adjust(0)
      const hung = callsOf(script).indexOf(1)
      script.respond = (_, __, { id }) => id === hung ? { answer: "never" } : undefined
      yield* TestClock.adjust("5 seconds")
      expect(yield* Effect.flip(Fiber.join(silent))).toMatchObject({ _tag: "RequestTimeout" })
      expect(script.connections.map(({ id }) => script.ledger.sent("ping", id).length)).toEqual(
        [0, 1, 2].map((id) => id === hung ? 1 : 0)
      )
      for (let i = 0; i < 6; i++) yield* backend.callTool({ name: "write" })
      expect(script.ledger.sent("tools/call", hung).length).toBe(1)
      // Three failed probes later it is replaced, and nobody else.
      yield* TestClock.adjust("2 minutes")
      expect(script.ledger.closed).toEqual([hung])
      expect(script.ledger.live.length).toBe(3)
    }))

  it.scoped.each(
    [
      ["a result", { answer: "result", after: 8000 }, true],
      ["an error", {
        answer: "error",
        after: 8000,
        error: new RequestError({ fate: "answered", reason: "remote", code: -32_000, message: "no" })
      }, true],
      ["a failure on the way", {
        answer: "error",
        after: 8000,
        error: new RequestError({ fate: "unknown", reason: "network", message: "reset" })
      }, false],
      ["a caller who gives up", { answer: "never" }, false]
    ] as const
  )(
    "[C18:virtual] only an answer ends a silence, also if that answer is an error: %s",
    ([, answer, ends]) =>
      Effect.gen(function*() {
        const { backend, script } = yield* three({ keepalive: { interval: "1 hour", timeout: "30 seconds" } })
        script.respond = (method) => method === "tools/call" ? answer : { answer: "never" }
        const first = yield* call(backend, "write", { timeout: "10 minutes" })
        yield* TestClock.adjust(0)
        const home = callsOf(script).indexOf(1)
        script.respond = () => ({ answer: "never" })
        for (let i = 0; i < 2; i++) yield* call(backend, "write", { timeout: "10 minutes" })
        for (let i = 0; i < 3; i++) yield* call(backend, "write", { timeout: "5 seconds" })
        yield* TestClock.adjust("6 seconds")
        expect(callsOf(script)).toEqual([2, 2, 2])
        const waiting = yield* call(backend, "write", { timeout: "10 minutes" })
        yield* TestClock.adjust("1999 millis")
        expect(callsOf(script)).toEqual([2, 2, 2])
        yield* TestClock.adjust("1 millis")
        if (answer.answer === "never") yield* Fiber.interrupt(first)
        yield* TestClock.adjust(0)
        expect(callsOf(script)).toEqual([0, 1, 2].map((id) => ends && id === home ? 3 : 2))
        expect(waiting.unsafePoll()).toBe(null)
      })
  )

  it.scoped("[C18:virtual] while all are in doubt, calls wait for the verdict", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three()
      for (let i = 0; i < 3; i++) yield* call(backend, "write", { timeout: "5 seconds" })
      yield* TestClock.adjust(0)
      script.respond = (method) => method === "ping" ? { answer: "result", after: 1000 } : undefined
      yield* TestClock.adjust("5 seconds")
      const waiting = yield* call(backend, "write")
      yield* TestClock.adjust("999 millis")
      expect(callsOf(script)).toEqual([1, 1, 1])
      yield* TestClock.adjust("1 millis")
      expect(Exit.isSuccess(yield* Fiber.await(waiting))).toBe(true)
    }))

  it.scoped("[C18:virtual] each has heartbeats of its own", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three({ keepalive: { interval: "1 minute" } })
      yield* TestClock.adjust("10 minutes")
      for (const { id } of script.connections) {
        const { length } = script.ledger.sent("ping", id)
        // The jitter shortens each interval by a quarter at most, and the first heartbeat may come at once.
        expect(length).toBeGreaterThanOrEqual(9)
        expect(length).toBeLessThanOrEqual(14)
      }
      expect((yield* backend.status).keepalive).toMatchObject({ state: "off", reason: "each process has its own" })
    }))

  it.scoped("[C18:virtual] the logging level holds in each, also in those that come; subscriptions in one that lives", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three()
      yield* backend.setLoggingLevel("warning")
      yield* backend.subscribeResource("file:///a")
      const levels = () => script.connections.map(({ id }) => script.ledger.sent("logging/setLevel", id).length)
      const subscribed = () => script.connections.map(({ id }) => script.ledger.sent("resources/subscribe", id).length)
      expect(levels()).toEqual([1, 1, 1])
      const home = subscribed().indexOf(1)
      expect(subscribed().reduce((a, b) => a + b)).toBe(1)
      script.connections[home]?.lose()
      yield* TestClock.adjust(0)
      expect(subscribed().reduce((a, b) => a + b)).toBe(2)
      expect(subscribed()[home]).toBe(1)
      yield* TestClock.adjust("2 seconds")
      expect(levels()).toEqual([1, 1, 1, 1])
      expect(subscribed().reduce((a, b) => a + b)).toBe(2)
    }))

  it.scoped("[C18:virtual] what all announce at the same time is passed on once, and the rest as it comes", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three()
      const heard: Array<string> = []
      yield* Effect.forkScoped(
        Stream.runForEach(backend.notifications, ({ method }) => Effect.sync(() => heard.push(method)))
      )
      yield* TestClock.adjust(0)
      for (const connection of script.connections) {
        connection.notify("notifications/tools/list_changed")
        connection.notify("notifications/message", { level: "info", data: "x" })
      }
      yield* TestClock.adjust("1 second")
      expect(heard).toEqual([...Array(3).fill("notifications/message"), "notifications/tools/list_changed"])
    }))

  it.scoped("[C18:virtual] requests of each process reach the one client", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const answer: CreateMessageResult = { model: "m", role: "assistant", content: { type: "text", text: "hi" } }
      const connector = PooledConnector.make({ connector: script, processes: 3 })
      const handlers = { sampling: () => Effect.succeed(answer) }
      const backend = yield* Backend.make("files", { connector, handlers, keepalive })
      yield* backend.firstOutcome
      yield* TestClock.adjust(0)
      for (const { options } of script.connections) {
        expect(yield* options.handlers!.sampling!({} as never)).toBe(answer)
      }
    }))

  it.scoped("[C18:virtual] requests about a task go to the process that has it", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three()
      script.respond = (method) =>
        method === "tools/call" ? { answer: "result", result: { task: { taskId: "t" } } } : undefined
      yield* backend.callTool({ name: "write" })
      const owner = callsOf(script).indexOf(1)
      for (let i = 0; i < 4; i++) yield* backend.request("tasks/get", { taskId: "t" })
      expect(script.ledger.sent("tasks/get", owner).length).toBe(4)
    }))

  it.scoped("[C18:virtual] a reconnect makes new ones before it closes the old ones, which finish their calls", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* three()
      script.respond = (method) => method === "tools/call" ? { answer: "result", after: 3000 } : undefined
      const before = yield* call(backend, "write")
      yield* TestClock.adjust(0)
      yield* backend.reconnect
      yield* TestClock.adjust(0)
      expect(script.ledger.live.length).toBe(6)
      yield* TestClock.adjust("3 seconds")
      expect(Exit.isSuccess(yield* Fiber.await(before))).toBe(true)
      expect(script.ledger.live).toEqual([3, 4, 5])
      expect(script.ledger.faults.filter((fault) => !/connection [345] /.test(fault))).toEqual([])
    }))

  it.effect("[C18:virtual] the end of the scope closes all at the same time, each once", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const script = ScriptedConnector.make()
      script.otherwise = { close: 4000 }
      const { backend } = yield* Scope.extend(three({ keepalive }, script), scope)
      yield* call(backend, "write")
      yield* TestClock.adjust(0)
      const closing = yield* Effect.fork(Effect.uninterruptible(Scope.close(scope, Exit.void)))
      yield* TestClock.adjust("4 seconds")
      yield* Fiber.join(closing)
      expect(script.ledger.closed.length).toBe(3)
      expect(script.ledger.faults).toEqual([])
    }))
})
