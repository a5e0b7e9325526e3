/**
 * A transport whose server is supervised.
 */
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { Client } from "./Client.js"

/** What can be seen of a supervised server, and done with it, besides calling it. */
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
  | "healthCheck"
  | "keepalive"
>

/** A transport of the official SDK that survives restarts of its server. */
export interface SupervisedTransport extends Transport, AsyncDisposable {
  // Narrower than the SDK's by `undefined`, so that it fits other packages' interfaces too.
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: NonNullable<Transport["onmessage"]>
  /** For clients that tell; it is known from `initialize`. */
  setProtocolVersion(version: string): void
  /** The id of the session of the current connection, where the server has given one; `undefined` before `initialize` is answered. */
  readonly sessionId: string | undefined
  /** Status, events and commands; `undefined` until `initialize` has been answered. */
  readonly supervision: Supervision | undefined
}
