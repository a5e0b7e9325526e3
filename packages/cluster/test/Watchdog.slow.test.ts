import { Effect, type Scope } from "effect"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { copyFileSync, readFileSync, writeFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { afterEach, describe, expect, it } from "vitest"
import { folder } from "../../testing/test/support/folder.js"
import { alive, eventually, gone, kill, processes } from "../../testing/test/support/Processes.js"
import { now } from "../src/uptime.js"
import * as Watchdog from "../src/Watchdog.js"
import { type Server, servers, sleeper, stubborn } from "./support/servers.js"

const hour = 3_600_000

/** What tests have started, to be killed however they end. */
const started = new Set<number>()
const noted = (pid: number): number => {
  started.add(pid)
  return pid
}
afterEach(() => {
  for (const pid of started) kill(pid)
  started.clear()
})

const run = (test: Effect.Effect<void, Watchdog.WatchdogError, Scope.Scope>) => Effect.runPromise(Effect.scoped(test))

const watchdogsOf = (replica: number): ReadonlyArray<number> =>
  processes().filter(({ parent }) => parent === replica).map(({ pid }) => pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("watchdog.mjs")
    } catch {
      // The ps that has listed it.
      return false
    }
  })

const watchdog = Effect.gen(function*() {
  const before = watchdogsOf(process.pid)
  const made = yield* Watchdog.make
  const pid = watchdogsOf(process.pid).find((one) => !before.includes(one)) ?? 0
  return { ...made, pid: noted(pid) }
})

const serversOf = (env: Watchdog.Watchdog["env"]) =>
  Effect.promise(async () => {
    const all = await servers(env)
    for (const { pid } of all) noted(pid)
    return all
  })

const isAlive = ({ pid }: Server): boolean => alive(pid)
const allGone = (all: ReadonlyArray<Server>) => eventually(() => all.some(isAlive) ? undefined : true)

const waitFor = (moment: number) => eventually(() => now() >= moment ? true : undefined)

describe.skipIf(process.platform !== "linux")("a watchdog kills at the given moment", () => {
  it("[D1] [D6] all that its replica runs, named or not, and nothing else", () =>
    run(Effect.gen(function*() {
      const { env, group, watch } = yield* watchdog
      watch(now() + hour)
      const all = yield* serversOf(env)
      const others = [{}, (yield* watchdog).env].map((env) => noted(sleeper(env)))
      for (const { isNamed, pid } of all) if (isNamed) group(pid)
      expect(all.filter(isAlive)).toEqual(all)
      watch(now() + 300)
      yield* allGone(all)
      // It has looked again since then.
      yield* gone(noted(sleeper(env)))
      expect(others.filter(alive)).toEqual(others)
    })))

  it("[D1] groups that have cleared the environment, if they were named", () =>
    run(Effect.gen(function*() {
      const { group, watch } = yield* watchdog
      const server = noted(yield* Effect.promise(() => stubborn({})))
      group(server)
      watch(now() + 300)
      yield* gone(server)
    })))

  it("[D1] only, and not at an earlier one that was replaced in time", () =>
    run(Effect.gen(function*() {
      const { env, watch } = yield* watchdog
      const server = noted(sleeper(env))
      const first = now() + 1500
      watch(first)
      watch(now() + hour)
      yield* waitFor(first + 500)
      expect(alive(server)).toBe(true)
      watch(now())
      yield* gone(server)
    })))

  it("[D1] and what starts later without a further moment, named or not; and again at the next one", () =>
    run(Effect.gen(function*() {
      const { env, group, watch } = yield* watchdog
      const first = noted(sleeper(env))
      watch(now())
      yield* gone(first)
      yield* gone(noted(sleeper(env)))
      yield* Effect.promise(() => setTimeout(1500))
      yield* gone(noted(sleeper(env)))
      const named = noted(yield* Effect.promise(() => stubborn({})))
      group(named)
      yield* gone(named)
      const before = noted(yield* Effect.promise(() => stubborn({})))
      group(before)
      watch(now() + hour)
      yield* gone(before)
      const last = noted(sleeper(env))
      yield* Effect.promise(() => setTimeout(500))
      expect(alive(last)).toBe(true)
      watch(now())
      yield* gone(last)
    })))

  it("[D1] not what was reported as gone", () =>
    run(Effect.gen(function*() {
      const { env, gone: isGone, group, watch } = yield* watchdog
      const [other, server] = [noted(sleeper({})), noted(sleeper(env))]
      group(other)
      isGone(other)
      watch(now())
      yield* gone(server)
      expect(alive(other)).toBe(true)
    })))

  it("[D1] and survives what ends a service, and lines about no process", () =>
    run(Effect.gen(function*() {
      const { env, gone: isGone, group, pid, watch } = yield* watchdog
      // It has a group of its own, which no terminal signals.
      expect(processes().find((one) => one.pid === pid)?.group).toBe(pid)
      for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"]) process.kill(pid, signal)
      for (const none of [0, Number.NaN, pid]) group(none)
      isGone(0)
      const server = noted(sleeper(env))
      watch(now() + 300)
      watch(Number.NaN)
      yield* gone(server)
      expect(alive(pid)).toBe(true)
    })))
})

