import { Effect } from "effect"
import { afterEach, assert, it, vi } from "vitest"
import { run } from "../src/hosted.js"
import * as Leave from "../src/process/leave.js"
import { StartError, UsageError } from "../src/text/Errors.js"
import * as StandardError from "../src/text/StandardError.js"

vi.mock("../src/process/leave.js", () => ({ leave: vi.fn(), leaveNow: vi.fn() }))

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  vi.clearAllMocks()
})

const ends: ReadonlyArray<
  [name: string, end: Effect.Effect<void, StartError | UsageError>, code: number, told: string | undefined]
> = [
  ["is done", Effect.void, 0, undefined],
  ["is interrupted", Effect.interrupt, 0, undefined],
  ["was called wrongly", Effect.fail(new UsageError({ message: "give a URL" })), 2, "mcp-lifeline: give a URL"],
  ["cannot start", Effect.fail(new StartError({ message: "no" })), 1, "mcp-lifeline: no"],
  ["has a defect", Effect.die(new Error("oh")), 1, "mcp-lifeline: internal error: Error: oh"]
]

for (const [what, release] of [["ends", Effect.void], ["does not end", Effect.never]] as const) {
  it.each(ends)(
    `[W5] one that %s ends with that code and says why, once, where what it started ${what}`,
    async (_, end, code, told) => {
      vi.useFakeTimers()
      vi.spyOn(process, "on").mockReturnValue(process)
      const line = vi.spyOn(StandardError, "line").mockReturnValue(undefined)
      run(Effect.zipRight(Effect.addFinalizer(() => release), end))
      await vi.advanceTimersByTimeAsync(2900)
      assert.deepStrictEqual(vi.mocked(Leave.leaveNow).mock.calls, [[code]])
      assert.sameMembers([...new Set(vi.mocked(Leave.leave).mock.calls.flat())], what === "ends" ? [code] : [])
      assert.deepStrictEqual(line.mock.calls, told === undefined ? [] : [[told]])
    }
  )
}
