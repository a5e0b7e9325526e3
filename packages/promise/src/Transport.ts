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
  /** Called once, when `close` has ended or the server came back with another protocol version. */
  onclose?: () => void
  /** Called for what no answer tells: a server that will not come back, and what `onmessage` threw. */
  onerror?: (error: Error) => void
  /** Called for each message of the server. */
  onmessage?: NonNullable<Transport["onmessage"]>
  /** For clients that tell; it is known from `initialize`. */
  setProtocolVersion(version: string): void
  /** The id of the session of the current connection, where the server has given one; `undefined` before `initialize` is answered. */
  readonly sessionId: string | undefined
  /** Status, events and commands; `undefined` until `initialize` has been answered. */
  readonly supervision: Supervision | undefined
}
