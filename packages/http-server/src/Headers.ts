/**
 * What the headers of a request must say, in both eras of the protocol. Pure.
 */
import { Era, Initialize, JsonRpc } from "@mcp-lifeline/protocol"
import type { JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { IncomingHttpHeaders } from "node:http"
import type { Refusal } from "./Refusal.js"

/** The version of a client that names none. */
export const assumedVersion = "2025-03-26"

/** JSON-RPC: the headers do not say what the body does. */
const headerMismatch = -32_020

const accepts = (accept: string | undefined, type: string): boolean =>
  accept !== undefined && (accept.includes(type) || accept.includes("*/*"))

/** Why a POST is refused before its body is read. */
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

/** Why a GET is refused. */
export const checkGet = (headers: IncomingHttpHeaders): Refusal | undefined =>
  accepts(headers.accept, "text/event-stream")
    ? undefined
    : { status: 406, message: "The header Accept must have text/event-stream" }

/** Why a request of a session is refused for the version that it names. */
export const checkVersion = (version: string | undefined): Refusal | undefined => {
  if (version === undefined || Initialize.versions.includes(version)) return undefined
  const message = `MCP-Protocol-Version ${
    JSON.stringify(version.slice(0, 100))
  } is not supported in a session; these are: ${Initialize.versions.join(", ")}`
  return { status: 400, message }
}

/** The parameter that the header Mcp-Name repeats. */
const named: Readonly<Record<string, string>> = { "tools/call": "name", "prompts/get": "name", "resources/read": "uri" }

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

/** Why a request of the protocol without sessions is refused: its headers must repeat what its body says. */
export const checkStateless = (
  headers: IncomingHttpHeaders,
  { id, method, params }: JSONRPCRequest,
  version: unknown
): Refusal | undefined => {
  const said = headers["mcp-protocol-version"]
  if (said === undefined) return mismatch(id, "MCP-Protocol-Version is missing")
  if (version === undefined) {
    const message = "Invalid params: _meta has no protocol version"
    return { ...mismatch(id, ""), code: JsonRpc.invalidParams, message }
  }
  if (said !== version) return mismatch(id, "the protocol versions differ")
  // Headers of a version that we do not know are not ours to judge: the version itself is refused.
  if (version !== Era.statelessVersion) return undefined
  const header = headers["mcp-method"]
  if (header === undefined) return mismatch(id, "Mcp-Method is missing")
  if (String(header).trim() !== method) return mismatch(id, "Mcp-Method is not the method")
  const parameter = Object.hasOwn(named, method) ? named[method] : undefined
  const name = parameter === undefined ? undefined : params?.[parameter]
  if (!Predicate.isString(name)) return undefined
  const given = headers["mcp-name"]
  if (given === undefined) return mismatch(id, "Mcp-Name is missing")
  return decoded(String(given)) === name ? undefined : mismatch(id, `Mcp-Name is not params.${parameter}`)
}
