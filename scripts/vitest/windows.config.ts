import { defineConfig } from "vitest/config"
import { project } from "./project.js"

/** Half of the time, programs under Wine compute: on a small machine three keep two cores busy. */
const workers = 3

/** The tests for Windows, from `scripts/test-windows.mjs`. */
export default defineConfig({
  test: {
    projects: [project("windows", { include: ["packages/*/test/windows/**/*.test.ts"], windows: true })],
    pool: "forks",
    poolOptions: { forks: { isolate: false, minForks: workers, maxForks: workers } }
  }
})
