/**
 * Something that happens once and may be waited for. Effect's Deferred weighs 600 bytes, which thousands of backends would
 * hold though nobody waits: it is made when somebody does.
 */
import { Deferred, Effect, Exit, FiberId } from "effect"

/** Not done at first; `complete` is synchronous. */
export class Signal {
  #done = false
  #waited: Deferred.Deferred<void> | undefined

  /** It has happened. Happening again changes nothing. */
  complete(): void {
    this.#done = true
    if (this.#waited !== undefined) Deferred.unsafeDone(this.#waited, Exit.void)
  }

  /** Whether it has happened. */
  get isComplete(): boolean {
    return this.#done
  }

  /** Ends when it has happened. */
  get completed(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#done) return Effect.void
      return Deferred.await(this.#waited ??= Deferred.unsafeMake<void>(FiberId.none))
    })
  }
}
