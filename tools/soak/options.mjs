/**
 * The command line of a soak.
 */
import { parseArgs } from "node:util"
import { doorNames } from "./doors.mjs"
import { names as plants } from "./plant.mjs"

/** @typedef {import("./plan.mjs").Course & { readonly json: string | undefined, readonly replay: string | undefined, readonly isQuiet: boolean, readonly plant: ReadonlyArray<string> }} Options */

/** What is wrong with the command line. */
export class UsageError extends Error {}

export const help = `Real clients at every door of Lifeline, real servers behind it, and faults that come from one seed.

Usage
  pnpm test:release soak [options]

At the end it checks that every call was answered or ended with a typed error; that no effect happened twice, or of a
call that was reported as not sent; that no message of one client arrived at another; that every process, socket and
session that was opened is closed; that no file is left; that heap and handles came back; and that every server answers
again.

Options
  --minutes NUMBER    How long the faults last. Default: 10.
  --seconds NUMBER    The same in seconds.
  --seed NUMBER       The same seed gives the same faults. Default: a random one, which is printed.
  --doors NAMES       Only these doors, with commas between them. Default: all of
                      ${doorNames.join(", ")}.
  --replay FILE       Play the plan of a report again: its seed, doors and faults.
  --json FILE         Write the report to this file, too.
  --plant NAMES       Break promises on purpose at the first door, to see them reported:
                      ${plants.join(", ")}.
  --quiet             No progress line.
  -h, --help          Show this.

Exit codes
  0                   Every promise was kept.
  1                   A promise was not kept. The last lines say how to play the same faults again.
  2                   The command line is wrong.`

/** @param {string} name @param {string | undefined} text @param {boolean} isWhole @returns {number | undefined} */
const number = (name, text, isWhole = false) => {
  if (text === undefined) return undefined
  const value = Number(text)
  if (isWhole ? !Number.isSafeInteger(value) || value < 0 : !Number.isFinite(value) || value <= 0) {
    throw new UsageError(
      `--${name} must be a ${isWhole ? "whole number from 0" : "number above 0"}, not ${JSON.stringify(text)}`
    )
  }
  return value
}

/** @param {string} name @param {string | undefined} text @param {ReadonlyArray<string>} possible */
const several = (name, text, possible) => {
  const chosen = text?.split(",")
  const unknown = chosen?.find((one) => !possible.includes(one))
  if (unknown === undefined) return chosen
  throw new UsageError(`--${name} has no ${JSON.stringify(unknown)}; there are ${possible.join(", ")}`)
}

/** @param {ReadonlyArray<string>} args @returns {Options | undefined} nothing for `--help` */
export const read = (args) => {
  const text = /** @type {const} */ ({ type: "string" })
  const flag = /** @type {const} */ ({ type: "boolean", default: false })
  const options = {
    minutes: text,
    seconds: text,
    seed: text,
    doors: text,
    plant: text,
    replay: text,
    json: text,
    quiet: flag
  }
  /** @type {any} */
  let values
  try {
    values = parseArgs({ args: [...args], options: { ...options, help: { ...flag, short: "h" } } }).values
  } catch (error) {
    throw new UsageError(`${/** @type {Error} */ (error).message}. See --help.`)
  }
  if (values.help) return undefined
  const chosen = several("doors", values.doors, doorNames) ?? doorNames
  return {
    seed: number("seed", values.seed, true) ?? Math.floor(Math.random() * 2 ** 31),
    seconds: number("seconds", values.seconds) ?? 60 * (number("minutes", values.minutes) ?? 10),
    doors: doorNames.filter((name) => chosen.includes(name)),
    plant: several("plant", values.plant, plants) ?? [],
    json: values.json,
    replay: values.replay,
    isQuiet: values.quiet
  }
}
