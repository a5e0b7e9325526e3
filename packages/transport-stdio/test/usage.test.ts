import { Backend } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { afterEach, assert, describe, it, vi } from "vitest"
import { type GroupUsage, memoryIn, type Meter, procMeter, psMeter, readPs } from "../src/GroupUsage.js"
import { shared, UsageSampler } from "../src/UsageSampler.js"
import { connected, serverOf } from "./support.js"

const MB = 1e6
const times = { first: 500, limited: 5000, unlimited: 15_000, atMost: 0.01 }

afterEach(() => vi.useRealTimers())

const family = async (megabytes: number) => {
  const hold = `globalThis.held = Buffer.alloc(${megabytes * MB}, 1); setInterval(() => {}, 1000)`
  const code = `${hold}; const child = require("node:child_process").spawn(process.execPath,
    ["-e", ${JSON.stringify(`${hold}; process.stdout.write("up")`)}], { stdio: ["ignore", "inherit", "inherit"] })`
  const leader = spawn(process.execPath, ["-e", code], { detached: true, stdio: ["ignore", "pipe", "inherit"] })
  await new Promise((resolve) => leader.stdout.once("data", resolve))
  const pid = leader.pid ?? 0
  return { pid, end: () => process.kill(-pid, "SIGKILL") }
}

describe("what groups use", () => {
  const meters: ReadonlyArray<readonly [name: string, meter: Meter, isThere: boolean]> = [
    ["/proc", procMeter, process.platform === "linux"],
    ["ps", psMeter(), existsSync("/bin/ps")]
  ]
  for (const [name, meter, isThere] of meters) {
    it.skipIf(!isThere)(`[S13:real] ${name} counts the whole group and nobody else, again and again`, async () => {
      const groups = await Promise.all([family(60), family(1)])
      try {
        const [large, small] = groups.map(({ pid }) => pid) as [number, number]
        for (let round = 0; round < 2; round++) {
          const found = await meter.measure(new Set([large, small, 1 << 30]))
          assert.sameMembers([...found.keys()], [large, small])
          const [of60, of1] = [found.get(large), found.get(small)] as [GroupUsage, GroupUsage]
          assert.isAbove(of60.memory - of1.memory, 100 * MB)
          assert.isBelow(of60.memory - of1.memory, 140 * MB)
          assert.isAtLeast(of60.cpuTime, 0)
          assert.isBelow(of60.cpuTime, 60)
        }
      } finally {
        for (const { end } of groups) end()
      }
    })
  }

  it.each([
    ["Rss: 90 kB\nPss:                  10 kB\nPss_Dirty: 9 kB\nSwap: 7 kB\nSwapPss: 5 kB\n", 15],
    ["Pss: 10 kB\n", 10],
    ["Pss: 0 kB\nSwapPss: 5 kB\n", 5],
    ["Name: node\nVmHWM: 99 kB\nVmRSS:\t     20 kB\nVmSwap:\t 3 kB\n", 23],
    ["Name: kthreadd\n", undefined]
  ])("[S13] counts what is swapped out, too: %j", (text, kilobytes) => {
    assert.strictEqual(memoryIn(text), kilobytes && kilobytes * 1024)
  })

  it("[S13] reads what ps says: sums by group, all forms of times, no zombies", () => {
    const text =
      "  PGID    RSS     TIME\n   7  1000   0:01.50\n   7   500 01:02:03\n  8 100 2-00:00:01\n 9 0 0:00.00\n\nwhat?"
    assert.deepStrictEqual(
      [...readPs(text, new Set([7, 8, 9]))],
      [[7, { memory: 1500 * 1024, cpuTime: 3724.5 }], [8, { memory: 100 * 1024, cpuTime: 172_801 }]]
    )
  })

  it("[S13] a ps that is not there measures nothing", async () => {
    assert.strictEqual((await psMeter("/nowhere/ps").measure(new Set([1]))).size, 0)
  })
})

