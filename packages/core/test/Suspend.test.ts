import { describe, expect, it } from "@effect/vitest"
import { Backend, Fleet, type Status } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { world } from "./support/world.js"

const second = 1000
const minute = 60 * second
const hour = 60 * minute

const one = (seed: string, options: Omit<Backend.BackendOptions, "connector"> = {}) => {
  const script = ScriptedConnector.make()
  const made = world(seed)
  const backend = made.run(Backend.make("one", { connector: script, ...options }))()
  const status = (): Status => made.run(backend.status)()
  return { ...made, script, backend, status }
}

describe("R11: after a suspend of the machine", () => {
  for (const seed of Array.from({ length: 20 }, (_, i) => `probe ${i}`)) {
    it(`[R11] one probe is sent within a tick, and no queued heartbeat follows it (${seed})`, () => {
      const { end, script, simulation, status } = one(seed, { keepalive: { interval: "1 minute" } })
      simulation.advance(10 * minute + 1)
      const before = script.ledger.sent("ping").length
      simulation.suspend(8 * hour)
      const resumedAt = simulation.now
      simulation.advance(5 * second)
      const probes = script.ledger.sent("ping").slice(before)
      expect(probes).toHaveLength(1)
      expect(probes[0]! - resumedAt).toBeLessThanOrEqual(5 * second)
      simulation.advance(40 * second - 1)
      expect(script.ledger.sent("ping")).toHaveLength(before + 1)
      simulation.advance(minute)
      expect(script.ledger.sent("ping").length).toBeGreaterThan(before + 1)
      expect([status().state, status().generation]).toEqual(["Connected", 1])
      end()
      expect(script.ledger.faults).toEqual([])
    })
  }

  it("[R11] that one probe decides: without an answer the connection is lost and comes back", () => {
    const { end, script, simulation, status } = one("decides", { keepalive: { timeout: "10 seconds" } })
    simulation.advance(minute)
    const before = script.ledger.sent("ping").length
    script.respond = (method, _, { id }) => id === 0 && method === "ping" ? { answer: "never" } : undefined
    simulation.suspend(hour)
    simulation.advance(5 * second)
    expect(script.ledger.sent("ping")).toHaveLength(before + 1)
    expect(status().state).toBe("Connected")
    simulation.advance(10 * second)
    expect(script.ledger.sent("ping", 0)).toHaveLength(before + 1)
    expect(status().lastError).toContain("suspended")
    simulation.advance(second)
    expect([status().state, status().generation]).toEqual(["Connected", 2])
    end()
    expect(script.ledger.faults).toEqual([])
  })

  it.each(["works", "rests"] as const)(
    "[R11 V1:virtual V2:virtual] unless the evidence speaks for it: a server that %s on a call",
    (what) => {
      const { backend, end, run, script, simulation, status } = one("evidence", {
        keepalive: { timeout: "10 seconds" }
      })
      let cpuTime = 0
      script.sight = () => ({
        isStopped: false,
        isRunning: false,
        cpuTime: what === "works" ? cpuTime++ : 0,
        transferred: what === "works" ? cpuTime : undefined,
        pids: [1],
        youngest: 1e9
      })
      script.current.lose()
      simulation.advance(minute)
      // It has answered during a call before.
      script.respond = (method) => method === "tools/call" ? { answer: "result", after: 100 } : undefined
      run(backend.callTool({ name: "slow" }))
      run(backend.ping())
      simulation.advance(second)
      script.respond = (_, __, { id }) => id === 1 ? { answer: "never" } : undefined
      run(backend.callTool({ name: "slow" }, { timeout: "1 day" }))
      simulation.suspend(hour)
      simulation.advance(40 * second)
      expect(status().generation).toBe(what === "works" ? 2 : 3)
      end()
    }
  )

  it("[R11] one probe decides while a caller waits, too: nothing is known of what the server does", () => {
    const { backend, end, run, script, simulation, status } = one("waits")
    simulation.advance(minute)
    script.respond = (_, __, { id }) => id === 0 ? { answer: "never" } : undefined
    run(backend.callTool({ name: "slow" }, { timeout: "1 day" }))
    simulation.suspend(8 * hour)
    simulation.advance(16 * second)
    expect(status().lastError).toBe("a probe failed after the machine was suspended: no answer within 10000 ms")
    simulation.advance(second)
    expect(status().generation).toBe(2)
    end()
  })

  it("[R11] a pause of no more than 10 s is none", () => {
    for (const [pause, probes] of [[10 * second, 0], [10 * second + 1, 1]] as const) {
      const { end, script, simulation } = one("pause", { keepalive: { interval: "24 hours" } })
      simulation.advance(minute)
      const before = script.ledger.sent("ping").length
      simulation.suspend(pause)
      simulation.advance(5 * second)
      expect(script.ledger.sent("ping")).toHaveLength(before + probes)
      end()
    }
  })

  for (const state of ["Reconnecting", "Dormant"] as const) {
    it(`[R11] a backend that is ${state} is tried at once, and once`, () => {
      const { end, script, simulation, status } = one(state, {
        reconnect: { initialDelay: "1 hour", maxDelay: "1 hour", maxAttempts: state === "Dormant" ? 1 : 5 }
      })
      simulation.advance(minute)
      script.otherwise = { connect: "fail" }
      script.current.lose()
      if (state === "Dormant") simulation.advance(hour)
      simulation.advance(10 * second)
      expect(status().state).toBe(state)
      const before = script.ledger.attempts.length
      simulation.suspend(20 * minute)
      const resumedAt = simulation.now
      simulation.advance(5 * second)
      const attempts = script.ledger.attempts.slice(before)
      expect(attempts).toHaveLength(1)
      expect(attempts[0]! - resumedAt).toBeLessThanOrEqual(5 * second)
      simulation.advance(minute)
      expect(script.ledger.attempts).toHaveLength(before + 1)
      end()
    })
  }

  it("[R11] a Retry-After that has not run out holds", () => {
    const { end, script, simulation } = one("held", { reconnect: { maxRetryAfter: "2 hours" } })
    script.otherwise = { connect: "fail", error: { retryAfter: 2 * hour } }
    script.current.lose({ kind: "closed", message: "503", retryAfter: 2 * hour })
    simulation.runUntilIdle()
    const before = script.ledger.attempts.length
    simulation.suspend(hour)
    simulation.advance(hour - 1)
    expect(script.ledger.attempts).toHaveLength(before)
    simulation.advance(1)
    expect(script.ledger.attempts).toHaveLength(before + 1)
    end()
  })

  it("[R11] who is not to connect stays as it is, and keepalive none sends nothing", () => {
    for (const options of [{ lifecycle: { lazy: true } }, { lifecycle: { disabled: true } }] as const) {
      const { end, script, simulation } = one("off", options)
      simulation.suspend(hour)
      simulation.advance(minute)
      expect(script.ledger.entries).toEqual([])
      end()
    }
    const { end, script, simulation } = one("none", { keepalive: { method: "none" } })
    simulation.advance(minute)
    simulation.suspend(hour)
    simulation.advance(minute)
    expect(script.ledger.sent("ping")).toEqual([])
    end()
  })

  it("[R11] a fleet has one watch; each of its backends is probed once, and one that was stopped never", () => {
    const { end, run, simulation } = world("fleet")
    const scripts = Array.from({ length: 50 }, () => ScriptedConnector.make())
    const entries = scripts.map((connector, i) =>
      [`b${i}`, { connector, keepalive: { interval: "24 hours" } }] as const
    )
    const before = simulation.timers
    const fleet = run(Fleet.make({ backends: Object.fromEntries(entries) }))()
    simulation.advance(minute)
    expect(simulation.timers - before).toBe(scripts.length + 1)
    run(fleet.apply(Object.fromEntries(entries.slice(1))))()
    simulation.advance(second)
    const sent = () => scripts.map(({ ledger }) => ledger.sent("ping").length)
    const already = sent()
    simulation.suspend(hour)
    simulation.advance(5 * second)
    expect(sent().map((count, i) => count - already[i]!)).toEqual(scripts.map((_, i) => i === 0 ? 0 : 1))
    end()
    expect(simulation.timers).toBe(before)
    expect(scripts.flatMap(({ ledger }) => ledger.faults)).toEqual([])
  })
})
