/**
 * Tools that run only as a task, as clients see them. Lifeline runs the task for clients that do not, but clients of the official SDK refuse
 * to call a tool with that mark. Pure.
 */
import { Predicate } from "effect"
import { changedTools } from "./changedTools.js"

/** The tool as one that may run as a task. Returns the same object if it has another mark, or none. */
export const tool = <T>(tool: T): T => {
  const execution: unknown = Predicate.isRecord(tool) ? tool["execution"] : undefined
  return Predicate.isRecord(execution) && execution["taskSupport"] === "required"
    ? { ...tool, execution: { ...execution, taskSupport: "optional" } }
    : tool
}

/** A result of `tools/list` with these tools. Returns the same object if none is different. */
export const list = <R>(result: R): R => changedTools(result, tool)
