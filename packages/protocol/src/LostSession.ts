/**
 * What a refusal says about the session of its request. Pure.
 *
 * Texts decide nothing: whoever has words in an error could write them. A status or a code raises a doubt, which the session itself settles.
 */
import { methodNotFound } from "./JsonRpc.js"

/** An unsuccessful answer to a request in a session. */
export interface Refusal {
  /** The HTTP status; undefined for a JSON-RPC error with a successful HTTP status, and for transports without HTTP. */
  readonly status: number | undefined
  /** The code of the JSON-RPC error, if there is one. */
  readonly code: number | undefined
  /** Whether it is a JSON-RPC response with the id of the request. */
  readonly isResponse: boolean
  /** What was asked for. Default: not known. */
  readonly method?: string | undefined
}

/**
 * `lost`: the session is lost, as the specification has it. `rejected`, `answered`: it may be lost, and this is the fate of the request if it
 * is. `alive`: the refusal says nothing about the session.
 */
export type Verdict = "lost" | "rejected" | "answered" | "alive"

const resourceNotFound = -32002
const elicitationRequired = -32042

/** Errors with a meaning of their own, which no server answers for want of a session. */
const isPlain = (code: number | undefined, method: string | undefined): boolean =>
  code === methodNotFound || code === elicitationRequired || (code === resourceNotFound && method === "resources/read")

/** What the refusal of a request with a session id says about the session. */
export const verdict = ({ code, isResponse, method, status = 200 }: Refusal): Verdict => {
  if ((status === 404 || status === 410) && !isResponse) return "lost"
  if (isPlain(code, method)) return "alive"
  // It was too slow, or came too soon.
  if (status === 408 || status === 429) return "alive"
  if (status >= 400 && status < 500) return "rejected"
  return code === undefined ? "alive" : "answered"
}
