/**
 * What each request of the protocol without sessions says of its client, in `_meta`. Pure.
 */
import { type ClientRequest, Era, Initialize, JsonRpc, Meta } from "@mcp-lifeline/protocol"
import { heightOf, isLevel } from "@mcp-lifeline/protocol/Level"
import { Predicate } from "effect"

export interface Envelope {
  readonly clientInfo: Readonly<Record<string, unknown>>
  readonly capabilities: Readonly<Record<string, unknown>>
  /** The height of `logLevel`; `undefined` if the client wants no log messages. */
  readonly level: number | undefined
  readonly logLevel: unknown
  readonly progressToken: unknown
}

export interface ErrorObject {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** By requests of a server. */
export const capabilityFor: Readonly<Record<string, string>> = {
  "elicitation/create": "elicitation",
  "sampling/createMessage": "sampling",
  "roots/list": "roots"
}

const invalid = (key: string, problem: string): ErrorObject => ({
  code: JsonRpc.invalidParams,
  message: `Invalid _meta of protocol version ${Era.statelessVersion}: ${key} ${problem}`
})

export const isStateless = (
  { method, params }: { readonly method: string; readonly params?: unknown }
): boolean => method === "server/discover" || Meta.of(params)[Meta.keys.protocolVersion] !== undefined

export const read = (params: unknown): Envelope | ErrorObject => {
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

/** Comes back with the input that the client was asked for. */
export const stateOf = (params: ClientRequest["params"]): string | undefined => {
  const state = params?.["requestState"]
  return Predicate.isString(state) ? state : undefined
}
