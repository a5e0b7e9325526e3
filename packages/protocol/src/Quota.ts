/**
 * Limits what is kept for peers, in number and bytes: of one item, one holder (a session, a stream), one client, and all.
 * What is over a limit is refused to the peer that asks; nothing else changes.
 */
import { Bytes } from "@mcp-lifeline/core/text"
import { Shares } from "./Shares.js"

export interface Amount {
  readonly count: number
  readonly bytes: Bytes
}

export interface HolderLimits extends Amount {
  readonly item: Bytes
}

export interface Limits {
  readonly holder: HolderLimits
  /** Of all clients; one of them never has more than is left for others (`Shares`). */
  readonly all: Amount
}

export type Excess =
  | { readonly limit: "item"; readonly bytes: Bytes; readonly most: number }
  | { readonly limit: "holder"; readonly of: keyof Amount; readonly held: Amount; readonly most: number }
  | { readonly limit: "client"; readonly held: Amount; readonly total: Amount; readonly most: Amount }

interface Above {
  readonly take: (bytes: Bytes, count: number) => Excess | undefined
  readonly release: (bytes: Bytes, count: number) => void
}

export class Holding {
  readonly #limits: HolderLimits
  readonly #above: Above | undefined
  #count = 0
  #bytes = 0
  #isClosed = false

  constructor(limits: HolderLimits, above?: Above) {
    this.#limits = limits
    this.#above = above
  }

  get held(): Amount {
    return { count: this.#count, bytes: Bytes(this.#bytes) }
  }

  /** Takes nothing if it returns an excess. */
  take(bytes: Bytes): Excess | undefined {
    if (this.#isClosed) return undefined
    const { bytes: mostBytes, count: mostCount, item } = this.#limits
    if (bytes > item) return { limit: "item", bytes, most: item }
    if (this.#count + 1 > mostCount) return { limit: "holder", of: "count", held: this.held, most: mostCount }
    if (this.#bytes + bytes > mostBytes) return { limit: "holder", of: "bytes", held: this.held, most: mostBytes }
    const excess = this.#above?.take(bytes, 1)
    if (excess !== undefined) return excess
    this.#count++
    this.#bytes += bytes
    return undefined
  }

  /** All of these, or none. */
  takeAll(items: ReadonlyArray<Bytes>): Excess | undefined {
    for (const [index, bytes] of items.entries()) {
      const excess = this.take(bytes)
      if (excess === undefined) continue
      for (const taken of items.slice(0, index)) this.release(taken)
      return excess
    }
    return undefined
  }

  release(bytes: Bytes): void {
    if (this.#isClosed) return
    this.#count--
    this.#bytes -= bytes
    this.#above?.release(bytes, 1)
  }

  /** From then on nothing is counted. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#above?.release(Bytes(this.#bytes), this.#count)
    this.#count = 0
    this.#bytes = 0
  }
}

export class Quota {
  readonly #limits: Limits
  readonly #count: Shares
  readonly #bytes: Shares

  constructor(limits: Limits) {
    this.#limits = limits
    this.#count = new Shares(limits.all.count)
    this.#bytes = new Shares(limits.all.bytes)
  }

  get held(): Amount {
    return { count: this.#count.total, bytes: Bytes(this.#bytes.total) }
  }

  heldBy(client: unknown): Amount {
    return { count: this.#count.heldBy(client), bytes: Bytes(this.#bytes.heldBy(client)) }
  }

  holderOf(client: unknown): Holding {
    return new Holding(this.#limits.holder, {
      take: (bytes, count) => this.#take(client, bytes, count),
      release: (bytes, count) => {
        this.#count.release(client, count)
        this.#bytes.release(client, bytes)
      }
    })
  }

  #take(client: unknown, bytes: Bytes, count: number): Excess | undefined {
    if (this.#count.take(client, count)) {
      if (this.#bytes.take(client, bytes)) return undefined
      this.#count.release(client, count)
    }
    return { limit: "client", held: this.heldBy(client), total: this.held, most: this.#limits.all }
  }
}
