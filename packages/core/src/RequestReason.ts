/** Why a request failed. */

/** Why a request failed, as far as its connection can tell. */
export type RequestReason =
  /** The connection has ended (see `onLost`). */
  | "lost"
  /** The server no longer knows the session. */
  | "session"
  /** No answer in time. */
  | "timeout"
  /** A JSON-RPC error: an answer. */
  | "remote"
  /** An answer that does not match the protocol. */
  | "protocol"
  /** The server objects to the rate. */
  | "rateLimited"
  /** The server refuses the credentials. */
  | "unauthorized"
  /** A network failure of this one request; the connection may still be good. */
  | "network"
  /** A failure of the server for this one request (HTTP 5xx and the like); the connection may still be good. */
  | "server"
  /**
   * A defect in the program or in Lifeline, or an error that Lifeline cannot classify; `cause` has it. Lifeline never sends the request
   * again.
   */
  | "fault"
