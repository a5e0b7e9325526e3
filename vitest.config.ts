import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import projects from "./vitest.workspace.js"

export default defineConfig({
  test: {
    projects,
    pool: "forks",
    // Tests start processes and servers of their own, so half of a large machine; two workers on a small one.
    poolOptions: { forks: { minForks: 1, maxForks: Math.max(2, Math.ceil(availableParallelism() / 2)) } }
  }
})
