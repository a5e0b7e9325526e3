import * as fc from "fast-check"
import { it } from "vitest"
import { run, runs } from "./Commands.js"
import { regressions } from "./Regressions.js"

/** `pnpm test:model` makes 100,000 runs; a failing seed is printed and can be replayed with LIFELINE_MODEL_SEED and _PATH. */
const numRuns = Number(process.env["LIFELINE_MODEL_RUNS"] ?? 2500)
const seed = process.env["LIFELINE_MODEL_SEED"]
const path = process.env["LIFELINE_MODEL_PATH"]

it("[L2 L3 L4 L5 L6 L9:model L10:model L11:model K9] whatever interleaves, every invariant holds", {
  timeout: 3_600_000
}, () => {
  const result = fc.check(
    fc.property(runs, (generated) => {
      const { faults } = run(generated)
      if (faults.length > 0) throw new Error(faults.join("\n"))
    }),
    {
      numRuns,
      examples: regressions.map((regression) => [regression]),
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(path === undefined ? {} : { path })
    }
  )
  if (result.failed && result.counterexample !== null) {
    const log: Array<string> = []
    const world = run(result.counterexample[0] as Parameters<typeof run>[0], log)
    throw new Error(
      [
        `seed ${result.seed}, path ${JSON.stringify(result.counterexamplePath)}, after ${result.numRuns} runs`,
        JSON.stringify(result.counterexample[0]),
        ...world.faults,
        ...log.slice(0, 80)
      ].join("\n")
    )
  }
})
