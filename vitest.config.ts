import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { hasSlow } from "./packages/testing/test/support/Full.js"
import { project } from "./scripts/vitest/project.js"
import { SlowFirst } from "./scripts/vitest/sequencer.js"
import packages from "./vitest.workspace.js"

/**
 * Tests start processes and servers of their own, so half of a large machine. On a small one most of them wait, and eight keep two cores busy; six
 * do with those that start a dozen processes each.
 */
const workers = Math.max(hasSlow ? 6 : 8, Math.ceil(availableParallelism() / 2))

/**
 * Tests that take long: others do most of the work (a browser, clients, hosts and servers that others wrote, a package manager, a compiler), the
 * program is started dozens of times, or many clients, faults, inputs or a long life are what it is about.
 */
const slow = "**/*.slow.test.ts"

/** Whether the command line names files, of which vitest then runs no others. */
const namesFiles = process.argv.slice(2).some((argument, index, all) =>
  argument !== "run" && !argument.startsWith("-") &&
  !/^(-t|--(testNamePattern|reporter|exclude))$/.test(all[index - 1] ?? "")
)

/** What `--exclude` names, which vitest tells projects of files of their own alone. */
const excluded = process.argv.flatMap((argument, index, all) => all[index - 1] === "--exclude" ? [argument] : [])

/**
 * All tests as one project, so that its processes run the files of every package: with a project a package each process would start,
 * and import Effect and the SDK, once for every package, and all would wait for its last file.
 */
const all = project("lifeline", {
  built: true,
  include: ["packages/*/test/**/*.test.ts", "examples/test/**/*.test.ts"],
  exclude: [...excluded, ...(hasSlow || namesFiles ? [] : [slow])]
})

/** Whoever names a package has its tests alone, and nothing built that they do not need. */
const isNamed = process.argv.some((argument) => argument.startsWith("--project"))

export default defineConfig({
  test: {
    projects: isNamed ? packages : [all],
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
    },
    sequence: { sequencer: SlowFirst }
  }
})
