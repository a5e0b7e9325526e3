/**
 * What clients that need a token are told (RFC 9728), and how they are refused (RFC 6750).
 */
import type { McpConfig } from "@mcp-lifeline/config"
import * as Arrival from "@mcp-lifeline/http-server/Arrival"
import * as Guard from "@mcp-lifeline/http-server/Guard"
import type { Refusal } from "@mcp-lifeline/http-server/Refusal"
import type { IncomingMessage } from "node:http"
import type { Refused } from "./AccessToken.js"

export interface Place {
  /** The address to which it is bound. */
  readonly host: string
  /** Without a path at the end. Default: only the names of the address. */
  readonly publicUrl?: string | undefined
}

const wellKnown = "/.well-known/oauth-protected-resource"

/** A proxy that passes on what is below the path of the public URL passes this on, too. */
const ofEndpoint = `${wellKnown}/mcp`

/** Before the path of the endpoint, which may be below that of the public URL, and at the root. */
export const paths = ({ publicUrl }: Place): ReadonlySet<string> => {
  const below = publicUrl === undefined ? "" : new URL(publicUrl).pathname.replace(/\/$/, "")
  return new Set([ofEndpoint, wellKnown, `${wellKnown}${below}/mcp`, `${wellKnown}${below}`])
}

type Asked = Pick<IncomingMessage, "headers" | "socket">

/**
 * As this client knows the gateway: it uses no document of a resource of another name. The guard has checked the name, and only what this client is told
 * depends on it.
 */
const baseOf = (request: Asked, { publicUrl }: Place): string => {
  const { host = request.headers.host, scheme = "http" } = Arrival.of(request)
  return publicUrl ?? `${scheme}://${host}`
}

const isWildcard = (host: string): boolean => ["0.0.0.0", "::"].includes(Guard.unbracket(host))

/**
 * The URL of the endpoint. Not by what a request says: a token for somebody else would be accepted with his name. Empty where all addresses are meant.
 */
export const defaultAudiences = ({ host, publicUrl }: Place, port: number): ReadonlyArray<string> => {
  if (publicUrl !== undefined) return [`${publicUrl}/mcp`]
  if (isWildcard(host)) return []
  const plain = Guard.unbracket(host)
  const own = plain.includes(":") ? `[${plain}]` : plain
  const names = Guard.isLoopback(plain) ? new Set([own, "localhost", "127.0.0.1", "[::1]"]) : [own]
  return Array.from(names, (name) => `http://${name}:${port}/mcp`)
}

export const metadata = (request: Asked, place: Place, { issuers, requiredScopes }: McpConfig.Auth) => ({
  resource: `${baseOf(request, place)}/mcp`,
  authorization_servers: issuers,
  ...(requiredScopes.length === 0 ? {} : { scopes_supported: requiredScopes }),
  bearer_methods_supported: ["header"],
  resource_name: "mcp-lifeline"
})

/** The texts have no quotes. */
const challenge = (parts: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> => ({
  "WWW-Authenticate": `Bearer ${
    Object.entries(parts).flatMap(([name, value]) => value === undefined ? [] : [`${name}="${value}"`]).join(", ")
  }`
})

/** All scopes: a client may never ask for more after its first login. */
const needed = (request: Asked, place: Place, { requiredScopes }: McpConfig.Auth) => ({
  resource_metadata: `${baseOf(request, place)}${ofEndpoint}`,
  scope: requiredScopes.length === 0 ? undefined : requiredScopes.join(" ")
})

export const tokenMissing = (request: Asked, place: Place, auth: McpConfig.Auth): Refusal => ({
  status: 401,
  message:
    "This gateway needs an access token: sign in at its authorization server, or send the header Authorization: Bearer <token>",
  headers: challenge(needed(request, place, auth))
})

/** Others read addresses, and write them down. */
export const tokenInAddress: Refusal = {
  status: 400,
  message:
    "A token in the address is not accepted, since logs have it: send it as the header Authorization: Bearer <token>",
  headers: challenge({ error: "invalid_request" })
}

/** With a 401, clients would log in again. */
export const keysUnavailable: Refusal = {
  status: 503,
  message: "The gateway cannot check tokens at the moment, since it does not reach the authorization server; try again",
  headers: { "Retry-After": "5" }
}

export const refusal = (refused: Refused, request: Asked, place: Place, auth: McpConfig.Auth): Refusal => {
  const headersOf = (error: string, why: string) =>
    challenge({ error, error_description: why, ...needed(request, place, auth) })
  switch (refused._tag) {
    case "Invalid":
      return {
        status: 401,
        message: `The access token is not accepted: ${refused.why}`,
        headers: headersOf("invalid_token", refused.why)
      }
    case "Scopes":
      return {
        status: 403,
        message: `The access token lacks a scope; needed: ${auth.requiredScopes.join(" ")}`,
        headers: headersOf("insufficient_scope", "the token lacks a scope")
      }
    case "Claim":
      return {
        status: 403,
        message:
          "This gateway does not let you in: your account lacks what it asks for. The log of the gateway says what that is"
      }
  }
}
