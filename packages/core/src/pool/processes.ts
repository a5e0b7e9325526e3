/**
 * The options of a server that says how many processes of it run.
 */
import { Predicate } from "effect"
import * as Check from "../options/Check.js"
import type * as Problem from "../options/Problem.js"

/** How many processes of one server run at most. */
const most = 64

/** The check of each option. */
export const checks = { processes: Check.whole(1, most), stateless: Check.flag }

/** Refuses several processes of a server that may keep something between calls. `declare`: how to say that it does not. */
export const problems = (
  options: unknown,
  declare = "declare stateless: true"
): ReadonlyArray<Problem.Problem> => {
  if (!Predicate.isRecord(options)) return []
  const { processes, stateless } = options
  if (!Predicate.isNumber(processes) || !(processes > 1) || stateless === true) return []
  const message =
    `is ${processes}, so calls could land in different processes; ${declare} if the server keeps nothing between calls, `
    + "or leave it out"
  return [{ path: ["processes"], message }]
}