describe("the sampler", () => {
  /** Whose groups were measured when. Each group uses a megabyte, and a second more each time. */
  const sampler = (took = 0) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"], now: 0 })
    const passes: Array<readonly [at: number, ...groups: ReadonlyArray<number>]> = []
    const meter: Meter = {
      measure: async (groups) => {
        passes.push([performance.now(), ...groups])
        if (took > 0) await new Promise((resolve) => setTimeout(resolve, took))
        return new Map([...groups].map((group) => [group, { memory: MB, cpuTime: passes.length }]))
      }
    }
    return { passes, sampler: new UsageSampler(meter, times) }
  }
  const nobody = () => {}

  it("[S13] one pass measures all that are due, each at its interval", async () => {
    const { passes, sampler: one } = sampler()
    one.watch(1, true, nobody)
    await vi.advanceTimersByTimeAsync(200)
    one.watch(2, false, nobody)
    one.watch(3, true, nobody)
    await vi.advanceTimersByTimeAsync(16_000)
    assert.deepStrictEqual(passes, [[500, 1, 2, 3], [5500, 1, 3], [10_500, 1, 3], [15_500, 1, 2, 3]])
  })

  it("[S13] tells memory, processor time, and its part of a core since the time before", async () => {
    const { sampler: one } = sampler()
    const told: Array<unknown> = []
    one.watch(1, true, (usage) => told.push(usage))
    await vi.advanceTimersByTimeAsync(5500)
    assert.deepStrictEqual(told, [
      { memory: MB, cpu: undefined, cpuTime: 1 },
      { memory: MB, cpu: 20, cpuTime: 2 }
    ])
  })

  it("[S13] stops when nobody is watched, and begins again", async () => {
    const { passes, sampler: one } = sampler()
    const end = one.watch(1, true, nobody)
    await vi.advanceTimersByTimeAsync(600)
    end()
    assert.strictEqual(vi.getTimerCount(), 0)
    await vi.advanceTimersByTimeAsync(60_000)
    one.watch(2, true, nobody)
    await vi.advanceTimersByTimeAsync(600)
    assert.deepStrictEqual(passes.map(([, ...groups]) => groups), [[1], [2]])
  })

  it("[S13] a measurement in progress when its group ends tells nothing, and plans nothing", async () => {
    const { passes, sampler: one } = sampler(100)
    let told = 0
    const end = one.watch(1, true, () => told++)
    await vi.advanceTimersByTimeAsync(550)
    end()
    await vi.advanceTimersByTimeAsync(60_000)
    assert.deepStrictEqual([passes.length, told, vi.getTimerCount()], [1, 0, 0])
  })

  it.each([[500, 50_000], [600, 60_000], [1000, 60_000]])(
    "[S13] a measurement that takes %i ms is repeated after %i, and never made twice at once",
    async (took, pause) => {
      const { passes, sampler: one } = sampler(took)
      one.watch(1, true, nobody)
      await vi.advanceTimersByTimeAsync(700)
      one.watch(2, true, nobody)
      await vi.advanceTimersByTimeAsync(2 * (took + pause))
      const second = 500 + took + pause
      assert.deepStrictEqual(passes, [
        [500, 1],
        [Math.max(1200, 501 + took), 2],
        [second, 1, 2],
        [second + took + pause, 1, 2]
      ])
    }
  )

  it("[S13] goes on after a meter that fails", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"], now: 0 })
    let passes = 0
    const one = new UsageSampler({ measure: () => Promise.reject(new Error(`no /proc (${++passes})`)) }, {
      ...times,
      first: 0
    })
    one.watch(1, true, () => assert.fail("told"))
    await vi.advanceTimersByTimeAsync(11_000)
    assert.strictEqual(passes, 3)
  })
})

describe("maxMemory", () => {
  it("[S13] is judged for each backend by itself", () => {
    const { usageLimit } = StdioConnector.make({ command: "x", maxMemory: "1 GB" })
    const [one, other] = [usageLimit?.(), usageLimit?.()]
    one?.measured({ memory: 9e8, cpu: undefined, cpuTime: 0 }, 0)
    assert.deepStrictEqual(one?.status, {
      bytes: 1e9,
      restarts: 0,
      warning: "900 MB of memory, 90% of its limit of 1 GB (maxMemory)"
    })
    assert.deepStrictEqual(other?.status, { bytes: 1e9, restarts: 0, warning: undefined })
    assert.isUndefined(StdioConnector.make({ command: "x" }).usageLimit)
  })

  it.each<[maxMemory: "1 GB" | undefined, isLimited: boolean]>([["1 GB", true], [undefined, false]])(
    "[S13:real] with a limit of %s a server is measured as one with a limit: %s",
    async (maxMemory, isLimited) => {
      const watch = vi.spyOn(shared, "watch")
      const connector = StdioConnector.make(serverOf("2025")({}, { maxMemory }))
      const pid = await Effect.runPromise(
        Effect.scoped(Effect.flatMap(Backend.make("one", { connector }), connected))
      )
      const watched = watch.mock.calls.filter(([group]) => group === pid)
      assert.deepStrictEqual(watched.map(([, limited]) => limited), [isLimited])
      watch.mockRestore()
    }
  )
})
