/**
 * Generated interleavings of calls, losses, answers and time, against what has to hold whatever happens.
 */
import { Backend } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Effect, Exit, Scope } from "effect"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { leases } from "../../../core/test/support/Leases.js"
import { bySize } from "../../../testing/test/support/bySize.js"
import * as PooledConnector from "../../src/pool/PooledConnector.js"

type Command =
  | { readonly do: "call"; readonly tool: "read" | "write" }
  | { readonly do: "lose"; readonly nth: number }
  | { readonly do: "cancel"; readonly nth: number }
  | { readonly do: "step"; readonly count: number }
  | { readonly do: "advance"; readonly millis: number }
  | { readonly do: "fire" }
  | { readonly do: "fail" }
  | { readonly do: "reconnect" }

const nth = fc.nat(5)

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("call" as const), tool: fc.constantFrom("read", "write") }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("lose" as const), nth }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), nth }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("step" as const), count: fc.nat(40) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("advance" as const), millis: fc.constantFrom(0, 1, 500, 4000) })
  },
  { weight: 2, arbitrary: fc.constant({ do: "fire" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "fail" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "reconnect" as const }) }
)

/** Runs the commands; everything that should not have happened. */
const faultsOf = (commands: ReadonlyArray<Command>, seed: number, maxOps: number): ReadonlyArray<string> => {
  const sim = new Simulation.Simulation({ seed, maxOps })
  const ledger = leases()
  const script = ScriptedConnector.make()
  const faults: Array<string> = []
  const reconnects = commands.filter((one) => one.do === "reconnect").length
  const tools = [ScriptedConnector.tool("write"), ScriptedConnector.tool("read", { readOnlyHint: true })]
  script.offer = { ...script.offer, tools }
  /** Where each call was sent. */
  const sent = new Map<number, Array<number>>()
  script.respond = (method, params, { id: connection }) => {
    if (method !== "tools/call") return undefined
    const { arguments: { id }, name } = params as { readonly name: string; readonly arguments: { readonly id: number } }
    const all = sent.get(id) ?? []
    sent.set(id, [...all, connection])
    // The server has it now: it may do it.
    if (name === "write" && all.length > 0) faults.push(`the write ${id} was sent to ${[...all, connection].join()}`)
    return { answer: "result", after: 300 + (id % 7) * 200 }
  }
  script.ledger.onWrite = (entry) => {
    // A reconnect makes new ones beside the old ones, which finish their calls.
    if (entry._tag === "Opened" && script.ledger.live.length > 3 * (1 + reconnects)) faults.push("too many are open")
  }
  const scope = Effect.runSync(Scope.make())
  const connector = PooledConnector.make({ connector: script, processes: 3 })
  const making = sim.fork(Scope.extend(
    Backend.make("files", { connector, keepalive: { method: "none" }, timeouts: { request: "20 seconds" } }),
    scope
  ))
  sim.advance(0)
  const made = making.unsafePoll()
  if (made === null || !Exit.isSuccess(made)) return ["it could not be made"]
  const backend = made.value
  const calls: Array<{ readonly poll: () => Exit.Exit<unknown, unknown> | null; readonly cancel: () => void }> = []
  /** What a process works on is what it was asked and has not answered. */
  const check = () => {
    faults.push(...ledger.faults())
    for (const { inFlight, pid } of Effect.runSync(backend.status).peer?.processes ?? []) {
      const pending = pid === undefined ? 0 : script.connections[pid]?.pending
      if (inFlight !== pending) faults.push(`${inFlight} leases of ${pending} requests`)
    }
  }
  for (const one of commands) {
    switch (one.do) {
      case "call": {
        const id = calls.length
        const fiber = sim.fork(backend.callTool({ name: one.tool, arguments: { id } }))
        calls.push({
          poll: () => fiber.unsafePoll(),
          cancel: () => fiber.unsafeInterruptAsFork(fiber.id())
        })
        break
      }
      case "lose": {
        const { live } = script.ledger
        const connection = live[one.nth % Math.max(1, live.length)]
        if (connection !== undefined) script.connections[connection]?.lose()
        break
      }
      case "cancel":
        calls[one.nth % Math.max(1, calls.length)]?.cancel()
        break
      case "step":
        for (let i = 0; i < one.count; i++) sim.step()
        break
      case "advance":
        sim.advance(one.millis)
        check()
        break
      case "fire":
        sim.fire()
        break
      case "fail":
        script.failNext(1)
        break
      case "reconnect":
        sim.fork(Effect.ignore(backend.reconnect))
        break
    }
  }
  script.clear()
  sim.advance(120_000)
  calls.forEach(({ poll }, id) => {
    if (poll() === null) faults.push(`the call ${id} has not ended`)
  })
  const status = Effect.runSync(backend.status)
  if (status.state !== "Connected" || script.ledger.live.length !== 3) {
    faults.push(`it has not recovered: ${status.state}, ${script.ledger.live.length} processes`)
  }
  if (status.inFlight > 0 || status.peer?.processes?.some(({ inFlight }) => inFlight > 0) === true) {
    faults.push("calls are in flight for ever")
  }
  if (ledger.all() !== 0) faults.push(`leases are held for ever: ${ledger.held().join()}`)
  sim.fork(Scope.close(scope, Exit.void))
  sim.advance(60_000)
  ledger.stop()
  return [...faults, ...script.ledger.faults]
}

it(
  "[C18:virtual] whatever interleaves, no write is sent twice, each call ends, and each process is closed once",
  { timeout: 600_000 },
  () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), fc.nat(), fc.constantFrom(20, 200, 2048), (...run) => {
        expect(faultsOf(...run)).toEqual([])
      }),
      { numRuns: bySize(30, 200) }
    )
  }
)
