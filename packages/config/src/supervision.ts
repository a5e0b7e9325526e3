/**
 * The options of supervision among the other keys of a configuration.
 */
import { Policy } from "@mcp-lifeline/core"
import { Check, Problem } from "@mcp-lifeline/core/internal"
import { Array as Arr, Predicate } from "effect"
import { doubtful } from "./hosts.js"

/** What was read, as far as it could be, and everything that is wrong with it. */
export interface Read<A> {
  readonly value: A | undefined
  readonly problems: ReadonlyArray<Problem.Problem>
}

type Raw = Readonly<Record<string, unknown>>

/** The options of supervision, and what stands under `lifeline` beside them. */
export interface Options {
  readonly policy: Policy.PolicyOptions
  readonly others: Raw
  readonly problems: Array<Problem.Problem>
}

const sessions = Check.oneOf("shared", "per-client")

/** What stands under `lifeline` beside the options of supervision: in the entry of a server, and for all of them. */
export const gateway = {
  ofServer: { sessions },
  ofAll: { sessions, statusTool: Check.flag, maxOwnServers: Check.whole(1, 100_000) }
} satisfies Record<string, Readonly<Record<string, Check.Check>>>

/** The options of supervision among others: in groups, or in groups under `lifeline`, where `others` may stand beside them. */
export const policyOf = (raw: Raw, others: Readonly<Record<string, Check.Check>> = {}): Options => {
  const direct = Policy.pick(raw)
  const { lifeline } = raw
  const problems = [...Policy.problems(direct), ...doubtful(direct.timeouts, [])]
  if (lifeline === undefined) return { policy: direct, others: {}, problems }
  if (!Predicate.isRecord(lifeline)) {
    for (const one of Problem.below(["lifeline"], Policy.problems(lifeline))) problems.push(one)
    return { policy: direct, others: {}, problems }
  }
  const [rest, own] = Arr.partition(Object.entries(lifeline), ([key]) => Object.hasOwn(others, key))
  const groups: ReadonlyArray<string> = Policy.groups
  const [unknown, grouped] = Arr.partition(rest, ([key]) => groups.includes(key))
  for (const [key, value] of unknown) {
    if (value === undefined) continue
    const here = Problem.unknown([key], [...groups, ...Object.keys(others)])
    // The policy knows the group of an option that stands outside of it.
    const found = here.key === "misspelt"
      ? here
      : Policy.problems({ [key]: value }).find((one) => one.key === "misspelt")
    for (const one of Problem.below(["lifeline"], [found ?? here])) problems.push(one)
  }
  for (const one of Problem.below(["lifeline"], Policy.problems(Object.fromEntries(grouped)))) problems.push(one)
  for (const [key, value] of own) {
    if (value !== undefined) { for (const one of others[key]?.(value, ["lifeline", key]) ?? []) problems.push(one) }
  }
  for (const one of doubtful(lifeline["timeouts"], ["lifeline"])) problems.push(one)
  for (const group of Policy.groups) {
    if (direct[group] === undefined || lifeline[group] === undefined) continue
    problems.push({ path: ["lifeline", group], message: `is given twice, here and beside lifeline; keep one` })
  }
  return { policy: { ...direct, ...Policy.pick(lifeline) }, others: Object.fromEntries(own), problems }
}
