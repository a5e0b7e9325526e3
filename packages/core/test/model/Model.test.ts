import * as fc from "fast-check"
import { it } from "vitest"
import { run, runs } from "./Commands.js"
import { regressions } from "./Regressions.js"

/** `pnpm test:model` makes 100,000 runs; a failing seed is printed and can be replayed with LIFELINE_MODEL_SEED and _PATH. */
const numRuns = Number(process.env["LIFELINE_MODEL_RUNS"] ?? 2500)
const seed = Number(process.env["LIFELINE_MODEL_SEED"] ?? (Math.random() * 2 ** 32) | 0)
const path = process.env["LIFELINE_MODEL_PATH"]

/** Runs at a time: the test runner wants to hear from us now and then. */
const batch = 500

const property = fc.property(runs, (generated) => {
  const { faults } = run(generated)
  if (faults.length > 0) throw new Error(faults.join("\n"))
})

const examples = regressions.map((regression): [(typeof regressions)[number]] => [regression])

/** Checks one batch; what went wrong, with how to see it again. */
const check = (done: number): string | undefined => {
  // With the examples in a replay too: the path counts them.
  const options = path === undefined ? { numRuns: Math.min(batch, numRuns - done) } : { path }
  const result = fc.check(property, { ...options, examples, seed: seed + done })
  if (!result.failed || result.counterexample === null) return undefined
  const log: Array<string> = []
  const { faults } = run(result.counterexample[0], log)
  return [
    `LIFELINE_MODEL_SEED=${result.seed} LIFELINE_MODEL_PATH=${result.counterexamplePath}, after ${
      done + result.numRuns
    } runs`,
    JSON.stringify(result.counterexample[0]),
    ...faults,
    ...log.slice(0, 80)
  ].join("\n")
}

it("[L2 L3 L4 L5 L6 L9:model L10:model L11:model L19:model K9] whatever interleaves, every invariant holds", {
  timeout: 3_600_000
}, async () => {
  for (let done = 0; done < numRuns; done += batch) {
    const fault = check(done)
    if (fault !== undefined) throw new Error(fault)
    await new Promise((resolve) => setImmediate(resolve))
  }
})
