/**
 * What each request of the protocol without sessions says of who asks, in `_meta`. Pure.
 */
import { Era, Initialize, JsonRpc } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import { keys, metaOf } from "../hop.js"

const unsupportedVersion = -32_022

/** The levels of log messages, from the least. */
const levels: ReadonlyArray<unknown> = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency"
]

/** Who asks. */
export interface Envelope {
  readonly clientInfo: Readonly<Record<string, unknown>>
  readonly capabilities: Readonly<Record<string, unknown>>
  /** Log messages from this level on are wanted: how far up it stands; `undefined` where none are wanted. */
  readonly level: number | undefined
  readonly logLevel: unknown
  /** The token under which progress is wanted. */
  readonly progressToken: unknown
}

/** The error that a request is refused with. */
export interface Refusal {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** How far up the level of a log message stands; what is no level stands highest, so that it is not lost. */
export const heightOf = (level: unknown): number => {
  const height = levels.indexOf(level)
  return height === -1 ? levels.length : height
}

const invalid = (key: string, problem: string): Refusal => ({
  code: JsonRpc.invalidParams,
  message: `Invalid _meta of protocol version ${Era.statelessVersion}: ${key} ${problem}`
})

/** The envelope of a request; or, with a code, why it is refused. */
export const read = (params: unknown): Envelope | Refusal => {
  const meta = metaOf(params)
  const requested = meta[keys.protocolVersion]
  if (!Predicate.isString(requested)) return invalid(keys.protocolVersion, "is missing or no string")
  if (requested !== Era.statelessVersion) {
    const data = { supported: [Era.statelessVersion], requested }
    return { code: unsupportedVersion, message: "Unsupported protocol version", data }
  }
  const capabilities = meta[keys.clientCapabilities]
  if (!Predicate.isRecord(capabilities)) return invalid(keys.clientCapabilities, "is missing or no object")
  const clientInfo = meta[keys.clientInfo] ?? { name: "unnamed", version: "unknown" }
  if (!Initialize.isImplementation(clientInfo)) return invalid(keys.clientInfo, "has no name and version")
  const logLevel = meta[keys.logLevel]
  if (logLevel !== undefined && !levels.includes(logLevel)) return invalid(keys.logLevel, "is no level")
  return {
    clientInfo: clientInfo as unknown as Readonly<Record<string, unknown>>,
    capabilities,
    level: logLevel === undefined ? undefined : heightOf(logLevel),
    logLevel,
    progressToken: meta["progressToken"]
  }
}
