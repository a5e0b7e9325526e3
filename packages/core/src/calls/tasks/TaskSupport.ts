import { Effect } from "effect"
import * as Hints from "../../catalog/Hints.js"
import type { RequestError } from "../../Errors.js"
import type { Connection } from "../../port/Connection.js"
import type { Params } from "../../port/Method.js"
import type { Runtime } from "../../runtime/Runtime.js"
import type { Call, Calls } from "../Call.js"
import * as ToolHints from "../ToolHints.js"

/** Of the protocol without sessions. */
export const extension = "io.modelcontextprotocol/tasks"

const clientCapabilities = "io.modelcontextprotocol/clientCapabilities"

/** JSON-RPC: a capability that the server needs is not declared. */
const missingCapability = -32_021

/** Protocol 2025-11-25. */
const takesTasks = ({ capabilities }: Connection): boolean => capabilities.tasks?.requests?.tools?.call !== undefined

/** Protocol 2026-07-28: clients that declare it may be answered with a task. */
const hasExtension = (of: unknown): boolean => (of as Extended | undefined)?.extensions?.[extension] !== undefined

interface Extended {
  readonly extensions?: { readonly [name: string]: unknown } | undefined
}

const wantsTask = ({ ask: { options, params } }: Call): boolean => {
  const given = params as Params<"tools/call"> | undefined
  return options?.task !== undefined || given?.task !== undefined || hasExtension(given?._meta?.[clientCapabilities])
}

/** How often a server is asked, in milliseconds; `otherwise`: if it does not say. */
const interval = { least: 100, most: 60_000, otherwise: 1000 }

/** In milliseconds. `given`: by the server. */
export const pollInterval = (given: unknown): number => {
  const { least, most, otherwise } = interval
  return Math.min(most, Math.max(least, typeof given === "number" && given >= 0 ? given : otherwise))
}

/** In the step that sends. False: the tools of this connection have to be read first. */
export const decide = ({ backend }: Calls, call: Call, runtime: Runtime): boolean => {
  if (call.ask.method !== "tools/call") return true
  const { tasks } = backend.policy.calls
  call.runsTask = false
  if (tasks === "never" || wantsTask(call)) return true
  const name = toolOf(call)
  if (hasExtension(runtime.connection.capabilities)) {
    call.runsTask = tasks === "prefer" || runtime.needsTask(name)
    return true
  }
  if (!takesTasks(runtime.connection)) return true
  const { generation, listed } = runtime
  const support = Hints.of(name, generation, listed, backend.published.value.snapshot)?.taskSupport
  // A plain tool that is sent a task runs, and its result is lost: never guess.
  call.runsTask = support === "required" || (support === "optional" && tasks === "prefer")
  return support !== undefined || runtime.hasReadTools
}

const toolOf = ({ ask: { params } }: Call): string => (params as Params<"tools/call">).name

/** After a failure calls are sent as they are, unless the connection is lost. */
export const read = (self: Calls, call: Call, runtime: Runtime): Effect.Effect<void> =>
  Effect.map(ToolHints.read(self, call, runtime, () => decide(self, call, runtime)), () => {
    runtime.hasReadTools = true
  })

/** Only a task can answer the call: it is sent again as one. */
export const refused = ({ backend }: Calls, call: Call, runtime: Runtime, error: RequestError): boolean => {
  if (call.ask.method !== "tools/call" || call.runsTask !== false || error.code !== missingCapability) return false
  if (error.fate !== "answered" || backend.policy.calls.tasks === "never" || wantsTask(call)) return false
  if (!hasExtension(runtime.connection.capabilities)) return false
  if (!hasExtension((error.data as { readonly requiredCapabilities?: unknown } | undefined)?.requiredCapabilities)) {
    return false
  }
  runtime.learnNeedsTask(toolOf(call))
  return true
}
