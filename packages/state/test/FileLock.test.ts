import { Effect, Exit, Fiber, Option, Scope } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { vi } from "vitest"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import * as FileLock from "../src/FileLock.js"
import { identify, machine, processState, self, startFromPs, startFromStat, startOf } from "../src/machine.js"
import { failing, inNoTime, onWindows } from "./support.js"

/** Every claim of another machine is soon a dead one. */
const quick: FileLock.Timing = { poll: 5, touch: 20, lease: 100 }
/** Many leases: who waits for so long waits for ever. */
const long = "1 second"

const idle = (script = "echo; exec sleep 600") =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] })
      const printed = await new Promise<string>((resolve) => child.stdout.setEncoding("utf8").once("data", resolve))
      const ended = new Promise((resolve) => child.once("close", resolve))
      const end = Effect.promise(() => {
        child.kill("SIGKILL")
        return ended
      })
      return { pid: child.pid ?? 0, printed: printed.trim(), end }
    }),
    ({ end }) => end
  )

const claim = (path: string, ...parts: ReadonlyArray<string | number>): string => {
  const file = join(path, ["one", ...parts, "0123456789abcdef"].join("."))
  writeFileSync(file, "")
  return file
}

/** Does something as soon as there is a claim, before the process that has made it looks for others; gives the name of its file. */
const onceClaimed = (path: string, act: (name: string) => void) =>
  Effect.promise(async () => {
    for (;;) {
      const [name] = readdirSync(path)
      if (name !== undefined) {
        act(name)
        return name
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  })

const have = (path: string) => Effect.scoped(FileLock.acquire(path, "one", quick))

/** Whether the lock can be had, within a time in which it could be had many times: on a slow machine that says no too soon. */
const canHave = (path: string) => Effect.map(Effect.timeoutOption(have(path), long), Option.isSome)

describe("a lock among processes", () => {
  test.scopedLive("[A2] six that want it in the same moment have it one after the other, and leave nothing behind", function*() {
    const path = yield* folder
    let [inside, most, total] = [0, 0, 0]
    const work = Effect.scoped(Effect.gen(function*() {
      const { isHeld } = yield* FileLock.acquire(path, "one", quick)
      most = Math.max(most, ++inside)
      expect(yield* isHeld).toBe(true)
      inside--
      total++
    }))
    yield* Effect.all([work, work, work, work, work, work], { concurrency: "unbounded" })
    expect({ most, total }).toEqual({ most: 1, total: 6 })
    expect(readdirSync(path)).toEqual([])
  })

  test.scopedLive("[A2] of two that claim in the same moment the first by name keeps its claim, and the other one steps back", function*() {
    for (const [nonces, isFirst] of [[["zz"], true], [["!"], false], [["!", "zz"], false]] as const) {
      const path = yield* folder
      const taking = yield* Effect.fork(FileLock.acquire(path, "one", quick))
      const others: Array<string> = []
      const own = yield* onceClaimed(path, (name) => {
        for (const nonce of nonces) others.push(join(path, name.replace(/\.\w+$/, `.${nonce}`)))
        for (const other of others) writeFileSync(other, "")
      })
      // It may not have looked often yet, which makes this less sharp, and never wrong.
      if (isFirst) yield* Effect.sleep("100 millis")
      else while (readdirSync(path).includes(own)) yield* Effect.sleep("5 millis")
      expect(readdirSync(path).includes(own)).toBe(isFirst)
      expect(Option.isNone(yield* Fiber.poll(taking))).toBe(true)
      for (const other of others) rmSync(other)
      const { isHeld } = yield* Fiber.join(taking)
      expect(yield* isHeld).toBe(true)
      expect(readdirSync(path)).toEqual([isFirst ? own : expect.not.stringMatching(own)])
    }
  })

  test.scopedLive("[A2] who finds its claim taken away as it looks for others does not have the lock, and claims again", function*() {
    const path = yield* folder
    const taking = yield* Effect.fork(FileLock.acquire(path, "one", quick))
    const first = yield* onceClaimed(path, (name) => rmSync(join(path, name)))
    const { isHeld } = yield* Fiber.join(taking)
    expect(readdirSync(path)).toEqual([expect.not.stringMatching(first)])
    expect(yield* isHeld).toBe(true)
  })

  test.scopedLive("[A2] a process of this machine that is stopped keeps it until it ends", function*() {
    const path = yield* folder
    const { end, pid } = yield* idle()
    process.kill(pid, "SIGSTOP")
    const file = claim(path, machine, pid, (yield* Effect.promise(() => startOf(pid))) ?? "")
    utimesSync(file, 0, 0)
    expect(yield* canHave(path)).toBe(false)
    yield* end
    yield* have(path)
    expect(readdirSync(path)).toEqual([])
  })

  test.scopedLive("[A2] a process that has the number of one that is gone does not have its lock", function*() {
    const path = yield* folder
    claim(path, machine, process.pid, 1)
    yield* have(path)
    expect(readdirSync(path)).toEqual([])
  })

  test.scopedLive("[A2] a process of another machine keeps it as long as it shows that it lives, whatever runs here", function*() {
    const path = yield* folder
    const file = claim(path, "00000000", 4_190_000, 1)
    const alive = Effect.sync(() => utimesSync(file, new Date(), new Date())).pipe(
      Effect.delay("10 millis"),
      Effect.forever
    )
    expect(yield* Effect.raceFirst(canHave(path), alive)).toBe(false)
    yield* have(path)
    expect(readdirSync(path)).toEqual([])
  })

  test.scopedLive("[A2] a process whose start the system does not say has it as one of another machine has", function*() {
    const path = yield* folder
    const { pid } = yield* idle()
    const file = claim(path, machine, pid, "")
    yield* have(path)
    expect(readdirSync(path)).not.toContain(file)
  })

  test.scopedLive("[A2] who holds it shows that it lives, and finds out that others took it for dead", function*() {
    const path = yield* folder
    const { isHeld } = yield* FileLock.acquire(path, "one", quick)
    const [name = ""] = readdirSync(path)
    const file = join(path, name)
    utimesSync(file, 0, 0)
    expect(yield* isHeld).toBe(true)
    rmSync(file)
    expect(yield* isHeld).toBe(false)
    writeFileSync(file, "")
    expect(yield* isHeld).toBe(false)
  })

  test.scopedLive("[A2] nobody but its user sees who has it, in a folder that is made for it", function*() {
    const path = join(yield* folder, "made", "here")
    yield* FileLock.acquire(path, "one", quick)
    const [name = ""] = readdirSync(path)
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(statSync(join(path, name)).mode & 0o777).toBe(0o600)
  })

  test.scopedLive("[A2] what is no claim for it does not keep it from anybody, and stays", function*() {
    const path = yield* folder
    const own = yield* Effect.promise(self)
    const names = [
      "one",
      "one.txt",
      `one.${machine}.${own.pid}.${own.start}`,
      `one.${machine}.${own.pid}.${own.start}.nonce.more`,
      `more.one.${machine}.${own.pid}.${own.start}.nonce`,
      `someone.${machine}.${own.pid}.${own.start}.nonce`,
      `one.${machine}..${own.start}.nonce`,
      `one..${own.pid}.${own.start}.nonce`
    ]
    for (const name of names) writeFileSync(join(path, name), "")
    yield* have(path)
    expect(readdirSync(path).toSorted()).toEqual(names.toSorted())
  })

  test.scopedLive("[A2] a lock is given back as soon as Windows lets its claim be removed, however long another program has that open", function*() {
    const path = yield* folder
    yield* onWindows
    const scope = yield* Scope.make()
    yield* Scope.extend(FileLock.acquire(path, "one", quick), scope)
    let times = 0
    yield* failing("rm", () => ++times < 40 ? "EBUSY" : undefined)
    yield* inNoTime(Effect.gen(function*() {
      yield* Scope.close(scope, Exit.void)
      expect(readdirSync(path)).toHaveLength(1)
      while (readdirSync(path).length > 0) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
    }))
    expect(times).toBe(40)
  })

  test.scopedLive("[A2] a claim is touched again and again", function*() {
    const path = yield* folder
    yield* FileLock.acquire(path, "one", quick)
    const [name = ""] = readdirSync(path)
    for (const file of [join(path, name), join(path, name)]) {
      utimesSync(file, 0, 0)
      while (statSync(file).mtimeMs === 0) yield* Effect.sleep("5 millis")
    }
  })
})

describe("a process of a machine", () => {
  test.scopedLive("[A2] is told apart from all others that have or had its number", function*() {
    const seen = (process: { readonly pid: number; readonly start: string }) =>
      Effect.promise(() => processState(process))
    const own = yield* Effect.promise(self)
    expect(own).toEqual({ pid: process.pid, start: expect.stringMatching(/^\d+$/) })
    expect(yield* seen(own)).toBe("running")
    expect(yield* seen({ ...own, start: "1" })).toBe("gone")
    expect(yield* seen({ ...own, start: "" })).toBe("unknown")
    const { end, pid } = yield* idle()
    const start = (yield* Effect.promise(() => startOf(pid))) ?? ""
    expect(start).not.toBe(own.start)
    expect(yield* seen({ pid, start })).toBe("running")
    yield* end
    expect(yield* seen({ pid, start })).toBe("gone")
    for (const pid of [0, -1, 1.5, Number.NaN]) expect(yield* seen({ pid, start })).toBe("gone")
  })

  test.scopedLive("[A2] has ended where it only waits for its parent to notice", function*() {
    // It is killed once its parent is another program, which notices nothing: a shell might.
    const { pid: parent, printed } = yield* idle("sleep 600 & echo $!; exec sleep 600")
    const pid = Number(printed)
    const program = () => spawnSync("ps", ["-o", "comm=", "-p", String(parent)], { encoding: "utf8" }).stdout
    while (!program().includes("sleep")) yield* Effect.sleep("5 millis")
    process.kill(pid, "SIGKILL")
    while ((yield* Effect.promise(() => startOf(pid))) !== undefined) yield* Effect.sleep("5 millis")
    // Its number is not free yet.
    expect(process.kill(pid, 0)).toBe(true)
    expect(yield* Effect.promise(() => processState({ pid, start: "1" }))).toBe("gone")
  })

  it("[A2] has not ended before all its threads have, which have its files and sockets open", () => {
    const stat = (state: string, threads: number) =>
      `4711 (a) Z 1 (b) ${state} ${Array.from({ length: 16 }, () => 0).join(" ")} ${threads} 0 98765 0 0`
    expect(startFromStat(stat("S", 11))).toBe("98765")
    for (const state of ["Z", "X", "x"]) {
      expect(startFromStat(stat(state, 2))).toBe("98765")
      expect(startFromStat(stat(state, 1))).toBeUndefined()
      expect(startFromStat(stat(state, 0))).toBeUndefined()
    }
    // As systems have it that are no Linux.
    expect(startFromStat("1 (a) S")).toBe("")
    expect(startFromStat("1 (a) Z")).toBeUndefined()
  })

  test.scopedLive.skipIf(process.platform !== "linux")(
    "[A2] which is killed keeps what it has open until it has ended",
    function*() {
      // Much memory takes time to be given back, and the first thread does not wait for that.
      const script = `globalThis.much = Buffer.alloc(2e8, 1)
        require("net").createServer().listen(0, "127.0.0.1", function() { console.log(this.address().port) })`
      for (let round = 0; round < 3; round++) {
        const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] })
        const ended = new Promise((resolve) => child.once("close", resolve))
        yield* Effect.addFinalizer(() => Effect.promise(() => (child.kill("SIGKILL"), ended)))
        const port = Number(yield* Effect.promise(() => new Promise((resolve) => child.stdout.once("data", resolve))))
        const pid = child.pid ?? 0
        const start = (yield* Effect.promise(() => startOf(pid))) ?? ""
        child.kill("SIGKILL")
        while ((yield* Effect.promise(() => processState({ pid, start }))) !== "gone") yield* Effect.yieldNow()
        const listening = yield* Effect.promise(() =>
          new Promise<string>((resolve) => {
            const server = createServer().once("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)))
            server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve("listens")))
          })
        )
        expect(listening).toBe("listens")
      }
    }
  )

  it("[A2] has ended, or was started at a time, by the words of ps", () => {
    expect(startFromPs("  Ss   Sat Nov 21 10:00:00 2026\n")).toBe("1795255200")
    expect(startFromPs("R+ Sat Nov 21 10:00:01 2026")).toBe("1795255201")
    expect(startFromPs("Z+ Sat Nov 21 10:00:00 2026")).toBeUndefined()
    expect(startFromPs("S whenever")).toBe("")
    expect(startFromPs("SZ whenever")).toBe("")
    expect(startFromPs(" Z  Sat Nov  7 10:00:00 2026")).toBeUndefined()
    expect(startFromPs("S  Sat Nov  7 10:00:00 2026")).toBe("1794045600")
  })

  test.scopedLive("[A2] is asked about where there is no /proc: ps says when it was started, Windows only that it runs", function*() {
    const { end, pid } = yield* idle()
    const started = (platform: NodeJS.Platform) => Effect.promise(() => startOf(pid, platform))
    const hasPs = !spawnSync("ps").error
    const start = yield* started("darwin")
    expect(start).toMatch(hasPs ? /^\d{10}$/ : /^$/)
    expect(yield* started("win32")).toBe("")
    const onWindows = (start: string) => Effect.promise(() => processState({ pid, start }, "win32"))
    expect(yield* onWindows("")).toBe("unknown")
    // No pipe has this name.
    expect(yield* onWindows("1")).toBe("gone")
    yield* end
    expect(yield* started("darwin")).toBeUndefined()
    expect(yield* started("win32")).toBeUndefined()
    expect(yield* Effect.promise(() => processState({ pid, start: "" }, "win32"))).toBe("gone")
  })

  test.scopedLive.each<[string, string, string | undefined]>([
    ["when it was started", `test "$LC_ALL $TZ" = "C UTC" && echo "S Sat Nov 21 10:00:00 2026"`, "1795255200"],
    ["that there is none", "echo; exit 1", undefined],
    ["what nobody understands", "echo S; exit 1", ""],
    ["nothing, and fails", "exit 2", ""]
  ])("[A2] is as ps says: %s", function*([, script, start]) {
    const path = yield* folder
    writeFileSync(join(path, "ps"), `#!/bin/sh\n${script}\n`, { mode: 0o700 })
    yield* Effect.addFinalizer(() => Effect.sync(() => vi.unstubAllEnvs()))
    vi.stubEnv("PATH", path)
    expect(yield* Effect.promise(() => startOf(process.pid, "darwin"))).toBe(start)
  })

  it("[A2] runs also where it belongs to somebody else", async () => {
    const kill = vi.spyOn(process, "kill").mockImplementation(() => {
      throw Object.assign(new Error("not permitted"), { code: "EPERM" })
    })
    try {
      expect(await startOf(process.pid)).toBe((await self()).start)
      expect(await startOf(process.pid, "win32")).toBe("")
    } finally {
      kill.mockRestore()
    }
  })

  it("[A2] containers of one name, and boots of one machine, are different machines", () => {
    const all = [
      identify("boot", "pid:[1]", "name"),
      identify("boot", "pid:[2]", "name"),
      identify("another", "pid:[1]", "name"),
      identify("", "", "name"),
      identify("", "", "another")
    ]
    expect(new Set(all).size).toBe(all.length)
    expect(all).toEqual(all.map(() => expect.stringMatching(/^[\da-f]{8}$/)))
    // A laptop changes its name with the network.
    expect(identify("boot", "pid:[1]", "another")).toBe(all[0])
  })
})
