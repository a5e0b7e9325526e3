import { Effect, Option } from "effect"
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { counter } from "../../testing/test/support/Built.js"
import { folder } from "../../testing/test/support/folder.js"
import { kill } from "../../testing/test/support/Processes.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"

const count = (path: string, times: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [counter, path, String(times)], { stdio: ["ignore", "pipe", "inherit"] })
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
      const printed = new Promise<void>((resolve) => child.stdout.once("data", () => resolve()))
      return { pid: child.pid ?? 0, ended: Effect.promise(() => ended), printed: Effect.promise(() => printed) }
    }),
    ({ ended, pid }) => Effect.zipRight(Effect.sync(() => kill(pid)), ended)
  )

describe("a lock of the state folder", () => {
  test.scopedLive("[A2] one process at a time has a lock, however many want it", function*() {
    const path = yield* folder
    const counters = yield* Effect.all([1, 2, 3, 4].map(() => count(path, 25)))
    expect(yield* Effect.all(counters.map(({ ended }) => ended))).toEqual([0, 0, 0, 0])
    expect(JSON.parse(readFileSync(join(path, "numbers", "one.json"), "utf8"))).toEqual({ value: 100 })
    expect(readdirSync(join(path, "locks"))).toEqual([])
  })

  test.scopedLive("[A2] a lock ends with the process that has it, however it ends", function*() {
    const path = yield* folder
    const holder = yield* count(path, 0)
    yield* holder.printed
    const next = yield* count(path, 0)
    const waits = yield* Effect.timeoutOption(next.printed, "300 millis")
    kill(holder.pid)
    yield* next.printed
    expect(waits).toEqual(Option.none())
  })
})
