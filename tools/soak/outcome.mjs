/**
 * Of what type an error is that a call ended with. Every error has one that a program can act on; what has none breaks a promise.
 */

/** The errors of the facade, by their tags. */
const tags = new Set([
  "ConnectError",
  "UnauthorizedError",
  "BackendUnavailable",
  "ConnectionLost",
  "ResultUnknown",
  "RequestTimeout",
  "SessionExpired",
  "RemoteError",
  "ProtocolError"
])

/** What a client's own fetch says where a replica has gone, which no gateway can answer. */
const networkCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "UND_ERR_SOCKET",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT"
])

/** Whether the error says that the call was not carried out. @param {any} error */
export const isNotSent = ({ _tag, data }) =>
  data?.fate === "notSent" || ["BackendUnavailable", "SessionExpired"].includes(_tag)

/**
 * @param {any} error
 * @param {{ readonly speech: import("./doors.mjs").Speech, readonly isCancelled: boolean, readonly isLate: boolean, readonly replicas: boolean }} call `isLate`:
 *   whether it took so long that the client has ended it; `replicas`: whether gateways are killed themselves
 * @returns {string | undefined}
 */
export const typeOf = (error, { isCancelled, isLate, replicas, speech }) => {
  if (isLate) return undefined
  if (isCancelled && (error?.name === "AbortError" || error?.name === "TimeoutError")) return "cancelled by its caller"
  if (speech === "facade") return tags.has(error?._tag) ? error._tag : undefined
  if (Number.isInteger(error?.code) && error.code < 0) {
    const fate = error.data?.fate
    return `${error.code}${typeof fate === "string" ? ` (${fate})` : ""}`
  }
  // The official Client v2 names its own errors, such as a timeout, in words.
  if (
    speech.startsWith("v2") && typeof error?.code === "string" && /^[A-Z_]+$/.test(error.code) &&
    !networkCodes.has(error.code)
  ) return error.code
  if (!replicas) return undefined
  for (let cause = error; cause !== undefined && cause !== null; cause = cause.cause) {
    if (networkCodes.has(cause.code)) return `network: ${cause.code}`
  }
  return error?.message === "terminated" ? "network: terminated" : undefined
}
