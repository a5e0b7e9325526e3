import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"
import { sources } from "./packages/testing/test/support/sources.js"
import sets from "./vitest.workspace.js"

/** Modules beside the runner, with what is done before and after each test. */
const setup = ["redacted", "watchdog", "links", "state", "holdings", "seed"]

/** More than there are cores: half of the time, tests wait for processes and servers of their own. */
const workers = Math.max(6, availableParallelism())

/** In milliseconds, for hangs only: on a busy machine processes start slowly, and generated runs take ten times as long. */
const longest = 300_000

export default defineConfig({
  // Each entry point of each package, pointed at its source, so that tests need no build.
  resolve: {
    alias: Object.entries(sources).map(([name, replacement]) => ({ find: new RegExp(`^${name}$`), replacement }))
  },
  test: {
    projects: sets,
    exclude: configDefaults.exclude,
    setupFiles: setup.map((name) => fileURLToPath(new URL(`tools/vitest/${name}.ts`, import.meta.url))),
    reporters: ["default", fileURLToPath(new URL("tools/vitest/Verdict.ts", import.meta.url))],
    // The verdict counts them, and knows one that is none.
    dangerouslyIgnoreUnhandledErrors: true,
    testTimeout: longest,
    hookTimeout: longest,
    // By itself it gives up after a second.
    expect: { poll: { timeout: 120_000, interval: 20 } },
    // What failed on another machine is known by its message alone.
    chaiConfig: { truncateThreshold: 0 },
    pool: "forks",
    poolOptions: {
      forks: {
        // One process for many files: to start one and to import Effect and the SDK costs a second of work a file.
        isolate: false,
        // Of what tests compute, a third went into collecting the young objects of virtual time, sixteen megabytes at a time.
        execArgv: ["--min-semi-space-size=32", "--max-semi-space-size=64"],
        // As many at all times: a worker that is retired for idleness still takes a file, and ends with it ("Terminating worker
        // thread").
        minForks: workers,
        maxForks: workers
      }
    }
  }
})
