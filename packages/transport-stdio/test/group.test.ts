import { once } from "node:events"
import { readFileSync } from "node:fs"
import { afterEach, assert, describe, it, vi } from "vitest"
import { timersOf } from "../../testing/test/support/Timers.js"
import type { Options } from "../src/ProcessGroup.js"
import { ProcessGroup } from "../src/ProcessGroup.js"
import { livingIn } from "./support.js"

const make = (command: string, args: ReadonlyArray<string> = [], more: Partial<Options> = {}): ProcessGroup => {
  const env = { PATH: process.env["PATH"] ?? "" }
  const times = { stdinGrace: 60_000, termGrace: 60_000 }
  return new ProcessGroup({ command, args, env, cwd: undefined, handleSignals: false, ...times, ...more })
}

const { kill } = process
afterEach(() => {
  vi.useRealTimers()
  process.kill = kill
})

const watch = (arrives: (signal: unknown) => boolean = () => true) => {
  const sent: Array<readonly [signal: unknown, to: number, at: number]> = []
  process.kill = (to, signal) => {
    if (signal !== 0) sent.push([signal, to, Math.round(performance.now())])
    return arrives(signal) ? kill(to, signal) : true
  }
  return {
    sent,
    signals: () => sent.map(([signal]) => signal)
  }
}

const fakeTime = () => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"], now: 0 })

const ready = (group: ProcessGroup) => once(group.child.stdout, "data")