describe.skipIf(process.platform !== "linux")("a watchdog that was itself stopped", () => {
  it("[D1] kills when it goes on, if the time is up", () =>
    run(Effect.gen(function*() {
      const { env, pid, watch } = yield* watchdog
      const server = noted(sleeper(env))
      process.kill(pid, "SIGSTOP")
      const until = now() + 300
      watch(until)
      yield* waitFor(until + 500)
      expect(alive(server)).toBe(true)
      process.kill(pid, "SIGCONT")
      yield* gone(server)
    })))

  it("[D1] kills when it goes on, if the time was up before there was more", () =>
    run(Effect.gen(function*() {
      const { env, pid, watch } = yield* watchdog
      const server = noted(sleeper(env))
      process.kill(pid, "SIGSTOP")
      const until = now() + 300
      watch(until)
      yield* waitFor(until)
      watch(now() + hour)
      process.kill(pid, "SIGCONT")
      yield* gone(server)
    })))

  it("[D1] kills nothing that started when there was more, if it had looked before", () =>
    run(Effect.gen(function*() {
      const { env, pid, watch } = yield* watchdog
      const first = noted(sleeper(env))
      watch(now())
      yield* gone(first)
      process.kill(pid, "SIGSTOP")
      watch(now() + hour)
      const server = noted(sleeper(env))
      yield* Effect.promise(() => setTimeout(500))
      process.kill(pid, "SIGCONT")
      yield* Effect.promise(() => setTimeout(1000))
      expect(alive(server)).toBe(true)
    })))

  it("[D1] kills nothing if there was more before the time was up", () =>
    run(Effect.gen(function*() {
      const { env, pid, watch } = yield* watchdog
      const server = noted(sleeper(env))
      const until = now() + 6000
      watch(until)
      // It has read that when it stops.
      yield* Effect.promise(() => setTimeout(500))
      process.kill(pid, "SIGSTOP")
      watch(now() + hour)
      yield* waitFor(until + 500)
      process.kill(pid, "SIGCONT")
      yield* Effect.promise(() => setTimeout(1000))
      expect(alive(server)).toBe(true)
    })))
})

describe.skipIf(process.platform !== "linux")("a watchdog of another process", () => {
  const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

  let text: Promise<string> | undefined
  const bundled = async (): Promise<string> => {
    const entryPoints = [path("fixtures/replica.ts")]
    const { outputFiles } = await build({ entryPoints, bundle: true, format: "esm", platform: "node", write: false })
    return outputFiles.map((file) => file.text).join("")
  }

  /** A replica with servers and a watchdog, none of which this process has started. */
  const replica = (env: Watchdog.Watchdog["env"] = {}) =>
    Effect.gen(function*() {
      const directory = yield* folder
      const program = `${directory}/replica.mjs`
      writeFileSync(program, yield* Effect.promise(() => text ??= bundled()))
      copyFileSync(path("../src/watchdog.mjs"), `${directory}/watchdog.mjs`)
      const child = spawn(process.execPath, [program], {
        detached: true,
        env: { ...process.env, ...env },
        stdio: ["pipe", "pipe", "inherit"]
      })
      const pid = noted(child.pid ?? 0)
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
      const line = Effect.promise(async () => String((await lines.next()).value))
      const all = JSON.parse(yield* line) as ReadonlyArray<Server>
      for (const server of all) noted(server.pid)
      const [dog = 0] = watchdogsOf(pid)
      expect(alive(noted(dog))).toBe(true)
      const watch = (millis: number) => Effect.zipRight(Effect.sync(() => child.stdin.write(`${millis}\n`)), line)
      return { all, dog, pid, watch }
    })

  it("[D1] [D6] kills its servers in time while it is stopped", () =>
    run(Effect.gen(function*() {
      const { all, pid, watch } = yield* replica()
      yield* watch(500)
      process.kill(pid, "SIGSTOP")
      yield* allGone(all)
      expect(alive(pid)).toBe(true)
    })))

  it("[D1] kills its servers when it was killed, and ends", () =>
    run(Effect.gen(function*() {
      const { all, dog, pid } = yield* replica()
      expect(all.filter(isAlive)).toEqual(all)
      kill(pid)
      yield* allGone(all)
      yield* gone(dog)
    })))

  it("[D1] kills its servers when it is killed as a server of another replica", () =>
    run(Effect.gen(function*() {
      const { env, watch } = yield* watchdog
      const { all, dog, pid } = yield* replica(env)
      watch(now())
      yield* gone(pid)
      yield* allGone(all)
      yield* gone(dog)
    })))
})

