/** Clients of the official SDK refuse to call a tool that runs only as a task. Lifeline runs the task for them. */
import { Predicate } from "effect"

/** Returns the same object if it has another mark, or none. */
export const tool = <T>(tool: T): T => {
  const execution: unknown = Predicate.isRecord(tool) ? tool["execution"] : undefined
  return Predicate.isRecord(execution) && execution["taskSupport"] === "required"
    ? { ...tool, execution: { ...execution, taskSupport: "optional" } }
    : tool
}

/** Returns the same object if no tool is different. */
export const changedTools = <R>(result: R, change: (tool: unknown) => unknown): R => {
  const tools: unknown = Predicate.isRecord(result) ? result["tools"] : undefined
  if (!Array.isArray(tools)) return result
  const changed = tools.map(change)
  return changed.every((one, index) => one === tools[index]) ? result : { ...result, tools: changed }
}

/** Returns the same object if no tool is different. */
export const list = <R>(result: R): R => changedTools(result, tool)
