const connecting = {
  timeout: "it did not answer in time",
  refused: "it refuses connections",
  unreachable: "it cannot be reached over the network",
  tls: "no secure connection to it could be made",
  closed: "its connection ended",
  session: "it has forgotten the session",
  spawn: "its program could not be started",
  unauthorized: "it requires a login or other credentials",
  forbidden: "it refuses access",
  notFound: "there is no MCP server where it should be",
  rateLimited: "it refuses more requests for now",
  server: "it failed with an error of its own",
  redirect: "it is elsewhere now",
  protocol: "its answer is none that the protocol allows",
  incompatible: "it speaks no version of MCP that is understood here",
  onConnected: "what is to be done once it is connected failed",
  defect: "an error inside Lifeline"
} as const

/** `session`: the server forgot the session before the handshake ended. */
export type ConnectReason = keyof typeof connecting

export const connectReasons = Object.keys(connecting) as [ConnectReason, ...Array<ConnectReason>]

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

export type Reason = ConnectReason | "health" | "keepalive" | "memory" | RequestReason

const words: { readonly [R in Reason]: string } = {
  ...connecting,
  health: "it answered neither requests nor probes",
  keepalive: "it did not answer heartbeats",
  memory: "it used more memory than it may",
  lost: "its connection ended",
  remote: "it answered with an error",
  network: "the network failed",
  fault: "an error inside Lifeline"
}

/** For everybody. Also of another version of Lifeline. */
export const inWords = (reason: string | undefined): string =>
  reason !== undefined && Object.hasOwn(words, reason) ? words[reason as Reason] : "those who run it can see why"
