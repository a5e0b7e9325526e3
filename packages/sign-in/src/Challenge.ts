import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import type { Refusal } from "@mcp-lifeline/transport-http"

/** What the `WWW-Authenticate` header of a refusal says. */
export interface Challenge {
  /** 401, or 403 where more rights are wanted. */
  readonly status: number
  readonly scope: string | undefined
  /** Of the resource. */
  readonly metadata: URL | undefined
}

/** What is in quotes names no other parameter; without a last quote, all that follows is no value. */
const parameters = /(?<=^|[\s,])([^\s,="]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|"(?:[^"\\]|\\.)*\\?$|([^\s,"]+))/g

const parameter = (header: string, name: string): string | undefined => {
  for (const [, key, quoted, plain] of header.matchAll(parameters)) {
    if (key?.toLowerCase() === name) return quoted?.replace(/\\(.)/g, "$1") ?? plain
  }
  return undefined
}

export const read = ({ challenge, status }: Refusal): Challenge => {
  const header = challenge ?? ""
  const metadata = parameter(header, "resource_metadata")
  return {
    status,
    scope: parameter(header, "scope"),
    metadata: metadata === undefined ? undefined : parseUrl(metadata)
  }
}

/** For a login that a person asks for. */
export const none: Challenge = { status: 401, scope: undefined, metadata: undefined }
