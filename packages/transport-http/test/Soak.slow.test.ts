import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

setFlagsFromString("--expose-gc")
const gc = runInNewContext("gc") as () => void

/** What is in use, in bytes, once streams and sockets that were ending have ended. */
const heap = Effect.gen(function*() {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 6; round++) {
    yield* Effect.sleep(20)
    gc()
    least = Math.min(least, process.memoryUsage().heapUsed)
  }
  return least
})

const many = 2000

describe("soak", () => {
  test.scopedLive(
    `[T5] ${many} calls on one connection: no warning, no more sockets, no more heap`,
    function*() {
      const warnings: Array<Error> = []
      const onWarning = (warning: Error) => void warnings.push(warning)
      process.on("warning", onWarning)
      const { call, server } = yield* Harness.connected()
      const calls = (count: number) =>
        Effect.forEach(
          Array.from({ length: count }, (_, index) => index),
          (index) => {
            // The server's own memory is not what is measured.
            server.seen.length = 0
            server.applied.length = 0
            server.streaming = index % 2 === 0
            return call()
          },
          { concurrency: 8, discard: true }
        )
      const batch = many / 5
      yield* calls(batch)
      const used = [yield* heap]
      for (let done = batch; done < many; done += batch) {
        yield* calls(batch)
        used.push(yield* heap)
      }
      process.off("warning", onWarning)
      assert.deepStrictEqual(warnings, [])
      // Eight calls at once; the streams of those before them may still be ending.
      assert.isAtMost(server.sockets.size, 24)
      // What each call left behind would show in every batch, 300 bytes of it in 2,000 calls; what is compiled or cached, in some.
      const grown = used.slice(1).map((after, i) => after - used[i]!)
      assert.isBelow(Math.min(...grown), 600_000, `grown by ${grown.join(", ")} bytes`)
    },
    600_000
  )
})
