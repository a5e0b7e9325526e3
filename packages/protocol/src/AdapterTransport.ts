import type { Connection, Loss, Peer, RequestError, ResourceUsage } from "@mcp-lifeline/core"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { Effect } from "effect"
import type { Unread } from "./Messages.js"

export interface TransportSession {
  /** What another transport of the same connector needs to resume it. */
  readonly knows: unknown
  /** Requests whose answers can still arrive on its streams. */
  readonly answerable: ReadonlySet<RequestId>
  /** Has a time limit. */
  readonly end: Effect.Effect<void>
}

/**
 * A Transport of the official SDK that reports precisely how it ended.
 *
 * - `start` and, until the server has answered `initialize`, `send` reject with a `ConnectError` if they know the reason.
 * - `send` rejects with a `RequestError` that has the fate of the message, as soon as the transport knows that the server has refused a
 *   request or that its answer cannot be used. What it throws synchronously (parameters that are no JSON, for example) is the caller's
 *   mistake: nothing was sent.
 * - `onlost` is called at most once, when the connection is known to have ended, before a pending `send` is rejected because of that; never
 *   because of `close`.
 * - `onfailed` is called for a request whose `send` has ended and whose answer will not arrive; or, before `onlost`, with the fate
 *   `notSent`, for one that the server has certainly not read.
 *
 * The binding sets `onlost`, `onfailed` and `drained` before `start`, and `onhearing` before `notifications/initialized`.
 */
export interface AdapterTransport extends Transport {
  readonly peer: Peer
  /** False only for Streamable HTTP without a session id. Read after `initialize`. */
  readonly stateful: boolean
  onlost?: ((loss: Loss) => void) | undefined
  onfailed?: ((id: RequestId, error: RequestError) => void) | undefined
  /** Called with what is no message, and the request in whose answer it came, if known. Must not throw. */
  onunread?: ((unread: Unread, of?: RequestId) => void) | undefined
  /**
   * Called with `false` when messages that answer no request do not arrive, for want of their stream, and with `true` when they do again;
   * some may have been missed. Default: they arrive. Must not throw.
   */
  onhearing?: ((hears: boolean) => void) | undefined
  /** If it returns a promise, the transport reads nothing until that is resolved. */
  drained?: (() => Promise<void> | undefined) | undefined
  /**
   * Takes back a request of which nothing has left: its `send` rejects with the fate `notSent` or stays pending. False, as by default,
   * where a part may have left. Must not throw.
   */
  readonly withdraw?: ((id: RequestId) => boolean) | undefined
  /** Called once, after `start`; measures the server's processes until `close`. Must not throw. Default: nothing is measured. */
  readonly measure?: ((listener: (usage: ResourceUsage) => void) => void) | undefined
  /** See `Connection.look`. */
  readonly look?: Connection["look"]
  /**
   * `close` gives a server that neither reads nor works no time to end by itself. `onfailed` may be called for requests that it has
   * certainly not read. Must not throw.
   */
  readonly condemn?: ((loss: Loss) => void) | undefined
  /** Called on a comment on the stream of a response: a sign of life. Must not throw. */
  onbeat?: ((id: RequestId) => void) | undefined
  /**
   * Takes the session out of an ended transport, if the server may still know it. From then on the transport receives nothing, does not
   * reject `answerable` requests, and does not end the session in `close`.
   */
  readonly suspend?: (() => TransportSession | undefined) | undefined
  /**
   * Uses the session of another transport, instead of `initialize`. If the server does not know it, `send` rejects with the reason
   * `session`. Until `goOn`, `close` does not end it.
   */
  readonly borrow?: ((session: TransportSession) => void) | undefined
  /** Takes over the borrowed session: resumes its streams for requests that still wait. */
  readonly goOn?: ((isWaiting: (id: RequestId) => boolean) => void) | undefined
}
