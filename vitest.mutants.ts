import { defineConfig } from "vitest/config"
import { project } from "./vitest.shared.js"

/** The tests that are to find the mutants, from `scripts/test-mutants.mjs`. */
const include = process.env["LIFELINE_MUTANT_TESTS"]?.split("\n") ?? []

/** Nothing is built, and Effect and the SDK are loaded once: a mutant is switched on while the tests run, not when a module is loaded. */
export default defineConfig({
  test: {
    projects: [project("mutants", { include })],
    isolate: false,
    poolOptions: { threads: { isolate: false } }
  }
})
