/**
 * What is said in a session, as the protocol without sessions (2026-07-28) says it, and the other way round. Pure.
 */
import { Initialize, JsonRpc, Meta } from "@mcp-lifeline/protocol"
import type { JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import { isList } from "../listMethods.js"
import type * as Envelope from "./Envelope.js"

/** Results that a client may keep for a time that they name. */
const mayBeKept = (method: string): boolean => isList(method) || method === "resources/read"

/** Who the client is, as `initialize` says it. */
export const clientOf = ({ capabilities, clientInfo }: Envelope.Envelope) => ({
  protocolVersion: Initialize.latestVersion,
  clientInfo,
  capabilities
})

/**
 * Params as they are passed on: progress comes under the number of the call, for the host's own token changes when it calls again.
 * `isWhole`: with what the client can do.
 */
export const renamed = (params: NonNullable<JSONRPCRequest["params"]>, progressToken: number, isWhole: boolean) => {
  const passed = Meta.passedOn(params)
  const meta = Meta.of(passed)
  const own = isWhole ? { [Meta.keys.clientCapabilities]: Meta.of(params)[Meta.keys.clientCapabilities] } : {}
  const token = meta["progressToken"] === undefined ? {} : { progressToken }
  return isWhole || meta["progressToken"] !== undefined ? { ...passed, _meta: { ...meta, ...own, ...token } } : passed
}

/** A result as this era has it. */
export const completed = (method: string, result: Readonly<Record<string, unknown>>) => ({
  ...(mayBeKept(method) ? { ttlMs: 0, cacheScope: "private" } : {}),
  ...Meta.passedOn(result),
  resultType: "complete"
})

/** What servers with sessions say of a resource that there is not. */
const noResource = -32_002

/** An error as this revision of the protocol has it. */
export const failed = (
  { method, uri }: { readonly method: string; readonly uri: unknown },
  error: Envelope.Refusal
): Envelope.Refusal =>
  method === "resources/read" && error.code === noResource
    ? { ...error, code: JsonRpc.invalidParams, data: { ...(Predicate.isRecord(error.data) ? error.data : {}), uri } }
    : error
