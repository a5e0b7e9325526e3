import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { Client } from "./Client.js"

export type Supervision = Pick<
  Client,
  | "name"
  | "status"
  | "statusChanges"
  | "on"
  | "reconnect"
  | "enable"
  | "disable"
  | "disconnect"
  | "refresh"
  | "approveTools"
  | "isHealthy"
  | "healthCheck"
  | "keepalive"
>

/** A transport of the official SDK that survives restarts of its server. */
export interface SupervisedTransport extends Transport, AsyncDisposable {
  // Without the SDK's `undefined`, so that it fits other packages' interfaces.
  /** Called once, when `close` has finished or the server has come back with another protocol version. */
  onclose?: () => void
  /** Called for failures outside of requests: a server that will not come back, and errors that `onmessage` throws. */
  onerror?: (error: Error) => void
  onmessage?: NonNullable<Transport["onmessage"]>
  /** Does nothing: the version is known from `initialize`. */
  setProtocolVersion(version: string): void
  /** Of the current connection, if the server gave one; `undefined` until `initialize` is answered. */
  readonly sessionId: string | undefined
  /** `undefined` until `initialize` is answered. */
  readonly supervision: Supervision | undefined
}
