#!/usr/bin/env node
/**
 * Changes one operator, condition or statement at a time in the sources that are named, with StrykerJS, and says which of these mutants
 * no test finds. Read them one by one: a mutant that makes no difference to anybody cannot be found.
 *
 * Many mutants are tried in one thread, since to load Effect and the SDK takes longer than most tests. What a module makes once it does
 * not make again there, so the mutants that no test finds are tried once more, each in a thread of its own.
 *
 * The tests that run are those in the folder of `test/` that has the name of the sources' folder, or all of a package whose whole `src` is
 * named, those of the package that have the name of a source, and those that `--tests` names. Tests that start a built program are left
 * out: there are no mutants in what was built.
 *
 * Usage: node scripts/test-mutants.mjs [--tests FILE_OR_FOLDER]... [--least 85] [--jobs 1] [--lines 60 [--seed 1]] FILE_OR_FOLDER[:10-20]...
 *
 * `:10-20` names lines of a file. `--lines` changes only so many lines of code, drawn at random: a folder takes minutes instead of hours.
 * Exit code 1 where fewer percent are found than `--least` says.
 */
import { sample, shuffledSubarray } from "fast-check"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
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
    jobs: { type: "string", default: "1" },
    lines: { type: "string" },
    seed: { type: "string", default: "1" }
  }
})
if (positionals.length === 0) refuse("Name the sources to change: pnpm test:mutants packages/http-server/src")

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

/**
 * The lines of a file that have code.
 *
 * @param {string} file
 */
const linesOf = (file) =>
  readFileSync(file, "utf8").split("\n").flatMap((line, index) =>
    /^\s*(?:\/?\*|\/\/|import |export \* |$|[\])}]+$)/.test(line) ? [] : [`${file}:${index + 1}-${index + 1}`]
  )

const sources = positionals.flatMap((path) => {
  const [, file = path, lines] = /^(.+?)(:\d+-\d+)?$/.exec(path) ?? []
  return filesOf(file).map((one) => `${one}${lines ?? ""}`)
})
const all = values.lines === undefined ? [] : sources.flatMap(linesOf)
const most = Math.min(Number(values.lines ?? 0), all.length)
const mutate = values.lines === undefined
  ? sources
  : sample(shuffledSubarray(all, { minLength: most, maxLength: most }), { numRuns: 1, seed: Number(values.seed) })
    .flat().toSorted()

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
    basename(file).replace(/(\.slow)?\.test\.ts$/, "").toLowerCase() === name
  )
}

/**
 * Whether a test starts what `scripts/vitest/built.ts` builds.
 *
 * @param {string} file
 */
const startsPrograms = (file) =>
  /\/(?:Built|Program|Processes|Host|Talk|OidcServer|support\/Gateway)\.js"|vitest\/built/.test(
    readFileSync(file, "utf8")
  )

const isTest = (/** @type {string} */ file) => file.endsWith(".test.ts")
const asked = values.tests.flatMap(filesOf).filter(isTest)
const ofPackages = positionals.flatMap((path) =>
  /^packages\/[^/]+\/src\/?$/.test(path) ? filesOf(join(dirname(path), "test")) : []
)
const beside = [...ofPackages.filter(isTest), ...mutate.flatMap(testsOf)]
const tests = [...new Set([...beside.filter((file) => !startsPrograms(file)), ...asked])]
if (tests.length === 0) refuse("No test stands beside these sources: name some with --tests")
console.log(`Tests:\n${tests.map((file) => `  ${file}`).join("\n")}`)

/** @typedef {{ id: string, mutatorName: string, replacement?: string, status: string, location: { start: Place, end: Place } }} Mutant */
/** @typedef {{ line: number, column: number }} Place */

const config = "build/stryker.json"
mkdirSync("build", { recursive: true })
process.env["LIFELINE_MUTANT_TESTS"] = tests.join("\n")

/**
 * Resolves with the mutants of each file and what became of them.
 *
 * @param {ReadonlyArray<string>} mutate what Stryker changes
 * @param {number} perThread how many mutants are tried in one thread
 */
