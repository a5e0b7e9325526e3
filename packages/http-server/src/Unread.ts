/** What clients leave unread of answers is limited, also in time. */
import { type Bytes, kibibytes, mebibytes } from "@mcp-lifeline/core/text"
import { Shares } from "@mcp-lifeline/protocol"
import type { ServerResponse } from "node:http"

/** Smaller amounts are not counted, in bytes: the number of connections limits them. */
const small = kibibytes(64)

export interface Limits {
  /** Of all clients together. */
  readonly bytes: Bytes
  /** How long a client may read nothing, in milliseconds; its connection closes within twice as long. */
  readonly stall: number
}

export const defaults: Limits = { bytes: mebibytes(512), stall: 60_000 }

export class Unread {
  readonly #shares: Shares
  readonly #stall: number

  constructor({ bytes, stall }: Limits) {
    this.#shares = new Shares(bytes)
    this.#stall = stall
  }

  get total(): number {
    return this.#shares.total
  }

  /** Destroys the response if it holds more than the client's share. */
  watch(response: ServerResponse, client: unknown): void {
    const part = this.#shares.part(client)
    let isFollowed = false
    const count = (): void => {
      const waiting = response.destroyed ? 0 : response.writableLength
      if (waiting > 0 && !isFollowed) {
        isFollowed = true
        follow()
      }
      if (!part(waiting > small ? waiting : 0)) response.destroy()
    }
    const follow = (): void => {
      // Called when nothing happens on the connection. A stream that waits stays.
      response.setTimeout(this.#stall, () => {
        if (response.writableLength > 0) response.destroy()
      })
      for (const event of ["drain", "finish", "close"]) response.on(event, count)
    }
    const counted = <A extends ReadonlyArray<unknown>, B>(write: (...args: A) => B) => (...args: A): B => {
      const result = write.apply(response, args as never)
      count()
      return result
    }
    response.write = counted(response.write) as ServerResponse["write"]
    response.end = counted(response.end) as ServerResponse["end"]
  }
}
