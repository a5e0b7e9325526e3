/**
 * The part of an AbortSignal that the official SDK uses for a request. A real AbortController costs as much as the rest of
 * a call together; every call needs one, and hardly any is ever cancelled.
 */

/** Cancels one request. */
export class Cancellation {
  aborted = false
  reason: unknown = undefined
  #listener: (() => void) | undefined

  /** This, as the SDK's options take it. */
  get signal(): AbortSignal {
    return this as unknown as AbortSignal
  }

  abort(reason: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    this.#listener?.()
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listener = listener
  }

  removeEventListener(): void {
    this.#listener = undefined
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }
}
