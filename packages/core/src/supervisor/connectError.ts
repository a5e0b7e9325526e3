import { ConnectError } from "../Errors.js"

/** Of an attempt; the next one may succeed. */
export const connectError = (
  backend: string,
  reason: ConnectError["reason"],
  message: string,
  cause?: unknown
): ConnectError => new ConnectError({ backend, reason, permanent: false, message, cause })
