/**
 * Hands values to whoever listens, synchronously and in order; costs nothing while nobody does.
 */
import { Effect, Stream } from "effect"

/** What a slow subscriber may be behind, before the oldest values are dropped. */
const backlog = 1024

/** Hands on what is emitted to every listener. */
export class Hub<A> {
  #listeners: Set<(value: A) => void> | undefined

  emit(value: A): void {
    if (this.#listeners !== undefined) { for (const listener of this.#listeners) listener(value) }
  }

  /** Calls back for each value, until the returned function is called. The callback must not throw. */
  listen(listener: (value: A) => void): () => void {
    const listeners = this.#listeners ??= new Set()
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  /** What is emitted from the subscription on; a subscriber that is 1,024 values behind loses the oldest. */
  get stream(): Stream.Stream<A> {
    return Stream.asyncPush<A>(
      (emit) =>
        Effect.acquireRelease(
          Effect.sync(() => this.listen((value) => emit.single(value))),
          (stop) => Effect.sync(stop)
        ),
      { bufferSize: backlog, strategy: "sliding" }
    )
  }
}
