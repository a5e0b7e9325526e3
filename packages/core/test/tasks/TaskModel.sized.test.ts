/** Interleavings of tasks with losses, silence and cancelling, with a ledger of leases, places in the queue, and tasks. */
import { Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Cause, Effect, Exit, type Fiber, Scope } from "effect"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { bySize } from "../../../testing/test/support/bySize.js"
import { leases } from "../support/Leases.js"

const statuses = ["working", "input_required", "completed", "failed", "cancelled", "sleeping"] as const

type Command =
  | { readonly do: "call"; readonly timeout: number }
  | { readonly do: "cancel"; readonly nth: number }
  | { readonly do: "say"; readonly nth: number; readonly status: typeof statuses[number] }
  | { readonly do: "forget"; readonly nth: number }
  | { readonly do: "hush"; readonly which: "old" | "current"; readonly isHushed: boolean }
  | { readonly do: "step"; readonly count: number }
  | { readonly do: "advance"; readonly millis: number }
  | { readonly do: "fire" | "lose" | "reconnect" | "fail" }

const nth = fc.nat(5)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("call" as const), timeout: fc.constantFrom(700, 9000, 3_600_000) })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("cancel" as const), nth }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("say" as const), nth, status: fc.constantFrom(...statuses) })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("forget" as const), nth }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("hush" as const),
      which: fc.constantFrom("old", "current"),
      isHushed: fc.boolean()
    })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("step" as const), count: fc.nat(40) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("advance" as const),
      millis: fc.constantFrom(0, 1, 999, 1000, 6000, 30_000)
    })
  },
  { weight: 1, arbitrary: fc.constant({ do: "fire" as const }) },
  { weight: 2, arbitrary: fc.constant({ do: "lose" as const }) },
  { weight: 3, arbitrary: fc.constant({ do: "reconnect" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "fail" as const }) }
)

interface Task {
  status: typeof statuses[number]
  isKnown: boolean
  cancels: number
}

interface Called {
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  task: Task | undefined
  isSent: boolean
  late: number
}

const places = 3

const seen = { moved: 0, cancelled: 0, queued: 0 }

