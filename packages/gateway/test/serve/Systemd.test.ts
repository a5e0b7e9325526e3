import { Chunk, Clock, Effect, TestClock } from "effect"
import { appendFileSync, chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setImmediate } from "node:timers/promises"
import { vi } from "vitest"
import { folder } from "../../../testing/test/support/folder.js"
import * as Systemd from "../../src/serve/Systemd.js"
import { describe, expect, test } from "../support/vitest.js"

const notified = Effect.gen(function*() {
  const path = yield* folder
  const [program, calls] = [join(path, "systemd-notify"), join(path, "calls")]
  writeFileSync(program, `#!/bin/sh\necho "$*" >> "${calls}"\n`)
  chmodSync(program, 0o755)
  appendFileSync(calls, "")
  vi.stubEnv("PATH", `${path}:${process.env["PATH"]}`)
  yield* Effect.addFinalizer(() => Effect.sync(() => vi.unstubAllEnvs()))
  const lines = () => existsSync(calls) ? readFileSync(calls, "utf8").split("\n").filter(Boolean) : []
  return { lines, calls: (count: number) => Effect.promise(() => expect.poll(lines).toHaveLength(count)) }
})

const waiting = Effect.gen(function*() {
  while (Chunk.isEmpty(yield* TestClock.sleeps())) yield* Effect.promise(() => setImmediate())
})

describe.skipIf(process.platform === "win32")("what systemd is told", () => {
  for (const [micros, third] of [["3000000", 1000], ["60000000", 20_000]] as const) {
    test.scoped(`[G7] that the gateway lives, three times in each WATCHDOG_USEC: ${micros}`, function*() {
      const { calls, lines } = yield* notified
      const env = { NOTIFY_SOCKET: "/run/notify", WATCHDOG_USEC: micros, WATCHDOG_PID: String(process.pid) }
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Systemd.notify("serves", env)
        yield* calls(2)
        expect(lines()).toEqual(["--ready --status=serves", "WATCHDOG=1"])
        const began = yield* Clock.currentTimeMillis
        for (const round of [1, 2]) {
          yield* waiting
          expect(Chunk.toReadonlyArray(yield* TestClock.sleeps())).toEqual([began + round * third])
          yield* TestClock.adjust(third)
          yield* calls(2 + round)
        }
      }))
      yield* calls(5)
      expect(lines().at(-1)).toBe("STOPPING=1")
    })
  }
})
