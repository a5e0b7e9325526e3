import { type Bytes, kibibytes } from "@mcp-lifeline/core/text"
import { Shares } from "./Shares.js"

export interface Limits {
  readonly count: number
  readonly bytes: Bytes
}

/** Not counted of each body: the places of its requests are. */
const uncounted = kibibytes(16)

export class OpenRequests {
  readonly #count: Shares
  readonly #bytes: Shares

  constructor({ bytes, count }: Limits) {
    this.#count = new Shares(count)
    this.#bytes = new Shares(bytes)
  }

  /** Returns what gives the place back, or why there is none. */
  take(client: unknown, count: number, bytes: Bytes): (() => void) | string {
    const counted = Math.max(0, bytes - uncounted)
    if (!this.#bytes.take(client, counted)) {
      return `The requests of this client that are not answered yet have ${
        this.#bytes.heldBy(client)
      } bytes, and those of all clients ${this.#bytes.total}: `
        + "there is no room for this one; send it again when some are answered"
    }
    if (!this.#count.take(client, count)) {
      this.#bytes.release(client, counted)
      return `This client has ${
        this.#count.heldBy(client)
      } requests that are not answered yet, the maximum while all clients have ${this.#count.total}; `
        + "send this one again when some are answered"
    }
    return () => {
      this.#count.release(client, count)
      this.#bytes.release(client, counted)
    }
  }
}
