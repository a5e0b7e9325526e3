/**
 * Translates between the protocol with sessions and the one without (2026-07-28). Pure.
 */
import { ExactJson } from "@mcp-lifeline/core/text"
import { Initialize, JsonRpc, Meta } from "@mcp-lifeline/protocol"
import { isList } from "@mcp-lifeline/protocol/listMethods"
import type { JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type * as Envelope from "./Envelope.js"

const isCacheable = (method: string): boolean => isList(method) || method === "resources/read"

export const initializeParams = ({ capabilities, clientInfo }: Envelope.Envelope) => ({
  protocolVersion: Initialize.latestVersion,
  clientInfo,
  capabilities
})

const withMeta = <A extends object>(params: A, more: Readonly<Record<string, unknown>>): A => {
  const meta = Meta.of(params)
  return ExactJson.copied(params, { ...params, _meta: ExactJson.copied(meta, { ...meta, ...more }) })
}

/** A server of 2026-07-28 reads the capabilities in each request. */
export const withCapabilities = <A extends Readonly<Record<string, unknown>>>(params: A, capabilities: unknown): A =>
  Predicate.isRecord(capabilities)
    ? withMeta(params, { [Meta.keys.clientCapabilities]: capabilities })
    : params

/** Without the wish for a task, which only sessions have. The progress token is the number of the call: the client's own changes when it brings input. */
export const forwardedParams = (params: NonNullable<JSONRPCRequest["params"]>, progressToken: number) => {
  const { task: _, ...given } = params
  const passed = withCapabilities(
    Meta.passedOn(ExactJson.copied(params, given)),
    Meta.of(params)[Meta.keys.clientCapabilities]
  )
  return Meta.of(passed)["progressToken"] === undefined ? passed : withMeta(passed, { progressToken })
}

export const isInputRequired = (result: Readonly<Record<string, unknown>>): boolean =>
  result["resultType"] === "input_required"

/** In the form of 2026-07-28. A request for input of a server without sessions passes unchanged, and so does a task. */
export const completeResult = (method: string, result: Readonly<Record<string, unknown>>) =>
  isInputRequired(result) || result["resultType"] === "task" ? Meta.passedOn(result) : ExactJson.copied(result, {
    ...(isCacheable(method) ? { ttlMs: 0, cacheScope: "private" } : {}),
    ...Meta.passedOn(result),
    resultType: "complete"
  })

const resourceNotFound = -32_002

/** In the form of 2026-07-28. */
export const translateError = (
  { method, uri }: { readonly method: string; readonly uri: unknown },
  error: Envelope.ErrorObject
): Envelope.ErrorObject =>
  method === "resources/read" && error.code === resourceNotFound
    ? { ...error, code: JsonRpc.invalidParams, data: { ...(Predicate.isRecord(error.data) ? error.data : {}), uri } }
    : error
