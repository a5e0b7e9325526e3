import { Deferred, Effect } from "effect"
import type { Output } from "../../src/text/Output.js"

export const make = () => {
  const lines: Array<string> = []
  const problems: Array<string> = []
  const waiting: Array<() => void> = []
  const write = (to: Array<string>) => (text: string) =>
    Effect.sync(() => {
      to.push(text)
      for (const look of waiting) look()
    })
  const output: Output = {
    live: false,
    colour: false,
    width: Effect.succeed(80),
    line: write(lines),
    raw: write(lines),
    problem: write(problems),
    frame: () => Effect.void
  }
  return {
    output,
    lines,
    problems,
    /** Waits for a line, and gives what the first group of the pattern has. */
    prints: (pattern: RegExp): Effect.Effect<string> =>
      Effect.gen(function*() {
        const found = yield* Deferred.make<string>()
        const look = () => {
          const match = lines.map((line) => pattern.exec(line)).find((one) => one !== null)
          if (match) Deferred.unsafeDone(found, Effect.succeed(match[1] ?? ""))
        }
        waiting.push(look)
        look()
        return yield* Deferred.await(found)
      })
  }
}
