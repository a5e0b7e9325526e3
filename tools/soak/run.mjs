/**
 * A soak: real clients at every door of Lifeline, real servers behind it, and faults that come from one seed. Says at the end whether every
 * promise was kept.
 *
 *     node tools/soak/run.mjs [--minutes 10] [--seed S] ... (see --help)
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { help, read, UsageError } from "./options.mjs"
import * as Plan from "./plan.mjs"
import * as Report from "./report.mjs"
import * as Soak from "./soak.mjs"

/** The plan of a report. @param {string} file @returns {{ course: Plan.Course, faults: ReadonlyArray<Plan.Fault> }} */
const again = (file) => {
  try {
    const { course, faults } = JSON.parse(readFileSync(file, "utf8"))
    if (Array.isArray(faults) && Array.isArray(course?.doors)) return { course, faults }
  } catch (error) {
    throw new UsageError(`--replay cannot read ${file}: ${/** @type {Error} */ (error).message}`)
  }
  throw new UsageError(`--replay: ${file} is not the report of a soak: it has no "course" and "faults"`)
}

/** @param {import("./options.mjs").Options} options */
const planned = ({ doors, replay, seconds, seed }) => {
  if (replay !== undefined) return again(replay)
  const course = { seed, seconds, doors }
  return { course, faults: Plan.plan(course) }
}

try {
  const options = read(process.argv.slice(2))
  if (options === undefined) console.log(help)
  else if (process.platform !== "linux") {
    throw new UsageError("A soak looks for processes in /proc, which only Linux has.")
  } else {
    const { folder, report } = await Soak.play(planned(options), options)
    console.log(Report.text(report))
    const isKept = report.violations.length === 0
    const file = options.json ?? (isKept ? undefined : join(folder, "report.json"))
    if (file !== undefined) writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`)
    if (isKept) rmSync(folder, { recursive: true, force: true })
    else {
      console.error(
        `\nreplay: pnpm test:release soak --replay ${file}\n    or: ${Report.command(report.course)}\nlogs: ${folder}`
      )
      process.exitCode = 1
    }
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
