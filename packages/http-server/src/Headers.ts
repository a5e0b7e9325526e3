import { Era, Initialize, JsonRpc, Named } from "@mcp-lifeline/protocol"
import type { JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { IncomingHttpHeaders } from "node:http"
import type { Refusal } from "./Refusal.js"

/** The version of a client that names none. */
export const assumedVersion = "2025-03-26"

const headerMismatch = -32_020

const accepts = (accept: string | undefined, type: string): boolean =>
  accept !== undefined && (accept.includes(type) || accept.includes("*/*"))

export const checkPost = (headers: IncomingHttpHeaders): Refusal | undefined => {
  const { accept } = headers
  if (!accepts(accept, "application/json") || !accepts(accept, "text/event-stream")) {
    return { status: 406, message: "The header Accept must have both application/json and text/event-stream" }
  }
  if (!/^application\/json\s*(;|$)/i.test(headers["content-type"] ?? "")) {
    return { status: 415, message: "The header Content-Type must be application/json" }
  }
  return undefined
}

export const checkGet = (headers: IncomingHttpHeaders): Refusal | undefined =>
  accepts(headers.accept, "text/event-stream")
    ? undefined
    : { status: 406, message: "The header Accept must have text/event-stream" }

export const checkVersion = (version: string | undefined): Refusal | undefined => {
  if (version === undefined || Initialize.versions.includes(version)) return undefined
  const message = `MCP-Protocol-Version ${
    JSON.stringify(version.slice(0, 100))
  } is not supported in a session; these are: ${Initialize.versions.join(", ")}`
  return { status: 400, message }
}

const unpadded = (base64: string): string => {
  let end = base64.length
  while (base64[end - 1] === "=") end--
  return base64.slice(0, end)
}

const decoded = (value: string): string | undefined => {
  const text = value.trim()
  const coded = /^=\?base64\?(.*)\?=$/s.exec(text)?.[1]
  if (coded === undefined) return text
  const bytes = Buffer.from(coded, "base64")
  return unpadded(bytes.toString("base64")) === unpadded(coded) ? bytes.toString("utf8") : undefined
}

const mismatch = (id: JSONRPCRequest["id"], problem: string): Refusal => ({
  status: 400,
  code: headerMismatch,
  message: `The headers do not match the body: ${problem}`,
  id,
  isRead: true
})

/** The headers must repeat what the body says. */
export const checkStateless = (
  headers: IncomingHttpHeaders,
  { id, method, params }: JSONRPCRequest,
  version: unknown
): Refusal | undefined => {
  const headerVersion = headers["mcp-protocol-version"]
  if (headerVersion === undefined) return mismatch(id, "MCP-Protocol-Version is missing")
  if (version === undefined) {
    const message = "Invalid params: _meta has no protocol version"
    return { ...mismatch(id, ""), code: JsonRpc.invalidParams, message }
  }
  if (headerVersion !== version) return mismatch(id, "the protocol versions differ")
  // We do not know which headers another version requires; the version itself is refused later.
  if (version !== Era.statelessVersion) return undefined
  const header = headers["mcp-method"]
  if (header === undefined) return mismatch(id, "Mcp-Method is missing")
  if (String(header).trim() !== method) return mismatch(id, "Mcp-Method is not the method")
  const parameter = Named.keyOf(method)
  const name = parameter === undefined ? undefined : params?.[parameter]
  if (!Predicate.isString(name)) return undefined
  const headerName = headers["mcp-name"]
  if (headerName === undefined) return mismatch(id, "Mcp-Name is missing")
  return decoded(String(headerName)) === name ? undefined : mismatch(id, `Mcp-Name is not params.${parameter}`)
}
