import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Logger, TestClock } from "effect"
import type * as EventLog from "../../src/log/EventLog.js"
import * as JsonLog from "../../src/log/JsonLog.js"
import type { Output } from "../../src/text/Output.js"

const noted = () => {
  const written: Array<readonly [kind: string, line: unknown]> = []
  const write = (kind: string) => (text: string) =>
    Effect.sync(() => void written.push([kind, JSON.parse(text) as unknown]))
  const output = {
    live: true,
    line: write("line"),
    problem: write("problem"),
    frame: write("frame")
  } as never as Output
  return { output, written }
}

describe("the log as JSON", () => {
  it.effect("[O3:unit] has a line for each text, with its time and level, and no frames", () =>
    Effect.gen(function*() {
      const { output, written } = noted()
      const json = JsonLog.over(output)
      yield* TestClock.setTime(Date.UTC(2026, 0, 2))
      yield* json.line('one\u001b[31m "quoted"')
      yield* json.problem("two")
      yield* json.frame("three" as never)
      yield* JsonLog.entry(output, { at: 0, server: "docs", level: "error", text: "four", publicText: "not this" })
      const time = "2026-01-02T00:00:00.000Z"
      expect(json.live).toBe(false)
      expect(written).toEqual([
        ["line", { time, level: "info", message: expect.stringMatching(/^one.* "quoted"$/) }],
        ["problem", { time, level: "warning", message: "two" }],
        ["line", { time: "1970-01-01T00:00:00.000Z", level: "error", server: "docs", message: "four" }]
      ])
      expect(JSON.stringify(written)).not.toContain("\\u001b")
    }))

  const all = Effect.gen(function*() {
    yield* Effect.logDebug("debug")
    yield* Effect.logInfo("info")
    yield* Effect.logWarning("docs: one", { two: 2 }).pipe(Effect.annotateLogs({ backend: "docs" }))
    yield* Effect.logError("three")
    yield* Effect.logFatal("four", Cause.fail("five"))
  })

  it.effect("[O3:unit] has warnings and errors of the program, with the server that they are about", () =>
    Effect.gen(function*() {
      const lines: Array<EventLog.Entry> = []
      yield* Effect.provide(all, Logger.replace(Logger.defaultLogger, JsonLog.logger((line) => lines.push(line))))
      expect(lines.map(({ level, server, text }) => [level, server, text])).toEqual([
        ["warning", "docs", 'docs: one {"two":2}'],
        ["error", null, "three"],
        ["error", null, expect.stringMatching(/^four.*five/)]
      ])
      const ofEvents: Array<EventLog.Entry> = []
      yield* Effect.provide(
        all,
        Logger.replace(Logger.defaultLogger, JsonLog.eventLogger((line) => ofEvents.push(line)))
      )
      // Only admins read them.
      const unpublic = [[undefined, "one"], [undefined, "thr"], [undefined, "fou"]]
      expect(ofEvents.map(({ publicText, text }) => [publicText, text.slice(0, 3)])).toEqual(unpublic)
      const { output, written } = noted()
      yield* Effect.provide(all, Logger.replace(Logger.defaultLogger, JsonLog.jsonLogger(output)))
      expect(written).toMatchObject([
        ["problem", { level: "warning", server: "docs" }],
        ["problem", { level: "error", message: "three" }],
        ["problem", { level: "error" }]
      ])
    }))
})
