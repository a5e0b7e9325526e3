import { Backend, RequestError } from "@mcp-lifeline/core"
import { Handle } from "@mcp-lifeline/core/internal"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Cause, Effect, Exit, Fiber, Logger, LogLevel, TestClock, TestContext } from "effect"
import * as fc from "fast-check"
import { sending } from "../../testing/test/support/asked.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import { Queue, type Ticket } from "../src/internal/Queue.js"

const { tool } = ScriptedConnector

describe("the queue, by a model", () => {
  const limits = { write: 1, read: 2, other: undefined } as const
  const which = fc.nat(30)
  const command = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constant("come" as const), line: fc.constantFrom("write", "read", "other") })
    },
    { weight: 12, arbitrary: fc.record({ do: fc.constantFrom("step" as const, "end" as const), which }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("cancel" as const, "pause" as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("lose" as const) }) }
  )

  type State = Ticket["state"] | "over"

  interface Modelled {
    readonly line: keyof typeof limits
    readonly ticket: Ticket
    state: State
    isWoken: boolean
  }

  class Model {
    readonly calls: Array<Modelled> = []
    readonly #all: number | undefined

    constructor(all: number | undefined) {
      this.#all = all
    }

    in(...states: ReadonlyArray<State>): ReadonlyArray<Modelled> {
      return this.calls.filter(({ state }) => states.includes(state))
    }

    hasRoom({ line }: Pick<Modelled, "line">): boolean {
      const placed = this.in("turn", "inFlight")
      const own = limits[line]
      return (this.#all === undefined || placed.length < this.#all)
        && (own === undefined || placed.filter((one) => one.line === line).length < own)
    }

    isFirst(call: Modelled): boolean {
      return this.in("waiting", "away").every((one) =>
        one === call || one.ticket.order > call.ticket.order || !this.hasRoom(one)
        || (this.#all === undefined && one.line !== call.line)
      )
    }

    admit(): void {
      for (;;) {
        const next = this.in("waiting").find((one) => this.hasRoom(one) && this.isFirst(one))
        if (next === undefined) return
        next.state = "turn"
      }
    }
  }

  it("[C18:model] never more than the limits, in order, nobody is lost, and nobody waits for a place that is there", () => {
    const limit = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined })
    const property = fc.property(limit, fc.array(command, { maxLength: 60 }), (all, commands) => {
      const queue = new Queue<string>(all)
      const model = new Model(all)
      const agree = () => {
        model.admit()
        for (const { isWoken, state, ticket } of model.calls) {
          assert.strictEqual(ticket.state, state === "over" ? "out" : state)
          if (state === "turn") assert.isTrue(isWoken)
        }
        assert.isTrue(all === undefined || model.in("turn", "inFlight").length <= all)
      }
      const leave = (call: Modelled, state: State) => {
        queue.leave(call.ticket)
        queue.leave(call.ticket)
        call.state = state
      }
      const step = (call: Modelled) => {
        const may = call.state === "turn" || (model.hasRoom(call) && model.isFirst(call))
        assert.strictEqual(queue.take(call.ticket), may)
        if (!may) {
          call.isWoken = false
          queue.wait(call.ticket, () => {
            call.isWoken = true
          })
        }
        call.state = may ? "inFlight" : "waiting"
      }
      const pick = (index: number, ...states: ReadonlyArray<State>) => {
        const some = model.in(...states)
        return some[index % Math.max(1, some.length)]
      }
      for (const one of commands) {
        if (one.do === "come") {
          const ticket = queue.ticket(one.line, limits[one.line])
          assert.strictEqual(ticket === undefined, all === undefined && limits[one.line] === undefined)
          if (ticket === undefined) continue
          const call: Modelled = { line: one.line, ticket, state: "out", isWoken: false }
          model.calls.push(call)
          step(call)
        } else if (one.do === "lose") {
          const call = pick(0, "inFlight", "turn", "out")
          if (call === undefined) continue
          // The first that finds no connection; those that wait learn of it, and find none either.
          queue.away(call.ticket)
          call.state = "away"
          for (const other of model.in("waiting")) {
            assert.isTrue(other.isWoken)
            other.state = "away"
          }
        } else {
          const call = one.do === "step"
            ? pick(one.which, "turn", "away", "out")
            : one.do === "cancel"
            ? pick(one.which, "waiting", "away", "turn", "inFlight", "out")
            : pick(one.which, "inFlight")
          if (call === undefined) continue
          if (one.do === "step") step(call)
          else leave(call, one.do === "pause" ? "out" : "over")
        }
        agree()
      }
      for (const call of model.in("inFlight", "turn", "away", "out")) {
        leave(call, "over")
        agree()
      }
      for (let left = pick(0, "turn", "waiting"); left !== undefined; left = pick(0, "turn", "waiting")) {
        assert.strictEqual(left.state, "turn", "somebody waits and nobody is left to wake it")
        leave(left, "over")
        agree()
      }
    })
    fc.assert(property, { numRuns: 500 })
  })
})

