/**
 * What each request of the protocol without sessions says of who asks, in `_meta`. Pure.
 */
import { Era, Initialize, JsonRpc, Meta } from "@mcp-lifeline/protocol"
import { heightOf, isLevel } from "@mcp-lifeline/protocol/Level"
import { Predicate } from "effect"

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

const invalid = (key: string, problem: string): Refusal => ({
  code: JsonRpc.invalidParams,
  message: `Invalid _meta of protocol version ${Era.statelessVersion}: ${key} ${problem}`
})

/** The envelope of a request; or, with a code, why it is refused. */
export const read = (params: unknown): Envelope | Refusal => {
  const meta = Meta.of(params)
  const requested = meta[Meta.keys.protocolVersion]
  if (!Predicate.isString(requested)) return invalid(Meta.keys.protocolVersion, "is missing or no string")
  if (requested !== Era.statelessVersion) {
    const data = { supported: [Era.statelessVersion], requested }
    return { code: Era.unsupportedVersion, message: "Unsupported protocol version", data }
  }
  const capabilities = meta[Meta.keys.clientCapabilities]
  if (!Predicate.isRecord(capabilities)) return invalid(Meta.keys.clientCapabilities, "is missing or no object")
  const clientInfo = meta[Meta.keys.clientInfo] ?? { name: "unnamed", version: "unknown" }
  if (!Initialize.isImplementation(clientInfo)) return invalid(Meta.keys.clientInfo, "has no name and version")
  const logLevel = meta[Meta.keys.logLevel]
  if (logLevel !== undefined && !isLevel(logLevel)) return invalid(Meta.keys.logLevel, "is no level")
  return {
    clientInfo: clientInfo as unknown as Readonly<Record<string, unknown>>,
    capabilities,
    level: logLevel === undefined ? undefined : heightOf(logLevel),
    logLevel,
    progressToken: meta["progressToken"]
  }
}
