/**
 * A session that has outlived its connection: the network failed, and the server may still keep the session.
 */
import { Effect } from "effect"

/** What a connector has to do with a session that it suspended. */
export interface Suspension<A> {
  /** What the next connection needs to know. Only the connector that suspended the session understands it; not `undefined`. */
  readonly knows: A
  /** Whether a request waits for an answer that the session can still bring. Must not throw. */
  readonly isAwaited: () => boolean
  /**
   * Ends the session for good: fails the requests that wait for its streams, and tells the server as far as it can be told.
   * Must not fail; the core waits for it as long as for a close.
   */
  readonly end: Effect.Effect<void>
}

/**
 * A suspended session. It is resumed by one connection or it is ended, once, whoever asks first: taking it is one synchronous
 * step. From then on nothing is kept of it here.
 */
export class SuspendedSession<A = unknown> {
  #suspension: Suspension<A> | undefined

  constructor(suspension: Suspension<A>) {
    this.#suspension = suspension
  }

  /** Whether it can still be resumed. */
  get held(): boolean {
    return this.#suspension !== undefined
  }

  /** What is known of it, to ask the server whether it still keeps it; `undefined` once it was taken. */
  get knows(): A | undefined {
    return this.#suspension?.knows
  }

  /** Whether somebody waits for it to go on. */
  get isAwaited(): boolean {
    return this.#suspension?.isAwaited() === true
  }

  /** Takes it, to resume it: gives what is known of it. `undefined` where it was resumed or ended before. */
  take(): A | undefined {
    return this.#taken()?.knows
  }

  /** Ends it, unless it was taken. */
  get end(): Effect.Effect<void> {
    return Effect.suspend(() => this.#taken()?.end ?? Effect.void)
  }

  #taken(): Suspension<A> | undefined {
    const suspension = this.#suspension
    this.#suspension = undefined // guard: session-taken-once
    return suspension
  }
}