describe.skipIf(process.platform === "win32")("a process group", () => {
  it("[S1:unit] [S8:unit] one that is gone is sent nothing and asked nothing: the system may have given its number to another one", async () => {
    const group = make("true")
    await once(group.child, "exit")
    await group.shutdown()
    const sent = vi.spyOn(process, "kill")
    group.kill()
    await group.shutdown()
    assert.lengthOf(sent.mock.calls, 0)
  })

  it("[S1:unit] one that was never there is gone at once", async () => {
    const hooks = process.listenerCount("exit")
    const group = make("/nowhere/there-is-no-such-command")
    await once(group.child, "error")
    const sent = vi.spyOn(process, "kill")
    group.kill()
    await group.shutdown()
    assert.lengthOf(sent.mock.calls, 0)
    assert.strictEqual(process.listenerCount("exit"), hooks)
  })

  it("[S1:unit] a server that ends with its stdin gets no signal; the end is reported once", async () => {
    const hooks = process.listenerCount("exit")
    const { signals } = watch()
    const group = make("sh", ["-c", "cat; exit 7"])
    group.serves()
    assert.strictEqual(process.listenerCount("exit"), hooks + 1)
    const shutdown = group.shutdown()
    assert.strictEqual(group.shutdown(), shutdown)
    await shutdown
    assert.deepStrictEqual(group.exit, { code: 7, signal: null })
    assert.deepStrictEqual(signals(), [])
    assert.strictEqual(process.listenerCount("exit"), hooks)
  })

  it("[S1:unit] what has not shown itself to be a server gets no time to end by itself", async () => {
    const { sent } = watch()
    const group = make("sleep", ["1000"])
    await group.shutdown()
    assert.deepStrictEqual(group.exit, { code: null, signal: "SIGTERM" })
    assert.deepStrictEqual(sent.map(([signal, to]) => [signal, to]), [["SIGTERM", -group.pid!]])
  })

  it("[S1:unit] a group of which a process is stopped gets SIGKILL at once, and does not go on", async () => {
    for (const program of ["echo; exec sleep 1000", "sleep 1000 & echo; wait"]) {
      const { signals } = watch()
      const group = make("sh", ["-c", program], { stdinGrace: 100_000, termGrace: 100_000 })
      await ready(group)
      group.serves()
      const last = livingIn(group.pid!).at(-1)!
      kill(last, "SIGSTOP")
      await vi.waitFor(() => assert.match(readFileSync(`/proc/${last}/stat`, "utf8"), /\) T /), { timeout: 60_000 })
      await group.shutdown()
      assert.deepStrictEqual(signals(), ["SIGKILL"])
    }
  })

  it("[S1:unit] each grace passes before the next step, and what survives SIGKILL for five seconds is reported", async () => {
    fakeTime()
    const { sent } = watch(() => false)
    const group = make("sleep", ["1000"], { stdinGrace: 3_000, termGrace: 2_000 })
    const began = performance.now()
    group.serves()
    let outcome = ""
    const shutdown = group.shutdown().then(() => outcome = "ended", (error: Error) => outcome = error.message)
    await vi.advanceTimersByTimeAsync(9_999)
    assert.deepStrictEqual(sent.map(([signal, , at]) => [signal, at - began]), [
      ["SIGTERM", 3_000],
      ["SIGKILL", 5_000]
    ])
    assert.isTrue(group.stdin.writableEnded)
    assert.strictEqual(outcome, "")
    await vi.advanceTimersByTimeAsync(1)
    assert.strictEqual(outcome, `process group ${group.pid} still has processes 5000 ms after SIGKILL`)
    await shutdown
    vi.useRealTimers()
    process.kill = kill
    const exited = once(group.child, "exit")
    group.kill()
    await exited
  })

  it("[S1:unit V7] the server of one that is condemned is killed at once, and what is left of it gets little time to end", async () => {
    fakeTime()
    const { sent } = watch((signal) => signal === "SIGKILL")
    const group = make("sh", ["-c", "trap '' TERM; sleep 1000 & echo; wait"])
    await ready(group)
    group.serves()
    const began = performance.now()
    const exited = once(group.child, "exit")
    group.condemn()
    assert.deepStrictEqual(await exited, [null, "SIGKILL"])
    const shutdown = group.shutdown()
    await vi.advanceTimersByTimeAsync(199)
    assert.deepStrictEqual(sent.map(([signal, , at]) => [signal, at - began]), [["SIGTERM", 0]])
    await vi.advanceTimersByTimeAsync(1)
    assert.deepStrictEqual(sent.map(([signal, , at]) => [signal, at - began]), [["SIGTERM", 0], ["SIGKILL", 200]])
    let ended = false
    void shutdown.then(() => ended = true)
    await vi.waitUntil(() => ended, { timeout: 60_000 })
    assert.strictEqual(group.exit?.signal, "SIGKILL")
  })

  it("[S12:unit] is recorded with its times, again when it has shown itself to be a server, and until it has ended", async () => {
    const told: Array<unknown> = []
    const recording = {
      env: {},
      started: (group: unknown) => void told.push(group),
      ended: () => void told.push("ended")
    }
    const before = Date.now()
    const group = make("cat", [], { recording, stdinGrace: 60_001, termGrace: 60_002, installTime: 90_000 })
    const known = { pid: group.pid, stdinGrace: 60_001, termGrace: 60_002, other: undefined }
    const [{ finishBy, ...first }] = told as [{ readonly finishBy: number }]
    assert.deepStrictEqual<unknown>(first, known)
    assert.isTrue(finishBy >= before + 90_000 && finishBy <= Date.now() + 90_000)
    group.serves()
    group.serves()
    assert.deepStrictEqual(told.slice(1), [known])
    await group.shutdown()
    await group.shutdown()
    assert.deepStrictEqual(told.slice(2), ["ended"])
    const none = make("/nowhere/there-is-no-such-command", [], { recording })
    await once(none.child, "error")
    await none.shutdown()
    assert.lengthOf(told, 3)
  })

  it("[W5:unit S8:unit] one that may be downloading is left alone until its time is over, and then ended", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"], now: 1_000_000 })
    const { sent } = watch((signal) => signal === 0 || signal === "SIGKILL")
    const group = make("sleep", ["1000"], { installTime: 90_000, termGrace: 2_000 })
    const began = performance.now()
    const times = () => sent.map(([signal, , at]) => [signal, at - began])
    group.kill()
    await group.shutdown()
    assert.isTrue(group.stdin.writableEnded)
    await vi.advanceTimersByTimeAsync(89_999)
    group.kill()
    assert.deepStrictEqual(times(), [])
    await vi.advanceTimersByTimeAsync(1)
    assert.deepStrictEqual(times(), [["SIGTERM", 90_000]])
    await vi.advanceTimersByTimeAsync(2_000)
    assert.deepStrictEqual(times().slice(1), [["SIGKILL", 92_000]])
    vi.useRealTimers()
    await group.finished
    assert.strictEqual(group.exit?.signal, "SIGKILL")
  })

  it("[S11:unit] its container is removed when it has ended, and told how; only then nothing of it is recorded", async () => {
    const cases: ReadonlyArray<readonly [script: string, serves: boolean, end: object]> = [
      // Whoever ends with its stdin, or is refused, was sent nothing.
      ["cat", true, { terminated: false, late: false, refused: false }],
      ["exit 125", false, { terminated: false, late: false, refused: true }],
      ["exec sleep 1000", false, { terminated: true, late: true, refused: false }]
    ]
    for (const [script, serves, end] of cases) {
      const told: Array<unknown> = []
      let remove = (): void => undefined
      const removed = new Promise<void>((resolve) => (remove = resolve))
      const container = {
        found: { engine: ["docker"], run: "1f", rm: false },
        isEnded: false,
        end: (how: object) => {
          told.push(how)
          return removed
        },
        removeNow: (until: number) => void told.push(["now", until])
      }
      const recording = { env: {}, started: () => void told.push("started"), ended: () => void told.push("ended") }
      const group = make("sh", ["-c", script], { container: container as never, recording, stdinGrace: 60_000 })
      if (serves) group.serves()
      if (script.startsWith("exit")) await once(group.child, "exit")
      const shutdown = group.shutdown()
      await vi.waitFor(() => assert.lengthOf(told, 2), { timeout: 60_000 })
      assert.deepStrictEqual(told, ["started", end])
      group.kill(7)
      container.isEnded = true
      group.kill(8)
      assert.deepStrictEqual(told.slice(2), [["now", 7]])
      remove()
      await shutdown
      assert.deepStrictEqual(told.slice(3), ["ended"])
    }
  })

  it("[S1:unit] the exit ends the wait of each grace, and its timer", async () => {
    fakeTime()
    for (const [until, grace] of [["SIGTERM", 2_000], ["SIGKILL", 5_000]] as const) {
      const { signals } = watch((signal) => signal === 0 || signal === until)
      const group = make("sleep", ["1000"], { termGrace: 2_000 })
      const timers = await timersOf(grace, async () => {
        const ended = group.shutdown()
        if (until === "SIGKILL") await vi.advanceTimersByTimeAsync(2_000)
        await ended
      })
      assert.strictEqual(group.exit?.signal, until)
      assert.deepStrictEqual(signals().at(-1), until)
      assert.deepStrictEqual(timers, { set: 1, cleared: 1 })
    }
  })

  it("[S2:unit] what outlives its leader is ended at once, and not again by the shutdown", async () => {
    const { signals } = watch((signal) => signal === 0)
    const group = make("sh", ["-c", "sleep 1000 & echo; read line"])
    await ready(group)
    assert.lengthOf(livingIn(group.pid!), 2)
    group.stdin.end("\n")
    await once(group.child, "exit")
    assert.deepStrictEqual(signals(), ["SIGTERM"])
    assert.lengthOf(livingIn(group.pid!), 1)
    kill(-group.pid!, "SIGKILL")
    await group.shutdown()
    assert.deepStrictEqual(livingIn(group.pid!), [])
    assert.deepStrictEqual(signals(), ["SIGTERM"])
  })

  it("[S2:unit] a group without its leader is asked after 5 ms, and then in ever longer steps, to 250 ms", async () => {
    fakeTime()
    const group = make("sleep", ["1000"], { termGrace: 2_000 })
    const began = performance.now()
    const asked: Array<number> = []
    process.kill = (_to, signal) => {
      if (signal === 0) asked.push(performance.now() - began)
      return true
    }
    // As if another process of the group lived on.
    group.child.emit("exit", 0, null)
    await vi.advanceTimersByTimeAsync(2_000)
    // The first two are those of the exit and of the shutdown that it starts.
    assert.deepStrictEqual(asked.slice(2, 14), [0, 5, 15, 35, 75, 155, 315, 565, 815, 1_065, 1_315, 1_565])
    const ended = once(group.child, "close")
    process.kill = kill
    kill(-group.pid!, "SIGKILL")
    await ended
    await vi.advanceTimersByTimeAsync(250)
    await group.shutdown()
  })

  it("[S2:unit] a group that cannot be asked is there, and one of which the system knows nothing is gone", async () => {
    const cases: ReadonlyArray<[code: string, expected: Array<unknown>]> = [
      ["EPERM", ["SIGTERM"]],
      ["ESRCH", []]
    ]
    for (const [code, expected] of cases) {
      const group = make("sleep", ["1000"])
      const signals: Array<unknown> = []
      process.kill = (_to, signal) => {
        if (signal === 0) throw Object.assign(new Error(code), { code })
        signals.push(signal)
        return true
      }
      group.child.emit("exit", 0, null)
      assert.deepStrictEqual(signals, expected)
      process.kill = kill
      kill(-group.pid!, "SIGKILL")
      await once(group.child, "close")
      await group.shutdown()
    }
  })

  it("[S1:unit] a signal that cannot be sent ends nothing", async () => {
    const group = make("sleep", ["1000"])
    process.kill = () => {
      throw new Error("EPERM")
    }
    group.kill()
    process.kill = kill
    await group.shutdown()
  })
})

describe.skipIf(process.platform !== "linux")("the members of a group", () => {
  it("[S2:unit] a dead process that nobody has reaped is no member", async () => {
    const group = make("sleep", ["1000"])
    group.kill()
    // Node reaps it in its next turn.
    while (!/\) Z /.test(readFileSync(`/proc/${group.pid}/stat`, "utf8"))) { /* the kernel ends it */ }
    const { signals } = watch()
    group.child.emit("exit", null, "SIGKILL")
    assert.deepStrictEqual(signals(), [])
    const sent = vi.spyOn(process, "kill")
    await group.shutdown()
    assert.lengthOf(sent.mock.calls, 0)
  })
})
