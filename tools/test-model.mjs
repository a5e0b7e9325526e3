#!/usr/bin/env node
/**
 * The model test of core with many generated commands, as one run: how many there were, of how many seeds, and in what time; at a
 * fault, the seed and the path with which it can be replayed.
 *
 * Usage: node tools/test-model.mjs [--commands 1000000 | --runs 100000] [--seed 1]
 */
import { parseArgs } from "node:util"
import { run } from "./run.mjs"

const { values } = parseArgs({
  options: { commands: { type: "string" }, runs: { type: "string" }, seed: { type: "string" } }
})
if (values.runs !== undefined) process.env["LIFELINE_MODEL_RUNS"] = values.runs
else process.env["LIFELINE_MODEL_COMMANDS"] = values.commands ?? "1000000"
if (values.seed !== undefined) process.env["LIFELINE_MODEL_SEED"] = values.seed
process.exit(await run("vitest", ["run", "--project", "gate", "packages/core/test/model/Model"]))
