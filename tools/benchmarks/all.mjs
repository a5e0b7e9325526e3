/**
 * `pnpm bench`: all benchmarks, one after the other; `pnpm bench call --rounds 5`: one of them, with its own options.
 *
 * In each round, each benchmark runs once as a process of its own; a table at the end has the medians of the rounds and how far they
 * spread. With `--against REV` that commit is built in a temporary folder, and its benchmarks run in turns with those of the working tree, so that what
 * else the machine does hits both alike. A benchmark that cannot run here (no PostgreSQL, no npm registry) is left out, and a line says why.
 *
 * The figures are also written as JSON, with the commit, the date, the machine and the versions, below `build/bench`.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs, stripVTControlCharacters } from "node:util"
import { output, run } from "../run.mjs"
import { benchmarks, build, checkout, git } from "./checkout.mjs"
import * as common from "./common.mjs"
import * as Rounds from "./rounds.mjs"
import { suite } from "./suite.mjs"

const usage = `Usage: pnpm bench NAME [options of the benchmark]
       pnpm bench [--only NAME,..] [--rounds NUMBER] [--against REV] [--json]

Runs one benchmark; or several, and prints a table of each. JSON is written below build/bench, too.

  --only NAME,..   only these
  --rounds NUMBER  how often each runs: 1 by default, and 6 with --against
  --against REV    compares with that commit, in turns, and says what differs by more than the rounds do
  --json           prints JSON instead of tables

The benchmarks, and how long a round of each takes:

${
  suite.map(({ measures, minutes, name }) => `  ${name.padEnd(9)} ${`${minutes} min`.padStart(7)}  ${measures}`).join(
    "\n"
  )
}
`

/** @param {string} message @returns {never} */
const refuse = (message) => {
  console.error(`${message}\n\n${usage}`)
  process.exit(2)
}

const root = fileURLToPath(new URL("../..", import.meta.url))

const [one, ...args] = process.argv.slice(2)
if (one !== undefined && !one.startsWith("-")) {
  if (!suite.some(({ name }) => name === one)) refuse(`There is no benchmark ${JSON.stringify(one)}`)
  await build(root)
  process.exit(await run(process.execPath, [join(root, "tools/benchmarks", `${one}.mjs`), ...args], { cwd: root }))
}

