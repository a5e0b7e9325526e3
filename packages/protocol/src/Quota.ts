/** Limits what is kept for peers: of one item, one holder (a session, a stream), one client, and all. Excess is refused to who asks. */
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
  /** Of all clients (`Shares`). */
  readonly all: Amount
}

interface ClientExcess extends Readonly<Record<"held" | "most" | "total", Amount>> {
  readonly limit: "client"
  readonly of: keyof Amount
}

export type Excess =
  | { readonly limit: "item"; readonly bytes: Bytes; readonly most: number }
  | { readonly limit: "holder"; readonly of: keyof Amount; readonly held: Amount; readonly most: number }
  | ClientExcess

export class Holding {
  readonly #limits: HolderLimits
  readonly #quota: Quota | undefined
  readonly #client: unknown
  #held: Amount = { count: 0, bytes: Bytes(0) }
  #isClosed = false

  constructor(limits: HolderLimits, quota?: Quota, client?: unknown) {
    this.#limits = limits
    this.#quota = quota
    this.#client = client
  }

  get held(): Amount {
    return this.#held
  }

  /** Takes nothing if it returns an excess. */
  take(bytes: Bytes, count = 1): Excess | undefined {
    if (this.#isClosed) return undefined
    const [limits, held] = [this.#limits, this.#held]
    const next = { count: held.count + count, bytes: Bytes(held.bytes + bytes) }
    if (bytes > limits.item) return { limit: "item", bytes, most: limits.item }
    const of = next.count > limits.count ? "count" : next.bytes > limits.bytes ? "bytes" : undefined
    if (of !== undefined) return { limit: "holder", of, held, most: limits[of] }
    const excess = this.#quota?.take(this.#client, { count, bytes })
    if (excess === undefined) this.#held = next
    return excess
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

  release(bytes: Bytes, count = 1): void {
    if (this.#isClosed) return
    this.#held = { count: this.#held.count - count, bytes: Bytes(this.#held.bytes - bytes) }
    this.#quota?.release(this.#client, { count, bytes })
  }

  /** From then on nothing is counted. */
  close(): void {
    this.release(this.#held.bytes, this.#held.count)
    this.#isClosed = true
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
    return new Holding(this.#limits.holder, this, client)
  }

  take(client: unknown, { bytes, count }: Amount): ClientExcess | undefined {
    const hasPlace = this.#count.take(client, count)
    if (hasPlace && this.#bytes.take(client, bytes)) return undefined
    if (hasPlace) this.#count.release(client, count)
    const of = hasPlace ? "bytes" : "count"
    return { limit: "client", of, held: this.heldBy(client), total: this.held, most: this.#limits.all }
  }

  release(client: unknown, { bytes, count }: Amount): void {
    this.#count.release(client, count)
    this.#bytes.release(client, bytes)
  }
}