const counted = (script: ScriptedConnector.ScriptedConnector) => {
  const ledger = {
    now: 0,
    most: 0,
    sent: [] as Array<string>,
    byTool: new Map<string, number>(),
    mostOf: new Map<string, number>()
  }
  const limited = new Set(["tools/call", "resources/read", "prompts/get"])
  const begin = (params: unknown): () => void => {
    const { arguments: given, name = "?" } = params as { name?: string; arguments?: { id?: string } }
    const add = (n: number) => {
      ledger.now += n
      ledger.byTool.set(name, (ledger.byTool.get(name) ?? 0) + n)
    }
    ledger.sent.push(given?.id ?? name)
    add(1)
    ledger.most = Math.max(ledger.most, ledger.now)
    ledger.mostOf.set(name, Math.max(ledger.mostOf.get(name) ?? 0, ledger.byTool.get(name) ?? 0))
    let isOver = false
    return () => {
      if (!isOver) add(-1)
      isOver = true
    }
  }
  const connector = sending(script, (connection) => (method, params, given, settle) => {
    if (!limited.has(method)) return connection.send(method, params, given, settle)
    const end = begin(params)
    const cancel = connection.send(method, params, given, (exit) => {
      end()
      settle(exit)
    })
    return () => {
      end()
      cancel()
    }
  })
  return { connector, ledger }
}

const after = (millis: number): ScriptedConnector.Answer => ({ answer: "result", after: millis })

const start = (options: Partial<Backend.BackendOptions>, overlap = true) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make({ overlap })
    script.offer = { ...script.offer, tools: ["a", "b", "write_a", "write_b"].map((name) => tool(name)) }
    script.respond = (method) => /call|read|get/.test(method) ? after(1000) : undefined
    const { connector, ledger } = counted(script)
    const backend = yield* Backend.make("one", { connector, keepalive: { method: "none" }, ...options })
    yield* TestClock.adjust(0)
    return { backend, script, ledger }
  })

const call = (backend: Backend.Backend, name: string, id = name, options?: Backend.CallOptions) =>
  Effect.tap(Effect.fork(backend.callTool({ name, arguments: { id } }, options)), () => TestClock.adjust(0))

const wrong = (exit: Exit.Exit<unknown, { readonly _tag: string; readonly message: string }>) =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) as { readonly _tag: string; readonly message: string } : undefined

const limits = ["concurrency", "maxInFlight"] as const

