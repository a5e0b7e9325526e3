import { describe, expect, it } from "@effect/vitest"
import { Backend, Fleet, Log, type ProcessSight } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Stream } from "effect"
import * as fc from "fast-check"
import { world } from "../support/world.js"

const second = 1000
const minute = 60 * second
const never = { answer: "never" } as const

/** Each at an address of its own, and without a rhythm in common. */
const fleet = (
  count: number,
  seed = "silent",
  defaults: Fleet.FleetOptions["defaults"] = {},
  sight?: () => ProcessSight
) => {
  const made = world(seed)
  const machine = { addresses: "10.0.0.1", silent: (server: number): boolean => server < 0 }
  const scripts = Array.from({ length: count }, (_, i) => {
    const target = `https://${i}.example/mcp`
    const script = Object.assign(ScriptedConnector.make(), { target, addresses: () => machine.addresses })
    script.respond = () => machine.silent(i) ? never : undefined
    if (i === 2) script.sight = sight
    return script
  })
  const backends = Object.fromEntries(scripts.map((connector, i) => [`b${i}`, { connector }]))
  const opened = made.run(Fleet.make({ backends, defaults: { keepalive: { interval: "30 s" }, ...defaults } }))()
  made.simulation.advance(2 * minute)
  const statuses = () => Object.values(made.run(opened.status)())
  const ends = () => statuses().filter(({ generation }) => generation > 1).length
  return { ...made, machine, scripts, statuses, ends, fleet: opened }
}

describe("V11: what falls silent together is not judged one by one", () => {
  it("[V11:virtual] a network that is gone for up to four minutes, before or after sleep, ends no connection", () => {
    const gone = fc.record({
      count: fc.integer({ min: 2, max: 7 }),
      time: fc.oneof(fc.integer({ min: second, max: 15 * second }), fc.integer({ min: second, max: 4 * minute })),
      after: fc.nat(minute),
      sleeps: fc.boolean(),
      seed: fc.string()
    })
    fc.assert(
      fc.property(gone, ({ after, count, seed, sleeps, time }) => {
        const { end, ends, machine, scripts, simulation, statuses } = fleet(count, seed)
        simulation.advance(after)
        machine.silent = () => true
        if (sleeps) simulation.suspend(8 * 60 * minute)
        simulation.advance(time)
        expect(ends()).toBe(0)
        machine.silent = () => false
        simulation.advance(15 * second)
        expect(statuses().flatMap(({ verdict }) => verdict ?? [])).toEqual([])
        simulation.advance(3 * minute)
        expect(ends()).toBe(0)
        end()
        expect(scripts.flatMap(({ ledger }) => ledger.faults)).toEqual([])
      }),
      { numRuns: 8 }
    )
  })

  it("[V11:virtual] the status and the log say so, and one canary is asked every 5 s", () => {
    const { end, fleet: opened, machine, run, scripts, simulation, statuses } = fleet(4)
    const told: Array<string> = []
    run(opened.events.pipe(
      Stream.runForEach((event) => Effect.sync(() => told.push(Log.entryOf(event).message))),
      Effect.forkScoped
    ))
    machine.silent = () => true
    simulation.advance(70 * second)
    const why = "everything is silent: this machine; it does not answer"
    expect(statuses().map(({ verdict }) => [verdict?.kind, verdict?.reason])).toEqual(scripts.map(() => ["held", why]))
    expect(told).toContain(`b0: held: ${why}`)
    const asked = () => scripts.reduce((sum, { ledger }) => sum + ledger.sent("ping").length, 0)
    const before = asked()
    simulation.advance(minute)
    // Each is also asked every 10 s for itself.
    expect(asked() - before).toBeGreaterThanOrEqual(scripts.length * 6 + 10)
    expect(asked() - before).toBeLessThanOrEqual(scripts.length * 6 + 14)
    end()
  })

  it("[V11:virtual] one that is silent alone is replaced as soon as without others, which are asked whether it is this machine", () => {
    for (const count of [1, 2, 5]) {
      const { end, scripts, simulation, statuses } = fleet(count, "alone")
      scripts[0]!.respond = (_, __, { id }) => id === 0 ? never : undefined
      simulation.advance(minute + second)
      expect(statuses().map(({ generation }) => generation)).toEqual(scripts.map((_, i) => i === 0 ? 2 : 1))
      end()
    }
  })

  it("[V11:virtual] one whose first question after sleep is lost is asked again, if there are others", () => {
    for (const count of [1, 2]) {
      const { end, machine, simulation, statuses } = fleet(count)
      machine.silent = (i) => i === 0
      simulation.suspend(minute)
      simulation.advance(6 * second)
      machine.silent = () => false
      simulation.advance(minute)
      expect(statuses()[0]?.generation).toBe(count === 1 ? 2 : 1)
      end()
    }
  })

  it("[V11:virtual] those that stay silent are given up after five minutes, a third of them in a minute", () => {
    const { end, ends, machine, simulation } = fleet(7)
    machine.silent = () => true
    simulation.advance(5 * minute)
    expect(ends()).toBe(0)
    const perMinute = Array.from({ length: 4 }, () => {
      const before = ends()
      simulation.advance(minute)
      return ends() - before
    })
    expect(Math.max(...perMinute)).toBeLessThanOrEqual(3)
    end()
  })

  it("[V11:virtual] what a process shows counts at once", () => {
    let isStopped = false
    const idle = { isRunning: false, cpuTime: 0, transferred: undefined, pids: [1], youngest: undefined }
    const { end, machine, scripts, simulation, statuses } = fleet(3, "shown", {}, () => ({ ...idle, isStopped }))
    machine.silent = () => true
    simulation.advance(70 * second)
    for (const script of scripts) script.otherwise = { connect: "fail" }
    scripts[1]!.current.lose()
    isStopped = true
    simulation.advance(20 * second)
    expect(statuses().map(({ state }) => state === "Connected")).toEqual([true, false, false])
    end()
  })

  it("[V11:virtual] one server alone is kept for a minute after the machine's addresses have changed", () => {
    const { end, machine, scripts, simulation, statuses } = fleet(1)
    scripts[0]!.respond = (_, __, { id }) => id === 0 ? never : undefined
    machine.addresses = "10.0.0.2"
    simulation.advance(minute)
    expect(statuses().map(({ generation }) => generation)).toEqual([1])
    simulation.advance(20 * second)
    expect(statuses().map(({ generation }) => generation)).toEqual([2])
    end()
  })
})

