import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import { defineConfig } from "vitest/config"
import { project } from "./project.js"

/** The tests that are to find the mutants, from `scripts/test-mutants.mjs`. */
const include = process.env["LIFELINE_MUTANT_TESTS"]?.split("\n") ?? []

/** How many mutants are tried in one thread. What a mutant leaves behind there ends with the thread. */
const perThread = Number(process.env["LIFELINE_MUTANTS_PER_THREAD"] ?? 1)

// Vitest ends its thread after each run, and a run is one mutant: Effect and the SDK would be loaded a thousand times.
const { resolve } = createRequire(createRequire(import.meta.url).resolve("vitest/package.json"))
const { Tinypool } = await import(pathToFileURL(resolve("tinypool")).href)
const { recycleWorkers } = Tinypool.prototype
let runs = 0
Tinypool.prototype.recycleWorkers = function(...args: Array<unknown>) {
  runs += 1
  return runs % perThread === 0 ? Reflect.apply(recycleWorkers, this, args) : Promise.resolve()
}

/**
 * Nothing is built, and Effect and the SDK are loaded once: a mutant is switched on while the tests run, not when a module is loaded.
 * Many a mutant makes a test wait for ever, so `mutants.limit.ts` ends it early; without a mutant a test gets a minute.
 */
export default defineConfig({
  test: {
    projects: [project("mutants", { include, longest: 60_000, setup: ["mutants.limit.ts"] })],
    isolate: false,
    poolOptions: { threads: { isolate: false } }
  }
})
