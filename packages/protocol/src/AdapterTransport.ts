/**
 * What a transport adapter gives to the binding: a Transport of the official SDK that also knows how it ended.
 */
import type { Loss, Peer, RequestError } from "@mcp-lifeline/core"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { Effect } from "effect"

/** A session that was taken out of a transport. */
export interface TransportSession {
  /** What a transport of the same connector needs to go on with it. */
  readonly knows: unknown
  /** Requests whose answers its streams can still bring. */
  readonly answerable: ReadonlySet<RequestId>
  /** Tells the server that the session is over, in a bounded time. */
  readonly end: Effect.Effect<void>
}

/**
 * A Transport of the official SDK with an honest end.
 *
 * - `start` and, until `initialize` has been answered, `send` reject with a `ConnectError` where they know the reason.
 * - `send` rejects with a `RequestError` that carries the fate of what was to be sent. An answered or refused request is
 *   rejected as soon as that is known, never left to its timeout. What it throws synchronously (parameters that cannot be
 *   written as JSON, for example) is a fault of the caller, who gets it as it is: nothing was sent.
 * - `onlost` is called at most once, when the transport knows that it is over, before any pending `send` is rejected
 *   because of it; never for a `close` that was asked for.
 * - `onfailed` is for a request whose `send` has ended, and whose answer will not come: it was dropped, for example.
 *
 * The binding sets `onlost`, `onfailed` and `drained` before it calls `start`.
 */
export interface AdapterTransport extends Transport {
  readonly peer: Peer
  /** False only for Streamable HTTP without a session id. Read after `initialize`. */
  readonly stateful: boolean
  onlost?: ((loss: Loss) => void) | undefined
  onfailed?: ((id: RequestId, error: RequestError) => void) | undefined
  /** While it gives a promise, nothing more is read from the server until that is resolved: what it says is not taken. */
  drained?: (() => Promise<void> | undefined) | undefined
  /** Called where the server shows on the stream of a response that it lives, with a comment. Must not throw. */
  onbeat?: ((id: RequestId) => void) | undefined
  /**
   * Takes the session out of a transport that is over, where the server may still keep it: nothing is received any more, requests
   * that its streams can answer are not rejected, and `close` leaves the session alone.
   */
  readonly suspend?: (() => TransportSession | undefined) | undefined
  /**
   * Asks in the name of a session that another transport had, in place of `initialize`. A `send` is rejected with the reason
   * `session` where the server does not know it any more. `close` leaves the session alone until `goOn`.
   */
  readonly borrow?: ((session: TransportSession) => void) | undefined
  /** Goes on with the borrowed session: opens its streams where they were cut, for requests that still wait. */
  readonly goOn?: ((isWaiting: (id: RequestId) => boolean) => void) | undefined
}