describe("V12: health.enforce: false", () => {
  it("[V12:virtual] judges, tells and counts, and ends nothing", () => {
    const { end, fleet: opened, machine, run, scripts, simulation, statuses } = fleet(1, "sceptic", {
      health: { enforce: false }
    })
    const told: Array<unknown> = []
    run(opened.events.pipe(
      Stream.runForEach((event) =>
        Effect.sync(() => event._tag === "Judged" && told.push([event.kind, event.enforced]))
      ),
      Effect.forkScoped
    ))
    expect(statuses().map(({ wouldHaveEnded }) => wouldHaveEnded)).toEqual([0])
    for (const count of [1, 2]) {
      machine.silent = () => true
      simulation.advance(20 * minute)
      expect(statuses().map(({ generation, verdict, wouldHaveEnded }) => [generation, verdict?.kind, wouldHaveEnded]))
        .toEqual([[1, "wedged", count]])
      machine.silent = () => false
      simulation.advance(minute)
      expect(statuses().map(({ verdict }) => verdict)).toEqual([undefined])
    }
    expect(told).toEqual([["wedged", false], ["wedged", false]])
    end()
    expect(scripts.flatMap(({ ledger }) => ledger.faults)).toEqual([])
  })

  it("[V12:virtual] holds no call, and lets a start go on of which a process is stopped", () => {
    const { end, run, simulation } = world("goes on")
    const script = ScriptedConnector.make({ startLimit: 5 * minute })
    script.sight = () => ({
      isStopped: true,
      isRunning: false,
      cpuTime: 0,
      transferred: 0,
      pids: [1],
      youngest: undefined
    })
    script.script({ after: 2 * minute })
    const backend = run(Backend.make("one", { connector: script, health: { enforce: false } }))()
    simulation.advance(minute)
    expect(run(backend.status)()).toMatchObject({ verdict: { kind: "wedged" }, wouldHaveEnded: 1 })
    simulation.advance(minute)
    expect(script.ledger.attempts).toHaveLength(1)
    script.respond = () => never
    for (const count of [1, 2]) {
      run(Effect.ignore(backend.callTool({ name: "pay" }, { timeout: minute })))
      simulation.advance(2 * minute)
      expect(script.ledger.sent("tools/call")).toHaveLength(count)
    }
    expect(run(backend.status)()).toMatchObject({ generation: 1, wouldHaveEnded: 2 })
    end()
  })
})
