/** Limits what is kept of incomplete messages of all servers: each is limited by itself, but there may be many. */
import { Bytes, kibibytes, mebibytes } from "@mcp-lifeline/core/text"
import { Shares } from "./Shares.js"

/** For all servers. One alone gets half of that, which is more than the longest string of Node.js. */
export const maxArriving = mebibytes(1024)

/** These do not count, so that small messages always have room. */
export const uncounted = kibibytes(16)

const program = new Shares(maxArriving)

export class Arrivals {
  readonly #all: Shares

  /** `all`: what servers share. Default: that of the program. */
  constructor(all: Shares = program) {
    this.#all = all
  }

  begin(): Arrival {
    return new Arrival(this.#all, this)
  }
}

export class Arrival {
  readonly #all: Shares
  readonly #server: Arrivals
  #counted = 0
  #isOver = false

  constructor(all: Shares, server: Arrivals) {
    this.#all = all
    this.#server = server
  }

  /** So many bytes are to be kept from now on. Without room for them, returns false, and changes nothing. */
  keeps(bytes: Bytes): boolean {
    if (this.#isOver) return true
    const more = Math.max(0, bytes - uncounted) - this.#counted
    if (more > 0 && !this.#all.take(this.#server, more)) return false
    if (more < 0) this.#all.release(this.#server, -more)
    this.#counted += more
    return true
  }

  /** Nothing is counted from now on. */
  end(): void {
    this.keeps(Bytes(0))
    this.#isOver = true
  }
}
