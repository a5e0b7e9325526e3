/** Hands on whole lines of an event stream, and keeps none past a limit (T12). */
import { Bytes } from "@mcp-lifeline/core/text"
import type { Oversized } from "@mcp-lifeline/protocol"
import { JsonScanner, Pieces } from "@mcp-lifeline/protocol"

const lineFeed = 0x0A
const carriageReturn = 0x0D

export class EventLines {
  readonly #maxBytes: Bytes
  readonly #keeps: (bytes: Bytes) => boolean
  readonly #pieces = new Pieces()
  #bytes = 0
  /** Reads the line that is being dropped. */
  #scanner: JsonScanner | undefined
  #isCrowded = false

  /** `keeps`: whether there is room for so many bytes of a begun line. Default: always. */
  constructor(maxBytes: Bytes, keeps: (bytes: Bytes) => boolean = () => true) {
    this.#maxBytes = maxBytes
    this.#keeps = keeps
  }

  /** Bytes of the begun line. */
  get kept(): number {
    return this.#pieces.length
  }

  clear(): void {
    this.#pieces.clear()
  }

  /** Whether the line being dropped may have no end. */
  get isEndless(): boolean {
    return this.#scanner !== undefined && this.#bytes > 2 * this.#maxBytes
  }

  /** Hands on the lines that the chunk completes, in pieces with their ends. */
  push(chunk: Buffer, onLines: (lines: Buffer) => void, onDropped: (message: Oversized.Oversized) => void): void {
    if (this.#bytes + chunk.length <= this.#maxBytes && this.#scanner === undefined) {
      return this.#take(chunk, lastEnd(chunk), onLines, onDropped)
    }
    let start = 0
    while (start < chunk.length) {
      const end = firstEnd(chunk, start)
      const line = chunk.subarray(start, end)
      start = end
      if (this.#scanner === undefined && this.#bytes + line.length <= this.#maxBytes) {
        this.#take(line, lastEnd(line), onLines, onDropped)
      } else this.#drop(line, onDropped)
    }
  }

  #take(
    chunk: Buffer,
    end: number,
    onLines: (lines: Buffer) => void,
    onDropped: (message: Oversized.Oversized) => void
  ): void {
    if (end > 0) {
      const pieces = this.#pieces.all
      this.#pieces.clear()
      this.#bytes = 0
      for (const piece of pieces) onLines(piece)
      onLines(chunk.subarray(0, end))
    }
    if (end === chunk.length) return
    if (!this.#keeps(Bytes(this.#bytes + chunk.length - end))) {
      this.#isCrowded = true
      return this.#drop(chunk.subarray(end), onDropped)
    }
    this.#pieces.push(chunk.subarray(end))
    this.#bytes += chunk.length - end
  }

  #drop(line: Buffer, onDropped: (message: Oversized.Oversized) => void): void {
    const scanner = this.#scanner ?? new JsonScanner()
    for (const piece of this.#pieces.all) scanner.push(piece)
    scanner.push(line)
    this.#pieces.clear()
    this.#bytes += line.length
    this.#scanner = scanner
    if (lastEnd(line) === 0) return
    const isCrowded = this.#isCrowded
    this.#bytes = 0
    this.#scanner = undefined
    this.#isCrowded = false
    onDropped({ id: scanner.id, isResponse: !scanner.hasMethod, ...(isCrowded ? { isCrowded } : {}) })
  }
}

/** 0 if there is none. */
const lastEnd = (chunk: Buffer): number => 1 + Math.max(chunk.lastIndexOf(lineFeed), chunk.lastIndexOf(carriageReturn))

/** The length if there is none. */
const firstEnd = (chunk: Buffer, start: number): number => {
  const ends = [chunk.indexOf(lineFeed, start), chunk.indexOf(carriageReturn, start)].filter((index) => index !== -1)
  return ends.length === 0 ? chunk.length : 1 + Math.min(...ends)
}
