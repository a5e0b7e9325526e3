/**
 * Splits a stream of bytes into lines, none of which is kept past a limit.
 */
import { Bytes } from "@mcp-lifeline/core/text"
import { type Arrivals, JsonScanner, type Oversized, Pieces, Turns } from "@mcp-lifeline/protocol"
import { constants } from "node:buffer"

export type Frame =
  | { readonly _tag: "Line"; readonly text: string }
  | { readonly _tag: "TooLong" } & Oversized.Oversized

const lineFeed = 0x0A
/** No string holds more: a longer line is no message, and may have no end. */
export const maxLineBytes = Bytes(constants.MAX_STRING_LENGTH)
/** Bytes shown of an unfinished line. */
const longestBegun = 1024

/** Some runtimes begin with a byte order mark. */
const line = (text: string): Frame => ({ _tag: "Line", text: text.startsWith("\uFEFF") ? text.slice(1) : text })

export class Framing {
  readonly #maxBytes: Bytes
  readonly #maxLineBytes: Bytes
  readonly #pieces = new Pieces()
  readonly turns = new Turns.Turns()
  /** Of the line that has begun, kept or not. */
  #bytes = 0
  #dropped = false
  #scanner: JsonScanner | undefined
  readonly #arrival: Arrivals.Arrival | undefined
  #isCrowded = false

  /** `arrival`: shared room. Default: as much as it takes. */
  constructor(maxBytes: Bytes, maxLineBytes: Bytes, arrival?: Arrivals.Arrival) {
    this.#arrival = arrival
    this.#maxBytes = maxBytes
    this.#maxLineBytes = maxLineBytes
  }

  /** Hands on results in order: those of long frames in later turns. */
  push<A>(chunk: Buffer, read: (frame: Frame) => A, then?: (result: A) => void): void {
    const hand = (frame: Frame): void =>
      this.turns.run(frame._tag === "Line" ? frame.text.length : 0, () => read(frame), then)
    // Mostly one line or several, which are found faster in a text.
    if (this.#bytes === 0 && chunk.length <= this.#maxBytes && chunk[chunk.length - 1] === lineFeed) {
      const text = chunk.toString()
      let start = 0
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
        hand(line(text.slice(start, end)))
        start = end + 1
      }
      return
    }
    let start = 0
    for (;;) {
      const end = chunk.indexOf(lineFeed, start)
      if (end !== -1 && this.#bytes === 0 && end - start <= this.#maxBytes) {
        hand(line(chunk.toString("utf8", start, end)))
        start = end + 1
        continue
      }
      // Also with nothing: what is kept is counted then.
      this.#extend(end === -1 ? chunk.subarray(start) : chunk.subarray(start, end))
      if (end === -1) return
      hand(this.#complete())
      start = end + 1
    }
  }

  get isEndless(): boolean {
    return this.#bytes > this.#maxLineBytes
  }

  get begun(): string {
    const [first = Buffer.alloc(0)] = this.#pieces.all
    return first.subarray(0, longestBegun).toString("utf8")
  }

  get begunBytes(): Bytes {
    return Bytes(this.#bytes)
  }

  #extend(piece: Buffer): void {
    this.#bytes += piece.length
    if (this.#dropped) return void this.#scanner?.push(piece)
    this.#isCrowded = this.#arrival?.keeps(Bytes(this.#bytes)) === false
    this.#pieces.push(piece)
    if (this.#bytes <= this.#maxBytes && !this.#isCrowded) return
    this.#dropped = true
    // Only an object has an id.
    if (/^\s*(\{|$)/.test(this.begun)) this.#scanner = new JsonScanner()
    for (const kept of this.#pieces.all) this.#scanner?.push(kept)
    this.#pieces.clear()
    this.#arrival?.keeps(Bytes(0))
  }

  /** Keeps only what is shown to people. */
  end(): void {
    const [first = Buffer.alloc(0)] = this.#pieces.all
    this.#pieces.clear()
    this.#pieces.push(Buffer.from(first.subarray(0, longestBegun)))
    this.#arrival?.end()
  }

  #complete(): Frame {
    const [dropped, scanner, isCrowded] = [this.#dropped, this.#scanner, this.#isCrowded]
    const kept = this.#pieces.take()
    this.#isCrowded = false
    this.#bytes = 0
    this.#dropped = false
    this.#scanner = undefined
    return dropped
      ? {
        _tag: "TooLong",
        id: scanner?.id,
        isResponse: scanner?.hasMethod !== true,
        ...(isCrowded ? { isCrowded } : {})
      }
      : line(kept.toString("utf8"))
  }
}
