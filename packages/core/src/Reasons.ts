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

/** As far as its connection can tell. */
export type RequestReason =
  /** The connection ended (see `onLost`). */
  | "lost"
  /** The server no longer knows the session. */
  | "session"
  | "timeout"
  /** A JSON-RPC error: an answer. */
  | "remote"
  /** An answer against the protocol. */
  | "protocol"
  | "rateLimited"
  | "unauthorized"
  /** Of this one request; the connection may still be good. */
  | "network"
  /** Of this one request (HTTP 5xx and the like); the connection may still be good. */
  | "server"
  /** A defect in the program or in Lifeline, or an error that it cannot classify (`cause`). Never sent again. */
  | "fault"
