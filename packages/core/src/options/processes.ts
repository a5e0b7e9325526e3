/** The options of a server that says how many processes of it run. */
import { Predicate } from "effect"
import * as Check from "./Check.js"
import type * as Problem from "./Problem.js"

const most = 64

export const checks = { processes: Check.whole(1, most), stateless: Check.flag }

/** Several processes need a server that keeps nothing between calls. `declare`: how to say that it does not. */
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
