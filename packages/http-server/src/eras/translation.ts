/**
 * What is said in a session, as the protocol without sessions (2026-07-28) says it, and the other way round. Pure.
 */
import { Initialize, JsonRpc, Meta } from "@mcp-lifeline/protocol"
import { isList } from "@mcp-lifeline/protocol/listMethods"
import type { JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type * as Envelope from "./Envelope.js"

/** Results that a client may keep for a time that they name. */
const isCacheable = (method: string): boolean => isList(method) || method === "resources/read"

/** Who the client is, as `initialize` says it. */
export const initializeParams = ({ capabilities, clientInfo }: Envelope.Envelope) => ({
  protocolVersion: Initialize.latestVersion,
  clientInfo,
  capabilities
})

/** Params with what the client can do, where that is known: a server of this era is told so in each request. */
export const withCapabilities = <A extends Readonly<Record<string, unknown>>>(params: A, capabilities: unknown): A =>
  Predicate.isRecord(capabilities)
    ? { ...params, _meta: { ...Meta.of(params), [Meta.keys.clientCapabilities]: capabilities } }
    : params

/** Params as they are passed on: progress comes under the number of the call, for the host's own token changes when it calls again. */
export const forwardedParams = (params: NonNullable<JSONRPCRequest["params"]>, progressToken: number) => {
  const passed = withCapabilities(Meta.passedOn(params), Meta.of(params)[Meta.keys.clientCapabilities])
  const meta = Meta.of(passed)
  return meta["progressToken"] === undefined ? passed : { ...passed, _meta: { ...meta, progressToken } }
}

/** Whether a server without sessions asks for something in place of a result. */
export const isInputRequired = (result: Readonly<Record<string, unknown>>): boolean =>
  result["resultType"] === "input_required"

/** A result as this era has it. What a server without sessions asks in its place comes as it is. */
export const completeResult = (method: string, result: Readonly<Record<string, unknown>>) =>
  isInputRequired(result) ? Meta.passedOn(result) : {
    ...(isCacheable(method) ? { ttlMs: 0, cacheScope: "private" } : {}),
    ...Meta.passedOn(result),
    resultType: "complete"
  }

/** What servers with sessions say of a resource that there is not. */
const resourceNotFound = -32_002

/** An error as this revision of the protocol has it. */
export const translateError = (
  { method, uri }: { readonly method: string; readonly uri: unknown },
  error: Envelope.Refusal
): Envelope.Refusal =>
  method === "resources/read" && error.code === resourceNotFound
    ? { ...error, code: JsonRpc.invalidParams, data: { ...(Predicate.isRecord(error.data) ? error.data : {}), uri } }
    : error
