import { type Answer, type Introduction, ListChanges } from "@mcp-lifeline/protocol"
import type { ClientCapabilities, Implementation } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"

export interface Client {
  readonly clientInfo: Implementation
  readonly capabilities: ClientCapabilities
  readonly protocolVersion: string
}

/** Of one that has never been connected. Hosts do not repeat `initialize`. No instructions, even where a person must log in: a model reads them for the whole session. */
export const unknownServer = (name: string, protocolVersion: string): Introduction => ({
  serverInfo: { name, version: "unknown" },
  capabilities: { tools: {}, prompts: {}, resources: { subscribe: true }, logging: {}, completions: {} },
  instructions: undefined,
  protocolVersion,
  sessionId: undefined
})

/** Always announces that lists may change, even if the server does not. */
export const announced = (introduction: Introduction): Introduction => ({
  ...introduction,
  capabilities: ListChanges.announcing(introduction.capabilities)
})

export const introducing = ({ capabilities, instructions, protocolVersion, serverInfo }: Introduction): Answer => ({
  result: { protocolVersion, capabilities, serverInfo, ...(instructions === undefined ? {} : { instructions }) }
})

/** `undefined` if the params of `initialize` are invalid. */
export const clientOf = (params: unknown): Client | undefined => {
  if (!Predicate.isRecord(params)) return undefined
  const { capabilities, clientInfo, protocolVersion } = params
  if (!Predicate.isString(protocolVersion) || !Predicate.isRecord(capabilities) || !Predicate.isRecord(clientInfo)) {
    return undefined
  }
  if (!Predicate.isString(clientInfo["name"]) || !Predicate.isString(clientInfo["version"])) return undefined
  return { protocolVersion, capabilities, clientInfo: clientInfo as unknown as Implementation }
}