const tryAll = async (mutate, perThread) => {
  const report = `build/mutants-${perThread}.json`
  rmSync(report, { force: true })
  process.env["LIFELINE_MUTANTS_PER_THREAD"] = `${perThread}`
  writeFileSync(
    config,
    JSON.stringify({
      mutate,
      testRunner: "vitest",
      plugins: ["@stryker-mutator/vitest-runner"],
      vitest: { configFile: "scripts/vitest/mutants.config.ts", related: false },
      coverageAnalysis: "perTest",
      // Constants of a module are made once for all tests of a process.
      ignoreStatic: true,
      // The words of a message are read, not tested.
      mutator: { excludedMutations: ["StringLiteral"] },
      concurrency: Number(values.jobs),
      // Beside half as long again as the tests took.
      timeoutMS: 8000,
      reporters: ["progress-append-only", "json"],
      jsonReporter: { fileName: report },
      tempDirName: "build/mutants",
      ignorePatterns: ["build", "**/dist", "**/esm", "**/cjs", "docs"],
      // TypeScript 7 has no API yet with which Stryker could read the project, and vitest needs none.
      disableTypeChecks: false,
      tsconfigFile: "build/none.json"
    })
  )
  const code = await run("stryker", ["run", config])
  if (code !== 0 || !existsSync(report)) process.exit(code || 2)
  /** @type {{ files: Record<string, { source: string, mutants: Array<Mutant> }> }} */
  const { files } = JSON.parse(readFileSync(report, "utf8"))
  return files
}

/** @param {Place} place */
const text = ({ column, line }) => `${line}:${column}`
/** @param {Mutant} mutant */
const range = ({ location: { end, start } }) => `${text(start)}-${text(end)}`
/** The same as Stryker is given it, which counts columns from 0 there. @param {Mutant} mutant */
const given = ({ location: { end, start } }) =>
  [start, end].map(({ column, line }) => text({ line, column: column - 1 })).join("-")
/** @param {Mutant} mutant */
const key = (mutant) => [range(mutant), mutant.mutatorName, mutant.replacement].join(" ")
/** @param {Mutant} mutant */
const isFound = ({ status }) => status === "Killed" || status === "Timeout"
/** Whether it is tried once more: no test has found it, or an error outside of a test has ended the thread. @param {Mutant} mutant */
const isOpen = ({ status }) => status === "Survived" || status === "RuntimeError"
/** @param {Mutant} mutant */
const counts = ({ status }) => status !== "Ignored"

const files = await tryAll(mutate, 25)
const again = Object.entries(files).flatMap(([file, { mutants }]) =>
  mutants.filter(isOpen).map((mutant) => `${file}:${given(mutant)}`)
)
const alone = again.length === 0 ? {} : await tryAll([...new Set(again)], 1)
for (const [file, { mutants }] of Object.entries(files)) {
  const later = new Map((alone[file]?.mutants ?? []).map((mutant) => [key(mutant), mutant.status]))
  for (const mutant of mutants) {
    if (isOpen(mutant)) mutant.status = later.get(key(mutant)) ?? mutant.status
  }
}
writeFileSync("build/mutants.json", JSON.stringify(files))

for (const [file, { mutants, source }] of Object.entries(files)) {
  const lines = source.split("\n")
  for (const mutant of mutants.filter((one) => counts(one) && !isFound(one))) {
    const { location: { start }, mutatorName, replacement, status } = mutant
    console.log(`${file}:${text(start)} ${status} ${mutatorName}`)
    console.log(`  - ${lines[start.line - 1]?.trim()}\n  + ${replacement?.replaceAll(/\s+/g, " ")}\n`)
  }
}

/** @param {ReadonlyArray<Mutant>} mutants */
const score = (mutants) => {
  const all = mutants.filter(counts)
  const found = all.filter(isFound).length
  return { found, of: all.length, percent: all.length === 0 ? 100 : Math.round((1000 * found) / all.length) / 10 }
}
const total = score(Object.values(files).flatMap(({ mutants }) => mutants))
console.table({
  ...Object.fromEntries(Object.entries(files).map(([file, { mutants }]) => [file, score(mutants)])),
  "all": total
})
process.exitCode = total.percent < Number(values.least) ? 1 : 0
