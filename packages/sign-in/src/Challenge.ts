/**
 * What the `WWW-Authenticate` header of a refusal says.
 */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import type { Refusal } from "@mcp-lifeline/transport-http"

/** What a refusal says of the login that would help. */
export interface Challenge {
  /** 401, or 403 where more rights are wanted. */
  readonly status: number
  readonly scope: string | undefined
  /** Where the metadata of the resource is. */
  readonly metadata: URL | undefined
}

/** A name, and its value with or without quotes. What is in quotes names no other parameter. */
const parameters = /(?<=^|[\s,])([^\s,="]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g

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

/** A login that a person asks for, without a refusal. */
export const none: Challenge = { status: 401, scope: undefined, metadata: undefined }
