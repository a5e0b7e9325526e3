import * as fc from "fast-check"
import { it } from "vitest"
import { bySize } from "../../../testing/test/support/bySize.js"
import { forget, mayLeave } from "../../../testing/test/support/Holdings.js"
import { runs } from "./Commands.js"
import { regressions } from "./Regressions.js"
import { run } from "./Run.js"

const number = (name: string): number | undefined => {
  const text = process.env[`LIFELINE_MODEL_${name}`]
  return text === undefined ? undefined : Number(text)
}

/** So much is run: of commands in all, where they are given, else of runs. `pnpm test:release model` says how much. */
const commands = number("COMMANDS")
const numRuns = commands === undefined ? number("RUNS") ?? bySize(100, 400) : Number.POSITIVE_INFINITY
/** A failing seed is printed, and can be replayed with its path. */
const seed = number("SEED") ?? bySize(1, (Math.random() * 2 ** 32) | 0)
const path = process.env["LIFELINE_MODEL_PATH"]
/** With so many seeds in a row it is only said, of each, after how many runs a fault is found. `pnpm test:release faults` reads it. */
const seeds = number("SEEDS")

/** Runs at a time: the test runner wants to hear from us now and then, on a busy machine too. */
const batch = commands === undefined ? 100 : 10

const total = { runs: 0, commands: 0, seeds: 0 }

/** Where so many commands are wanted, runs are long, which finds other faults and finds those of short runs more slowly. */
const property = fc.property(runs(commands === undefined ? "small" : "max"), (generated) => {
  total.runs++
  total.commands += generated[1].length
  const { faults } = run(generated)
  if (faults.length > 0) throw new Error(faults.join("\n"))
})

const examples = regressions.map((regression): [(typeof regressions)[number]] => [regression])

const check = (done: number): string | undefined => {
  // With the examples in a replay too: the path counts them.
  const options = path === undefined ? { numRuns: Math.min(batch, numRuns - done) } : { path }
  total.seeds++
  const result = fc.check(property, { ...options, examples, seed: seed + done })
  if (!result.failed || result.counterexample === null) return undefined
  const log: Array<string> = []
  const { faults } = run(result.counterexample[0], log)
  const long = commands === undefined ? "" : "LIFELINE_MODEL_COMMANDS=1 "
  return [
    `${long}LIFELINE_MODEL_SEED=${result.seed} LIFELINE_MODEL_PATH=${result.counterexamplePath}, after ${
      done + result.numRuns
    } runs`,
    JSON.stringify(result.counterexample[0]),
    ...faults,
    ...log.slice(0, 80)
  ].join("\n")
}

const rest = () => {
  forget("connections", "leases", "listeners")
  return new Promise((resolve) => setImmediate(resolve))
}

it(
  "[L2 L3 L4 L5 L6 L9:model L10:model L11:model L12:model L19:model K9 K22:model R7:model R8:model R12:model R13:model R14:model H4:model H9:model C3:model C14:model P11:model T11:model V1:model V2:model V3:model V5:model] whatever interleaves, every invariant holds",
  {
    // An hour, or a day for those who ask for many commands: for hangs.
    timeout: commands === undefined ? 3_600_000 : 86_400_000
  },
  async () => {
    mayLeave("connections", "leases", "listeners", "timers")
    const started = performance.now()
    const isDone = (done: number) => commands === undefined ? done >= numRuns : total.commands >= commands
    for (let done = 0; seeds === undefined && !isDone(done); done += batch) {
      const fault = check(done)
      if (fault !== undefined) throw new Error(fault)
      await rest()
    }
    if (commands !== undefined) {
      const seconds = Math.round((performance.now() - started) / 1000)
      console.log(
        `${total.commands} commands in ${total.runs} runs of ${total.seeds} seeds, from ${seed} on, in ${seconds} s: no fault`
      )
    }
    for (let i = 0; i < (seeds ?? 0); i++) {
      let verdict = "not found"
      for (let done = 0; verdict === "not found" && done < numRuns; done += batch) {
        // Without the examples, so that it is what is generated that finds the fault, and as it was found.
        const options = {
          numRuns: Math.min(batch, numRuns - done),
          seed: seed + i * numRuns + done,
          endOnFailure: true
        }
        const result = fc.check(property, options)
        if (result.counterexample !== null) {
          verdict = `after ${done + result.numRuns} runs: ${run(result.counterexample[0]).faults[0]}`
        }
        await rest()
      }
      console.log(`seed ${seed + i * numRuns}: ${verdict}`)
    }
  }
)
