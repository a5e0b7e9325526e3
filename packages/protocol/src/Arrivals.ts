/** Limits what is kept of incomplete messages of all servers. */
import { type Bytes, kibibytes, mebibytes } from "@mcp-lifeline/core/text"
import { Shares } from "./Shares.js"

/** For all servers. One alone gets half of that, which is more than the longest string of Node.js. */
export const maxArriving = mebibytes(1024)

/** These do not count, so that small messages always have room. */
export const uncounted = kibibytes(16)

const program = new Shares(maxArriving)

export interface Arrival {
  /** From now on. Without room, returns false and changes nothing. */
  readonly keeps: (bytes: Bytes) => boolean
  /** Nothing is counted from now on. */
  readonly end: () => void
}

export class Arrivals {
  readonly #all: Shares

  /** `all`: what servers share. Default: that of the program. */
  constructor(all: Shares = program) {
    this.#all = all
  }

  begin(): Arrival {
    const part = this.#all.part(this)
    let isOver = false
    return {
      keeps: (bytes) => isOver || part(Math.max(0, bytes - uncounted)),
      end: () => {
        part(0)
        isOver = true
      }
    }
  }
}
