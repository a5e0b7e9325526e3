/**
 * `tools` beside other keys of a server or a file: options by tool, among what other programs keep under this name.
 */
import type { Policy } from "@mcp-lifeline/core"
import { ListFilter, Problem, Tools } from "@mcp-lifeline/core/internal"
import { Predicate } from "effect"

/** Options of other programs beside ours, for one tool. */
const foreign: ReadonlySet<string> = new Set(["approval_mode"])

/** Whether an entry has options of Lifeline, perhaps misspelt. */
const isOurs = (name: string, entry: unknown): boolean => {
  if (!Predicate.isRecord(entry)) return Array.isArray(entry) && ListFilter.names.includes(name)
  const keys = Object.keys(entry)
  return keys.length === 0
    || keys.some((key) => Tools.names.includes(key) || Problem.nearest(key, Tools.names) !== undefined)
}

const belongsToOthers = (path: Problem.Path): Problem.Problem => ({
  path,
  message: "belongs to another program and has no effect here; leave it out",
  key: "foreign"
})

/** Which entries callers are offered, which is not checked yet, among what other programs keep at the top of a file under the same name. */
export const ownFilter = (
  group: "prompts" | "resources",
  value: unknown
): { readonly filter: unknown; readonly problems: ReadonlyArray<Problem.Problem> } => {
  const isOurs = Predicate.isRecord(value) &&
    Object.keys(value).some((key) => Problem.nearest(key, ListFilter.names) !== undefined)
  return value === undefined || isOurs
    ? { filter: value, problems: [] }
    : { filter: undefined, problems: [belongsToOthers([group])] }
}

/**
 * The options by tool, which are not checked yet, and a problem for each key of other programs. In the entry of a server, an array is a list
 * of a host (`toolLists`).
 */
export const own = (
  tools: unknown,
  isEntry: boolean
): { readonly tools: Policy.PolicyOptions["tools"]; readonly problems: ReadonlyArray<Problem.Problem> } => {
  if (tools === undefined || (isEntry && Array.isArray(tools))) return { tools: undefined, problems: [] }
  if (!Predicate.isRecord(tools)) return { tools: undefined, problems: [belongsToOthers(["tools"])] }
  const problems: Array<Problem.Problem> = []
  const entries = Object.entries(tools).flatMap(([name, entry]) => {
    if (entry === undefined) return []
    if (!isOurs(name, entry)) {
      const keys = Predicate.isRecord(entry) ? Object.keys(entry) : []
      problems.push(belongsToOthers(["tools", name, ...(keys.length === 1 ? keys : [])]))
      return []
    }
    if (Array.isArray(entry)) return [[name, entry as ReadonlyArray<string>] as const]
    const options = Object.entries(entry as object).filter(([key]) => {
      if (foreign.has(key)) problems.push(belongsToOthers(["tools", name, key]))
      return !foreign.has(key)
    })
    return [[name, Object.fromEntries(options)] as const]
  })
  return { tools: entries.length === 0 ? undefined : Object.fromEntries(entries), problems }
}
