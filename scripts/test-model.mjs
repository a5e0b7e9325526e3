#!/usr/bin/env node
/** The model test of core with 100,000 generated runs, or as many as are given: `pnpm test:model 1000000`. */
import { run } from "./run.mjs"

process.env["LIFELINE_MODEL_RUNS"] = process.argv[2] ?? "100000"
process.exit(await run("vitest", ["run", "--project", "@mcp-lifeline/core", "test/model"]))
