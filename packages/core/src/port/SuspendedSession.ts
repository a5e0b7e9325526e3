import { Effect } from "effect"

/** `A`: data of the connector, which the core only hands on. */
export interface Suspension<A> {
  /** To resume the session on the next connection, for example its id. Not `undefined`. */
  readonly knows: A
  /** A request waits for an answer that can arrive once the session is resumed. Must not throw. */
  readonly isAwaited: () => boolean
  /** For good: fails the unanswered requests, and tells the server if possible. Must not fail. Bound: `timeouts.close`. */
  readonly end: Effect.Effect<void>
}

/**
 * The server may still keep it after its connection was lost: `Connection.suspend` returns it, the next attempt gets it as
 * `ConnectOptions.resume`. Either the connector takes it, or the core ends it: only the first `take` or `end` counts.
 */
export class SuspendedSession<A = unknown> {
  #suspension: Suspension<A> | undefined

  constructor(suspension: Suspension<A>) {
    this.#suspension = suspension
  }

  get held(): boolean {
    return this.#suspension !== undefined
  }

  /** `undefined` after `take` or `end`. */
  get knows(): A | undefined {
    return this.#suspension?.knows
  }

  /** False after `take` or `end`. */
  get isAwaited(): boolean {
    return this.#suspension?.isAwaited() === true
  }

  /** In one synchronous step; `undefined` after `take` or `end`. */
  take(): A | undefined {
    return this.#taken()?.knows
  }

  /** Does nothing after `take` or `end`. */
  get end(): Effect.Effect<void> {
    return Effect.suspend(() => this.#taken()?.end ?? Effect.void)
  }

  #taken(): Suspension<A> | undefined {
    const suspension = this.#suspension
    this.#suspension = undefined // guard: session-taken-once
    return suspension
  }
}
