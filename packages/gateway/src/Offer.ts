/**
 * The tools of a fleet that clients of the gateway are offered. Tasks do not pass through the gateway: a tool that needs one is
 * not offered, and one that may have one is offered without that mark. Pure.
 */
import type { Fleet } from "@mcp-lifeline/core"
import type { Tool } from "@modelcontextprotocol/sdk/types.js"

const needsTask = ({ execution }: Tool): boolean => execution?.taskSupport === "required"

const withoutTasks = (tool: Tool): Tool => {
  if (tool.execution?.taskSupport !== "optional") return tool
  const { execution: { taskSupport: _, ...others }, ...rest } = tool
  return Object.keys(others).length === 0 ? rest : { ...rest, execution: others }
}

/** What `tools/list` answers. */
export const tools = (catalog: Fleet.FleetCatalog): ReadonlyArray<Tool> =>
  Array.from(catalog.tools.values(), ({ value }) => value).filter((tool) => !needsTask(tool)).map(withoutTasks)

/** The names of the tools that are not offered. */
export const withheld = (catalog: Fleet.FleetCatalog): ReadonlyArray<string> =>
  Array.from(catalog.tools).flatMap(([name, { value }]) => needsTask(value) ? [name] : [])
