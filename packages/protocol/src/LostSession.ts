/** Which refusals mean, or may mean, a lost session. Texts decide nothing: anybody could write them. */
import { methodNotFound } from "./JsonRpc.js"

export interface Refusal {
  /** Undefined for a JSON-RPC error with a successful HTTP status, and without HTTP. */
  readonly status: number | undefined
  readonly code: number | undefined
  /** With the id of the request. */
  readonly isResponse: boolean
  /** Default: not known. */
  readonly method?: string | undefined
}

/**
 * `lost`: as the specification has it. `rejected`, `answered`: it may be lost, and this is the fate of the request if it is. `alive`: the
 * refusal says nothing about the session.
 */
export type Verdict = "lost" | "rejected" | "answered" | "alive"

const resourceNotFound = -32002
const elicitationRequired = -32042

/** No server answers these for want of a session. */
const isPlain = (code: number | undefined, method: string | undefined): boolean =>
  code === methodNotFound || code === elicitationRequired || (code === resourceNotFound && method === "resources/read")

export const verdict = ({ code, isResponse, method, status = 200 }: Refusal): Verdict => {
  if ((status === 404 || status === 410) && !isResponse) return "lost"
  if (isPlain(code, method)) return "alive"
  // It was too slow, or came too soon.
  if (status === 408 || status === 429) return "alive"
  if (status >= 400 && status < 500) return "rejected"
  return code === undefined ? "alive" : "answered"
}
