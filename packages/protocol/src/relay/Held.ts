/**
 * Holds messages of a server until its client has sent `notifications/initialized`; at most the last thousand.
 */

/** How many messages are held at most. */
const backlog = 1000

/** Messages that wait for the client. */
export class Held {
  #waiting: Array<() => void> | undefined = []

  /** Delivers a message now, or when the client is initialized. */
  readonly whenInitialized = (deliver: () => void): void => {
    if (this.#waiting === undefined) return deliver()
    this.#waiting.push(deliver)
    if (this.#waiting.length > backlog) this.#waiting.shift()
  }

  /** The client has sent `notifications/initialized`. */
  release(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const deliver of waiting) deliver()
  }
}
