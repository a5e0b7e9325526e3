/**
 * The messages of a client in the order in which they came, where a notification is sent on some steps later than a request is.
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"

/** Hands messages on, and keeps those that would overtake a notification. */
export class InOrder {
  readonly #take: (message: JSONRPCMessage) => void
  /** What came after a notification that is just being sent. */
  #behind: Array<JSONRPCMessage> | undefined

  constructor(take: (message: JSONRPCMessage) => void) {
    this.#take = take
  }

  /** Whether a notification is just being sent. */
  get isHolding(): boolean {
    return this.#behind !== undefined
  }

  receive(message: JSONRPCMessage): void {
    if (this.#behind === undefined) this.#take(message)
    else this.#behind.push(message)
  }

  /** A notification was handed on: what comes next waits until it is sent. */
  hold(): void {
    this.#behind = []
    setImmediate(() => {
      const behind = this.#behind ?? []
      this.#behind = undefined
      for (const message of behind) this.receive(message)
    })
  }
}
