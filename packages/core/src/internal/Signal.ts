/** Happens once and may be awaited. Effect's Deferred takes 600 bytes, so it is made only when a fiber waits. */
import { Deferred, Effect, Exit, FiberId } from "effect"

export class Signal {
  #done = false
  #waited: Deferred.Deferred<void> | undefined

  complete(): void {
    this.#done = true
    if (this.#waited !== undefined) Deferred.unsafeDone(this.#waited, Exit.void)
  }

  get isComplete(): boolean {
    return this.#done
  }

  get completed(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#done) return Effect.void
      return Deferred.await(this.#waited ??= Deferred.unsafeMake<void>(FiberId.none))
    })
  }
}
