/**
 * What a server says before its client has said that it is initialized. It is kept until then, the last thousand of it.
 */

/** What is kept at most. */
const backlog = 1000

/** Deliveries that wait for the client. */
export class Held {
  #waiting: Array<() => void> | undefined = []

  /** Delivers, now or once the client is initialized. */
  readonly whenInitialized = (deliver: () => void): void => {
    if (this.#waiting === undefined) return deliver()
    this.#waiting.push(deliver)
    if (this.#waiting.length > backlog) this.#waiting.shift()
  }

  /** The client has said that it is initialized. */
  release(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const deliver of waiting) deliver()
  }
}
