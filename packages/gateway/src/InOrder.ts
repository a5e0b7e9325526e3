/**
 * The messages of a client in the order in which they came, where a notification is sent on some steps later than a request is.
 */
import { ClientRequest } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCResponse } from "@modelcontextprotocol/sdk/types.js"

/** What a client says. */
export type Said = ClientRequest | JSONRPCNotification | JSONRPCResponse

/** Hands messages on, and keeps those that would overtake a notification. */
export class InOrder {
  readonly #take: (message: Said) => void
  /** What came after a notification that is just being sent. */
  #behind: Array<Said> | undefined

  constructor(take: (message: Said) => void) {
    this.#take = take
  }

  receive(message: Said): void {
    if (this.#behind !== undefined) return void this.#behind.push(message)
    // It may have been cancelled meanwhile.
    if (!(message instanceof ClientRequest && message.isOver)) this.#take(message)
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
