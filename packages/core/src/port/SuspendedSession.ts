import { Effect } from "effect"

/** What a connector says about a session that it suspends. `A` is data of the connector, which the core only hands on. */
export interface Suspension<A> {
  /** What the connector needs to resume the session on its next connection, for example the session id. Not `undefined`. */
  readonly knows: A
  /** Whether a request still waits for an answer that can arrive once the session is resumed. Must not throw. */
  readonly isAwaited: () => boolean
  /** Ends it for good: fails the requests without an answer, and tells the server if possible. Must not fail. Bound: `timeouts.close`. */
  readonly end: Effect.Effect<void>
}

/**
 * A session that the server may still keep after its connection was lost: `Connection.suspend` returns it, and the next attempt gets it as
 * `ConnectOptions.resume`. Either the connector takes it, or the core ends it: only the first `take` or `end` has an effect.
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

  /** The connector's data. `undefined` after `take` or `end`. */
  get knows(): A | undefined {
    return this.#suspension?.knows
  }

  /** Whether a request waits for an answer that can still arrive. False after `take` or `end`. */
  get isAwaited(): boolean {
    return this.#suspension?.isAwaited() === true
  }

  /** Claims the session in one synchronous step; `undefined` if it was taken or ended before. */
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
