/** A machine that stands still: the clock goes on while nothing runs, so timers are set and fire late. */
import { describe, expect, it } from "@effect/vitest"
import { Backend, type CallError, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Effect, Exit, identity, Scope } from "effect"

const rejected = (reason: RequestError["reason"]): ScriptedConnector.Answer => ({
  answer: "error",
  error: new RequestError({
    fate: "rejected",
    reason,
    message: "says the server",
    ifSessionLost: reason === "unauthorized" ? "rejected" : undefined
  })
})

const connected = (script: ScriptedConnector.ScriptedConnector) => {
  const sim = new Simulation.Simulation({ seed: "deadlines" })
  const scope = Effect.runSync(Scope.make())
  let backend: Backend.Backend | undefined
  sim.fork(Effect.map(
    Scope.extend(Backend.make("one", { connector: script, keepalive: { method: "none" } }), scope),
    (made) => {
      backend = made
    }
  ))
  sim.advance(10_000)
  const call = (how: <A, E>(call: Effect.Effect<A, E>) => Effect.Effect<A, E> = identity) => {
    const fiber = sim.fork(Effect.flip(how(backend!.callTool({ name: "pay" }, { timeout: 2000 }))))
    return (): CallError | "answered" | undefined => {
      const exit = fiber.unsafePoll()
      return exit === null ? undefined : Exit.isSuccess(exit) ? exit.value : "answered"
    }
  }
  const end = () => {
    sim.fork(Scope.close(scope, Exit.void))
    sim.advance(60_000)
  }
  return { sim, call, end }
}

type Begin = (script: ScriptedConnector.ScriptedConnector, world: ReturnType<typeof connected>) => void

const waits: ReadonlyArray<readonly [string, Begin]> = [
  [
    "a connection",
    (script) => {
      script.script({ connect: "hang" })
      script.current.lose("session")
    }
  ],
  [
    "the end of a doubt about its session",
    (script) => {
      script.script({ connect: "hang" })
      script.respond = () => rejected("unauthorized")
    }
  ],
  [
    "the place of such a doubt in the bucket",
    (script, { call, sim }) => {
      script.respond = (method, _, connection) => {
        if (method !== "tools/call" || connection.id >= 10) return undefined
        connection.lose("session")
        return rejected("session")
      }
      // Each ends two sessions.
      for (let i = 0; i < 5; i++) {
        call()
        sim.runUntilIdle()
      }
      expect(script.connections).toHaveLength(11)
      script.respond = () => rejected("unauthorized")
      script.script({ connect: "hang" })
    }
  ],
  [
    "the answer to a probe",
    (script, { call, sim }) => {
      script.respond = () => ({ answer: "never" })
      call()
      sim.advance(2000)
    }
  ],
  [
    "the probe that says whether it may be sent again",
    (script) => {
      script.respond = (method) => method === "tools/call" ? rejected("server") : { answer: "never" }
    }
  ],
  [
    "the pause before it is sent again",
    (script) => {
      script.respond = () => rejected("server")
    }
  ]
]

describe("C5: a call on a machine that stands still", () => {
  it.each(waits)("[C5] while it waits for %s, it ends once the machine goes on after its deadline", (_, begin) => {
    // After so many tasks of what the machine was doing.
    for (let tasks = 0; tasks < 60; tasks += tasks < 12 ? 1 : 6) {
      const script = ScriptedConnector.make()
      const world = connected(script)
      begin(script, world)
      const ended = world.call()
      for (let i = 0; i < tasks; i++) world.sim.step()
      expect(ended(), `after ${tasks} tasks`).toBeUndefined()
      world.sim.now += 5000
      world.sim.advance(0)
      expect(ended(), `after ${tasks} tasks`).toBeDefined()
      world.end()
    }
  })

  it("[C5] it is not sent where its time is over when there is a connection", () => {
    const script = ScriptedConnector.make()
    const { call, end, sim } = connected(script)
    script.script({ after: 500 })
    script.current.lose("session")
    const ended = call()
    sim.runUntilIdle()
    sim.suspend(60_000)
    sim.advance(500)
    expect(ended()).toMatchObject({
      _tag: "BackendUnavailable",
      message: expect.stringContaining("was not sent, because its time was over")
    })
    expect(script.ledger.sent("tools/call")).toEqual([])
    end()
  })
})

describe("C5: a call that cannot be interrupted, as in a finalizer", () => {
  it.each(waits)("[C5] while it waits for %s, it ends at its deadline", (_, begin) => {
    const script = ScriptedConnector.make()
    const world = connected(script)
    begin(script, world)
    const ended = world.call(Effect.uninterruptible)
    world.sim.advance(2000)
    expect(ended()).toBeDefined()
    world.end()
  })

  it("[C5] it is sent as soon as there is a connection, and ends with its answer", () => {
    const script = ScriptedConnector.make()
    const { call, end, sim } = connected(script)
    script.script({ after: 500 })
    script.current.lose("session")
    const ended = call(Effect.uninterruptible)
    sim.advance(500)
    expect(script.ledger.sent("tools/call")).toEqual([10_500])
    expect(ended()).toBe("answered")
    end()
  })
})
