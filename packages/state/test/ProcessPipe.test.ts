import { Effect } from "effect"
import { readdirSync } from "node:fs"
import { createServer, type Server, Socket } from "node:net"
import { join } from "node:path"
import { vi } from "vitest"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as ProcessPipe from "../src/ProcessPipe.js"

// Sockets of other systems behave as pipes of Windows do, except that they are files, and stay where they are when their process is killed.
describe.skipIf(process.platform === "win32")("the pipe of a process", () => {
  const state = (name: string, prefix: string) => Effect.promise(() => ProcessPipe.state(name, prefix))

  test.scopedLive("[A2] shows that the process runs, again and again, and has a name of its own", function*() {
    const prefix = `${yield* folder}/p-`
    const open = Effect.promise(() => ProcessPipe.open(prefix))
    const names = [yield* open, yield* open]
    expect(new Set(names).size).toBe(2)
    for (const name of [...names, ...names, ...names]) {
      // A claim has it between dots.
      expect(name).toMatch(/^[\da-f]{32}$/)
      expect(yield* state(name, prefix)).toBe("running")
    }
    expect(yield* state("another", prefix)).toBe("gone")
  })

  test.scopedLive("[A2] where the system refuses it, a process has none", function*() {
    const path = yield* folder
    expect(yield* Effect.promise(() => ProcessPipe.open(join(path, "nowhere", "p-")))).toBe("")
    expect(readdirSync(path)).toEqual([])
  })

  test.scopedLive("[A2] workers of a cluster have one each, which keeps no process from its end", function*() {
    const listen = vi.spyOn(createServer().constructor.prototype as Server, "listen")
    const unref = vi.spyOn(createServer().constructor.prototype as Server, "unref")
    yield* Effect.addFinalizer(() => Effect.sync(() => vi.restoreAllMocks()))
    yield* Effect.promise(() => ProcessPipe.open("/nowhere/p-"))
    expect(listen.mock.calls[0]?.[0]).toMatchObject({ exclusive: true })
    expect(unref).toHaveBeenCalledTimes(1)
  })

  test.scopedLive("[A2] that nobody answers belongs to a process that is stopped; what cannot be found out is unknown", function*() {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        vi.useRealTimers()
        vi.restoreAllMocks()
      })
    )
    const connecting: Array<Socket> = []
    vi.spyOn(Socket.prototype, "connect").mockImplementation(function(this: Socket) {
      connecting.push(this)
      return this
    })
    for (
      const [code, expected] of [["EBUSY", "running"], ["EACCES", "running"], ["ENOENT", "gone"], [
        "EMFILE",
        "unknown"
      ]]
    ) {
      const found = ProcessPipe.state("name")
      connecting.at(-1)?.emit("error", Object.assign(new Error(code), { code }))
      expect(yield* Effect.promise(() => found)).toBe(expected)
    }
    const found = ProcessPipe.state("name")
    vi.advanceTimersByTime(500)
    expect(yield* Effect.promise(() => found)).toBe("running")
    expect([connecting.every(({ destroyed }) => destroyed), vi.getTimerCount()]).toEqual([true, 0])
  })
})
