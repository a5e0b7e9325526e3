/**
 * The options of supervision among the other keys of a configuration.
 */
import { Policy, Problem } from "@mcp-lifeline/core"
import { Predicate } from "effect"
import { doubtful } from "./hosts.js"

/** What was read, as far as it could be, and everything that is wrong with it. */
export interface Read<A> {
  readonly value: A | undefined
  readonly problems: ReadonlyArray<Problem.Problem>
}

/** The options of supervision among others: in groups, or in groups under `lifeline`. */
export const policyOf = (
  raw: Readonly<Record<string, unknown>>
): { readonly policy: Policy.PolicyOptions; readonly problems: Array<Problem.Problem> } => {
  const direct = Policy.pick(raw)
  const { lifeline } = raw
  const problems = [...Policy.problems(direct), ...doubtful(direct.timeouts, [])]
  if (lifeline === undefined) return { policy: direct, problems }
  problems.push(...Problem.below(["lifeline"], Policy.problems(lifeline)))
  if (!Predicate.isRecord(lifeline)) return { policy: direct, problems }
  problems.push(...doubtful(lifeline["timeouts"], ["lifeline"]))
  for (const group of Policy.groups) {
    if (direct[group] === undefined || lifeline[group] === undefined) continue
    problems.push({ path: ["lifeline", group], message: `is given twice, here and beside lifeline; keep one` })
  }
  return { policy: { ...direct, ...Policy.pick(lifeline) }, problems }
}
