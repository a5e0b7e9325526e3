/**
 * A session whose connection was lost, and which the server may still keep, so that the next connection can resume it.
 */
import { Effect } from "effect"

/** What a connector says about a session that it suspends. `A` is data of the connector, which the core only hands on. */
export interface Suspension<A> {
  /** What the connector needs to resume the session on its next connection, for example the session id. Not `undefined`. */
  readonly knows: A
  /** Whether a request still waits for an answer that can arrive once the session is resumed. Must not throw. */
  readonly isAwaited: () => boolean
  /**
   * Ends the session for good: fails the requests that still wait for an answer, and tells the server, if that is possible. Must not
   * fail. The core waits for it for at most `timeouts.close`.
   */
  readonly end: Effect.Effect<void>
}

/**
 * A suspended session. `Connection.suspend` returns it when a connection is lost, and the core offers it to the next attempt as
 * `ConnectOptions.resume`. Either the connector takes it, or the core ends it. Only the first `take` or `end` has an effect, so a session
 * that is resumed is never ended by mistake. After that, this object no longer holds the connector's data.
 */
export class SuspendedSession<A = unknown> {
  #suspension: Suspension<A> | undefined

  constructor(suspension: Suspension<A>) {
    this.#suspension = suspension
  }

  /** Whether it can still be resumed: nobody has taken or ended it. */
  get held(): boolean {
    return this.#suspension !== undefined
  }

  /** The connector's data, with which it can ask the server about the session. `undefined` after `take` or `end`. */
  get knows(): A | undefined {
    return this.#suspension?.knows
  }

  /** Whether a request still waits for an answer that can arrive once the session is resumed. False after `take` or `end`. */
  get isAwaited(): boolean {
    return this.#suspension?.isAwaited() === true
  }

  /** Claims the session in one synchronous step, and returns the connector's data; `undefined` if it was taken or ended before. */
  take(): A | undefined {
    return this.#taken()?.knows
  }

  /** Ends the session. Does nothing if it was taken or ended before. */
  get end(): Effect.Effect<void> {
    return Effect.suspend(() => this.#taken()?.end ?? Effect.void)
  }

  #taken(): Suspension<A> | undefined {
    const suspension = this.#suspension
    this.#suspension = undefined // guard: session-taken-once
    return suspension
  }
}
