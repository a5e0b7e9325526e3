/**
 * A transport whose server is supervised.
 */
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { Client } from "./Client.js"

/** Status, events and commands of a supervised server. */
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

/** A transport of the official SDK that keeps working when its server restarts. */
export interface SupervisedTransport extends Transport, AsyncDisposable {
  // Narrower than the SDK's by `undefined`, so that it fits other packages' interfaces too.
  /** Called once, when `close` has finished or the server has come back with another protocol version. */
  onclose?: () => void
  /** Called for failures that do not belong to a request: a server that will not come back, and errors that `onmessage` throws. */
  onerror?: (error: Error) => void
  /** Called for each message of the server. */
  onmessage?: NonNullable<Transport["onmessage"]>
  /** Clients may call this; it does nothing, because the version is known from `initialize`. */
  setProtocolVersion(version: string): void
  /** The session id of the current connection, if the server gave one; `undefined` until `initialize` has been answered. */
  readonly sessionId: string | undefined
  /** Status, events and commands; `undefined` until `initialize` has been answered. */
  readonly supervision: Supervision | undefined
}
