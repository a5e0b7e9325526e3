import { Backend, RemoteError, RequestError, RequestTimeout, ResultUnknown } from "@mcp-lifeline/core"
import { Handle } from "@mcp-lifeline/core/internal"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import type { Progress, Tool } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Fiber, FiberId, Runtime, TestClock } from "effect"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"

type Support = "required" | "optional" | "forbidden"

const tool = (name: string, taskSupport: Support, annotations?: Tool["annotations"]): Tool => ({
  ...ScriptedConnector.tool(name, annotations),
  execution: { taskSupport }
})

const answers = (result: unknown): ScriptedConnector.Answer => ({ answer: "result", result })

const notFound = (message = "Task not found"): ScriptedConnector.Answer => ({
  answer: "error",
  error: new RequestError({ fate: "answered", reason: "remote", code: -32_602, message })
})

/** A server with tasks. Its store ignores sessions, unless it is `bound`. Tools run for `duration`. */
const taskServer = (
  { bound = false, duration = 5000, era, outcome, pollInterval = 1000, tools = [tool("long", "required")] }: {
    readonly bound?: boolean
    readonly duration?: number
    readonly era?: "2026"
    readonly outcome?: (name: string) => ScriptedConnector.Answer
    readonly pollInterval?: number
    readonly tools?: ReadonlyArray<Tool>
  } = {}
) => {
  const script = ScriptedConnector.make()
  script.offer = { ...script.offer, tools }
  const requests: Array<{ readonly method: string; readonly params: any; readonly on: number }> = []
  const tasks = new Map<
    string,
    { readonly on: number; name: string; polls: number; status: string; message?: string }
  >()
  const effects = { count: 0 }
  script.respond = (method, params: any, connection) => {
    requests.push({ method, params, on: connection.id })
    const task = tasks.get(params?.taskId)
    const isKnown = task !== undefined && (!bound || task.on === connection.id)
    switch (method) {
      case "tools/call": {
        effects.count++
        const support = tools.find(({ name }) => name === params.name)?.execution?.taskSupport
        if (support === "forbidden") return undefined
        const id = `t${tasks.size}`
        tasks.set(id, { on: connection.id, name: params.name, polls: 0, status: "working" })
        return answers({
          task: { taskId: id, status: "working", pollInterval, ttl: null, createdAt: "", lastUpdatedAt: "" }
        })
      }
      case "tasks/get":
        if (!isKnown) return notFound()
        task.polls++
        if (task.polls * pollInterval >= duration && task.status === "working") task.status = "completed"
        return answers({
          taskId: params.taskId,
          status: task.status,
          pollInterval,
          ...(task.message === undefined ? {} : { statusMessage: task.message })
        })
      case "tasks/result":
        if (!isKnown) return notFound()
        return outcome?.(task.name) ?? answers({ content: [{ type: "text", text: `${task.name} is done` }] })
      default:
        return undefined
    }
  }
  const sent = (method: string) => requests.filter((request) => request.method === method)
  return { script: withTasks(script, era), requests, sent, tasks, effects, server: script }
}

const withTasks = (script: ScriptedConnector.ScriptedConnector, era: "2026" | undefined) => {
  const options: Array<any> = []
  return {
    options,
    transport: script.transport,
    target: script.target,
    overlap: script.overlap,
    connect: (how: any) =>
      Effect.map(script.connect(how), (connection) => ({
        ...connection,
        capabilities: {
          ...connection.capabilities,
          ...(era === undefined
            ? { tasks: { requests: { tools: { call: {} } } } }
            : { extensions: { "io.modelcontextprotocol/tasks": {} } })
        },
        send: ((method: never, params: never, given: never, settle: never) => {
          options.push({ method, ...given as object })
          return connection.send(method, params, given, settle)
        }) as never
      }))
  }
}

const progressed = (options: any, progress: Progress) => options.onevent({ _tag: "Progress", progress })

const start = (connector: any, options: Partial<Backend.BackendOptions> = {}) =>
  Effect.tap(
    Backend.make("one", { connector, keepalive: { method: "none" }, ...options }),
    () => TestClock.adjust(0)
  )

const call = (backend: Backend.Backend, name = "long", options: Backend.CallOptions = {}) =>
  Effect.fork(Effect.exit(backend.callTool({ name }, { timeout: "1 hour", ...options })))

const text = (exit: Exit.Exit<any, any>) => Exit.isSuccess(exit) ? exit.value.content[0].text : exit

const failure = (exit: Exit.Exit<any, any>): any =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error : exit

const learn = { mode: "learn" } as const