const options = (() => {
  try {
    return parseArgs({
      options: {
        only: { type: "string" },
        rounds: { type: "string" },
        against: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false, short: "h" }
      }
    }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
})()
if (options.help) {
  console.log(usage)
  process.exit()
}
const names = options.only?.split(",") ?? suite.map(({ name }) => name)
for (const name of names) {
  if (!suite.some((one) => one.name === name)) refuse(`--only: there is no benchmark ${JSON.stringify(name)}`)
}
const chosen = suite.filter(({ name }) => names.includes(name))
const rounds = Number(options.rounds ?? (options.against === undefined ? 1 : 6))
if (!Number.isSafeInteger(rounds) || rounds < 1) refuse("--rounds must be a whole number above 0")
if (options.against !== undefined && rounds < 4) {
  refuse("--rounds must be at least 4 with --against: with fewer, chance alone makes differences")
}

const startedAt = Date.now()

const [commit, changed] = await Promise.all([git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain")])
const against = options.against === undefined
  ? undefined
  : await git(root, "rev-parse", "--verify", `${options.against}^{commit}`).catch(() =>
    refuse(`--against: git knows no commit ${JSON.stringify(options.against)}`)
  )

console.error("building")
await build(root)
/** @type {ReadonlyArray<string>} */
let folders = [root]
if (against !== undefined) {
  console.error(`building ${against.slice(0, 7)}`)
  folders = [await checkout(root, against), root]
}

/** What each benchmark printed, by folder. @type {Map<string, Array<ReadonlyArray<common.Result>>>} */
const measured = new Map()
/** What a benchmark says of all its parts. @type {Map<string, ReadonlyArray<string>>} */
const notesOf = new Map()
/** How busy the machine was when each round began, over a minute, by benchmark. @type {Map<string, Array<number>>} */
const loads = new Map()
/** How long each took in all rounds together, in seconds, by benchmark. @type {Map<string, number>} */
const times = new Map()
/** @type {Map<string, string>} */
const left = new Map()
const keyOf = (/** @type {string} */ folder, /** @type {string} */ name) => `${folder} ${name}`

/** @param {string} folder @param {import("./suite.mjs").Benchmark} benchmark */
const runOnce = async (folder, { name }) => {
  const { code, stderr, stdout } = await output(process.execPath, [
    join(benchmarks(folder), `${name}.mjs`),
    "--json"
  ], { cwd: folder })
  try {
    const value = JSON.parse(stdout)
    /** @type {ReadonlyArray<common.Result>} */
    const parts = value.parts ?? [value]
    if (folder === root) {
      loads.set(name, [...loads.get(name) ?? [], value.machine.load[0]])
      notesOf.set(name, value.notes ?? [])
    }
    return parts
  } catch {
    const said = stripVTControlCharacters(stderr).trim().split("\n")
    // The last line of an error that nobody caught is the version of Node.js.
    left.set(name, said.find((line) => /\w*Error: /.test(line)) ?? said.at(-1) ?? `it ended with ${code}`)
    return undefined
  }
}

for (let round = 0; round < rounds; round++) {
  for (const [i, benchmark] of chosen.entries()) {
    // The one that is first in a round is second in the next.
    for (const folder of round % 2 === 0 ? folders : folders.toReversed()) {
      if (left.has(benchmark.name)) continue
      const of = folders.length === 1 ? "" : folder === root ? ", working tree" : `, ${against?.slice(0, 7)}`
      console.error(`round ${round + 1} of ${rounds}, ${i + 1} of ${chosen.length}: ${benchmark.name}${of}`)
      const begunAt = Date.now()
      const parts = await runOnce(folder, benchmark)
      times.set(benchmark.name, (times.get(benchmark.name) ?? 0) + (Date.now() - begunAt) / 1000)
      const key = keyOf(folder, benchmark.name)
      if (parts !== undefined) measured.set(key, [...measured.get(key) ?? [], parts])
    }
  }
}

const { version: node } = process
/** @param {string} name @returns {string} */
const versionOf = (name) =>
  JSON.parse(readFileSync(join(root, "tools/benchmarks/node_modules", name, "package.json"), "utf8")).version

const results = chosen.flatMap(({ name }) => {
  const all = measured.get(keyOf(root, name)) ?? []
  const [first] = all
  if (first === undefined || left.has(name)) return []
  const figures = Rounds.figures(all)
  const before = Rounds.figures(measured.get(keyOf(folders[0] ?? "", name)) ?? [])
  return [{
    name,
    parts: first,
    figures,
    comparison: against === undefined ? undefined : Rounds.compare(before, figures)
  }]
})

const record = {
  commit: changed === "" ? commit : `${commit}, with changes`,
  against,
  date: new Date(startedAt).toISOString(),
  seconds: Math.round((Date.now() - startedAt) / 1000),
  machine: {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? "unknown",
    memoryGB: common.round(totalmem() / 1e9),
    platform: `${process.platform} ${process.arch}`
  },
  versions: {
    node,
    ...Object.fromEntries(
      ["effect", "@modelcontextprotocol/sdk", "@modelcontextprotocol/client"].map((name) => [name, versionOf(name)])
    )
  },
  rounds,
  left: Object.fromEntries(left),
  benchmarks: results.map(({ comparison, figures, name, parts }) => ({
    name,
    load: loads.get(name),
    seconds: Math.round(times.get(name) ?? 0),
    notes: notesOf.get(name),
    parts,
    figures: figures.map((figure) => ({ ...figure, ...Rounds.spread(figure.values) })),
    ...comparison
  }))
}
const file = join(root, "build/bench", `${record.date.replaceAll(":", "-").slice(0, 19)}-${commit.slice(0, 7)}.json`)
mkdirSync(join(root, "build/bench"), { recursive: true })
writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`)

/** @param {Rounds.Spread} spread */
const withSpread = ({ least, median, most, percent }) =>
  least === most ? String(common.round(median, 3)) : `${common.round(median, 3)} ±${common.round(percent)}%`

if (options.json) console.log(JSON.stringify(record, null, 2))
else {
  for (const { comparison, figures, name, parts } of results) {
    console.log(`\n# ${name}`)
    if (comparison === undefined) {
      for (const part of parts) {
        const mine = figures.filter((figure) => parts.length === 1 || figure.part === part.title)
        const rows = part.rows.map((row) => ({
          ...row,
          figures: {
            ...row.figures,
            ...Object.fromEntries(
              mine.filter((figure) => figure.row === row.name).map((figure) => [
                figure.column,
                withSpread(Rounds.spread(figure.values))
              ])
            )
          }
        }))
        common.print({ ...part, rows })
      }
      for (const note of notesOf.get(name) ?? []) console.log(`\n${note}`)
      continue
    }
    const { differences, onlyBefore, onlyNow } = comparison
    common.print({
      title: `${against?.slice(0, 7)} against the working tree`,
      rows: differences.map(({ after, before, figure, percent, verdict }) => ({
        name: Rounds.nameOf(figure),
        figures: {
          before: withSpread(before),
          now: withSpread(after),
          change: `${percent > 0 ? "+" : ""}${common.round(percent)}%`,
          "": verdict === "same" ? "within noise" : verdict.toUpperCase()
        }
      })),
      notes: [
        ...(onlyNow.length > 0 ? [`Measured only now: ${onlyNow.join("; ")}`] : []),
        ...(onlyBefore.length > 0 ? [`Not measured any more: ${onlyBefore.join("; ")}`] : [])
      ]
    })
  }
  if (against !== undefined) {
    console.log(
      `\nA figure is BETTER or WORSE if each of the ${rounds} rounds of one commit is beyond all of the other's. Chance does that to one in ${
        Rounds.oneIn(rounds)
      } figures in which nothing has changed.`
    )
  }
}
for (const [name, why] of left) console.error(`${name} was left out: ${why}`)
console.error(`${Math.round((Date.now() - startedAt) / 60_000)} minutes; ${file}`)