const faultsOf = (commands: ReadonlyArray<Command>, seed: number, maxOps: number): ReadonlyArray<string> => {
  const sim = new Simulation.Simulation({ seed, maxOps })
  const ledger = leases()
  const script = ScriptedConnector.make()
  script.offer = {
    ...script.offer,
    tools: [{ ...ScriptedConnector.tool("long"), execution: { taskSupport: "required" } }]
  }
  const faults: Array<string> = []
  const calls: Array<Called> = []
  const tasks = new Map<string, Task>()
  const hushed = new Set<number>()
  const askedOn = new Map<string, number>()
  const notFound = { fate: "answered", reason: "remote", code: -32_602, message: "Task not found" } as const
  script.respond = (method, params: any, { id }) => {
    const task = tasks.get(params?.taskId)
    if (task !== undefined && method !== "tasks/cancel") {
      const before = askedOn.get(params.taskId) ?? id
      if (before !== id) seen.moved++
      askedOn.set(params.taskId, id)
    }
    if ((method === "tasks/get" || method === "tasks/result") && hushed.has(id)) return { answer: "never" }
    switch (method) {
      case "tools/call": {
        const call = calls[params.arguments.id]!
        if (call.isSent) faults.push(`call ${params.arguments.id} was sent twice`)
        call.isSent = true
        call.task = { status: "working", isKnown: true, cancels: 0 }
        tasks.set(`t${params.arguments.id}`, call.task)
        return {
          answer: "result",
          result: { task: { taskId: `t${params.arguments.id}`, status: "working", pollInterval: 1000 } }
        }
      }
      case "tasks/get":
        return task?.isKnown === true
          ? { answer: "result", result: { taskId: params.taskId, status: task.status, statusMessage: `${sim.now}` } }
          : { answer: "error", error: new RequestError(notFound) }
      case "tasks/result":
        if (task?.isKnown !== true) return { answer: "error", error: new RequestError(notFound) }
        // The answer comes when the task is over.
        return { answer: "result", after: task.status === "input_required" ? 20_000 : 0, result: { content: [] } }
      case "tasks/cancel":
        if (task !== undefined) task.cancels++
        return { answer: "result", result: {} }
      default:
        return undefined
    }
  }
  const connector = {
    transport: script.transport,
    target: script.target,
    overlap: true,
    connect: (options: never) =>
      Effect.map(script.connect(options), (connection) => ({
        ...connection,
        capabilities: { ...connection.capabilities, tasks: { requests: { tools: { call: {} } } } }
      }))
  }
  const scope = Effect.runSync(Scope.make())
  const making = sim.fork(Scope.extend(
    Backend.make("one", {
      connector: connector as never,
      calls: { concurrency: places },
      keepalive: { method: "none" },
      reconnect: { initialDelay: 100, maxDelay: 1000 },
      timeouts: { request: 5000, drain: "10 minutes" }
    }),
    scope
  ))
  sim.advance(0)
  const made = making.unsafePoll()
  if (made === null || !Exit.isSuccess(made)) return ["it could not be made"]
  const backend = made.value
  const call = (timeout: number) => {
    const id = calls.length
    const called: Called = { fiber: undefined as never, task: undefined, isSent: false, late: 0 }
    calls.push(called)
    const onprogress = () => {
      if (called.fiber?.unsafePoll() != null) called.late++
    }
    const options = { timeout, wait: "1 hour", onprogress } as const
    Object.assign(called, { fiber: sim.fork(backend.callTool({ name: "long", arguments: { id } }, options)) })
  }
  const isOver = ({ fiber }: Called) => fiber.unsafePoll() !== null
  const running = () => calls.filter((one) => one.task !== undefined && !isOver(one)).length
  const check = () => {
    faults.push(...ledger.faults())
    const pending = script.connections.reduce((sum, one) => sum + one.pending, 0)
    const held = ledger.all()
    if (held !== pending + running()) {
      faults.push(`${held} leases of ${running()} tasks and ${pending} requests, at ${sim.now}`)
    }
    const { queued, state } = Effect.runSync(backend.status)
    const inFlight = calls.filter((one) => one.isSent && !isOver(one)).length
    if (inFlight > places) faults.push(`${inFlight} are in flight`)
    if (queued > 0) seen.queued++
    if (queued > 0 && inFlight < places && state === "Connected") {
      faults.push(`${queued} wait for their turn while ${inFlight} are in flight`)
    }
  }
  /** There is always a connection over which the server can be told. */
  const isSteady = commands.every((one) => one.do !== "lose" && one.do !== "reconnect")
  for (const one of commands) {
    const { current } = script
    switch (one.do) {
      case "call":
        call(one.timeout)
        break
      case "cancel": {
        const fiber = calls[one.nth % Math.max(1, calls.length)]?.fiber
        fiber?.unsafeInterruptAsFork(fiber.id())
        break
      }
      case "say":
      case "forget": {
        const task = [...tasks.values()].at(-1 - one.nth)
        if (task === undefined) break
        if (one.do === "forget") task.isKnown = false
        else task.status = one.status
        break
      }
      case "hush": {
        const id = one.which === "current" ? current.id : current.id - 1
        if (one.isHushed) hushed.add(id)
        else hushed.delete(id)
        break
      }
      case "step":
        for (let i = 0; i < one.count; i++) sim.step()
        faults.push(...ledger.faults())
        continue
      case "fire":
        sim.fire()
        continue
      case "advance":
        sim.advance(one.millis)
        break
      case "lose":
        current.lose()
        break
      case "reconnect":
        sim.fork(Effect.ignore(backend.reconnect))
        break
      case "fail":
        script.failNext(1)
        break
    }
    if (one.do !== "advance") continue
    check()
  }
  script.clear()
  hushed.clear()
  sim.advance(60_000)
  for (const task of tasks.values()) task.status = "completed"
  sim.advance(4 * 3_600_000)
  check()
  for (const [id, one] of calls.entries()) {
    const exit = one.fiber.unsafePoll()
    if (exit === null) {
      faults.push(`call ${id} has not ended`)
      continue
    }
    if (one.late > 0) faults.push(`call ${id} heard progress after its end`)
    const cancels = one.task?.cancels ?? 0
    const error = Exit.isFailure(exit) && Cause.isFailType(exit.cause)
      ? exit.cause.error as { _tag: string }
      : undefined
    const isGivenUp = error === undefined ? Exit.isInterrupted(exit) : error._tag === "RequestTimeout"
    const isTold = isGivenUp && (cancels === 1 || (cancels === 0 && (one.task === undefined || !isSteady)))
    if (isGivenUp ? !isTold : cancels > 0) {
      faults.push(`the task of call ${id} was cancelled ${cancels} times: ${exit._tag}`)
    }
    seen.cancelled += cancels
  }
  if (ledger.all() !== 0) faults.push(`leases are held for ever: ${ledger.held().join()}`)
  if (script.ledger.live.length !== 1) faults.push(`open for ever: ${script.ledger.live.join()}`)
  for (let i = 0; i <= places; i++) call(3_600_000)
  sim.advance(0)
  const sent = calls.slice(-1 - places).filter(({ isSent }) => isSent).length
  if (sent !== places) faults.push(`${sent} of ${places} places are free`)
  for (const { fiber } of calls) fiber.unsafeInterruptAsFork(fiber.id())
  sim.advance(0)
  check()
  sim.fork(Scope.close(scope, Exit.void))
  sim.advance(60_000)
  ledger.stop()
  return [...faults, ...script.ledger.faults]
}

it(
  "[C17:virtual] whatever interleaves, each task holds one lease and one place until its call ends, and is cancelled once if that is given up",
  { timeout: 600_000 },
  () => {
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 40, size: "max" }),
        fc.nat(1000),
        fc.constantFrom(20, 200, 2048),
        (...run) => {
          expect(faultsOf(...run).slice(0, 5)).toEqual([])
        }
      ),
      {
        numRuns: bySize(30, 300),
        // A fiber that lets others run between the answer and the step that waits for the task.
        examples: [[[{ do: "call", timeout: 700 }, { do: "step", count: 13 }, { do: "cancel", nth: 0 }], 129, 20]],
        endOnFailure: process.env["LIFELINE_SHRINK"] === undefined
      }
    )
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0)
  }
)
