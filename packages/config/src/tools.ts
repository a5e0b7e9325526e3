/**
 * `tools` beside other keys of a server or a file: options by tool, among what other programs keep under this name.
 */
import type { Policy } from "@mcp-lifeline/core"
import { Problem, Tools } from "@mcp-lifeline/core/internal"
import { Predicate } from "effect"

/** Options of other programs beside ours, for one tool. */
const foreign: ReadonlySet<string> = new Set(["approval_mode"])

/** Whether an entry has options of Lifeline, perhaps misspelt. */
const isOurs = (entry: unknown): boolean => {
  if (!Predicate.isRecord(entry)) return false
  const keys = Object.keys(entry)
  return keys.length === 0
    || keys.some((key) => Tools.names.includes(key) || Problem.nearest(key, Tools.names) !== undefined)
}

const belongsToOthers = (path: Problem.Path): Problem.Problem => ({
  path,
  message: "belongs to another program and has no effect here; leave it out",
  key: "foreign"
})

/** The options by tool, which are not checked yet, and a problem for each key of other programs. */
export const own = (
  tools: unknown
): { readonly tools: Policy.PolicyOptions["tools"]; readonly problems: ReadonlyArray<Problem.Problem> } => {
  if (tools === undefined) return { tools, problems: [] }
  if (!Predicate.isRecord(tools)) return { tools: undefined, problems: [belongsToOthers(["tools"])] }
  const problems: Array<Problem.Problem> = []
  const entries = Object.entries(tools).flatMap(([name, entry]) => {
    if (entry === undefined) return []
    if (!isOurs(entry)) {
      const keys = Predicate.isRecord(entry) ? Object.keys(entry) : []
      problems.push(belongsToOthers(["tools", name, ...(keys.length === 1 ? keys : [])]))
      return []
    }
    const options = Object.entries(entry as object).filter(([key]) => {
      if (foreign.has(key)) problems.push(belongsToOthers(["tools", name, key]))
      return !foreign.has(key)
    })
    return [[name, Object.fromEntries(options)] as const]
  })
  return { tools: entries.length === 0 ? undefined : Object.fromEntries(entries), problems }
}
