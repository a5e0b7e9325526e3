import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { anotherThan, doors, impatient, millis, type Server } from "../support/CallDoors.js"
import { stateFolder } from "../support/Host.js"

const program = fileURLToPath(new URL("../../../../tools/benchmarks/liveness/server.mjs", import.meta.url))

/** A busy machine has time for an answer. */
const answering = { keepalive: { interval: "1 s", timeout: "2 s", suspectInterval: "1 s" } }

const started = async (use: (server: Server) => Promise<void>, ...mode: ReadonlyArray<string>): Promise<void> => {
  using folder = stateFolder()
  await use({ command: process.execPath, args: [program, "stdio", join(folder.path, "pids"), ...mode] })
}

const reached = async (use: (server: Server) => Promise<void>, ...mode: ReadonlyArray<string>): Promise<void> => {
  using folder = stateFolder()
  const child: ChildProcess = spawn(process.execPath, [program, "http", join(folder.path, "pids"), ...mode])
  try {
    const [port] = await once(child.stdout!, "data")
    await use({ url: `http://127.0.0.1:${Number(port)}/mcp` })
  } finally {
    child.kill("SIGKILL")
  }
}

const shown = process.platform === "linux" ? describe : describe.skip

shown.concurrent.each(Object.entries(doors))("a row of the benchmark, %s", { timeout: 60_000 }, (_, open) => {
  it("[V2:real] one that waits in the kernel for another process is kept, with the call of its caller", () =>
    started((server) =>
      open(server, impatient, async (call) => {
        const pid = await call("look")
        expect(await call("read", millis(6000))).toBe(pid)
      })
    ))

  it("[V2:real] one that pauses, computing, after it has answered a call side by side with another, is kept", () =>
    started((server) =>
      open(server, impatient, async (call) => {
        const slow = call("sleep", millis(500))
        const pid = await call("look")
        await slow
        expect(await call("pause", millis(6000))).toBe(pid)
        expect(await call("sleep", millis(100))).toBe(pid)
      })
    ))

  it("[V2:real] one that computes for ever on a call is replaced when no caller waits, after `health.busyLimit`", () =>
    started((server) =>
      open(server, { ...impatient, health: { busyLimit: "1 s" }, timeouts: { request: "2 s" } }, async (call) => {
        const pid = await call("look")
        expect(await call("spin", millis(600_000))).not.toBe(pid)
        await anotherThan(pid, call, "look")
      })
    ))

  it("[V3:real] one that blocks in its first call is replaced when its caller has left, without evidence by its probes", () =>
    started((server) =>
      open(server, { ...impatient, timeouts: { request: "2 s" } }, async (call) => {
        const pid = await call("look")
        expect(await call("deadlock")).not.toBe(pid)
        await anotherThan(pid, call, "look")
      })
    ))

  it("[V12:real] one that is stopped is kept with `health.enforce: false`, and answers once it goes on", () =>
    started((server) =>
      open(server, { ...impatient, health: { enforce: false }, timeouts: { request: "8 s" } }, async (call) => {
        const pid = await call("look")
        process.kill(Number(pid), "SIGSTOP")
        expect(await call("look")).not.toMatch(/^\d+$/)
        process.kill(Number(pid), "SIGCONT")
        expect(await call("look")).toBe(pid)
      })
    ))

  it("[V2:real] over HTTP, one that computes on a call, and accepts nothing, keeps its session", () =>
    reached((server) =>
      open(server, impatient, async (call) => {
        const session = await call("look")
        // Node.js closes idle connections after 5 s, also where it has left a request in one unread.
        const busy = call("spin", millis(4000))
        expect([await call("look"), await busy, await call("look")]).toEqual([session, session, session])
      })
    ))

  it("[V4:real] over HTTP, one that answers pings with nothing keeps its session, and the call that it works on", () =>
    reached((server) =>
      open(server, answering, async (call) => {
        const session = await call("look")
        expect(await call("sleep", millis(6000))).toBe(session)
        expect(await call("look")).toBe(session)
      }), "pings-empty"))
})
