/** Why a connection could not be made. */
export const connectReasons = [
  "timeout",
  "refused",
  "unreachable",
  "tls",
  "closed",
  "session",
  "spawn",
  "unauthorized",
  "forbidden",
  "notFound",
  "rateLimited",
  "server",
  "redirect",
  "protocol",
  "incompatible",
  "onConnected",
  "defect"
] as const

/** Why a connection could not be made. `session`: the server has forgotten the session before the handshake ended. */
export type ConnectReason = typeof connectReasons[number]