describe.each(limits)(
  "calls.%s",
  (limit) => {
    test.scoped("[C13:virtual C18:virtual] further calls wait, in order, and the status counts them", function*() {
      const { backend, ledger } = yield* start({ calls: { [limit]: 2 } })
      const calls = yield* Effect.forEach(["1", "2", "3", "4", "5"], (id) => call(backend, "a", id))
      assert.deepStrictEqual(ledger.sent, ["1", "2"])
      assert.deepInclude(yield* backend.status, { inFlight: 2, queued: 3, waiting: 0 })
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(ledger.sent, ["1", "2", "3", "4"])
      assert.deepInclude(yield* backend.status, { inFlight: 2, queued: 1 })
      yield* TestClock.adjust(2000)
      assert.deepStrictEqual(ledger.sent, ["1", "2", "3", "4", "5"])
      assert.strictEqual(ledger.most, 2)
      for (const one of calls) assert.isTrue(Exit.isSuccess(yield* Fiber.await(one)))
      assert.deepInclude(yield* backend.status, { inFlight: 0, queued: 0 })
    })

    test.scoped("[C13:virtual C18:virtual] resources and prompts take turns with tools; completions and other requests do with maxInFlight alone", function*() {
      const { backend, ledger, script } = yield* start({ calls: { [limit]: 1 } })
      yield* call(backend, "a")
      const read = yield* Effect.fork(backend.readResource({ uri: "x:1" }))
      const got = yield* Effect.fork(backend.getPrompt({ name: "p" }))
      yield* Effect.fork(
        backend.complete({ ref: { type: "ref/prompt", name: "p" }, argument: { name: "x", value: "" } })
      )
      yield* Effect.fork(backend.request("resources/subscribe", { uri: "x:1" }))
      yield* Effect.fork(backend.listTools())
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* backend.status).queued, limit === "concurrency" ? 2 : 5)
      const sent = () =>
        script.ledger.entries.flatMap((one) =>
          one._tag === "Sent" && /call|read|get/.test(one.method) ? [one.method] : []
        )
      assert.deepStrictEqual(sent(), ["tools/call"])
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(sent(), ["tools/call", "resources/read"])
      yield* TestClock.adjust(2000)
      yield* Fiber.join(read)
      yield* Fiber.join(got)
      assert.strictEqual(ledger.most, 1)
    })

    test.scoped("[C13:virtual C18:virtual] a call whose time ends in the queue was not sent, and neither was one that is cancelled there", function*() {
      const { backend, ledger } = yield* start({ calls: { [limit]: 1 } })
      yield* call(backend, "a", "1")
      const late = yield* call(backend, "a", "2", { timeout: 500 })
      const cancelled = yield* call(backend, "a", "3")
      const last = yield* call(backend, "a", "4")
      yield* TestClock.adjust(400)
      yield* Fiber.interrupt(cancelled)
      yield* TestClock.adjust(100)
      const error = wrong(yield* Fiber.await(late))
      assert.strictEqual(error?._tag, "BackendUnavailable")
      assert.match(error?.message ?? "", /the call was not sent, because its time was over before its turn came/)
      assert.deepInclude(yield* backend.status, { queued: 1, calls: { givenUp: 1 } })
      yield* TestClock.adjust(1500)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(last)))
      assert.deepStrictEqual(ledger.sent, ["1", "4"])
    })

    test.scoped("[C13:virtual C18:virtual] calls.maxWaiting bounds the queue, with those that wait for a connection", function*() {
      const { backend, script } = yield* start({ calls: { [limit]: 1, maxWaiting: 2 } })
      for (const id of ["1", "2", "3"]) yield* call(backend, "a", id)
      const error = wrong(yield* Fiber.await(yield* call(backend, "a", "4")))
      assert.deepInclude<object>(error ?? {}, { _tag: "BackendUnavailable", state: "Busy" })
      assert.match(error?.message ?? "", /2 calls are waiting \(calls.maxWaiting\)/)
      script.script({ after: 1000 })
      script.current.lose()
      yield* TestClock.adjust(0)
      assert.deepInclude(yield* backend.status, { queued: 0, waiting: 2 })
    })

    test.scoped("[C13:virtual C18:virtual] calls.maxWaiting bounds those that wait for their turn together with those that wait for a verdict", function*() {
      const { backend, script } = yield* start({
        calls: { [limit]: 2, maxWaiting: 2 },
        tools: { b: { concurrency: 1 } },
        keepalive: { interval: "1 hour", timeout: 500, suspectInterval: 5000 }
      })
      script.respond = () => ({ answer: "never" })
      // A probe is left without an answer: only what may be carried out twice is sent.
      yield* Effect.fork(backend.healthCheck)
      yield* TestClock.adjust(500)
      const send = (name: string, id: string, idempotent: boolean) => call(backend, name, id, { idempotent })
      yield* send("b", "1", true)
      yield* send("b", "2", true)
      assert.deepInclude(yield* backend.status, { inFlight: 1, queued: 1, waiting: 0 })
      yield* send("a", "held", false)
      assert.deepInclude(yield* backend.status, { inFlight: 1, queued: 1, waiting: 1 })
      const error = wrong((yield* send("b", "3", true)).unsafePoll() ?? Exit.void)
      assert.deepInclude<object>(error ?? {}, { _tag: "BackendUnavailable", state: "Busy" })
      assert.match(error?.message ?? "", /2 calls are waiting \(calls.maxWaiting\)/)
    })

    test.scoped("[C13:virtual C18:virtual] past calls.maxWaiting, what a lost connection has cut is sent again all the same", function*() {
      const { backend, script } = yield* start({ calls: { [limit]: 2, maxWaiting: 3 } })
      script.respond = () => ({ answer: "never" })
      const all = []
      for (const id of ["1", "2", "3", "4", "5"]) all.push(yield* call(backend, "a", id, { idempotent: true }))
      assert.deepInclude(yield* backend.status, { inFlight: 2, queued: 3 })
      script.respond = () => undefined
      script.current.lose()
      yield* TestClock.adjust("10 seconds")
      for (const one of all.slice(0, 2)) assert.isTrue(Exit.isSuccess(yield* Fiber.await(one)))
    })

    test.scoped("[C13:virtual C18:virtual] tools of one pattern share their places, and hold up no others", function*() {
      const { backend, ledger } = yield* start(
        {
          calls: { [limit]: 3 },
          tools: { "write_*": { concurrency: 1 }, b: { concurrency: 1 }, a: { timeout: "9 s" } }
        }
      )
      for (const name of ["write_a", "write_b", "b", "b", "a", "a"]) yield* call(backend, name)
      assert.deepStrictEqual(ledger.sent, ["write_a", "b", "a"])
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(ledger.sent.slice(3).toSorted(), ["a", "b", "write_b"])
      assert.strictEqual(ledger.most, 3)
    })

    test.scoped("[C13:virtual C18:virtual] only tools may be limited", function*() {
      const { backend, ledger } = yield* start({ tools: { "write_*": { concurrency: 2 } } })
      for (const name of ["write_a", "write_a", "write_b", "a", "a"]) yield* call(backend, name)
      assert.deepStrictEqual(ledger.sent, ["write_a", "write_a", "a", "a"])
      assert.strictEqual((yield* backend.status).queued, 1)
    })

    test.scoped("[C13:virtual C18:virtual] after a lost connection, what is sent again goes first, and the others follow in order", function*() {
      const { backend, ledger, script } = yield* start({ calls: { [limit]: 2 } })
      const calls = yield* Effect.forEach(
        ["1", "2", "3", "4"],
        (id) => call(backend, "a", id, { idempotent: id !== "2" })
      )
      yield* TestClock.adjust(500)
      script.script({ after: 1000 })
      script.current.lose()
      yield* TestClock.adjust(0)
      // Nothing is in flight any more, so all that is left waits for a connection.
      assert.deepInclude(yield* backend.status, { queued: 0, waiting: 3 })
      yield* TestClock.adjust(20_000)
      // What waits for a connection holds up nothing else.
      const again = ledger.sent.slice(2)
      assert.deepStrictEqual(limit === "concurrency" ? again : again.toSorted(), ["1", "3", "4"])
      assert.strictEqual(ledger.most, 2)
      const outcomes = yield* Effect.forEach(calls, Fiber.await)
      assert.deepStrictEqual(outcomes.map((exit) => wrong(exit)?._tag), [
        undefined,
        "ResultUnknown",
        undefined,
        undefined
      ])
    })

    test.scoped("[C13:virtual C18:virtual] a connection that is replaced counts until its calls have ended", function*() {
      const { backend, ledger } = yield* start({ calls: { [limit]: 1 } })
      yield* call(backend, "a", "1")
      yield* call(backend, "a", "2")
      yield* TestClock.adjust(500)
      const reconnecting = yield* Effect.fork(backend.reconnect)
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* backend.status).generation, 2)
      assert.deepStrictEqual(ledger.sent, ["1"])
      yield* TestClock.adjust(400)
      yield* Fiber.join(reconnecting)
      assert.deepStrictEqual(ledger.sent, ["1", "2"])
    })

    test.scoped("[C13:virtual C18:virtual] a call whose time is over in flight gives its place back, and so does one that is given up", function*() {
      const { backend, ledger, script } = yield* start({ calls: { [limit]: 1 } })
      script.respond = (method, params) =>
        method === "tools/call" && /hang/.test(JSON.stringify(params)) ? { answer: "never" } : undefined
      const late = yield* call(backend, "a", "hang 1", { timeout: "1 s" })
      const fine = yield* call(backend, "a", "2")
      yield* TestClock.adjust(1000)
      assert.strictEqual(wrong(yield* Fiber.await(late))?._tag, "RequestTimeout")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(fine)))
      const givenUp = yield* call(backend, "a", "hang 3")
      const next = yield* call(backend, "a", "4")
      yield* Fiber.interrupt(givenUp)
      yield* TestClock.adjust(0)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(next)))
      assert.deepStrictEqual(ledger.sent, ["hang 1", "2", "hang 3", "4"])
    })

    test.scoped("[C13:virtual C18:virtual] where the backend ends or is disabled, nobody waits on", function*() {
      const { backend } = yield* start({ calls: { [limit]: 1 }, timeouts: { drain: 0 } })
      const calls = yield* Effect.forEach(["1", "2", "3"], (id) => call(backend, "a", id))
      yield* backend.disable
      const outcomes = yield* Effect.forEach(calls, Fiber.await)
      assert.deepStrictEqual(outcomes.map((exit) => wrong(exit)?._tag), [
        "ResultUnknown",
        "BackendUnavailable",
        "BackendUnavailable"
      ])
      assert.strictEqual((yield* backend.status).queued, 0)
    })

    test.scoped("[C13:virtual C18:virtual] progress says that a call waits for its turn", function*() {
      const { backend, script } = yield* start(
        { calls: { [limit]: 1, progressInterval: "1 s" }, keepalive: { interval: "1 hour" } }
      )
      script.respond = (method) => method === "tools/call" ? after(10_000) : undefined
      const said: Array<string | undefined> = []
      yield* call(backend, "a")
      yield* call(backend, "a", "2", { onprogress: ({ message }) => void said.push(message) })
      yield* TestClock.adjust(3000)
      assert.match(said.join("; "), /waits for its turn, \d s/)
    })
  }
)

