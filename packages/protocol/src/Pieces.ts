import { kibibytes } from "@mcp-lifeline/core/text"

/** What small pieces are copied into, in bytes. */
const blockBytes = kibibytes(16)
/** From this size on a piece is kept as it is, in bytes. */
const large = kibibytes(4)

/**
 * Takes about as much memory as the bytes that it keeps, and a block: each buffer costs some hundred bytes, and the sender chooses the size
 * of pieces.
 */
export class Pieces {
  #kept: Array<Buffer> = []
  /** The last one, where it has room for more. */
  #block: Buffer | undefined
  #filled = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(piece: Buffer): void {
    this.#length += piece.length
    const rest = this.#fill(piece)
    if (rest.length === 0) return
    // What arrives in one piece is not copied.
    if (this.#kept.length === 0 || rest.length >= large) {
      this.#kept.push(rest)
      return
    }
    this.#block = Buffer.allocUnsafeSlow(blockBytes)
    this.#filled = 0
    this.#kept.push(this.#block)
    this.#fill(rest)
  }

  /** In one piece; nothing is kept any more. */
  take(): Buffer {
    const { all } = this
    this.clear()
    return all.length === 1 ? all[0]! : Buffer.concat(all)
  }

  clear(): void {
    this.#kept = []
    this.#block = undefined
    this.#filled = 0
    this.#length = 0
  }

  get all(): ReadonlyArray<Buffer> {
    return this.#kept.map((one) => one === this.#block ? one.subarray(0, this.#filled) : one)
  }

  #fill(piece: Buffer): Buffer {
    if (this.#block === undefined) return piece
    const taken = piece.copy(this.#block, this.#filled)
    this.#filled += taken
    if (this.#filled === blockBytes) this.#block = undefined
    return piece.subarray(taken)
  }
}
