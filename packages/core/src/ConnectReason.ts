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

/** `session`: the server forgot the session before the handshake ended. */
export type ConnectReason = typeof connectReasons[number]