const beginning = (backend: Backend.Backend) => {
  const rests: Array<Effect.Effect<unknown, unknown>> = []
  const begin = (id: string) =>
    Handle.start(backend, "tools/call", { name: "a", arguments: { id } }, undefined, (rest) => void rests.push(rest))
  return { begin, rests }
}

describe("a call without a fiber", () => {
  test.scoped("[C18:virtual] waits for its turn in one, and gives it back if it is cancelled before that begins", function*() {
    const { backend, ledger } = yield* start({ calls: { concurrency: 1 } })
    const { begin, rests } = beginning(backend)
    begin("1")
    const { cancel } = begin("2")
    begin("3")
    assert.deepStrictEqual(ledger.sent, ["1"])
    assert.strictEqual(cancel(), "notSent")
    const fibers = yield* Effect.forEach(rests, (rest) => Effect.fork(rest))
    yield* TestClock.adjust(2000)
    assert.deepStrictEqual(ledger.sent, ["1", "3"])
    for (const fiber of fibers) assert.isNotNull(fiber.unsafePoll())
  })
})

describe("a call that is given up where nobody goes on with it", () => {
  test.scoped("[C18:virtual] leaves its position at once: what remains of it may never begin", function*() {
    const { backend, ledger } = yield* start({ calls: { concurrency: 1 } })
    const { begin, rests } = beginning(backend)
    begin("1")
    // Twice: also the second one that is given up leaves nobody behind it waiting.
    for (const id of ["2", "3"]) {
      const before = rests.length
      const { cancel } = begin(id)
      assert.strictEqual(rests.length, before + 1)
      assert.strictEqual(cancel(), "notSent")
    }
    yield* TestClock.adjust(1000)
    assert.deepStrictEqual(ledger.sent, ["1"])
    begin("4")
    assert.deepStrictEqual(ledger.sent, ["1", "4"])
  })
})

