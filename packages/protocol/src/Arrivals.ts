/**
 * Limits what is kept of messages of servers that have begun to arrive and are not whole, of all servers of a program together: each of these messages is
 * limited by itself, but a server may begin many, and there are many servers.
 */
import { Bytes, kibibytes, mebibytes } from "@mcp-lifeline/core/internal"
import { Shares } from "./Shares.js"

/** Bytes for all servers. One alone gets half of that, which is more than the longest string of Node.js. */
export const maxArriving = mebibytes(1024)

/** These first bytes of each message do not count, so that small ones always have room. */
export const uncounted = kibibytes(16)

const program = new Shares(maxArriving)

/** The messages of one server. */
export class Arrivals {
  readonly #all: Shares

  /** `all`: what servers share. Default: what those of the program do. */
  constructor(all: Shares = program) {
    this.#all = all
  }

  /** A message of the server, or a stream of them, begins to arrive. */
  begin(): Arrival {
    return new Arrival(this.#all, this)
  }
}

/** What is kept of one message or stream. */
export class Arrival {
  readonly #all: Shares
  readonly #server: Arrivals
  #counted = 0
  #isOver = false

  constructor(all: Shares, server: Arrivals) {
    this.#all = all
    this.#server = server
  }

  /** So many bytes are to be kept from now on. If there is no room for them, returns false, and counts what it has counted before. */
  keeps(bytes: Bytes): boolean {
    if (this.#isOver) return true
    const more = Math.max(0, bytes - uncounted) - this.#counted
    if (more > 0 && !this.#all.take(this.#server, more)) return false
    if (more < 0) this.#all.release(this.#server, -more)
    this.#counted += more
    return true
  }

  /** Nothing is kept any more, and nothing is counted from now on. */
  end(): void {
    this.keeps(Bytes(0))
    this.#isOver = true
  }
}
