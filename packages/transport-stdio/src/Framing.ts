/**
 * Splits a stream of bytes into lines, none of which is kept past a limit (S4).
 */
import { IdScanner } from "@mcp-lifeline/protocol"

/** A line, or what is known of one that was too long. */
export type Frame =
  | { readonly _tag: "Line"; readonly text: string }
  | { readonly _tag: "TooLong"; readonly id: string | number | undefined; readonly isResponse: boolean }

const lineFeed = 0x0A
/** Bytes of a line that has only begun which are shown to people. */
const longestBegun = 1024

/** Stateful; one for each stream. */
export class Framing {
  readonly #maxBytes: number
  #pieces: Array<Buffer> = []
  #bytes = 0
  #scanner: IdScanner | undefined

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Hands on the frames that this chunk completes. */
  push(chunk: Buffer, onFrame: (frame: Frame) => void): void {
    let start = 0
    for (;;) {
      const end = chunk.indexOf(lineFeed, start)
      this.#extend(end === -1 ? chunk.subarray(start) : chunk.subarray(start, end))
      if (end === -1) return
      onFrame(this.#complete())
      start = end + 1
    }
  }

  /** The beginning of a line whose end has not come. */
  get begun(): string {
    const [first = Buffer.alloc(0)] = this.#pieces
    return first.subarray(0, longestBegun).toString("utf8")
  }

  #extend(piece: Buffer): void {
    if (this.#scanner !== undefined) return this.#scanner.push(piece)
    this.#bytes += piece.length
    this.#pieces.push(piece)
    if (this.#bytes <= this.#maxBytes) return
    this.#scanner = new IdScanner()
    for (const kept of this.#pieces) this.#scanner.push(kept)
    this.#pieces = []
  }

  #complete(): Frame {
    const scanner = this.#scanner
    const [only = Buffer.alloc(0), ...more] = this.#pieces
    this.#pieces = []
    this.#bytes = 0
    this.#scanner = undefined
    return scanner === undefined
      ? { _tag: "Line", text: (more.length === 0 ? only : Buffer.concat([only, ...more])).toString("utf8") }
      : { _tag: "TooLong", id: scanner.id, isResponse: !scanner.hasMethod }
  }
}