describe("calls.concurrency and calls.maxInFlight, by generated interleavings", () => {
  const time = fc.integer({ min: 0, max: 6 })
  const scenario = fc.record({
    limit: fc.constantFrom(...limits),
    most: fc.integer({ min: 1, max: 3 }),
    calls: fc.array(
      fc.record({
        name: fc.constantFrom("a", "write_a", "write_b"),
        at: time,
        takes: fc.integer({ min: 0, max: 3 }),
        timeout: fc.option(fc.integer({ min: 1, max: 8 }), { nil: 20 }),
        cancelledAt: fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined, freq: 3 }),
        idempotent: fc.boolean()
      }),
      { minLength: 1, maxLength: 12 }
    ),
    losses: fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 2 })
  })

  it("[C13:virtual C18:virtual] never more than N are in flight, each call ends once, and what was not sent says so", async () => {
    const run = ({ calls, limit, losses, most }: typeof scenario extends fc.Arbitrary<infer S> ? S : never) =>
      Effect.gen(function*() {
        const { backend, ledger, script } = yield* start(
          { calls: { [limit]: most }, tools: { "write_*": { concurrency: 1 } }, reconnect: { initialDelay: 100 } }
        )
        const applied: Array<number> = []
        script.respond = (method, params) => {
          if (method !== "tools/call") return undefined
          const { id } = (params as { arguments: { id: string } }).arguments
          applied.push(Number(id))
          return after(calls[Number(id)]!.takes * 1000 + 1)
        }
        const fibers = new Map<
          number,
          Fiber.RuntimeFiber<unknown, { readonly _tag: string; readonly message: string }>
        >()
        for (let now = 0; now <= 12; now++) {
          for (const [index, { at, cancelledAt, idempotent, name, timeout }] of calls.entries()) {
            if (at === now) {
              const options = { idempotent, timeout: timeout * 1000 - 500 }
              fibers.set(index, yield* Effect.fork(backend.callTool({ name, arguments: { id: `${index}` } }, options)))
            }
            if (cancelledAt === now) fibers.get(index)?.unsafeInterruptAsFork(fibers.get(index)!.id())
          }
          if (losses.includes(now)) script.current.lose()
          yield* TestClock.adjust(1000)
          assert.isAtMost(ledger.most, most)
          assert.isAtMost((ledger.byTool.get("write_a") ?? 0) + (ledger.byTool.get("write_b") ?? 0), 1)
        }
        yield* TestClock.adjust(60_000)
        for (const [index, fiber] of fibers) {
          const exit = yield* Fiber.await(fiber)
          const sent = applied.filter((id) => id === index).length
          const error = Exit.isFailure(exit) && !Exit.isInterrupted(exit) ? wrong(exit) : undefined
          if (Exit.isSuccess(exit)) assert.isAtLeast(sent, 1)
          else if (error?._tag === "BackendUnavailable") assert.strictEqual(sent, 0, error.message)
          else if (error !== undefined) assert.isAtLeast(sent, 1, error.message)
          if (!calls[index]!.idempotent) assert.isAtMost(sent, 1)
        }
        // Without a limit of its own, a call that is held meanwhile has no position.
        if (losses.length === 0 && limit === "concurrency") {
          const firsts = [...new Set(ledger.sent)].map(Number)
          const isWrite = (index: number) => calls[index]!.name !== "a"
          for (const kind of [firsts.filter(isWrite), firsts.filter((index) => !isWrite(index))]) {
            const came = kind.toSorted((x, y) => calls[x]!.at - calls[y]!.at || x - y)
            assert.deepStrictEqual(kind, came)
          }
        }
        assert.strictEqual(ledger.now, 0)
        assert.deepInclude(yield* backend.status, { inFlight: 0, queued: 0, waiting: 0 })
      }).pipe(
        Effect.scoped,
        Logger.withMinimumLogLevel(LogLevel.None),
        Effect.provide(TestContext.TestContext),
        Effect.runPromise
      )
    // One comes in the step before a place becomes free, and another one in the step after.
    const call = { name: "a" as const, timeout: 20, cancelledAt: undefined, idempotent: false }
    const calls = [
      { ...call, at: 2, takes: 0 },
      { ...call, at: 0, takes: 2 },
      { ...call, at: 1, takes: 1, cancelledAt: 2 },
      { ...call, at: 2, takes: 0 }
    ]
    const example = { most: 2, calls, losses: [] }
    await fc.assert(fc.asyncProperty(scenario, run), {
      numRuns: 2 + 4,
      examples: limits.map((limit): [typeof scenario extends fc.Arbitrary<infer S> ? S : never] => [
        { ...example, limit }
      ])
    })
  })
})

describe("a failed request", () => {
  test.scoped("[C18:virtual] that is sent again to a server that lives goes before those that came later", function*() {
    const { backend, ledger, script } = yield* start({ calls: { concurrency: 1 } })
    let refused = 0
    script.respond = (method) =>
      method !== "tools/call"
        ? undefined
        : refused++ === 0
        ? {
          answer: "error",
          error: new RequestError({ fate: "rejected", reason: "rateLimited", message: "later", retryAfter: 1500 })
        }
        : after(1000)
    for (const id of ["1", "2", "3", "4"]) yield* call(backend, "a", id)
    yield* TestClock.adjust(5000)
    assert.deepStrictEqual(ledger.sent, ["1", "2", "3", "1", "4"])
  })
})
