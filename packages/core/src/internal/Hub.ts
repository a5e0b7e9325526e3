/**
 * Hands values to whoever listens, synchronously and in order; costs nothing while nobody does.
 */
import { Effect, Stream } from "effect"

/** What a slow subscriber may be behind, before the oldest values are dropped. */
const backlog = 1024

interface Listener<A> {
  readonly value: (value: A) => void
  readonly end: (() => void) | undefined
}

/** Hands on what is emitted to every listener, until it ends. */
export class Hub<A> {
  #listeners: Set<Listener<A>> | undefined
  #ended = false

  emit(value: A): void {
    if (this.#listeners !== undefined) { for (const listener of this.#listeners) listener.value(value) }
  }

  /** Ends every stream of it, those that begin later, too. What is emitted after that reaches nobody. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    const listeners = this.#listeners
    this.#listeners = undefined
    if (listeners !== undefined) { for (const listener of listeners) listener.end?.() }
  }

  /**
   * Calls back for each value, until the returned function is called or the hub ends, which calls `onEnd`. Neither may throw.
   */
  listen(onValue: (value: A) => void, onEnd?: () => void): () => void {
    if (this.#ended) {
      onEnd?.()
      return () => {}
    }
    const listener = { value: onValue, end: onEnd }
    const listeners = this.#listeners ??= new Set()
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  /** What is emitted from the subscription on; a subscriber that is 1,024 values behind loses the oldest. Ends with the hub. */
  get stream(): Stream.Stream<A> {
    return Stream.asyncPush<A>(
      (emit) =>
        Effect.acquireRelease(
          Effect.sync(() => this.listen((value) => emit.single(value), () => emit.end())),
          (stop) => Effect.sync(stop)
        ),
      { bufferSize: backlog, strategy: "sliding" }
    )
  }
}
