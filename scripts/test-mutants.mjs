#!/usr/bin/env node
/**
 * Changes one operator, condition or statement at a time in the sources that are named, with StrykerJS, and says which of these mutants
 * no test finds. Read them one by one: a mutant that makes no difference to anybody cannot be found.
 *
 * The tests that run are those in the folder of `test/` that has the name of the sources' folder, those of the package that have the name
 * of a source, and those that `--tests` names. Tests that start a built program are left out: there are no mutants in what was built.
 *
 * Usage: node scripts/test-mutants.mjs [--tests FILE_OR_FOLDER]... [--least 85] [--jobs 1] FILE_OR_FOLDER[:10-20]...
 *
 * `:10-20` names lines of a file. Exit code 1 where fewer percent are found than `--least` says.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { run } from "./run.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))
process.chdir(root)

/**
 * @param {string} message
 * @returns {never}
 */
const refuse = (message) => {
  console.error(message)
  process.exit(2)
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    tests: { type: "string", multiple: true, default: [] },
    least: { type: "string", default: "0" },
    jobs: { type: "string", default: "1" }
  }
})
if (positionals.length === 0) refuse("Name the sources to change: pnpm test:mutants packages/gateway/src/http")

/**
 * The TypeScript files of a folder and the folders in it; a file alone.
 *
 * @param {string} path
 * @returns {Array<string>}
 */
const filesOf = (path) => {
  if (!existsSync(path)) refuse(`There is no ${path}. Paths begin at ${root}`)
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .map((name) => join(path, name))
}

const mutate = positionals.flatMap((named) => {
  const [, path = named, lines] = /^(.+?)(:\d+-\d+)?$/.exec(named) ?? []
  return filesOf(path).map((file) => `${file}${lines ?? ""}`)
})

/**
 * The tests that stand beside a source.
 *
 * @param {string} source
 */
const testsOf = (source) => {
  const [, home = "", below = ""] = /^(packages\/[^/]+)\/src\/(.+)\.ts/.exec(source) ??
    refuse(`${source} is no source of a package`)
  const all = filesOf(join(home, "test")).filter((file) => file.endsWith(".test.ts"))
  const name = basename(below).toLowerCase()
  const folder = join(home, "test", dirname(below))
  return all.filter((file) =>
    dirname(file) === folder && dirname(below) !== "." ||
    basename(file, ".test.ts").toLowerCase() === name
  )
}

/**
 * Whether a test starts what `vitest.built.ts` builds.
 *
 * @param {string} file
 */
const startsPrograms = (file) =>
  /\/(?:Built|Program|Host|Talk|OidcServer|support\/Gateway)\.js"|vitest\.built/.test(readFileSync(file, "utf8"))

const named = values.tests.flatMap(filesOf).filter((file) => file.endsWith(".test.ts"))
const tests = [...new Set([...mutate.flatMap(testsOf), ...named])].filter((file) => !startsPrograms(file))
if (tests.length === 0) refuse("No test stands beside these sources: name some with --tests")
console.log(`Tests:\n${tests.map((file) => `  ${file}`).join("\n")}`)

const report = "build/mutants.json"
const config = "build/stryker.json"
mkdirSync("build", { recursive: true })
writeFileSync(
  config,
  JSON.stringify({
    mutate,
    testRunner: "vitest",
    plugins: ["@stryker-mutator/vitest-runner"],
    vitest: { configFile: "vitest.mutants.ts", related: false },
    coverageAnalysis: "perTest",
    // Constants of a module are made once for all tests of a process.
    ignoreStatic: true,
    // The words of a message are read, not tested.
    mutator: { excludedMutations: ["StringLiteral"] },
    concurrency: Number(values.jobs),
    timeoutMS: 20_000,
    thresholds: { high: 85, low: 85, break: Number(values.least) || null },
    reporters: ["progress-append-only", "clear-text", "json"],
    clearTextReporter: { reportTests: false, allowColor: process.stdout.isTTY },
    jsonReporter: { fileName: report },
    tempDirName: "build/mutants",
    ignorePatterns: ["build", "**/dist", "**/esm", "**/cjs", "docs"],
    // TypeScript 7 has no API yet with which Stryker could read the project, and vitest needs none.
    disableTypeChecks: false,
    tsconfigFile: "build/none.json"
  })
)
process.env["LIFELINE_MUTANT_TESTS"] = tests.join("\n")
process.exit(await run("stryker", ["run", config]))
