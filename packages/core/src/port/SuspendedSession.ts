/**
 * A session that has outlived its connection: the network failed, and the server may still keep the session.
 */
import { Effect } from "effect"

/** What a connector has to do with a session that it suspended. */
export interface Suspension<A> {
  /** What the next connection needs to know. Only the connector that suspended the session understands it. */
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
 * step.
 */
export class SuspendedSession<A = unknown> {
  readonly #suspension: Suspension<A>
  #held = true

  constructor(suspension: Suspension<A>) {
    this.#suspension = suspension
  }

  /** Whether it can still be resumed. */
  get held(): boolean {
    return this.#held
  }

  /** What is known of it, to ask the server whether it still keeps it. Nothing may be resumed before it was taken. */
  get knows(): A {
    return this.#suspension.knows
  }

  /** Whether somebody waits for it to go on. */
  get isAwaited(): boolean {
    return this.#held && this.#suspension.isAwaited()
  }

  /** Takes it: whoever does resumes it, or ends it. False where it was resumed or ended before. */
  take(): boolean {
    const held = this.#held
    this.#held = false
    return held // guard: session-taken-once
  }

  /** Ends it, unless it was taken. */
  get end(): Effect.Effect<void> {
    return Effect.suspend(() => this.take() ? this.#suspension.end : Effect.void)
  }
}
