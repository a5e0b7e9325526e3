/**
 * What host and server are told of each other in the handshake. Pure.
 */
import { type Answer, type Introduction, ListChanges } from "@mcp-lifeline/protocol"
import type { ClientCapabilities, Implementation } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"

/** The client that a host is. */
export interface Client {
  readonly clientInfo: Implementation
  readonly capabilities: ClientCapabilities
  readonly protocolVersion: string
}

/** What is told of a server that nothing is known of yet. */
export const unknownServer = (name: string, protocolVersion: string, why?: string): Introduction => ({
  serverInfo: { name, version: "unknown" },
  capabilities: { tools: {}, prompts: {}, resources: { subscribe: true }, logging: {}, completions: {} },
  instructions: why === undefined
    ? `The MCP server ${name} has not answered yet. It is being connected; its tools appear as soon as it is there.`
    : `The MCP server ${name} cannot be used yet. Its tools appear once the user has done this, so tell the user: ${why}`,
  protocolVersion,
  sessionId: undefined
})

/** What a host is told: that lists may change, whatever the server says. */
export const announced = (said: Introduction): Introduction => ({
  ...said,
  capabilities: ListChanges.announcing(said.capabilities)
})

/** The answer to `initialize`. */
export const introducing = ({ capabilities, instructions, protocolVersion, serverInfo }: Introduction): Answer => ({
  result: { protocolVersion, capabilities, serverInfo, ...(instructions === undefined ? {} : { instructions }) }
})

const isText = (value: unknown): value is string => typeof value === "string"

/** The client that asks by `initialize`, if it is one. */
export const clientOf = (params: unknown): Client | undefined => {
  if (!Predicate.isRecord(params)) return undefined
  const { capabilities, clientInfo, protocolVersion } = params
  if (!isText(protocolVersion) || !Predicate.isRecord(capabilities) || !Predicate.isRecord(clientInfo)) return undefined
  if (!isText(clientInfo["name"]) || !isText(clientInfo["version"])) return undefined
  return { protocolVersion, capabilities, clientInfo: clientInfo as unknown as Implementation }
}
