#!/usr/bin/env node
/**
 * Shows that the model test is sharp: plants one fault at a time in a copy of core, runs the model against the copy, and says
 * after how many generated runs the fault was found; and the same with other packages and their tests. Exit code 1 where one was not found, or
 * could not be planted.
 *
 * A line that ends with `// guard: <name>` keeps an invariant. Each such line is taken out once; a fault that is not
 * the absence of a line stands in the list below, with what stands in the line's place.
 *
 * Usage: node tools/plant-faults.mjs [--runs 2500] [--seed 1] [name ...]
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs, stripVTControlCharacters } from "node:util"

const root = fileURLToPath(new URL("..", import.meta.url))
const packages = join(root, "packages")

/** Runs tests, and gives what they print. @typedef {(...tests: ReadonlyArray<string>) => string} Run */
/** `find`: says in words which test found a fault; nothing if none did. @typedef {{ readonly name: string, readonly find: (run: Run) => string | undefined }} Guarded */

/** The model, which says after how many runs; and tests of what it does not play: fleets, the queue, progress. @type {Guarded} */
const core = {
  name: "core",
  find: (run) => byModel(run("test/model/Model")) ?? byTests(run("test/UnreadHints", "test/Routing", "test/progress"))
}
/** The packages that have guards, with the tests that are to find a fault. @type {ReadonlyArray<Guarded>} */
const guarded = [
  core,
  { name: "extensions", find: (run) => byTests(run("test/")) },
  { name: "transport-stdio", find: (run) => byTests(run("test/MemoryLimit")) }
]

/** @typedef {Readonly<Record<string, string>>} Replacements By the name of the guard, what stands in place of its line. */

/**
 * Faults that need more than one line taken out, or another line in its place. A guard that is named here is not taken out
 * alone: it holds together with the others, or nothing would be left to run.
 *
 * @type {Readonly<Record<string, Replacements>>}
 */
const replacements = {
  "a logger that throws ends the supervisor": {
    "logger-throws": "return line",
    "supervisor-survives": "Effect.failCause"
  },
  "what others gave us throws, and ends the supervisor": {
    "defect-stops-nobody": "throw defect",
    "supervisor-survives": "Effect.failCause"
  },
  "a generation that is used twice": {
    "generation-used-once": "generation: Math.max(1, slot.generation),"
  },
  "a session that is resumed twice": { "session-taken-once": "" },
  "a new session beside a doubted one takes no place": { "doubt-takes-a-place": "const pace = next.pace" },
  "await the close before the next connection": { "no-overlap": "yield* owner.closed" },
  "do not wait for the close where two would fight": { "no-overlap": "" },
  "await the close in the supervisor": {
    "returns-at-once": "Retire: ({ loss, runtime }) => Effect.zipRight(owner.retire(runtime, loss), owner.closed),"
  },
  "a lost runtime is not retired": { "lost-is-retired": "" },
  "close before the detach is published": {
    "detach-before-close":
      "return Effect.forEach(actions, (one) => Effect.zipRight(this.#act(one), Effect.repeatN(Effect.yieldNow(), 4))).pipe(Effect.map(() => this.#backend.update(() => slot)))"
  },
  "heartbeat after detach": {
    "tasks-end-at-detach": 'const attached = { outcome: "closed", message: undefined }'
  },
  "a call waits without an attempt": { "attempt-within-the-wait": "const longest = Number.POSITIVE_INFINITY" },
  "a call ignores Retry-After after a permanent failure": {
    "demand-respects-retry-after": "now + demandSpacing(pace, options)"
  },
  "a lost session waits for the backoff": { "lost-session-at-once": "const when = undefined as number | undefined" },
  "reads are sent to a server in doubt": { "doubt-holds-all": "" },
  "calls are sent to a server in doubt": { "doubt-holds-all": "", "silent-is-not-used": "" },
  "a failed probe is not followed": { "probe-is-followed": "self.probing = undefined" },
  "lists are sought at each unknown name": { "seeking-paced": "true" },
  "lists are read at each announcement": { "lists-paced": "return warned" },
  "a doubt is believed at once": { "doubt-asks-first": "replace(self, check, refusal)" },
  "a second forgotten session is not noticed": { "successor-is-asked": "", "given-list-is-evidence": "" },
  "a call in doubt is sent again whatever it did": { "doubted-side-effect-once": "const mayRepeat = true" },
  "a tool is called before it was compared": {
    "compared-before-called": "if (this.#comparedIn > -2) return sendCompared(options)"
  },
  "a process is replaced twice within a minute": { "memory-restarts-keep-pace": "if (true) {" },
  "a stale catalogue shown as fresh": { "stale-is-shown": "const stale = connectedGeneration === undefined" }
}

/** @type {(directory: string) => ReadonlyArray<string>} */
const sources = (directory) =>
  readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))

const marker = / \/\/ guard: ([\w-]+)$/

/** @type {(text: string) => ReadonlyArray<string>} */
const guardsIn = (text) => text.split("\n").flatMap((line) => marker.exec(line)?.[1] ?? [])

const inList = new Set(Object.values(replacements).flatMap((fault) => Object.keys(fault)))

