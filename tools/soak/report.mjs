/**
 * What a soak says: while it runs, and at the end.
 */
import { execFileSync } from "node:child_process"
import { cpus } from "node:os"
import { told } from "./verdict.mjs"

/** @typedef {import("./plan.mjs").Course} Course */
/** @typedef {import("./plan.mjs").Fault} Fault */
/** @typedef {import("./verdict.mjs").Calls} Calls */
/** @typedef {import("./verdict.mjs").Held} Held */
/** @typedef {import("./verdict.mjs").Violation} Violation */
/** @typedef {{ readonly who: string, readonly before: Held, readonly after: Held }} Compared */

const commit = () => {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    }).trim()
  } catch {
    return "unknown"
  }
}

/**
 * @typedef {object} Result
 * @property {Course} course
 * @property {ReadonlyArray<string>} doors those that took part
 * @property {ReadonlyArray<string>} leftOut
 * @property {ReadonlyArray<Fault>} faults
 * @property {Calls} calls
 * @property {number} effects
 * @property {ReadonlyArray<{ readonly door: string, readonly processes: ReadonlyArray<Compared> }>} held
 * @property {ReadonlyArray<Violation>} violations
 * @property {number} wallSeconds
 */

/** @param {ReadonlyArray<string>} values @returns {Record<string, number>} */
const counted = (values) => {
  /** @type {Record<string, number>} */
  const counts = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return Object.fromEntries(Object.entries(counts).toSorted())
}

/** The report as data, which `--replay` reads. @param {Result} result */
export const make = ({ calls, doors, effects, faults, wallSeconds, ...rest }) => ({
  ...rest,
  doors,
  date: new Date().toISOString(),
  commit: commit(),
  machine: { cores: cpus().length, cpu: cpus()[0]?.model ?? "unknown", node: process.version },
  wallSeconds: Math.round(wallSeconds),
  calls: calls.counts,
  messages: calls.messages,
  slowest: calls.slowest,
  errors: Object.fromEntries([...calls.errors].toSorted()),
  effects,
  faultsByDoor: Object.fromEntries(
    doors.map((door) => [door, counted(faults.filter((one) => one.door === door).map(({ kind }) => kind))])
  ),
  faults
})

/** The command that plays a plan again. @param {Course} course */
export const command = ({ doors, seconds, seed }) =>
  `pnpm test:release soak --seconds ${seconds} --seed ${seed} --doors ${doors.join(",")}`

/** @param {Record<string, number>} counts */
const listed = (counts) => Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(", ")

/** @param {number} bytes */
const mebi = (bytes) => (bytes / 2 ** 20).toFixed(1)

/** @param {ReturnType<typeof make>} report */
export const text = (report) => {
  const { answered, calls, failed, gone } = report.calls
  return [
    `\nsoak: ${report.course.seconds} s, seed ${report.course.seed}, commit ${report.commit}, node ${report.machine.node}, ${report.machine.cores} cores; ${report.wallSeconds} s in all`,
    ...report.leftOut.map((reason) => `left out: ${reason}`),
    `calls: ${calls}, of which ${answered} were answered, ${failed} ended with an error, and ${gone} lost their client; ${report.effects} effects; besides, ${
      listed(report.messages)
    }`,
    ...Object.entries(report.faultsByDoor).map(([door, counts]) => `faults at ${door}: ${listed(counts)}`),
    ...Object.entries(report.slowest).map(([door, { key, seconds, state }]) =>
      `slowest call at ${door}: ${seconds.toFixed(1)} s until ${key} was ${state}`
    ),
    `errors: ${listed(report.errors) || "none"}`,
    ...report.held.flatMap(({ door, processes }) =>
      processes.map(({ after, before, who }) =>
        `held at ${door}, ${who}: heap ${mebi(before.heap)} -> ${mebi(after.heap)} MiB, descriptors ${
          before.resources["descriptors"]
        } -> ${after.resources["descriptors"]}`
      )
    ),
    ...report.violations.length === 0 ? ["every promise was kept"] : told(report.violations)
  ].join("\n")
}

/**
 * Lines of progress: one that is written over where somebody looks, otherwise one every half a minute.
 *
 * @param {boolean} isQuiet
 * @param {() => number} elapsed in seconds
 */
export const line = (isQuiet, elapsed) => {
  const { isTTY } = process.stderr
  let last = 0
  return {
    /** @param {string} text */
    log: (text) =>
      void (isQuiet || process.stderr.write(`${isTTY ? "\r\x1b[K" : ""}${Math.round(elapsed())} s: ${text}\n`)),
    /** @param {number} seconds @param {number} of @param {number} faults @param {Calls} calls */
    progress: (seconds, of, faults, { counts, open }) => {
      if (isQuiet || (!isTTY && performance.now() - last < 30_000)) return
      last = performance.now()
      const text = `${
        Math.round(seconds)
      } of ${of} s, ${faults} faults, ${counts.calls} calls, ${counts.failed} errors, ${open.length} under way`
      process.stderr.write(isTTY ? `\r\x1b[K${text}` : `${text}\n`)
    }
  }
}
