import { existsSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import { anotherThan, doors, impatient, millis } from "../support/CallDoors.js"
import { stateFolder } from "../support/Host.js"
import * as Program from "../support/Program.js"

const server = (...args: ReadonlyArray<string>) => Program.fixture("verdicts", ...args)
const isAlive = (pid: string): boolean => Program.alive(Number(pid))

const shown = process.platform === "linux" ? describe : describe.skip

shown.concurrent.each(Object.entries(doors))("the verdict on a server, %s", { timeout: 60_000 }, (_, open) => {
  it("[V3:real V7:real] one that is stopped is replaced by default options, and what it has not read goes to the next", () =>
    open(server(), {}, async (call) => {
      const pid = await call("pid")
      process.kill(Number(pid), "SIGSTOP")
      const waiting = call("sleep", millis(1))
      const next = await anotherThan(pid, call, "pid")
      expect(isAlive(pid)).toBe(false)
      expect(await waiting).toBe(next)
    }))

  it("[V3:real V7:real] so is one that reads and does nothing, if it has answered during a call before", async () => {
    using folder = stateFolder()
    const file = join(folder.path, "blocked")
    await open(server(file), {}, async (call) => {
      const slow = call("sleep", millis(500))
      const pid = await call("pid")
      await slow
      const blocked = call("block")
      while (!existsSync(file)) await sleep(20)
      const waiting = call("sleep", millis(1))
      const next = await anotherThan(pid, call, "pid")
      expect(isAlive(pid)).toBe(false)
      expect(await waiting).toBe(next)
      expect(await blocked).toMatch(/read nothing and do nothing/)
    })
  })

  it("[V2:real] one that works on a call is kept, whatever its heartbeats", () =>
    open(server(), impatient, async (call) => {
      const pid = await call("pid")
      expect(await call("spin", millis(6000))).toBe(pid)
      expect(await call("pid")).toBe(pid)
    }))

  it("[V2:real] one that waits for a process of its own is kept", () =>
    open(server(), impatient, async (call) => {
      const slow = call("sleep", millis(500))
      const pid = await call("pid")
      await slow
      expect(await call("child", millis(8000))).toBe(pid)
    }))

  it("[V4:real] one that ignores pings is kept, with the call that it works on", () =>
    open(server("deaf"), impatient, async (call) => {
      const pid = await call("pid")
      expect(await call("sleep", millis(8000))).toBe(pid)
      expect(await call("pid")).toBe(pid)
    }))
})