/** @type {(one: Guarded) => ReadonlyArray<string>} */
const guardsOf = ({ name }) =>
  sources(join(packages, name, "src")).flatMap((file) => guardsIn(readFileSync(file, "utf8")))

/** A fault whose guards no package has is one of core's, and cannot be planted. @type {ReadonlyArray<readonly [string, Replacements, Guarded]>} */
const faults = [
  ...guarded.flatMap((one) =>
    [...new Set(guardsOf(one))].filter((guard) => !inList.has(guard))
      .map((guard) => /** @type {const} */ ([guard, { [guard]: "" }, one]))
  ),
  ...Object.entries(replacements).map(([name, fault]) => {
    const home = guarded.find((one) => guardsOf(one).some((guard) => guard in fault))
    return /** @type {const} */ ([name, fault, home ?? core])
  })
]

/** Those of a fault's guards that do not mark one line. @type {(fault: Replacements, one: Guarded) => ReadonlyArray<string>} */
const misplaced = (fault, one) => {
  const guards = guardsOf(one)
  return Object.keys(fault).filter((guard) => guards.filter((one) => one === guard).length !== 1)
}

/** Puts a fault into the copy. @type {(copy: string, fault: Replacements) => void} */
const plant = (copy, fault) => {
  for (const file of sources(copy)) {
    const lines = readFileSync(file, "utf8").split("\n").map((line) => fault[marker.exec(line)?.[1] ?? ""] ?? line)
    writeFileSync(file, lines.join("\n"))
  }
}

const { positionals: names, values } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "2500" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) }
  }
})
/** @type {(copy: string, tests: ReadonlyArray<string>) => string} */
const run = (copy, tests) =>
  spawnSync(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), "run", "--root", copy, ...tests], {
    cwd: copy,
    encoding: "utf8",
    env: {
      ...process.env,
      LIFELINE_MODEL_RUNS: values.runs,
      LIFELINE_MODEL_SEEDS: "1",
      LIFELINE_MODEL_SEED: values.seed,
      NO_COLOR: "1"
    },
    maxBuffer: 1 << 28
  }).stdout

/** Which test found it; nothing if none did. @type {(stdout: string) => string | undefined} */
const byTests = (stdout) => {
  stdout = stripVTControlCharacters(stdout)
  const [, test] = /^ +× (.*?)(?: \d+ms)?$/m.exec(stdout) ?? []
  if (test === undefined && !/^ +Tests +\d+ passed/m.test(stdout)) {
    throw new Error(`no test ran:\n${stdout.slice(-2000)}`)
  }
  return test && `by: ${test}`
}

/** After how many runs the model found it, and what; nothing if it did not. @type {(stdout: string) => string | undefined} */
const byModel = (stdout) => {
  const verdict = /^seed -?\d+: (?:after (\d+) runs: t=\S+ (.*)|not found)$/m.exec(stdout)
  if (verdict === null) throw new Error(`the model did not run:\n${stdout.slice(-2000)}`)
  const [, runs, what] = verdict
  return runs && `in ${runs} runs: ${what}`
}

/** What the tests of a package find of a fault in its sources. @type {(one: Guarded, fault: Replacements) => string | undefined} */
const tested = ({ find, name }, fault) => {
  const home = join(packages, name)
  const copy = join(home, "build", `fault-${process.pid}`)
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(copy, { recursive: true })
  cpSync(join(home, "src"), join(copy, "src"), { recursive: true })
  cpSync(join(home, "test"), join(copy, "test"), { recursive: true })
  // What tests take from others by path stands two folders higher up than in the copy.
  for (const file of sources(join(copy, "test"))) {
    const text = readFileSync(file, "utf8")
    writeFileSync(file, text.replaceAll(/(["'`])((?:\.\.\/)+)(core|testing|transport-stdio|docs)\//g, "$1../../$2$3/"))
  }
  writeFileSync(
    join(copy, "vitest.config.ts"),
    `import config from "../../../../vitest.config.js"

// What the tests script is made with the package, too: with the copy.
const alias = config.resolve.alias.map(({ find, replacement }) => ({
  find,
  replacement: replacement.replace("/packages/${name}/src/", "/packages/${name}/build/fault-${process.pid}/src/")
}))
const { globalSetup, projects, reporters, ...test } = config.test
export default { test: { ...test, include: ["test/**/*.test.ts"], provide: { isLarge: false } }, resolve: { alias } }
`
  )
  plant(join(copy, "src"), fault)
  try {
    return find((...tests) => run(copy, tests))
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

const chosen = faults.filter(([name]) => names.length === 0 || names.some((wanted) => name.includes(wanted)))
for (const one of new Set(chosen.map(([, , one]) => one))) {
  const found = tested(one, {})
  if (found !== undefined) throw new Error(`without a fault the tests of ${one.name} found something ${found}`)
}
let missed = 0
for (const [name, fault, one] of chosen) {
  const unmarked = misplaced(fault, one)
  const found = unmarked.length > 0 ? undefined : tested(one, fault)
  if (found === undefined) missed++
  console.log(
    unmarked.length > 0
      ? `cannot be planted   ${name}: not one line is marked ${unmarked.join(" or ")}`
      : found === undefined
      ? `NOT FOUND           ${name}`
      : `found  ${name}  (${found})`
  )
}
process.exit(missed > 0 ? 1 : 0)