describe.skipIf(process.platform !== "linux")("a watchdog", () => {
  it("[D1] that was killed is replaced by another one, which knows all that it knew", () =>
    run(Effect.gen(function*() {
      const { answers, env, gone: isGone, group, pid, watch } = yield* watchdog
      const before = watchdogsOf(process.pid)
      watch(now() + hour)
      const all = yield* serversOf(env)
      const named = noted(yield* Effect.promise(() => stubborn({})))
      const other = noted(sleeper({}))
      for (const one of [named, other]) group(one)
      isGone(other)
      expect(yield* answers).toBe(true)
      kill(pid)
      yield* Effect.repeat(answers, { while: (isThere) => isThere })
      // Nobody hears that any more.
      const until = now() + 300
      watch(until)
      const late = noted(yield* Effect.promise(() => stubborn({})))
      group(late)
      yield* Effect.repeat(Effect.delay(answers, 50), { until: (isThere) => isThere })
      for (const one of watchdogsOf(process.pid)) if (!before.includes(one)) noted(one)
      yield* allGone(all)
      for (const one of [named, late]) yield* gone(one)
      expect(alive(other)).toBe(true)
    })))

  it("[D12:real] that is stopped does not answer, and answers when it goes on", () =>
    run(Effect.gen(function*() {
      const { answers, pid } = yield* watchdog
      expect(yield* answers).toBe(true)
      process.kill(pid, "SIGSTOP")
      const first = yield* Effect.fork(answers)
      yield* Effect.interruptible(Effect.sleep(200))
      expect(first.unsafePoll()).toBeNull()
      process.kill(pid, "SIGCONT")
      // As many as a silent one would not survive.
      expect([yield* first, ...yield* Effect.replicateEffect(answers, 8)]).toEqual(Array(9).fill(true))
      expect(alive(pid)).toBe(true)
    })))

  it("[D12:real] that leaves many questions unanswered is replaced by another one, which knows all that it knew", () =>
    run(Effect.gen(function*() {
      const { answers, env, group, pid, watch } = yield* watchdog
      const before = watchdogsOf(process.pid)
      const all = yield* serversOf(env)
      for (const { isNamed, pid } of all) if (isNamed) group(pid)
      watch(now() + hour)
      process.kill(pid, "SIGSTOP")
      const unanswered = yield* Effect.replicateEffect(Effect.fork(answers), 5)
      expect(alive(pid)).toBe(true)
      const last = yield* Effect.fork(answers)
      expect(yield* Effect.forEach([...unanswered, last], (one) => one)).toEqual(Array(6).fill(false))
      yield* gone(pid)
      yield* Effect.repeat(Effect.delay(answers, 50), { until: (isThere) => isThere })
      for (const one of watchdogsOf(process.pid)) if (!before.includes(one)) noted(one)
      expect(all.filter(isAlive)).toEqual(all)
      watch(now() + 300)
      yield* allGone(all)
    })))

  it("[D1] is the last to end with its scope, and leaves nothing", async () => {
    const wasAlive: Array<boolean> = []
    const [pid, all] = await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const { env, group, pid, watch } = yield* watchdog
      watch(now() + hour)
      const all = yield* serversOf(env)
      for (const { isNamed, pid } of all) if (isNamed) group(pid)
      yield* Effect.addFinalizer(() =>
        Effect.promise(async () => {
          await setTimeout(500)
          wasAlive.push(...[pid, ...all.map(({ pid }) => pid)].map(alive))
        })
      )
      return [pid, all] as const
    })))
    expect(wasAlive).toEqual([pid, ...all].map(() => true))
    expect(alive(pid)).toBe(false)
    await Effect.runPromise(allGone(all))
  })

  const failed = (fields: { readonly execPath?: string; readonly platform?: string }) => {
    const before = Object.fromEntries(
      Object.keys(fields).map((key) => [key, Object.getOwnPropertyDescriptor(process, key)!])
    )
    for (const [key, value] of Object.entries(fields)) Object.defineProperty(process, key, { ...before[key], value })
    return Effect.runPromise(Effect.scoped(Effect.flip(Watchdog.make))).finally(() =>
      Object.defineProperties(process, before)
    )
  }

  it("[D1] that cannot be started says why", async () => {
    expect((await failed({ execPath: "/nowhere/node" })).message).toContain(
      "cannot be started: spawn /nowhere/node ENOENT"
    )
    expect((await failed({ execPath: "/bin/false" })).message).toContain("ended when it was started (1)")
    expect((await failed({ platform: "win32" })).message).toContain("does not exist for Windows")
  })
})
