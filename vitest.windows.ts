import { defineConfig } from "vitest/config"
import { project } from "./vitest.shared.js"

/** Programs under Wine compute more than they wait: one file for each core of a small machine. */
const workers = 2

/** The tests for Windows, from `scripts/test-windows.mjs`. */
export default defineConfig({
  test: {
    projects: [project("windows", { include: ["packages/*/test/windows/**/*.test.ts"], windows: true })],
    pool: "forks",
    poolOptions: { forks: { isolate: false, minForks: workers, maxForks: workers } }
  }
})
