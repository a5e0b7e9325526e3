import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { LongestFirst } from "./vitest.sequencer.js"
import projects from "./vitest.workspace.js"

/** Tests start processes and servers of their own, so half of a large machine. They mostly wait for them, so five on a small one. */
const workers = Math.max(5, Math.ceil(availableParallelism() / 2))

export default defineConfig({
  test: {
    projects,
    pool: "forks",
    poolOptions: {
      forks: {
        // One process for many files of a package: to start one and to import Effect and the SDK costs a second of work a file.
        isolate: false,
        // As many at all times: a worker that is retired for idleness still takes a file when the next package begins, and
        // ends with it ("Terminating worker thread").
        minForks: workers,
        maxForks: workers
      }
    },
    sequence: { sequencer: LongestFirst }
  }
})