describe("tasks", () => {
  test.scoped("[G25:virtual] a task of which the server says nothing is a call that runs, as long as the server says that it works", function*() {
    const { script, server, tasks } = taskServer({ duration: 600_000 })
    const backend = yield* start(script)
    const heard: Array<Progress> = []
    yield* call(backend, "long", { onprogress: (one) => void heard.push(one) })
    yield* TestClock.adjust("17 seconds")
    tasks.get("t0")!.message = "half of it"
    yield* TestClock.adjust("17 seconds")
    expect(heard.map(({ message }) => message)).toEqual([
      "still running, 15 s",
      "half of it",
      "half of it (still running, 33 s)"
    ])
    const values = heard.map(({ progress }) => progress)
    expect(new Set(values).size).toBe(3)
    expect(values).toEqual(values.toSorted((one, other) => one - other))
    server.respond = () => ({ answer: "never" })
    yield* TestClock.adjust("55 seconds")
    // It had answered within the interval before that.
    expect(heard.slice(3).map(({ message }) => message)).toEqual(["half of it (still running, 48 s)"])
  })

  const statuses = ["sleeping", 1, null, undefined, { of: "it" }]
  test.scoped.each((["2025", "2026"] as const).flatMap((era) => statuses.map((status) => ({ era, status }))))(
    "[C17:virtual] $era, $status: a status that the protocol does not know ends the call: with the outcome if there is one, and otherwise with `unknown`",
    function*({ era, status }) {
      for (
        const [outcome, wait, ends] of [
          [answers({ content: [{ type: "text", text: "done" }] }), 0, "done"],
          [notFound(), 0, undefined],
          [
            { answer: "error", error: new RequestError({ fate: "answered", reason: "protocol", message: "odd" }) },
            0,
            undefined
          ],
          [{ answer: "never" }, 60_000, undefined]
        ] as ReadonlyArray<readonly [ScriptedConnector.Answer, number, string | undefined]>
      ) {
        const { script, sent, tasks } = taskServer({ ...(era === "2026" ? { era } : {}), outcome: () => outcome })
        const backend = yield* start(script, era === "2026" ? { calls: { tasks: "prefer" } } : {})
        const fiber = yield* call(backend)
        yield* TestClock.adjust(0)
        tasks.get("t0")!.status = status as string
        yield* TestClock.adjust(1000 + wait)
        const exit = yield* Fiber.join(fiber)
        expect(sent("tools/call")).toHaveLength(1)
        if (ends !== undefined) expect(text(exit)).toBe(ends)
        else {
          expect(failure(exit)).toBeInstanceOf(ResultUnknown)
          expect(failure(exit).message).toContain(
            `has the status ${JSON.stringify(status) ?? "nothing"}, which the protocol does not know`
          )
        }
      }
    }
  )

  test.scoped("[C18:virtual] a call has its place in the queue until its task is over, or it is given up", function*() {
    const { script, sent } = taskServer()
    const backend = yield* start(script, { calls: { concurrency: 1 } })
    const calls = yield* Effect.forEach([1, 2, 3], () => Effect.tap(call(backend), () => TestClock.adjust(0)))
    yield* TestClock.adjust(4999)
    expect(sent("tools/call")).toHaveLength(1)
    expect((yield* backend.status).queued).toBe(2)
    yield* TestClock.adjust(1)
    expect(text(yield* Fiber.join(calls[0]!))).toBe("long is done")
    expect(sent("tools/call")).toHaveLength(2)
    yield* TestClock.adjust(1500)
    yield* Fiber.interrupt(calls[1]!)
    yield* TestClock.adjust(0)
    expect(sent("tools/call")).toHaveLength(3)
    yield* TestClock.adjust(5000)
    expect(text(yield* Fiber.join(calls[2]!))).toBe("long is done")
  })

  test.scoped("[C18:virtual] a task that is cancelled ends in that step, wherever its call was before, and gives its place back", function*() {
    const { script, sent, server } = taskServer({ duration: Number.POSITIVE_INFINITY })
    const backend = yield* start(script, { calls: { concurrency: 1 } })
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    let count = 0
    // Nothing goes on with the first two; the next two have waited, for a connection and for their turn.
    for (const [waits, goesOn] of [[false, false], [false, false], [true, true], [false, true]]) {
      count++
      if (waits) server.current.lose()
      let fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
      const begin = (next: (rest: Effect.Effect<unknown, unknown>) => void) =>
        Handle.start(backend, "tools/call", { name: "long" }, { timeout: "1 hour" }, next)
      const before = goesOn && !waits ? begin(() => {}) : undefined
      const { cancel } = begin((rest) => {
        if (goesOn) fiber = runFork(rest)
      })
      if (before !== undefined) {
        expect(sent("tools/call")).toHaveLength(count++)
        before.cancel()
      }
      yield* TestClock.adjust(5000)
      expect([sent("tools/call").length, sent("tasks/cancel").length]).toEqual([count, count - 1])
      cancel()
      expect(sent("tasks/cancel")).toHaveLength(count)
      fiber?.unsafeInterruptAsFork(FiberId.none)
      yield* TestClock.adjust(0)
      expect(sent("tasks/cancel")).toHaveLength(count)
    }
  })

  test.scoped("[C17:virtual] a tool that requires a task is run as one, at the server's pace, and gives its plain result", function*() {
    const { script, sent, server } = taskServer()
    const backend = yield* start(script)
    const fiber = yield* call(backend)
    yield* TestClock.adjust(0)
    expect(sent("tools/call")).toHaveLength(1)
    expect(sent("tasks/get")).toHaveLength(0)
    yield* TestClock.adjust(4999)
    expect(sent("tasks/get")).toHaveLength(4)
    expect(sent("tasks/result")).toHaveLength(0)
    yield* TestClock.adjust(1)
    expect(text(yield* Fiber.join(fiber))).toBe("long is done")
    expect(sent("tasks/result")).toHaveLength(1)
    // The server shall keep the outcome for a minute longer than the caller waits.
    expect(script.options.find(({ method }: any) => method === "tools/call")).toMatchObject({
      task: { ttl: 3_660_000 },
      runsTask: true
    })
    expect((yield* backend.status).inFlight).toBe(0)
    expect(server.current.pending).toBe(0)
  })

  for (
    const [tasks, name, isTask] of [
      ["required", "plain", false],
      ["required", "either", false],
      ["required", "task", true],
      ["required", "unknown", false],
      ["prefer", "plain", false],
      ["prefer", "either", true],
      ["prefer", "task", true],
      ["prefer", "unknown", false],
      ["never", "plain", false],
      ["never", "either", false],
      ["never", "task", false]
    ] as const
  ) {
    test.scoped(`[C17:virtual] with calls.tasks "${tasks}" the tool "${name}" ${isTask ? "runs" : "does not run"} as a task, whoever has read the lists`, function*() {
      for (const mode of ["eager", "learn"] as const) {
        const { script } = taskServer({
          tools: [tool("plain", "forbidden"), tool("either", "optional"), tool("task", "required")]
        })
        const backend = yield* start(script, { calls: { tasks }, discovery: { mode } })
        yield* call(backend, name)
        yield* TestClock.adjust("1 minute")
        const calls = script.options.filter(({ method }: any) => method === "tools/call")
        expect(calls.map(({ runsTask }: any) => runsTask === true)).toEqual([isTask])
      }
    })
  }

  test.scoped("[C17:virtual] where nobody has read the lists, they are read once on each connection, and not for a server without tasks", function*() {
    const { requests, script, sent, server } = taskServer()
    const backend = yield* start(script, { discovery: learn })
    for (const name of ["long", "long", "unknown"]) {
      const fiber = yield* call(backend, name)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
    }
    expect(requests[0]?.method).toBe("tools/list")
    expect(sent("tools/list")).toHaveLength(1)
    server.current.lose()
    yield* TestClock.adjust("1 minute")
    for (const name of ["long", "long", "unknown"]) yield* call(backend, name)
    yield* TestClock.adjust("1 minute")
    expect(sent("tools/list")).toHaveLength(2)

    const plain = ScriptedConnector.make()
    const other = yield* start(plain, { discovery: learn })
    yield* other.callTool({ name: "echo" })
    expect(plain.ledger.sent("tools/list")).toHaveLength(0)
  })

  test.scoped("[C17:virtual] a caller that asks for a task itself gets it", function*() {
    const { script, sent } = taskServer()
    const backend = yield* start(script)
    const one = yield* backend.callTool({ name: "long", task: { ttl: 1 } })
    const two = yield* backend.callTool({ name: "long" }, { task: { ttl: 1 } })
    expect([one["task"], two["task"]]).toMatchObject([{ taskId: "t0" }, { taskId: "t1" }])
    yield* TestClock.adjust("1 minute")
    expect(sent("tasks/get")).toHaveLength(0)
  })

  test.scoped("[C17:virtual] the interval of the server is bounded, from 100 ms to a minute, and is 1 s where it says none", function*() {
    for (
      const [pollInterval, effective] of [[0, 100], [3_600_000, 60_000], [Number.NaN, 1000], [-5, 1000]] as const
    ) {
      const { script, sent } = taskServer({ pollInterval, duration: Number.POSITIVE_INFINITY })
      const backend = yield* start(script)
      const fiber = yield* call(backend, "long", { timeout: "1 day" })
      yield* TestClock.adjust(effective * 3 - 1)
      expect(sent("tasks/get")).toHaveLength(2)
      yield* TestClock.adjust(1)
      expect(sent("tasks/get")).toHaveLength(3)
      yield* Fiber.interrupt(fiber)
    }
  })

  test.scoped("[C17:virtual] status messages of the task are progress of the call, each once, and never after its end", function*() {
    const { script, tasks } = taskServer()
    const backend = yield* start(script)
    const heard: Array<Progress> = []
    const fiber = yield* call(backend, "long", { onprogress: (progress) => heard.push(progress) })
    yield* TestClock.adjust(0)
    const task = tasks.get("t0")!
    task.message = "reading"
    yield* TestClock.adjust(2000)
    task.message = "writing"
    yield* TestClock.adjust(3000)
    yield* Fiber.join(fiber)
    progressed(script.options.find(({ method }: any) => method === "tools/call"), { progress: 100 })
    expect(heard.map(({ message }) => message)).toEqual(["reading", "writing"])
    expect(heard[1]!.progress).toBeGreaterThan(heard[0]!.progress)
  })

  test.scoped("[C17:virtual] a call that is interrupted, or whose time is over, cancels its task, once", function*() {
    const { script, sent } = taskServer({ duration: Number.POSITIVE_INFINITY })
    const backend = yield* start(script)
    const given = yield* Effect.fork(backend.callTool({ name: "long" }))
    yield* TestClock.adjust(2500)
    yield* Fiber.interrupt(given)
    yield* TestClock.adjust(0)
    expect(sent("tasks/cancel").map(({ params }) => params)).toEqual([{ taskId: "t0" }])
    expect((yield* backend.status).inFlight).toBe(0)

    const late = yield* call(backend, "long", { timeout: "30 seconds" })
    yield* TestClock.adjust(29_999)
    expect(sent("tasks/cancel")).toHaveLength(1)
    yield* TestClock.adjust(1)
    const error = failure(yield* Fiber.join(late))
    expect(error).toBeInstanceOf(RequestTimeout)
    expect(error.message).toBe(
      "one: tools/call runs as task t1, which was not over within 30000 ms and is cancelled; it may still be carried out. Give it more time (timeout), or check before you repeat it"
    )
    yield* TestClock.adjust(0)
    expect(sent("tasks/cancel")).toHaveLength(2)
    expect((yield* backend.status).inFlight).toBe(0)
  })

  test.scoped("[C17:virtual] a task is cancelled on the next connection, also where nobody has asked for it there", function*() {
    const { script, sent, server } = taskServer({ duration: Number.POSITIVE_INFINITY, pollInterval: 60_000 })
    const backend = yield* start(script)
    for (const round of [1, 2]) {
      const fiber = yield* call(backend)
      yield* TestClock.adjust(1000)
      server.current.lose()
      yield* TestClock.adjust("5 seconds")
      expect(sent("tasks/get")).toEqual([])
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust(0)
      expect(sent("tasks/cancel").map(({ on }) => on)).toEqual([1, 2].slice(0, round))
    }
  })

  test.scoped("[C17:virtual] a task whose result makes no sense is cancelled", function*() {
    const error = new RequestError({ fate: "answered", reason: "protocol", message: "odd" })
    const outcome = (): ScriptedConnector.Answer => ({ answer: "error", error })
    const { script, sent, tasks } = taskServer({ duration: Number.POSITIVE_INFINITY, outcome })
    const fiber = yield* call(yield* start(script))
    yield* TestClock.adjust(0)
    tasks.get("t0")!.status = "input_required"
    yield* TestClock.adjust(1000)
    expect(failure(yield* Fiber.join(fiber))._tag).toBe("ProtocolError")
    yield* TestClock.adjust(0)
    expect(sent("tasks/cancel").map(({ params }) => params)).toEqual([{ taskId: "t0" }])
  })

  test.scoped("[C17:virtual] with failFast, a task is not waited for while there is no connection", function*() {
    const { script, server } = taskServer({ duration: Number.POSITIVE_INFINITY })
    const fiber = yield* call(yield* start(script), "long", { failFast: true })
    yield* TestClock.adjust(1500)
    server.otherwise = { connect: "hang" }
    server.current.lose()
    yield* TestClock.adjust(500)
    expect(fiber.unsafePoll()).not.toBeNull()
    expect(failure(yield* Fiber.join(fiber))).toBeInstanceOf(ResultUnknown)
  })

  test.scoped("[C17:virtual H9] a call that is given up while two requests about its task wait is counted once", function*() {
    const { script, server, tasks } = taskServer({ duration: Number.POSITIVE_INFINITY })
    const { respond } = server
    server.respond = (method, params: any, connection) =>
      method === "tasks/result" || (method === "tasks/get" && (tasks.get("t0")?.polls ?? 0) > 0)
        ? { answer: "never" }
        : respond?.(method, params, connection)
    const backend = yield* start(script)
    const long = yield* call(backend)
    yield* TestClock.adjust(0)
    tasks.get("t0")!.status = "input_required"
    yield* TestClock.adjust(3000)
    expect((yield* backend.status).inFlight).toBe(3)
    yield* Fiber.interrupt(long)
    yield* TestClock.adjust(0)
    expect(yield* backend.status).toMatchObject({ calls: { givenUp: 1 }, inFlight: 0 })
  })

  test.scoped("[C21:virtual] the time in which the user is asked is not that of the call", function*() {
    for (const resetTimeoutOnProgress of [false, true]) {
      const { script } = taskServer({ duration: Number.POSITIVE_INFINITY })
      const backend = yield* start(script)
      const fiber = yield* call(backend, "long", { timeout: 10_000, resetTimeoutOnProgress })
      yield* TestClock.adjust(4000)
      const asks = script.options.findLast(({ method }) => method === "tasks/get").onevent
      asks({ _tag: "Asked" })
      asks({ _tag: "Asked" })
      yield* TestClock.adjust(30_000)
      asks({ _tag: "Answered" })
      yield* TestClock.adjust(120_000)
      expect(fiber.unsafePoll()).toBeNull()
      asks({ _tag: "Answered" })
      yield* TestClock.adjust(5999)
      expect(fiber.unsafePoll()).toBeNull()
      yield* TestClock.adjust(1)
      expect(failure(yield* Fiber.join(fiber))).toBeInstanceOf(RequestTimeout)
    }
  })

  test.scoped("[C17:virtual] with resetTimeoutOnProgress, each status message gives the call its time again", function*() {
    const { script, tasks } = taskServer({ duration: Number.POSITIVE_INFINITY })
    const backend = yield* start(script)
    const fiber = yield* call(backend, "long", { timeout: 10_000, resetTimeoutOnProgress: true })
    for (let step = 0; step < 5; step++) {
      yield* TestClock.adjust(8000)
      tasks.get("t0")!.message = `step ${step}`
    }
    tasks.get("t0")!.status = "completed"
    yield* TestClock.adjust(1000)
    expect(text(yield* Fiber.join(fiber))).toBe("long is done")
  })

  test.scoped("[C17:virtual] a task that is not over in time says the time that is over: that of the whole call, or of one answer", function*() {
    const over = (options: Backend.CallOptions, heardAt: number | undefined, end: number) =>
      Effect.gen(function*() {
        const { script, tasks } = taskServer({ duration: Number.POSITIVE_INFINITY })
        const backend = yield* start(script)
        const fiber = yield* call(backend, "long", options)
        if (heardAt !== undefined) {
          yield* TestClock.adjust(heardAt - 1)
          tasks.get("t0")!.message = "half of it"
        }
        yield* TestClock.adjust(end - (heardAt ?? 1))
        expect(fiber.unsafePoll()).toBeNull()
        yield* TestClock.adjust(1)
        const error = failure(yield* Fiber.join(fiber))
        expect(error).toBeInstanceOf(RequestTimeout)
        expect(error.message).toContain(`not over within ${error.timeout} ms`)
        return error.timeout
      })
    expect(yield* over({ timeout: "3 seconds", maxTotalTimeout: "1 second" }, undefined, 1000)).toBe(1000)
    const resetTimeoutOnProgress = true
    expect(yield* over({ timeout: "3 seconds", resetTimeoutOnProgress }, 2000, 5000)).toBe(3000)
    expect(yield* over({ timeout: "3 seconds", maxTotalTimeout: "4 seconds", resetTimeoutOnProgress }, 2000, 4000))
      .toBe(4000)
  })

  test.scoped("[C17:virtual] input that the task requires is asked for on the way to its result, which is asked for at once", function*() {
    const { script, sent, server, tasks } = taskServer({ duration: Number.POSITIVE_INFINITY })
    const respond = server.respond
    server.respond = (method, params, connection) => {
      const answer = respond?.(method, params, connection)
      return method === "tasks/result" && answer?.answer === "result" ? { ...answer, after: 100_000 } : answer
    }
    const backend = yield* start(script)
    const fiber = yield* call(backend)
    yield* TestClock.adjust(0)
    tasks.get("t0")!.status = "input_required"
    yield* TestClock.adjust(1000)
    expect(sent("tasks/result")).toHaveLength(1)
    // Meanwhile it is still asked for its status. The answer takes as long as the user does: longer than any other.
    tasks.get("t0")!.status = "completed"
    yield* TestClock.adjust(99_999)
    expect(sent("tasks/get").length).toBeGreaterThan(1)
    yield* TestClock.adjust(1)
    expect(text(yield* Fiber.join(fiber))).toBe("long is done")
    expect(sent("tasks/result")).toHaveLength(1)
  })

  test.scoped("[C17:virtual] a task that fails gives what the tool gives; one that the server cancels is an error", function*() {
    const wrong = notFound("wrong arguments")
    for (const outcome of [wrong, answers({ isError: true, content: [{ type: "text", text: "no" }] })]) {
      const { script, tasks } = taskServer({ outcome: () => outcome })
      const backend = yield* start(script)
      const fiber = yield* call(backend)
      yield* TestClock.adjust(0)
      tasks.get("t0")!.status = "failed"
      yield* TestClock.adjust(1000)
      const exit = yield* Fiber.join(fiber)
      if (outcome === wrong) {
        expect(failure(exit)).toBeInstanceOf(RemoteError)
        expect(failure(exit)).toMatchObject({ code: -32_602, method: "tools/call", message: "wrong arguments" })
      } else expect(text(exit)).toBe("no")
    }
    const { script, tasks } = taskServer()
    const backend = yield* start(script)
    const fiber = yield* call(backend)
    yield* TestClock.adjust(0)
    Object.assign(tasks.get("t0")!, { status: "cancelled", message: "no time" })
    yield* TestClock.adjust(1000)
    expect(failure(yield* Fiber.join(fiber))).toMatchObject({
      _tag: "RemoteError",
      message: "the server has cancelled the task: no time"
    })
  })

  for (const bound of [false, true]) {
    for (const moment of ["between two questions", "during a question"] as const) {
      test.scoped(`[C17:virtual] after a lost connection ${moment}, the next one is asked for the task, which it ${bound ? "does not know: the result is unknown" : "knows"}; the effect is there once`, function*() {
        const { effects, script, sent, server } = taskServer({ bound })
        const respond = server.respond
        let isSilent = false
        server.respond = (method, params, connection) =>
          isSilent && method === "tasks/get" ? { answer: "never" } : respond?.(method, params, connection)
        const backend = yield* start(script)
        const fiber = yield* call(backend)
        yield* TestClock.adjust(1500)
        if (moment === "during a question") {
          isSilent = true
          yield* TestClock.adjust(1000)
          isSilent = false
        }
        server.current.lose()
        yield* TestClock.adjust("1 minute")
        const exit = yield* Fiber.join(fiber)
        expect(effects.count).toBe(1)
        if (!bound) return expect(text(exit)).toBe("long is done")
        const error = failure(exit)
        expect(error).toBeInstanceOf(ResultUnknown)
        expect(error.message).toBe(
          "one: tools/call began task t0, and its result is unknown (Task not found); check before you repeat it, or pass idempotent: true for calls that may be carried out twice"
        )
        expect(sent("tasks/get").filter(({ on }) => on === 1)).toHaveLength(1)
      })
    }
  }

  test.scoped("[C17:virtual] a forgotten task of a tool that may be called twice is begun again, after a lost connection only", function*() {
    const { effects, script, server, tasks } = taskServer({
      bound: true,
      tools: [tool("long", "required", { readOnlyHint: true })]
    })
    const backend = yield* start(script)
    const heard: Array<Progress> = []
    const report = (progress: number, message?: string) =>
      progressed(script.options.findLast(({ method }) => method === "tools/call"), { progress, message })
    const fiber = yield* call(backend, "long", { onprogress: (one) => void heard.push(one) })
    yield* TestClock.adjust(1500)
    report(5, "copies")
    server.current.lose()
    yield* TestClock.adjust("3 seconds")
    expect(effects.count).toBe(2)
    // The new task begins anew: nothing goes back, and what the forgotten one said is not repeated.
    report(1)
    expect(heard).toEqual([{ progress: 5, message: "copies" }])
    report(6)
    yield* TestClock.adjust("1 minute")
    expect(heard[1]).toEqual({ progress: 6 })
    expect(text(yield* Fiber.join(fiber))).toBe("long is done")
    expect(effects.count).toBe(2)

    const expired = yield* call(backend)
    yield* TestClock.adjust(1500)
    tasks.clear()
    yield* TestClock.adjust("1 minute")
    expect(failure(yield* Fiber.join(expired))).toBeInstanceOf(ResultUnknown)
    expect(effects.count).toBe(3)
  })

  test.scoped("[C17:virtual] a listener that throws at what the server says of a task harms nobody", function*() {
    const { script, tasks } = taskServer()
    const backend = yield* start(script)
    const fiber = yield* call(backend, "long", {
      onprogress: () => {
        throw new Error("broken on purpose")
      }
    })
    yield* TestClock.adjust(0)
    for (const task of tasks.values()) task.message = "copies"
    yield* TestClock.adjust("1 minute")
    expect(text(yield* Fiber.join(fiber))).toBe("long is done")
  })

  test.scoped("[C17:virtual] what the server reports of a call that is sent again, because its task was forgotten, is heard at once", function*() {
    const { script, server } = taskServer({ bound: true, tools: [tool("long", "required", { readOnlyHint: true })] })
    const backend = yield* start(script)
    const heard: Array<Progress> = []
    const fiber = yield* call(backend, "long", { onprogress: (one) => void heard.push(one) })
    yield* TestClock.adjust(1500)
    const { respond } = server
    server.respond = (method, params, connection) => {
      const answer = respond?.(method, params, connection)
      return method === "tools/call" && answer?.answer === "result" ? { ...answer, after: 10_000 } : answer
    }
    server.current.lose()
    yield* TestClock.adjust("5 seconds")
    progressed(script.options.findLast(({ method }) => method === "tools/call"), { progress: 7 })
    expect(heard.at(-1)).toEqual({ progress: 7 })
    yield* TestClock.adjust("1 minute")
    expect(text(yield* Fiber.join(fiber))).toBe("long is done")
  })

  test.scoped("[C17:virtual] one that is refused because it has to be a task was not carried out", function*() {
    const { script, server } = taskServer({ era: "2026" })
    const backend = yield* start(script)
    const data = { requiredCapabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } } }
    const needsTask = { fate: "answered", reason: "remote", code: -32_021, message: "needs tasks", data } as const
    server.otherwise = { connect: "hang" }
    server.respond = (method, _, connection) => {
      if (method !== "tools/call") return undefined
      connection.lose()
      return { answer: "error", error: new RequestError(needsTask) }
    }
    let rest: Effect.Effect<unknown, unknown> = Effect.void
    const { cancel } = Handle.start(backend, "tools/call", { name: "long" }, undefined, (one) => {
      rest = one
    })
    const fiber = yield* Effect.fork(rest)
    yield* TestClock.adjust(1000)
    expect([fiber.unsafePoll(), cancel()]).toEqual([null, "notSent"])
    yield* Fiber.interrupt(fiber)
  })

  test.scoped("[C17:virtual C18] the turn of one that is given up is there for others once the server was told", function*() {
    const { requests, script } = taskServer()
    const backend = yield* start(script, { calls: { concurrency: 1 } })
    let rest: Effect.Effect<unknown, unknown> = Effect.void
    const { cancel } = Handle.start(backend, "tools/call", { name: "long" }, { timeout: "1 hour" }, (one) => {
      rest = one
    })
    const fiber = yield* Effect.fork(rest)
    yield* TestClock.adjust(1500)
    yield* call(backend)
    yield* TestClock.adjust(0)
    requests.length = 0
    cancel()
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(fiber)
    yield* TestClock.adjust(0)
    expect(requests.map(({ method }) => method)).toEqual(["tasks/cancel", "tools/call"])
  })

  test.scoped("[C3 C17:virtual] a call whose task was forgotten, and that cannot be sent again, may have been carried out", function*() {
    const { script, server } = taskServer({ bound: true, tools: [tool("long", "required", { readOnlyHint: true })] })
    const backend = yield* start(script)
    const fiber = yield* call(backend)
    yield* TestClock.adjust(1500)
    const { respond } = server
    server.respond = (method, params, connection) =>
      method === "tools/call"
        ? { answer: "error", error: new RequestError({ fate: "rejected", reason: "unauthorized", message: "no" }) }
        : respond?.(method, params, connection)
    server.current.lose()
    yield* TestClock.adjust("1 minute")
    const error = failure(yield* Fiber.join(fiber))
    expect(error).toBeInstanceOf(ResultUnknown)
    expect(error.message).toContain(
      "its result is unknown (the server has forgotten its task); it may be carried out twice"
    )
  })

  test.scoped('[C17:virtual] calls.retry "never" still asks for the task on the next connection, and repeats no call', function*() {
    const { effects, script, server } = taskServer()
    const backend = yield* start(script, { calls: { retry: "never" } })
    const fiber = yield* call(backend, "long", { wait: "1 minute" })
    yield* TestClock.adjust(1500)
    server.current.lose()
    yield* TestClock.adjust("1 minute")
    expect(text(yield* Fiber.join(fiber))).toBe("long is done")
    expect(effects.count).toBe(1)
  })

  test.scoped("[C17:virtual] a server that does not come back leaves the result unknown", function*() {
    const { script, server } = taskServer()
    const backend = yield* start(script)
    const fiber = yield* call(backend)
    yield* TestClock.adjust(1500)
    server.otherwise = { connect: "hang" }
    server.current.lose()
    yield* TestClock.adjust("1 minute")
    const error = failure(yield* Fiber.join(fiber))
    expect(error).toBeInstanceOf(ResultUnknown)
    expect(error.message).toMatch(/^one: tools\/call began task t0, and its result is unknown \(one is /)
  })

  test.scoped("[C17:virtual] a connection is not idle while a task runs; one that is replaced drains until the outcome is there", function*() {
    const idle = taskServer({ duration: 60_000, pollInterval: 20_000 })
    const lazy = yield* start(idle.script, { lifecycle: { idleRelease: "10 seconds" } })
    const one = yield* call(lazy)
    yield* TestClock.adjust(60_000)
    expect(text(yield* Fiber.join(one))).toBe("long is done")
    expect(idle.server.connections).toHaveLength(1)

    const bound = taskServer({ bound: true })
    const backend = yield* start(bound.script)
    const two = yield* call(backend)
    yield* TestClock.adjust(1500)
    yield* Effect.fork(backend.reconnect)
    yield* TestClock.adjust(4000)
    expect(text(yield* Fiber.join(two))).toBe("long is done")
    expect(bound.server.connections).toHaveLength(2)
    expect(bound.requests.filter(({ method }) => method.startsWith("tasks/")).every(({ on }) => on === 0)).toBe(true)
  })

  test.scoped("[C17:virtual] a connection that has answered again after a silence is asked until it has drained", function*() {
    const { requests, script, server, tasks } = taskServer({ bound: true, duration: 10_000 })
    const { respond } = server
    let isFirst = true
    server.respond = (method, ...rest) => {
      if (method !== "tasks/get" || !isFirst) return respond?.(method, ...rest)
      isFirst = false
      return {
        answer: "error",
        error: new RequestError({ fate: "unknown", reason: "timeout", message: "no answer" })
      }
    }
    const backend = yield* start(script)
    const long = yield* call(backend)
    yield* TestClock.adjust(2500)
    expect(tasks.get("t0")?.polls).toBe(1)
    yield* Effect.fork(backend.reconnect)
    yield* TestClock.adjust(20_000)
    expect(text(yield* Fiber.join(long))).toBe("long is done")
    expect(requests.filter(({ method }) => method.startsWith("tasks/")).every(({ on }) => on === 0)).toBe(true)
  })

  for (const tasks of ["required", "prefer", "never"] as const) {
    test.scoped(
      `[C17:virtual] with calls.tasks "${tasks}", a server with the extension may answer with a task ${
        tasks === "required" ? "after it has refused to answer otherwise" : tasks === "prefer" ? "at once" : "never"
      }`,
      function*() {
        const { effects, script, server } = taskServer({ era: "2026" })
        const { respond } = server
        const options = () => script.options.filter(({ method }: any) => method === "tools/call")
        server.respond = (method, params, connection) => {
          if (method !== "tools/call" || options().at(-1)?.runsTask === true) {
            return respond?.(method, params, connection)
          }
          const data = { requiredCapabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } } }
          return {
            answer: "error",
            error: new RequestError({
              fate: "answered",
              reason: "remote",
              code: -32_021,
              message: "needs tasks",
              data
            })
          }
        }
        const backend = yield* start(script, { calls: { tasks } })
        const outcomes: Array<unknown> = []
        for (let round = 0; round < 2; round++) {
          const fiber = yield* call(backend)
          yield* TestClock.adjust("1 minute")
          const exit = yield* Fiber.join(fiber)
          outcomes.push(Exit.isSuccess(exit) ? text(exit) : failure(exit).code)
        }
        expect(outcomes).toEqual(tasks === "never" ? [-32_021, -32_021] : ["long is done", "long is done"])
        expect(
          options().map(({ runsTask }: any) => runsTask === true)
        ).toEqual(
          {
            required: [false, true, true],
            prefer: [true, true],
            never: [false, false]
          }[tasks]
        )
        expect(effects.count).toBe(tasks === "never" ? 0 : 2)
      }
    )
  }

  test.scoped("[C17:virtual] a caller that declares the extension itself gets the task", function*() {
    const { script, sent } = taskServer({ era: "2026" })
    const backend = yield* start(script, { calls: { tasks: "prefer" } })
    const clientCapabilities = { extensions: { "io.modelcontextprotocol/tasks": {} } }
    const result = yield* backend.callTool({
      name: "long",
      _meta: { "io.modelcontextprotocol/clientCapabilities": clientCapabilities }
    })
    expect(result["task"]).toMatchObject({ taskId: "t0" })
    yield* TestClock.adjust("1 minute")
    expect(sent("tasks/get")).toHaveLength(0)
  })

  test.scoped("[C17:virtual] a task outlives a connection that is closed because it has drained for too long, whatever calls.retry says", function*() {
    for (const retry of ["safe", "never"] as const) {
      const { effects, script, server } = taskServer({ duration: 10_000 })
      const backend = yield* start(script, { calls: { retry }, timeouts: { drain: "1 second" } })
      const fiber = yield* call(backend)
      yield* TestClock.adjust(1500)
      yield* Effect.fork(backend.reconnect)
      yield* TestClock.adjust("1 minute")
      expect(text(yield* Fiber.join(fiber))).toBe("long is done")
      expect(server.connections).toHaveLength(2)
      expect(effects.count).toBe(1)
    }
  })

  test.scoped('[C17:virtual] with afterSessionLoss "fail", a running task is asked for all the same, and the next call learns of the loss', function*() {
    const { script, server } = taskServer()
    const backend = yield* start(script, { calls: { afterSessionLoss: "fail" } })
    const fiber = yield* call(backend)
    yield* TestClock.adjust(1500)
    server.current.lose("session")
    yield* TestClock.adjust("1 minute")
    expect(text(yield* Fiber.join(fiber))).toBe("long is done")
    const next = yield* call(backend)
    yield* TestClock.adjust(0)
    expect(failure(yield* Fiber.join(next))._tag).toBe("SessionExpired")
  })
})
