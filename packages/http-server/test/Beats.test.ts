import { Effect } from "effect"
import { vi } from "vitest"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Raw from "./support/RawEndpoint.js"

describe("a stream on which nothing is said", () => {
  test.scopedLive("[G11] shows every 15 seconds that it lives, and no sooner", function*() {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    yield* Effect.addFinalizer(() => Effect.sync(() => vi.useRealTimers()))
    const { conversations, url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const session = await Raw.begin(url)
      const stream = await Raw.send(url, "GET", session)
      const says = (n: number) =>
        conversations[0]?.client.write({ jsonrpc: "2.0", method: "notifications/message", params: { n } } as never)
      for (const n of [1, 2]) {
        vi.advanceTimersByTime(14_999)
        says(n)
        const before = await stream.until(`"n":${n}`)
        expect(before.split("\n").filter((line) => line.startsWith(":"))).toHaveLength(n - 1)
        vi.advanceTimersByTime(1)
        says(n + 10)
        const after = await stream.until(`"n":${n + 10}`)
        expect(after.split("\n").filter((line) => line.startsWith(":"))).toHaveLength(n)
      }
    })
  })
})
