/**
 * The command line of the recovery benchmark.
 */
import { parseArgs } from "node:util"
import { faultNames, faultOf } from "./faults.mjs"
import { isDefault } from "./rows.mjs"

/** @typedef {import("./rows.mjs").Row} Row */
/** @typedef {import("./faults.mjs").FaultName} FaultName */

const transports = /** @type {const} */ (["stdio", "http"])
const protocols = /** @type {const} */ (["2025", "2026"])

/** @param {ReadonlyArray<Row>} rows */
const usage = (rows) =>
  `Usage: pnpm bench recovery [--runs NUMBER] [--clients NAME,..] [--faults NAME,..] [--transports NAME,..] [--json]

Lets the same fault happen to each client, with a server of its own, and measures how long it lasts for a caller.

  --runs NUMBER         how often each client is in each fault. Default: 3
  --clients NAME,..     only these. Default: those with *
  --faults NAME,..      only these
  --transports NAME,..  stdio, http. Default: both
  --protocols NAME,..   2025 (2025-11-25), 2026 (2026-07-28, with the clients that speak it). Default: 2025
  --timeout SECONDS     what the caller gives a call. Default: 5
  --within SECONDS      how long a client has to come back. Default: 30
  --jobs NUMBER         how many clients are measured at a time; most of them wait. Default: 14
  --record FILE         writes every call of every client to a file, as JSON
  --verbose             says on standard error what clients report, and each call
  --json                prints JSON instead of tables

Faults
${faultNames.map((name) => `  ${name.padEnd(20)}  ${faultOf(name).what}`).join("\n")}

Clients
${rows.map((row) => `${isDefault(row) ? "*" : " "} ${row.id.padEnd(24)}${row.name}`).join("\n")}
`

/** @param {string} message @returns {never} */
const refuse = (message) => {
  console.error(`${message}\n\nSee pnpm bench recovery --help`)
  process.exit(2)
}

/** @param {Array<string>} args @param {ReadonlyArray<Row>} rows */
export const read = (args, rows) => {
  const given = (() => {
    try {
      return parseArgs({
        args,
        options: {
          runs: { type: "string", default: "3" },
          clients: { type: "string" },
          faults: { type: "string" },
          transports: { type: "string" },
          protocols: { type: "string" },
          timeout: { type: "string", default: "5" },
          within: { type: "string", default: "30" },
          jobs: { type: "string", default: "14" },
          record: { type: "string" },
          verbose: { type: "boolean", default: false },
          json: { type: "boolean", default: false },
          help: { type: "boolean", default: false, short: "h" }
        }
      }).values
    } catch (error) {
      return refuse(error instanceof Error ? error.message : String(error))
    }
  })()
  if (given.help) {
    console.log(usage(rows))
    process.exit()
  }
  /** @param {"runs" | "timeout" | "within" | "jobs"} name @param {(value: number) => boolean} isRight @param {string} must */
  const number = (name, isRight, must) => {
    const value = Number(given[name])
    return isRight(value) ? value : refuse(`--${name} must be ${must}`)
  }
  /**
   * @template {string} A
   * @param {"clients" | "faults" | "transports" | "protocols"} name
   * @param {ReadonlyArray<A>} possible
   * @param {ReadonlyArray<A>} otherwise
   * @returns {ReadonlyArray<A>}
   */
  const names = (name, possible, otherwise) => {
    const chosen = given[name]?.split(",")
    if (chosen === undefined) return otherwise
    const unknown = chosen.find((one) => !possible.some((name) => name === one))
    if (unknown !== undefined) {
      refuse(`--${name}: there is no ${JSON.stringify(unknown)}; there are ${possible.join(", ")}`)
    }
    return possible.filter((one) => chosen.includes(one))
  }
  const isWhole = (/** @type {number} */ value) => Number.isSafeInteger(value) && value > 0
  const isAbove = (/** @type {number} */ value) => Number.isFinite(value) && value > 0
  const ids = names("clients", rows.map(({ id }) => id), rows.filter(isDefault).map(({ id }) => id))
  return {
    runs: number("runs", isWhole, "a whole number above 0"),
    timeout: number("timeout", isAbove, "a number of seconds above 0"),
    within: number("within", isAbove, "a number of seconds above 0"),
    jobs: number("jobs", isWhole, "a whole number above 0"),
    rows: rows.filter(({ id }) => ids.includes(id)),
    faults: names("faults", faultNames, faultNames),
    transports: names("transports", transports, transports),
    protocols: names("protocols", protocols, ["2025"]),
    record: given.record,
    verbose: given.verbose,
    json: given.json
  }
}
