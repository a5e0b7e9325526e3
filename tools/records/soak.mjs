/** Reports of soaks that are kept, in docs/soak: what `pnpm test:release soak --json` writes, without its single faults. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { root } from "./proof.mjs"

/**
 * `faults` are counted by their kind, `violations` by promise and door.
 *
 * @typedef {object} Soak
 * @property {string} date
 * @property {string} commit
 * @property {{ readonly cores: number, readonly node: string }} machine
 * @property {number} seed
 * @property {number} seconds
 * @property {number} wallSeconds
 * @property {ReadonlyArray<string>} doors
 * @property {Readonly<Record<"calls" | "answered" | "failed" | "gone", number>>} calls
 * @property {Readonly<Record<string, number>>} errors
 * @property {number} effects
 * @property {Readonly<Record<string, number>>} faults
 * @property {Readonly<Record<string, number>>} violations
 */

const folder = `${root}docs/soak`

/** Kinds of faults that end a process. */
const kills = ["kill", "exit", "killReplica"]

/** @param {ReadonlyArray<Readonly<Record<string, number>>>} counts */
const summed = (counts) => {
  /** @type {Record<string, number>} */
  const sum = {}
  for (const [kind, count] of counts.flatMap((one) => Object.entries(one))) sum[kind] = (sum[kind] ?? 0) + count
  return Object.fromEntries(Object.entries(sum).toSorted())
}

/** @param {any} report as `pnpm test:release soak --json` writes it @returns {Soak} */
export const reduce = (report) => ({
  date: report.date.slice(0, 10),
  commit: report.commit,
  machine: { cores: report.machine.cores, node: report.machine.node },
  seed: report.course.seed,
  seconds: report.course.seconds,
  wallSeconds: report.wallSeconds,
  doors: report.doors,
  calls: {
    calls: report.calls.calls,
    answered: report.calls.answered,
    failed: report.calls.failed,
    gone: report.calls.gone
  },
  errors: report.errors,
  effects: report.effects,
  faults: summed(Object.values(report.faultsByDoor)),
  violations: summed(
    report.violations.map((/** @type {{ readonly promise: string, readonly door: string }} */ { door, promise }) => ({
      [`${promise} at ${door}`]: 1
    }))
  )
})

/** Keeps a report. @param {string} file @returns {string} the name of what is kept */
export const keep = (file) => {
  const soak = reduce(JSON.parse(readFileSync(file, "utf8")))
  const name = `${soak.date}-seed-${soak.seed}.json`
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/${name}`, `${JSON.stringify(soak, undefined, 2)}\n`)
  return `docs/soak/${name}`
}

/** Those that are kept, the latest first. @returns {ReadonlyArray<Soak>} */
export const read = () =>
  (existsSync(folder) ? readdirSync(folder) : []).filter((name) => name.endsWith(".json")).toSorted().toReversed()
    .map((name) => JSON.parse(readFileSync(`${folder}/${name}`, "utf8")))

/** @param {ReadonlyArray<Soak>} soaks */
export const totals = (soaks) => {
  const sum = (/** @type {(soak: Soak) => number} */ of) => soaks.reduce((total, soak) => total + of(soak), 0)
  return {
    seconds: sum(({ seconds }) => seconds),
    calls: sum(({ calls }) => calls.calls),
    kills: sum(({ faults }) => kills.reduce((count, kind) => count + (faults[kind] ?? 0), 0)),
    faults: sum(({ faults }) => Object.values(faults).reduce((a, b) => a + b, 0)),
    twice: sum(({ violations }) =>
      Object.entries(violations).reduce((count, [what, times]) => what.startsWith("twice ") ? count + times : count, 0)
    )
  }
}
