/**
 * The interface of a transport adapter: a Transport of the official SDK that also reports how it ended.
 */
import type { Connection, Loss, Peer, RequestError, ResourceUsage } from "@mcp-lifeline/core"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { Effect } from "effect"
import type { Unread } from "./Messages.js"

/** A session that was taken out of a transport. */
export interface TransportSession {
  /** What another transport of the same connector needs to resume the session. */
  readonly knows: unknown
  /** Requests whose answers can still arrive on its streams. */
  readonly answerable: ReadonlySet<RequestId>
  /** Ends the session on the server, within a time limit. */
  readonly end: Effect.Effect<void>
}

/**
 * A Transport of the official SDK that reports precisely how it ended.
 *
 * - `start` and, until the server has answered `initialize`, `send` reject with a `ConnectError` if they know the reason.
 * - `send` rejects with a `RequestError` that has the fate of the message. If the server has refused a request, or its answer cannot be
 *   used, `send` rejects as soon as the transport knows this, and does not wait for the timeout. An error that `send` throws synchronously
 *   (parameters that cannot be written as JSON, for example) is a mistake of the caller, who gets it unchanged: nothing was sent.
 * - The transport calls `onlost` at most once, when it knows that the connection has ended, and before it rejects any pending `send` because
 *   of that; it never calls it because of `close`.
 * - The transport calls `onfailed` for a request whose `send` has ended and whose answer will not arrive, for example because it was
 *   dropped; or, before `onlost`, with the fate `notSent`, because the server is gone and has certainly not read it.
 *
 * The binding sets `onlost`, `onfailed` and `drained` before it calls `start`, and `onhearing` before it sends `notifications/initialized`.
 */
export interface AdapterTransport extends Transport {
  readonly peer: Peer
  /** False only for Streamable HTTP without a session id. Read after `initialize`. */
  readonly stateful: boolean
  onlost?: ((loss: Loss) => void) | undefined
  onfailed?: ((id: RequestId, error: RequestError) => void) | undefined
  /** Called with what the server has sent and is no message, and with the request in whose answer it came, if that is known. Must not throw. */
  onunread?: ((unread: Unread, of?: RequestId) => void) | undefined
  /**
   * Called with `false` when messages of the server that answer no request do not arrive, because their stream is not open, and with `true`
   * when they do again. Some may have been missed meanwhile. Default: they arrive. Must not throw.
   */
  onhearing?: ((hears: boolean) => void) | undefined
  /** If it returns a promise, the transport reads nothing more from the server until the promise is resolved. */
  drained?: (() => Promise<void> | undefined) | undefined
  /**
   * Takes a request back of which nothing has left: it waits for a socket, or for a pipe. After that none of it is sent, and its `send`
   * rejects with the fate `notSent` or stays pending. False where a part of it may have left, or where nobody knows. Default: nobody knows.
   * Must not throw.
   */
  readonly withdraw?: ((id: RequestId) => boolean) | undefined
  /** Measures what the processes of the server use, until `close`. Called once, after `start`. Must not throw. Default: nothing is measured. */
  readonly measure?: ((listener: (usage: ResourceUsage) => void) => void) | undefined
  /** Looks what the processes of the server show; see `Connection.look`. */
  readonly look?: Connection["look"]
  /**
   * The connection is lost, because the server neither reads nor does anything: `close` gives it no time to end by itself. The transport may
   * call `onfailed` for requests that the server has certainly not read. Must not throw.
   */
  readonly condemn?: ((loss: Loss) => void) | undefined
  /** Called when the server sends a comment on the stream of a response, which shows that it is alive. Must not throw. */
  onbeat?: ((id: RequestId) => void) | undefined
  /**
   * Takes the session out of a transport that has ended, if the server may still know the session. After this, the transport receives
   * nothing, does not reject requests whose answers can still arrive on the session's streams, and does not end the session in `close`.
   */
  readonly suspend?: (() => TransportSession | undefined) | undefined
  /**
   * Uses the session of another transport, instead of `initialize`. If the server no longer knows the session, `send` rejects with the
   * reason `session`. Until `goOn`, `close` does not end the session.
   */
  readonly borrow?: ((session: TransportSession) => void) | undefined
  /** Takes over the borrowed session: resumes its streams where they were cut, for requests that still wait. */
  readonly goOn?: ((isWaiting: (id: RequestId) => boolean) => void) | undefined
}
