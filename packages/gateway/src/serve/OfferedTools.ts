/**
 * The tools of a fleet that the gateway offers to clients. The gateway does not pass tasks through: it hides a tool that requires a task,
 * and offers a tool with optional tasks without that mark.
 */
import type { Backend, Fleet, Status } from "@mcp-lifeline/core"
import type { Tool } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Stream } from "effect"

const needsTask = ({ execution }: Tool): boolean => execution?.taskSupport === "required"

/** The tool as clients see it; `undefined` if it is hidden. */
export const tool = (value: Tool): Tool | undefined => {
  if (needsTask(value)) return undefined
  if (value.execution?.taskSupport !== "optional") return value
  const { execution: { taskSupport: _, ...others }, ...rest } = value
  return Object.keys(others).length === 0 ? rest : { ...rest, execution: others }
}

/** The tools of a catalogue that clients are offered. */
export const tools = (catalog: Fleet.FleetCatalog): ReadonlyArray<Tool> =>
  Array.from(catalog.tools.values(), ({ value }) => tool(value)).filter((one) => one !== undefined)

/** The names of the hidden tools. */
export const withheld = (catalog: Fleet.FleetCatalog): ReadonlyArray<string> =>
  Array.from(catalog.tools).flatMap(([name, { value }]) => needsTask(value) ? [name] : [])

/** The status of a backend, with the number of tools that clients are offered in place of the number that the server has. */
export const counted = (backend: Backend.Backend): Effect.Effect<Status> =>
  Effect.flatMap(backend.status, (status) => {
    const { catalog } = status
    if (catalog === undefined) return Effect.succeed(status)
    return Effect.map(backend.catalog, (snapshot) => {
      const left = snapshot?.tools.filter(needsTask).length ?? 0
      return left === 0 ? status : { ...status, catalog: { ...catalog, tools: catalog.tools - left } }
    })
  })

/** Logs one warning for each hidden tool. */
export const warnWithheld = (fleet: Fleet.Fleet): Effect.Effect<void> =>
  fleet.catalog.changes.pipe(
    Stream.mapAccum(new Set<string>(), (warned, catalog) => {
      const names = withheld(catalog).filter((name) => !warned.has(name))
      return [names.length === 0 ? warned : new Set([...warned, ...names]), names]
    }),
    Stream.runForEach((names) =>
      Effect.forEach(names, (name) =>
        Effect.logWarning(
          `${name} is not offered: it runs only as a task, and the gateway does not pass tasks through`
        ), {
        discard: true
      })
    )
  )
