/**
 * `tools` beside other keys: options by tool, among what other programs keep under this name.
 */
import { Problem, Tools } from "@mcp-lifeline/core/options"
import type { ServerOptions } from "@mcp-lifeline/extensions"
import { ListFilter } from "@mcp-lifeline/extensions/internal"
import { Predicate } from "effect"

const foreign = "approval_mode"

/** Perhaps misspelt. */
export const isListName = (name: string): boolean => Problem.nearest(name, ListFilter.names) !== undefined

/** Perhaps misspelt. What is no list for `hide` and `only` is refused later, not passed over. */
const isOurs = (name: string, entry: unknown): boolean => {
  if (!Predicate.isRecord(entry)) return ListFilter.names.includes(name) || (Array.isArray(entry) && isListName(name))
  const keys = Object.keys(entry)
  return keys.length === 0 || keys.some((key) => Problem.nearest(key, Tools.names) !== undefined)
}

export const belongsToOthers = (path: Problem.Path): Problem.Problem => ({
  path,
  message: "belongs to another program and has no effect here; leave it out",
  key: "foreign"
})

/** Not checked yet, with a problem for each key of other programs. What is no object is passed over. */
export const own = (
  tools: unknown
): { readonly tools: ServerOptions.ServerOptions["tools"]; readonly problems: ReadonlyArray<Problem.Problem> } => {
  if (!Predicate.isRecord(tools)) return { tools: undefined, problems: [] }
  const problems: Array<Problem.Problem> = []
  const entries = Object.entries(tools).flatMap(([name, entry]): ReadonlyArray<readonly [string, unknown]> => {
    if (entry === undefined) return []
    if (!isOurs(name, entry)) {
      const keys = Predicate.isRecord(entry) ? Object.keys(entry) : []
      problems.push(belongsToOthers(["tools", name, ...(keys.length === 1 ? keys : [])]))
      return []
    }
    if (!Predicate.isRecord(entry)) return [[name, entry]]
    if (Object.hasOwn(entry, foreign)) problems.push(belongsToOthers(["tools", name, foreign]))
    const { [foreign]: _, ...options } = entry
    return [[name, options]]
  })
  const found = Object.fromEntries(entries) as ServerOptions.ServerOptions["tools"]
  return { tools: entries.length === 0 ? undefined : found, problems }
}
