/**
 * Where the time of a call goes: Node's sampling profiler in the process that the call passes through, and whose the functions are in which
 * it found it.
 *
 * A microsecond here is CPU time of that process, measured without the profiler: the median over rounds of `--calls`. The profile
 * divides it. Time in which the process waits is in neither. `own`: in functions of that package, and in what is built into JavaScript when they
 * call it. `with others`: also what Effect, Node.js and other packages do for them, as far as the stack shows it. The line of a function is the one
 * in which most of the samples were taken.
 *
 * `--beside FOLDER` has no profile: it measures the CPU time of a call here and in another checkout of this repository, which is built, in turns.
 * The ratio is the median over the rounds of (here) / (there).
 *
 *     node benchmarks/profile.mjs [--door connect|wrap|serve] [--transport memory|stdio|http] [--calls 1000] [--rounds 15] [--warm 3000]
 *       [--inFlight 1] [--seconds 3] [--top 15] [--beside FOLDER] [--json]
 */
import { resolve } from "node:path"
import * as common from "./common.mjs"
import { attribute } from "./profile/attribution.mjs"
import * as Subjects from "./profile/subjects.mjs"

const { beside, calls, door, inFlight, json, rounds, seconds, top, transport, warm } = common.options(
  { calls: 1000, rounds: 15, warm: 3000, inFlight: 1, seconds: 3, top: 15 },
  { door: ["all", "connect", "wrap", "serve"], transport: ["all", "memory", "stdio", "http"] },
  ["beside"]
)

/** Microseconds of CPU time a call, of each round, of subjects that take turns. @param {ReadonlyArray<Subjects.Subject>} subjects */
const costs = async (subjects) => {
  for (const { run } of subjects) await run(warm)
  const all = []
  for (let round = 0; round < rounds; round++) {
    const costs = []
    for (const { ask, run } of subjects) {
      const before = await ask("cpu")
      await run(calls)
      costs.push((await ask("cpu") - before) / calls)
    }
    all.push(costs)
  }
  return all
}

/** @param {Subjects.Subject} subject */
const profile = async ({ ask, run }) => {
  await ask("start")
  const startedAt = performance.now()
  while (performance.now() - startedAt < seconds * 1000) await run(calls)
  return attribute(await ask("stop"))
}

/** Those with the most, as rows. @param {ReadonlyArray<import("./profile/attribution.mjs").Part>} parts @param {"own" | "all"} by @param {number} cost */
const rows = (parts, by, cost) =>
  parts.toSorted((a, b) => b[by] - a[by]).slice(0, top).filter((part) => part[by] >= 0.001).map((part) => ({
    name: part.name,
    figures: {
      "own %": common.round(part.own * 100),
      "own us": common.round(part.own * cost),
      "with others %": common.round(part.all * 100),
      "with others us": common.round(part.all * cost)
    }
  }))

/** @param {string} door @param {string} transport */
const profiled = async (door, transport) => {
  const subject = await Subjects.open(Subjects.here, door, transport, inFlight)
  const cost = common.median((await costs([subject])).flat())
  const { functions, groups } = await profile(subject)
  await subject.end()
  const name = `${door} over ${transport}`
  return [
    { title: `${name}: ${common.round(cost)} us of CPU time a call, by package`, rows: rows(groups, "own", cost) },
    { title: `${name}: functions`, rows: rows(functions, "own", cost) },
    {
      title: `${name}: our functions, with what they make others do`,
      rows: rows(functions.filter(({ isOurs }) => isOurs), "all", cost)
    }
  ]
}

/** @param {string} other @param {string} door @param {string} transport */
const compared = async (other, door, transport) => {
  const subjects = []
  for (const root of [Subjects.here, resolve(other)]) {
    subjects.push(await Subjects.open(root, door, transport, inFlight))
  }
  const all = await costs(subjects)
  for (const { end } of subjects) await end()
  const us = (/** @type {number} */ which) => common.round(common.median(all.map((costs) => costs[which] ?? 0)))
  const ratio = common.round(common.median(all.map(([ours = 0, theirs = 0]) => ours / theirs)), 3)
  return { name: `${door} over ${transport}`, figures: { "here us": us(0), "there us": us(1), ratio } }
}

const chosen = Subjects.all.filter(([one, over]) => [one, "all"].includes(door) && [over, "all"].includes(transport))
if (chosen.length === 0) throw new Error(`no call passes through ${door} over ${transport}`)
/** @type {Array<common.Result>} */
const parts = []
/** @type {Array<common.Row>} */
const ratios = []
for (const [one, over] of chosen) {
  if (beside === undefined) parts.push(...await profiled(one, over))
  else ratios.push(await compared(beside, one, over))
}
if (beside !== undefined) parts.push({ title: `CPU time of a call here and in ${beside}`, rows: ratios })
common.reportParts({ parts, json })
process.exit()
