import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import * as Output from "../src/Output.js"

/** Standard output as a terminal of that many rows, for the scope. */
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

it.scoped.each(
  [
    ["of 24 rows is drawn on", 24, true],
    ["that does not say how many rows it has is drawn on", undefined, true],
    ["of 0 rows, as under `script`, gets lines", 0, false]
  ] as const
)("a terminal %s", ([, rows, live]) =>
  Effect.gen(function*() {
    yield* terminal(rows)
    const output = yield* Output.make
    expect(output.live).toBe(live)
  }))
