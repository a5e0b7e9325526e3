#!/usr/bin/env node
/**
 * Shows that the model test is sharp: plants one fault at a time in a copy of core, runs the model against the copy, and says
 * after how many generated runs the fault was found. Exit code 1 where one was not found, or could not be planted.
 *
 * A line of core that ends with `// guard: <name>` keeps an invariant. Each such line is taken out once; a fault that is not
 * the absence of a line stands in the list below, with what stands in the line's place.
 *
 * Usage: node tools/plant-faults.mjs [--runs 2500] [--seed 1] [name ...]
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const root = fileURLToPath(new URL("..", import.meta.url))
const core = join(root, "packages", "core")

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
  "telemetry that throws ends the supervisor": {
    "telemetry-throws": "throw defect",
    "supervisor-survives": "Effect.failCause"
  },
  "a generation that is used twice": {
    "generation-used-once": "const generation = Math.max(1, backend.published.value.generation)"
  },
  "a session that is resumed twice": { "session-taken-once": "" },
  "await the close before the next connection": { "no-overlap": "yield* this.#parts.owner.closed" },
  "do not wait for the close where two would fight": { "no-overlap": "" },
  "await the close in the supervisor": {
    "lost-is-retired": "yield* this.#owner.retire(runtime, loss); yield* this.#owner.closed"
  },
  "a lost runtime is not retired": { "lost-is-retired": "" },
  "close before the detach is published": {
    "detach-before-close": "yield* this.#owner.retire(runtime, loss); yield* Effect.repeatN(Effect.yieldNow(), 4)"
  },
  "heartbeat after detach": {
    "tasks-end-at-detach": 'const attached = { outcome: "closed", message: undefined }'
  },
  "a call waits without an attempt": { "attempt-within-the-wait": "const longest = Number.POSITIVE_INFINITY" },
  "a call ignores Retry-After after a permanent failure": {
    "demand-respects-retry-after": "return now + this.#demandSpacing"
  },
  "a lost session waits for the backoff": { "lost-session-at-once": "const at = undefined as number | undefined" },
  "reads are sent to a server in doubt": { "doubt-holds-all": "" },
  "calls are sent to a server in doubt": { "doubt-holds-all": "", "silent-is-not-used": "" },
  "a failed probe is not followed": { "probe-is-followed": "this.#doubt = undefined" },
  "lists are read at each announcement": { "lists-paced": "return warned" },
  "a doubt is believed at once": { "doubt-asks-first": "this.#replace(doubt, refusal)" },
  "a second forgotten session is not noticed": { "successor-is-asked": "", "given-list-is-evidence": "" },
  "a call in doubt is sent again whatever it did": { "doubted-side-effect-once": "const mayRepeat = true" },
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

const guards = sources(join(core, "src")).flatMap((file) => guardsIn(readFileSync(file, "utf8")))
const inList = new Set(Object.values(replacements).flatMap((fault) => Object.keys(fault)))

/** @type {ReadonlyArray<readonly [string, Replacements]>} */
const faults = [
  ...guards.filter((guard) => !inList.has(guard)).map((guard) => /** @type {const} */ ([guard, { [guard]: "" }])),
  ...Object.entries(replacements)
]

/** Puts a fault into the copy; the guards that are not there once. @type {(copy: string, fault: Replacements) => ReadonlyArray<string>} */
const plant = (copy, fault) => {
  const found = Object.keys(fault).map((guard) => ({ guard, times: 0 }))
  for (const file of sources(copy)) {
    const lines = readFileSync(file, "utf8").split("\n").map((line) => {
      const entry = found.find(({ guard }) => guard === marker.exec(line)?.[1])
      if (entry === undefined) return line
      entry.times++
      return fault[entry.guard]
    })
    writeFileSync(file, lines.join("\n"))
  }
  return found.filter(({ times }) => times !== 1).map(({ guard }) => guard)
}

const { positionals: names, values } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "2500" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) }
  }
})
const copy = join(core, "build", `fault-${process.pid}`)
let missed = 0
for (const [name, fault] of faults) {
  if (names.length > 0 && !names.some((wanted) => name.includes(wanted))) continue
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(copy, { recursive: true })
  cpSync(join(core, "src"), join(copy, "src"), { recursive: true })
  cpSync(join(core, "test", "model"), join(copy, "test", "model"), { recursive: true })
  writeFileSync(
    join(copy, "vitest.config.ts"),
    `import config from "../../../../vitest.config.js"

// The connector that the model scripts is made with core, too: with the copy.
const alias = config.resolve.alias.map(({ find, replacement }) => ({
  find,
  replacement: replacement.replace("/packages/core/src/", "/packages/core/build/fault-${process.pid}/src/")
}))
const { globalSetup, projects, reporters, ...test } = config.test
export default { test: { ...test, include: ["test/model/*.test.ts"], provide: { isLarge: false } }, resolve: { alias } }
`
  )
  const misplaced = plant(join(copy, "src"), fault)
  if (misplaced.length > 0) {
    console.log(`cannot be planted   ${name}: not one line is marked ${misplaced.join(" or ")}`)
    missed++
    continue
  }
  const { stdout } = spawnSync(
    process.execPath,
    [join(root, "node_modules/vitest/vitest.mjs"), "run", "--root", copy, "test/model/Model"],
    {
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
    }
  )
  const verdict = /^seed -?\d+: (?:after (\d+) runs: t=\S+ (.*)|not found)$/m.exec(stdout)
  if (verdict === null) throw new Error(`the model did not run:\n${stdout.slice(-2000)}`)
  const [, runs, what] = verdict
  if (runs === undefined) missed++
  console.log(
    runs === undefined ? `NOT FOUND           ${name}` : `found in ${runs.padStart(5)} runs  ${name}  (${what})`
  )
}
rmSync(copy, { recursive: true, force: true })
process.exit(missed > 0 ? 1 : 0)
