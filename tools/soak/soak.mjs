/**
 * Plays a plan at its doors, and gathers what became of every call, every effect and everything that was opened.
 */
import { mkdirSync, mkdtempSync, openSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { doorOf } from "./doors.mjs"
import * as Files from "./files.mjs"
import * as Gateways from "./gateways.mjs"
import * as Report from "./report.mjs"
import { Stand } from "./stand.mjs"
import { Calls, leftFiles } from "./verdict.mjs"

/**
 * @param {{ readonly course: import("./plan.mjs").Course, readonly faults: ReadonlyArray<import("./plan.mjs").Fault> }} planned
 * @param {{ readonly isQuiet: boolean, readonly plant: ReadonlyArray<string> }} options
 */
export const play = async ({ course, faults: all }, options) => {
  const leftOut = course.doors.includes("cluster") && !Gateways.canCluster
    ? ["cluster: PostgreSQL is not installed (Debian: apt-get install postgresql)"]
    : []
  const doors = course.doors.filter((name) => name !== "cluster" || Gateways.canCluster)
  const faults = all.filter(({ door }) => doors.includes(door))
  const folder = mkdtempSync(join(tmpdir(), "lifeline-soak-"))
  for (const name of ["journals", "held", "state", "tmp"]) mkdirSync(join(folder, name))
  const calls = new Calls()
  const id = `${process.pid}-${course.seed}`
  const stderr = openSync(join(folder, "callers.log"), "a")
  const stands = doors.map((name) => new Stand({ soak: id, folder, seed: course.seed, calls, stderr }, name))
  const started = performance.now()
  const say = Report.line(options.isQuiet, () => (performance.now() - started) / 1000)
  say.log(`soak of ${course.seconds} s, seed ${course.seed}, ${faults.length} faults; logs in ${folder}`)
  for (const reason of leftOut) say.log(`left out: ${reason}`)
  for (const name of doors) say.log(`${name}: ${doorOf(name).what}`)

  const together = (/** @type {(stand: Stand) => Promise<unknown>} */ act) => Promise.all(stands.map(act))
  const stopAll = () => together((stand) => stand.stop())
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
    process.once(signal, () => void stopAll().finally(() => process.exit(130)))
  }

  /** Says which door takes long. @param {string} what @param {(stand: Stand) => Promise<unknown>} act */
  const timed = (what, act) =>
    together(async (stand) => {
      const since = performance.now()
      await act(stand)
      const seconds = Math.round((performance.now() - since) / 1000)
      if (seconds >= 15) say.log(`${stand.name}: ${what} took ${seconds} s`)
    })

  let done = 0
  /** Plays the faults until this moment of the plan. @param {number} from @param {number} until in milliseconds */
  const playUntil = async (from, until) => {
    await together((stand) => stand.run())
    const began = performance.now() - from
    const now = () => performance.now() - began
    const telling = setInterval(() => say.progress(now() / 1000, course.seconds, done, calls), 1000)
    for (const fault of faults.filter(({ at }) => at >= from && at < until)) {
      await sleep(Math.max(0, fault.at - now()))
      done++
      const stand = stands.find(({ name }) => name === fault.door)
      // The next one does not wait for it.
      stand?.fail(fault).catch((error) => say.log(`${fault.door} ${fault.kind} ${fault.target}: ${error.message}`))
    }
    await sleep(Math.max(0, until - now()))
    clearInterval(telling)
    say.log(`waiting until every call has ended`)
    await timed("the end of all calls", (stand) => stand.pause())
  }

  try {
    say.log("starting")
    await together((stand) => stand.start())
    // What is loaded and remembered once is there when it is measured first.
    const warm = Math.min(120_000, course.seconds * 400)
    await playUntil(0, warm)
    await timed("an answer of every server", (stand) => stand.prove())
    say.log("measuring")
    await together((stand) => stand.measureBefore())
    await playUntil(warm, course.seconds * 1000)
    await timed("an answer of every server", (stand) => stand.prove())
    say.log("measuring")
    const held = await Promise.all(
      stands.map(async (stand) => ({ door: stand.name, processes: await stand.measureAfter() }))
    )
    for (const plant of options.plant) await stands[0]?.plant(plant)
    say.log("closing")
    await together((stand) => stand.close())
    /** @type {Map<string, number>} */
    const effects = new Map()
    for (const key of stands.flatMap((stand) => stand.effects())) effects.set(key, (effects.get(key) ?? 0) + 1)
    const violations = [
      ...calls.violations(effects),
      ...stands.flatMap((stand) => stand.violations),
      ...stands.flatMap(({ killed, name }) => leftFiles(name, Files.left(folder, name, killed)))
    ]
    const report = Report.make({
      course,
      doors,
      leftOut,
      faults,
      calls,
      effects: effects.size,
      held,
      violations,
      wallSeconds: (performance.now() - started) / 1000
    })
    return { report, folder }
  } finally {
    await stopAll()
  }
}
