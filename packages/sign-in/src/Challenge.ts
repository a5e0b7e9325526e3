/**
 * What the `WWW-Authenticate` header of a refusal says.
 */
import type { Refusal } from "@mcp-lifeline/transport-http"

/** What a refusal says of the login that would help. */
export interface Challenge {
  /** 401, or 403 where more rights are wanted. */
  readonly status: number
  readonly scope: string | undefined
  /** Where the metadata of the resource is. */
  readonly metadata: URL | undefined
}

const parameter = (header: string, name: string): string | undefined => {
  const match = new RegExp(`(?:^|[\\s,])${name}\\s*=\\s*(?:"([^"]*)"|([^\\s,"]+))`, "i").exec(header)
  return match?.[1] ?? match?.[2]
}

/** Reads a refusal. */
export const read = ({ challenge, status }: Refusal): Challenge => {
  const header = challenge ?? ""
  const metadata = parameter(header, "resource_metadata")
  return {
    status,
    scope: parameter(header, "scope"),
    metadata: metadata !== undefined && URL.canParse(metadata) ? new URL(metadata) : undefined
  }
}

/** A login that a person asks for, without a refusal. */
export const none: Challenge = { status: 401, scope: undefined, metadata: undefined }
