/** Tells a model which server is down, since when, why, and what the user should do. */
import type { Status } from "@mcp-lifeline/core"
import type { Resource, Tool } from "@modelcontextprotocol/sdk/types.js"
import { remedy } from "../log/Remedy.js"
import { shownState } from "../log/shownState.js"
import type { Outage } from "../pool/GroupFleet.js"
import { bytes, clean, percent } from "../text/Text.js"

export const toolName = "lifeline__status"

export const uri = "lifeline://status"

const description =
  "Says of each MCP server behind this gateway whether it is up; and of one that is down since when, why, and what the user "
  + "should do. Call it when a tool is missing, or fails because its server cannot be reached."

const tool: Tool = {
  name: toolName,
  title: "Status of the MCP servers",
  description,
  inputSchema: { type: "object" },
  annotations: { readOnlyHint: true, openWorldHint: false }
}

const resource: Resource = {
  uri,
  name: "status",
  title: "Status of the MCP servers",
  description:
    "Which MCP servers behind this gateway are up; and of those that are down since when, why, and what to do.",
  mimeType: "text/plain"
}

/** Encoded. */
export const entries = { tools: JSON.stringify(tool), resources: JSON.stringify(resource) } as const

/** Before the instructions of the servers. */
export const about =
  `If a tool is missing or its server cannot be reached, call ${toolName}: it says which servers are down, why, and what the user should do.`

/** Of a server that runs for the client. */
export type ShownStatus =
  & Pick<Status, "state" | "signIn" | "usage" | "nextAttemptAt">
  & Partial<Pick<Status, "lastError" | "memoryLimit">>

export interface ServerState extends Partial<Outage> {
  readonly name: string
  /** `undefined` if the server does not run for this client. */
  readonly status: ShownStatus | undefined
  /** Whether the server is disabled for all clients; only needed without a status. */
  readonly isOff?: boolean | undefined
  readonly login: string | undefined
}

interface ServerReport {
  readonly name: string
  readonly state: "up" | "down" | "sign-in needed" | "idle" | "off"
  readonly since?: string
  readonly why?: string
  readonly next?: string
  readonly memory?: string
  readonly cpu?: string
  readonly warning?: string
  readonly toDo?: string
}

const isoOf = (millis: number): string => new Date(millis).toISOString().replace(/\.\d+Z$/, "Z")

const inWords = (millis: number): string => {
  const seconds = Math.max(1, Math.round(millis / 1000))
  if (seconds < 90) return `${seconds} s`
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

/** Down although the server should be up. */
const isDown: ReadonlySet<string> = new Set(["Connecting", "Reconnecting", "Dormant", "PermanentlyFailed"])
/** Switched off by a user or a program. */
const isOff: ReadonlySet<string> = new Set(["Disconnected", "Disabling", "Disabled", "Closed"])

const usageOf = ({ memoryLimit, usage }: ShownStatus): Pick<ServerReport, "memory" | "cpu" | "warning"> => ({
  ...(usage === undefined ? {} : { memory: bytes(usage.memory) }),
  ...(usage?.cpu === undefined ? {} : { cpu: percent(usage.cpu) }),
  ...(memoryLimit?.warning === undefined ? {} : { warning: `it uses ${memoryLimit.warning}` })
})

const reportOf = (
  { isOff: isSwitchedOff = false, login, name, reason, since, status }: ServerState,
  now: number
): ServerReport => {
  if (status === undefined) {
    if (isSwitchedOff) return { name, state: "off", toDo: remedy("Disabled", undefined, undefined) }
    const toDo = "Nothing: each client has its own, which is started when this client needs it."
    return { name, state: "idle", toDo }
  }
  const { lastError, nextAttemptAt, signIn, state } = status
  const toDo = remedy(state, reason, login)
  if (isOff.has(state)) return { name, state: "off", toDo }
  const isSignInNeeded = shownState(state, signIn !== undefined) === "SignInNeeded"
  if (!isDown.has(state) && !isSignInNeeded) {
    const todo = login === undefined ? {} : { toDo }
    return { name, state: state === "Idle" ? "idle" : "up", ...usageOf(status), ...todo }
  }
  const next = nextAttemptAt === undefined || login !== undefined ? undefined : Math.max(0, nextAttemptAt - now)
  return {
    name,
    state: isSignInNeeded ? "sign-in needed" : "down",
    ...(since === undefined ? {} : { since: isoOf(since) }),
    ...(lastError === undefined ? {} : { why: clean(lastError) }),
    ...(next === undefined ? {} : { next: `next attempt in ${inWords(next)}` }),
    toDo
  }
}

const lineOf = (
  { cpu, memory, name, next, since, state, toDo, warning, why }: ServerReport,
  now: number
): string => {
  const when = since === undefined ? "" : ` since ${since} (${inWords(now - Date.parse(since))})`
  const parts = [
    `${name}: ${state}${when}`,
    ...(memory === undefined ? [] : [`${memory} of memory${cpu === undefined ? "" : `, ${cpu} of a core`}`]),
    ...(warning === undefined ? [] : [`warning: ${warning}`]),
    ...(why === undefined ? [] : [`why: ${why}`]),
    ...(next === undefined ? [] : [next]),
    ...(toDo === undefined ? [] : [`to do for the user: ${toDo}`])
  ]
  return `- ${parts.join("; ")}`
}

export interface Report {
  readonly text: string
  readonly servers: ReadonlyArray<ServerReport>
}

/** `isWhole`: about all servers that there are. */
export const report = (all: ReadonlyArray<ServerState>, now: number, isWhole = true): Report => {
  const servers = all.map((state) => reportOf(state, now))
  const down = servers.filter(({ state }) => state === "down" || state === "sign-in needed").length
  const head = servers.length === 0
    ? `There are no servers behind this gateway${isWhole ? "" : " that you may use"}.`
    : down === 0
    ? `No server is down, of ${servers.length}.`
    : `${down} of ${servers.length} servers ${down === 1 ? "is" : "are"} down.`
  return { servers, text: [head, ...servers.map((server) => lineOf(server, now))].join("\n") }
}

const toolResult = ({ servers, text }: Report): Record<string, unknown> => ({
  content: [{ type: "text", text }],
  structuredContent: { servers }
})

const resourceResult = ({ text }: Report): Record<string, unknown> => ({
  contents: [{ uri, mimeType: "text/plain", text }]
})

/** `undefined` unless the request is for the status. */
export const resultFor = (method: string, name: string): ((report: Report) => Record<string, unknown>) | undefined =>
  method === "tools/call" && name === toolName
    ? toolResult
    : method === "resources/read" && name === uri
    ? resourceResult
    : undefined
