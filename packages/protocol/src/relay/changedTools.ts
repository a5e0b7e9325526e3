/**
 * A result of `tools/list` in which each tool is as `change` makes it. Returns the same object if none is different. Pure.
 */
import { Predicate } from "effect"

export const changedTools = <R>(result: R, change: (tool: unknown) => unknown): R => {
  const tools: unknown = Predicate.isRecord(result) ? result["tools"] : undefined
  if (!Array.isArray(tools)) return result
  const changed = tools.map(change)
  return changed.every((one, index) => one === tools[index]) ? result : { ...result, tools: changed }
}
