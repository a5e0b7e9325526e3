import { Effect, Fiber, TestClock } from "effect"
import { vi } from "vitest"
import * as Output from "../../src/text/Output.js"
import * as RecordedOutput from "../support/RecordedOutput.js"
import { expect, test } from "../support/vitest.js"

const terminal = (rows: number | undefined) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const stdout = Object.create(process.stdout, { isTTY: { value: true }, rows: { value: rows } })
      vi.stubEnv("TERM", "xterm")
      return vi.spyOn(process, "stdout", "get").mockReturnValue(stdout)
    }),
    (spy) =>
      Effect.sync(() => {
        vi.unstubAllEnvs()
        spy.mockRestore()
      })
  )

test.scoped.each(
  [
    ["of 24 rows is drawn on", 24, true],
    ["that does not say how many rows it has is drawn on", undefined, true],
    ["of 0 rows, as under `script`, gets lines", 0, false]
  ] as const
)("a terminal %s", function*([, rows, live]) {
  yield* terminal(rows)
  const output = yield* Output.make
  expect(output.live).toBe(live)
})

test.effect("work that takes longer than a second shows how long, each second until it ends", function*() {
  const frames: Array<string> = []
  const { output } = RecordedOutput.make()
  const drawn = { ...output, frame: (text: string) => Effect.sync(() => void frames.push(text)) }
  const calling = Effect.fork(Output.whileWaiting(drawn, "Calling a", Effect.as(Effect.sleep("2500 millis"), "done")))
  const fiber = yield* calling
  yield* TestClock.adjust(999)
  expect(frames).toEqual([])
  yield* TestClock.adjust(1)
  expect(frames).toEqual(["Calling a: 1 s; Ctrl+C ends it"])
  yield* TestClock.adjust(1499)
  expect(frames.slice(1)).toEqual(["Calling a: 2 s; Ctrl+C ends it"])
  yield* TestClock.adjust(1)
  expect(yield* Fiber.join(fiber)).toBe("done")
  expect(frames.slice(2)).toEqual([""])
})
