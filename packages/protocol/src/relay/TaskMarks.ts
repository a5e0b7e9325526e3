/**
 * Tools that run only as a task, as clients see them. Lifeline runs the task for clients that do not, but clients of the official SDK refuse
 * to call a tool with that mark. Pure.
 */
import { Predicate } from "effect"

/** The tool as one that may run as a task. Returns the same object if it has another mark, or none. */
export const tool = <T>(tool: T): T => {
  const execution: unknown = Predicate.isRecord(tool) ? tool["execution"] : undefined
  return Predicate.isRecord(execution) && execution["taskSupport"] === "required"
    ? { ...tool, execution: { ...execution, taskSupport: "optional" } }
    : tool
}

/** A result of `tools/list` in which each tool is as `change` makes it. Returns the same object if none is different. */
export const changedTools = <R>(result: R, change: (tool: unknown) => unknown): R => {
  const tools: unknown = Predicate.isRecord(result) ? result["tools"] : undefined
  if (!Array.isArray(tools)) return result
  const changed = tools.map(change)
  return changed.every((one, index) => one === tools[index]) ? result : { ...result, tools: changed }
}

/** A result of `tools/list` with these tools. Returns the same object if none is different. */
export const list = <R>(result: R): R => changedTools(result, tool)
